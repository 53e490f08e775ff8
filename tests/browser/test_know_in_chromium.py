"""Know, as a person uses it: nodes get roles, and what follows is said and shown on the drawing."""

import pytest

BOW = "edges: [x -> y, x <-> y, z -> x]"
FORK = "edges: [z -> x, x -> y, z -> y]"


@pytest.fixture
def know(watched, opened, server, holding):
    """The pane with a graph of the test's own."""

    def show(text, **options):
        page = opened(watched(**options), server.address)
        holding(page, text=text, pane="know")
        page.locator("#pane-know .node").first.wait_for()
        return page

    return show


def node(page, name):
    return page.locator(f'#pane-know .node[data-key="node {name}"]')


def ask(page, treatment="x", outcome="y"):
    """Both roles, by clicks."""
    node(page, treatment).click()
    page.get_by_role("button", name="Outcome", exact=True).click()
    node(page, outcome).click()
    page.get_by_text("Step by step").wait_for()


def test_two_clicks_ask_and_the_verdict_stands_beside_the_drawing(know, violations, shot):
    page = know(FORK)
    ask(page)
    assert page.get_by_role("combobox", name="Question").first.input_value() == "P(y | do(x))"
    assert page.locator("#pane-know").get_by_text("Identifiable", exact=True).is_visible()
    formula = page.locator("#pane-know .formula").first
    assert formula.locator("math").count() == 3
    assert formula.locator("munder").count() == 1
    shot(page, "know-identified")
    assert violations(page) == []


def test_clicks_that_are_faster_than_the_answers_all_count(know):
    page = know(FORK)
    page.evaluate("""() => {
        const pane = document.querySelector("#pane-know");
        const click = (name) => pane.querySelector(`.node[data-key="node ${name}"]`)
            .dispatchEvent(new MouseEvent("click", { bubbles: true }));
        click("x");
        pane.querySelector("[data-role=outcomes]").click();
        click("y");
    }""")
    page.locator("#pane-know .node.outcomes").wait_for()
    assert page.get_by_role("combobox", name="Question").first.input_value() == "P(y | do(x))"


def test_keys_give_roles_to_the_node_in_focus(know):
    page = know(FORK)
    for name, role in (("x", "treatments"), ("y", "outcomes"), ("z", "adjusted")):
        node(page, name).focus()
        page.keyboard.press(role[0])
        page.locator(f"#pane-know .node.{role}").wait_for()
    page.get_by_text("an adjustment set", exact=True).wait_for()
    node(page, "z").focus()
    page.keyboard.press("u")
    page.get_by_text("Not identifiable", exact=True).wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Identifiable", exact=True).wait_for()


def test_a_hedge_is_shown_where_there_is_no_answer(know, violations, shot):
    page = know(BOW, scheme="dark")
    ask(page)
    page.get_by_text("Not identifiable", exact=True).wait_for()
    page.locator("#pane-know .node.hedge").nth(1).wait_for()
    assert page.locator("#pane-know .node.hedge").count() == 2
    assert page.locator("#pane-know .node.hedge.inner").count() == 1
    assert page.locator("#pane-know .edge.hedge").count() == 2
    shot(page, "know-hedge-dark")
    assert violations(page) == []


def test_the_files_own_question_is_one_click_and_hidden_causes_are_marked(know):
    page = know(
        "edges: [x -> y, u -> x, u -> y, z -> x, z -> y]\nlatent: [u]\nqueries: [P(y | do(x))]"
    )
    own = page.locator("#pane-know").get_by_role("group", name="The file's own questions")
    own.get_by_role("button", name="P(y | do(x))").click()
    page.locator("#pane-know .edge.hedge").nth(2).wait_for()
    marked = page.locator("#pane-know .edge.hedge").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label')).sort()"
    )
    assert marked == ["u causes x", "u causes y", "x causes y"]
    page.get_by_role("button", name="Paths", exact=True).click()
    page.get_by_role("button", name="x <-> y", exact=True).click()
    shown = page.locator("#pane-know .edge.path").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label')).sort()"
    )
    assert shown == ["u causes x", "u causes y"]


def test_each_step_has_its_own_graph(know):
    page = know(FORK)
    ask(page)
    cut = []
    for _ in range(4):
        page.locator("[data-go=next]").click()
        cut.append(page.locator("#pane-know .edge.cut").count())
    assert page.get_by_text("step 5 of 5").is_visible()
    assert page.locator("[data-go=next]").is_disabled()
    assert cut == [0, 0, 1, 1]


