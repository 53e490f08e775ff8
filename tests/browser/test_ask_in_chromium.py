"""Ask, as a person uses it: a question is typed with help, and answered in fractions and bars."""

import pytest

BOW = """exogenous: {u: {p: [0.5, 0.5]}, w: {p: [0.7, 0.3]}}
nodes:
  x: {type: class, levels: 2, equation: u ^ w}
  y: {type: class, levels: 2, equation: "x & u | w"}
queries: ["P(y=1 | do(x=1))"]
"""


@pytest.fixture
def ask(watched, opened, server, holding):
    """The pane with a graph and a question."""

    def show(text=BOW, query="", **options):
        page = opened(watched(**options), server.address)
        holding(page, text=text, query=query, pane="ask")
        return page

    return show


def box(page):
    return page.get_by_role("combobox", name="Question")


def cells(page):
    page.locator("#pane-ask tbody tr").first.wait_for()
    return [each.inner_text().split("\t") for each in page.locator("#pane-ask tbody tr").all()]


def test_the_files_own_question_is_one_click_and_its_answer_a_fraction(ask):
    page = ask()
    page.get_by_role("button", name="P(y=1 | do(x=1))").click()
    page.get_by_text("13/20").wait_for()
    assert box(page).input_value() == "P(y=1 | do(x=1))"


def test_what_data_leave_open_has_bounds_and_says_so(ask, violations, shot):
    page = ask(query="P(y | do(x=1))")
    page.get_by_role("columnheader", name="bounds").wait_for()
    assert [row[:2] for row in cells(page)] == [["0", "7/20 = 0.35"], ["1", "13/20 = 0.65"]]
    assert page.get_by_text("Rests on the model").is_visible()
    assert page.get_by_text("is not identifiable from P(v)").is_visible()
    shot(page, "ask-bounds")
    assert violations(page) == []


def test_a_question_is_completed_by_keys(ask):
    page = ask()
    box(page).click()
    for keys in (["P", "("], ["y"], [" ", "|", " ", "d"], ["x"]):
        for key in keys:
            page.keyboard.type(key)
        if keys[-1] == "d":
            page.get_by_role("option", name="do(").wait_for()
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
    assert box(page).input_value() == "P(y | do(x"
    page.keyboard.type("=")
    page.get_by_role("option", name="1", exact=True).wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    assert box(page).input_value() == "P(y | do(x=1"
    page.keyboard.type("))")
    page.get_by_text("13/20").wait_for()


OWN = BOW.replace('"]', '", "P(x=1)"]')


@pytest.mark.parametrize("pane", ["ask", "know"])
def test_the_files_own_questions_are_reachable_while_a_question_is_typed(ask, pane):
    from playwright.sync_api import expect

    page = ask(OWN, query="P(y=1 | do(x=1))")
    page.get_by_role("tab", name=pane.title()).click()
    shown = page.locator(f"#pane-{pane}")
    field = shown.get_by_role("combobox", name="Question")
    field.fill("")
    shown.get_by_role("listbox").wait_for()
    shown.get_by_role("button", name="P(x=1)", exact=True).click(timeout=5_000)
    expect(field).to_have_value("P(x=1)", timeout=60_000)


def test_behind_a_finished_question_nothing_pops_up(ask, settled):
    page = ask(query="P(y=1 | do(x=1))")
    page.get_by_text("13/20").wait_for()
    box(page).click()
    settled(page)
    assert page.get_by_role("option").count() == 0
    box(page).press("End")
    page.keyboard.type(" ")
    settled(page)
    page.wait_for_timeout(200)
    assert page.get_by_role("option").count() == 0
    page.keyboard.type("- ")
    page.get_by_role("option", name="P(", exact=True).wait_for()


def test_an_own_question_that_names_what_is_unobserved_is_not_offered(ask, settled):
    page = ask(OWN)
    page.get_by_role("button", name="P(x=1)", exact=True).wait_for()
    page.get_by_role("tab", name="Know").click()
    page.locator('#pane-know .node[data-key="node x"]').focus()
    page.keyboard.press("u")
    page.locator("#pane-know .node.unobserved").wait_for()
    page.get_by_role("tab", name="Ask").click()
    own = page.locator("#pane-ask").get_by_role("group", name="The file's own questions")
    own.get_by_role("button").first.wait_for(state="detached")
    page.get_by_role("button", name="Undo").click()
    own.get_by_role("button", name="P(x=1)", exact=True).wait_for()


def test_a_mistake_has_a_caret_at_its_place(ask, violations):
    page = ask(query="P(y | do(q=1))")
    page.locator("#pane-ask .caret").wait_for()
    text, caret = page.locator("#pane-ask .caret").inner_text().split("\n")
    assert text[caret.index("^")] == "q"
    assert page.get_by_text("unknown node 'q'").is_visible()
    assert violations(page) == []


def test_a_slider_changes_a_law_and_the_answer_and_is_undone(ask):
    page = ask(query="P(w)")
    page.get_by_text("3/10").first.wait_for()
    slider = page.get_by_role("slider", name="P(w=1)")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.get_by_text("1/100").wait_for()
    page.get_by_role("button", name="w as in the file").click()
    page.get_by_text("3/10").first.wait_for()


def test_a_graph_without_numbers_says_what_it_lacks_and_is_given_examples(ask):
    page = ask("edges: [x -> y]", query="P(y=1 | do(x=1))")
    page.get_by_text("No numbers yet").wait_for()
    page.get_by_role("button", name="Give this graph example numbers").click()
    page.get_by_text("2/3").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("No numbers yet").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pane_fits_a_telephone(ask, violations, shot, scheme):
    page = ask(query="P(x, y)", width=360, height=740, scheme=scheme)
    assert len(cells(page)) == 4
    shot(page, f"ask-narrow-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