def test_a_set_is_a_button_that_adjusts_and_blocks_paths(know):
    page = know(FORK)
    ask(page)
    page.locator("#pane-know .edge.path.biasing").nth(1).wait_for()
    page.get_by_role("button", name="{z}").click()
    page.locator("#pane-know .node.adjusted").wait_for()
    page.get_by_text("an adjustment set", exact=True).wait_for()
    assert page.locator("#pane-know .edge.path.blocked").count() == 2
    assert page.locator("#pane-know .edge.path.causal").count() == 1
    assert page.get_by_text("blocked by z, which is given").is_visible()


def test_a_written_question_stays_where_a_role_is_none_of_its_own(know):
    page = know(FORK)
    question = page.get_by_role("combobox", name="Question").first
    question.fill("ETT(x -> y)")
    page.locator("#pane-know .node.treatments").wait_for()
    page.get_by_role("button", name="Adjusted", exact=True).click()
    node(page, "z").click()
    page.locator("#pane-know .node.adjusted").wait_for()
    assert question.input_value() == "ETT(x -> y)"
    page.get_by_role("button", name="Given", exact=True).click()
    node(page, "z").click()
    page.locator("#pane-know .node.given").wait_for()
    assert question.input_value() == "P(y | do(x), z)"


def test_data_that_are_named_begin_with_an_experiment_on_the_treatment(know):
    page = know("""edges: ['"warm up" -> y', '"warm up" <-> y']""")
    ask(page, "warm up")
    page.get_by_text("Not identifiable", exact=True).wait_for()
    page.get_by_label("Data that are known").select_option("named")
    page.get_by_text("Identifiable", exact=True).wait_for()
    box = page.get_by_label("Distributions, separated by semicolons")
    assert box.input_value() == 'P(v); P(v | do("warm up"))'


def test_a_path_that_is_pressed_is_shown_alone(know):
    page = know(FORK)
    ask(page)
    page.get_by_role("button", name="x <- z -> y").click()
    assert page.locator("#pane-know .edge.path").count() == 2
    page.get_by_role("button", name="x <- z -> y").click()
    assert page.locator("#pane-know .edge.path").count() == 3


def test_a_question_that_is_typed_is_judged_and_a_mistake_is_said(know):
    page = know(FORK)
    box = page.get_by_role("combobox", name="Question").first
    box.fill("P(y[x=1] | x=0)")
    page.get_by_text("Not identifiable").or_(
        page.get_by_text("Identifiable", exact=True)
    ).wait_for()
    box.fill("P(y | do(q))")
    page.get_by_role("alert").filter(has_text="unknown node 'q'").wait_for()
    page.get_by_text("Step by step").wait_for(state="hidden")


def test_the_pane_fits_a_telephone(know, shot):
    page = know(FORK, width=360, height=740)
    ask(page)
    shot(page, "know-narrow-filled")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


LONG = """edges:
  - systolic_blood_pressure_morning -> treatment_with_beta_blockers
  - treatment_with_beta_blockers -> survival_after_five_years_all
  - systolic_blood_pressure_morning -> survival_after_five_years_all
  - genetic_predisposition_unknown -> survival_after_five_years_all
  - genetic_predisposition_unknown -> treatment_with_beta_blockers
queries: ["P(survival_after_five_years_all | do(treatment_with_beta_blockers))"]
"""


@pytest.mark.parametrize("width", [360, 1280])
def test_a_formula_of_long_names_wraps(know, settled, shot, width):
    page = know(LONG, width=width)
    page.get_by_role("button", name="P(survival").click()
    page.get_by_text("Step by step").wait_for()
    page.locator("[data-go=next]").click()
    settled(page)
    shot(page, f"know-long-names-{width}")
    wide = "all => all.map((each) => each.scrollWidth - each.clientWidth)"
    over = page.locator("#pane-know .formula").evaluate_all(wide)
    assert max(over) <= (16 if width < 400 else 0)  # a letter or two beyond its box, and shaded
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_name_is_no_markup(know):
    page = know("edges: ['\"<img src=x onerror=alert(1)>\" -> y']")
    node(page, "<img src=x onerror=alert(1)>").click()
    page.get_by_role("button", name="Outcome", exact=True).click()
    node(page, "y").click()
    page.locator("#pane-know .formula").first.wait_for()
    assert page.locator("#pane-know img").count() == 0
