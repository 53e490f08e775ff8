"""The Draw pane as people use it: by mouse, by keyboard alone, by text; each follows the other."""

import re
from pathlib import Path

import pytest

import causalflow as cf

TWO_ARROWS_WITHIN_ONE_FRAME = """() => {
  for (const init of [{ key: "ArrowUp" }, { key: "ArrowLeft", shiftKey: true }])
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { ...init, bubbles: true }));
}"""
GRAPH = "edges:\n  - x -> m -> y   # the way\n  - x <-> y\n"


@pytest.fixture
def drawing(page):
    """The pane with a graph of three nodes, and what the tests do to it."""
    return Drawing(page).reads(GRAPH)


class Drawing:
    def __init__(self, page):
        self.page = page

    @property
    def text(self):
        return self.page.get_by_label("Graph file", exact=True).input_value()

    @property
    def graph(self):
        return cf.loads(self.text)

    def reads(self, text):
        """The text is typed over what was there, and drawn."""
        field = self.page.get_by_label("Graph file", exact=True)
        field.fill(text)
        field.blur()
        names = sorted(cf.loads(text).nodes)
        self.until(lambda: self.names() == names)
        return self

    def names(self):
        keys = "[...document.querySelectorAll('.graph .node')].map((each) => each.dataset.key)"
        return sorted(key.removeprefix("node ") for key in self.page.evaluate(keys))

    def node(self, name):
        return self.page.locator(f'[data-key="node {name}"]')

    def edge(self, source, mark, target):
        verb = {"->": "causes", "<->": "shares a hidden cause with"}[mark]
        return self.page.get_by_role("button", name=f"{source} {verb} {target}", exact=True)

    def box(self, name, part):
        shape = self.node(name).locator(part).last
        shape.wait_for()
        self.until(lambda: shape.bounding_box() is not None)
        return shape.bounding_box()

    def middle(self, name):
        box = self.box(name, ".shape")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def rim(self, name):
        box = self.box(name, ".rim")
        return box["x"] + box["width"] / 2, box["y"] + 3

    def drag(self, start, end):
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down()
        mouse.move(*[(a + b) / 2 for a, b in zip(start, end, strict=True)], steps=3)
        mouse.move(*end, steps=3)
        mouse.up()

    def until(self, holds):
        """Wait for what is to come, and show the text where it does not."""
        for _ in range(2400):
            if holds():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"it did not come; the text is now:\n{self.text}")


def test_drawing_follows_the_text_and_marks_its_mistake(drawing):
    assert drawing.names() == ["m", "x", "y"]
    field = drawing.page.get_by_label("Graph file", exact=True)
    field.fill(GRAPH + "  - y -> z ->\n")
    problem = drawing.page.locator("#graph-problems .problem")
    problem.wait_for()
    assert "Line 4" in problem.inner_text()
    assert "the edge ends early" in problem.inner_text()
    assert "4" in drawing.page.locator(".numbers .wrong").inner_text()
    field.fill(GRAPH + "  - y -> z\n")
    drawing.until(lambda: drawing.names() == ["m", "x", "y", "z"])
    assert problem.count() == 0


def test_mouse_draws_moves_and_deletes(drawing, shot):
    page = drawing.page
    canvas = page.locator(".graph").bounding_box()
    page.mouse.dblclick(canvas["x"] + 60, canvas["y"] + 50)
    drawing.until(lambda: "a" not in drawing.names() and len(drawing.names()) == 4)
    name = page.get_by_label("Name", exact=True)
    name.fill("dose")
    name.press("Enter")
    drawing.until(lambda: "dose" in drawing.names())
    drawing.drag(drawing.rim("dose"), drawing.middle("x"))
    drawing.until(lambda: ("dose", "x") in {(e.source, e.target) for e in drawing.graph.edges})
    page.keyboard.down("Alt")
    drawing.drag(drawing.rim("dose"), drawing.middle("m"))
    page.keyboard.up("Alt")
    drawing.until(lambda: {"dose", "m"} in map(set, drawing.graph.bidirected))
    before = drawing.graph.layout["dose"]
    x, y = drawing.middle("dose")
    drawing.drag((x, y), (x + 40, y + 10))
    drawing.until(lambda: drawing.graph.layout["dose"] != before)
    shot(page, "draw-by-mouse")
    drawing.node("dose").click()
    page.get_by_role("button", name="Delete").click()
    drawing.until(lambda: drawing.names() == ["m", "x", "y"])
    assert "- x -> m -> y   # the way\n" in drawing.text


def test_nodes_stay_where_they_are_put_into_an_empty_drawing(drawing):
    page = drawing.page
    page.get_by_role("button", name="New").click()
    drawing.until(lambda: drawing.names() == [])
    canvas = page.locator(".canvas svg").bounding_box()
    for name, share in (("left cause", 0.25), ("effect", 0.5)):
        place = (canvas["x"] + canvas["width"] * share, canvas["y"] + canvas["height"] / 2)
        page.mouse.dblclick(*place)
        page.locator(".name-field").wait_for()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        drawing.until(lambda name=name: name in drawing.names())
        assert drawing.middle(name) == pytest.approx(place, abs=2)
    drawing.drag(drawing.rim("left cause"), drawing.middle("effect"))
    drawing.until(lambda: "- '\"left cause\" -> effect'" in drawing.text)


def test_keyboard_alone_builds_a_graph(watched, opened, server, shot):
    page = opened(watched(), server.address)
    drawing = Drawing(page)
    page.get_by_role("button", name="New").focus()
    page.keyboard.press("Enter")
    drawing.until(lambda: drawing.names() == [])
    focused = "document.activeElement.dataset.key ?? document.activeElement.className"
    for name in ("cause", "effect"):
        page.keyboard.press("n")
        drawing.until(lambda: page.evaluate(focused) == "name-field")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        drawing.until(lambda name=name: page.evaluate(focused) == f"node {name}")
    drawing.node("cause").focus()
    page.keyboard.press("e")
    page.keyboard.press("Shift+Tab")  # round the nodes, and no further
    page.keyboard.press("Enter")
    drawing.until(lambda: drawing.edge("cause", "->", "effect").count() == 1)
    drawing.node("cause").focus()
    at = drawing.graph.layout["cause"]
    page.evaluate(TWO_ARROWS_WITHIN_ONE_FRAME)
    drawing.until(lambda: drawing.graph.layout["cause"] == (at[0] - 50, at[1] - 10))
    drawing.edge("cause", "->", "effect").focus()
    page.keyboard.press("r")
    drawing.until(lambda: drawing.edge("effect", "->", "cause").count() == 1)
    drawing.edge("effect", "->", "cause").focus()
    page.keyboard.press("b")
    drawing.until(lambda: page.locator(".graph .hidden").count() == 1)
    shot(page, "draw-by-keyboard")
    page.locator(".graph .hidden").focus()
    page.keyboard.press("Delete")
    drawing.until(lambda: page.locator(".graph .edge").count() == 0)
    drawing.node("cause").focus()
    page.keyboard.press("Delete")
    drawing.until(lambda: drawing.names() == ["effect"])


def test_every_step_is_undone_and_done_again(drawing):
    page = drawing.page
    drawing.node("m").click()
    page.get_by_role("button", name="Delete").click()
    drawing.until(lambda: drawing.names() == ["x", "y"])
    page.get_by_role("button", name="Undo").click()
    drawing.until(lambda: drawing.names() == ["m", "x", "y"])
    assert drawing.text == GRAPH
    page.keyboard.press("Control+Shift+Z")
    drawing.until(lambda: drawing.names() == ["x", "y"])


def test_nothing_outside_is_selected_by_a_drag_that_starts_in_the_drawing(drawing):
    selectable = "getComputedStyle(document.querySelector('#pane-draw .helps')).userSelect"
    box = drawing.box("x", ".shape")
    mouse = drawing.page.mouse
    assert drawing.page.evaluate(selectable) == "auto"
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(600, 700, steps=4)
    assert drawing.page.evaluate(selectable) == "none"
    mouse.up()
    drawing.until(lambda: drawing.page.evaluate(selectable) == "auto")


def inside(drawing):
    """Whether all nodes are within the drawing's frame."""
    return drawing.page.evaluate("""() => {
      const frame = document.querySelector("#pane-draw .canvas").getBoundingClientRect();
      const shapes = [...document.querySelectorAll("#pane-draw .node .shape")];
      return shapes.map((each) => each.getBoundingClientRect())
        .every(({ left, right }) => left >= frame.left && right <= frame.right);
    }""")


def test_a_drawing_in_sight_stays_so_when_the_window_shrinks(drawing):
    drawing.reads("edges: [aaaaaaaaaa -> bbbbbbbbbb -> cccccccccc -> dddddddddd -> eeeeeeeeee]\n")
    assert inside(drawing)
    drawing.page.set_viewport_size({"width": 360, "height": 740})
    drawing.until(lambda: inside(drawing))
    drawing.page.set_viewport_size({"width": 1280, "height": 800})
    drawing.until(lambda: inside(drawing))


def test_a_drawing_that_was_zoomed_keeps_its_scale_when_the_window_shrinks(drawing):
    drawing.page.get_by_role("button", name="Zoom in").click()
    before = drawing.box("x", ".shape")["width"]
    drawing.page.set_viewport_size({"width": 800, "height": 740})
    assert abs(drawing.box("x", ".shape")["width"] - before) < 1


LEVELS = """
nodes: {treatment: {type: class, levels: [A, B]}, recovery: {type: class, levels: 2}}
edges: [treatment -> recovery]
queries: ["P(recovery=1 | do(treatment=A))", "P(recovery=1 | treatment=A)"]
"""


def test_every_question_gives_the_drawing_its_roles(page):
    drawn = Drawing(page)
    page.evaluate(
        """(text) => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const area = document.querySelector("#pane-draw textarea");
          area.select();
          area.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        LEVELS,
    )
    page.locator("#pane-draw .node.treatments").wait_for()
    assert page.locator("#pane-draw .node.outcomes").count() == 1
    page.get_by_role("tab", name="Know").click()
    question = page.locator("#pane-know").get_by_role("combobox", name="Question")
    page.locator("#pane-know .node.treatments").wait_for()
    drawn.until(lambda: question.input_value() == "P(recovery=1 | do(treatment=A))")
    page.get_by_role("button", name="P(recovery=1 | treatment=A)", exact=True).click()
    page.locator("#pane-know .node.given").wait_for()
    page.get_by_role("tab", name="Draw").click()
    page.locator("#pane-draw .node.given").wait_for()
    page.locator("#pane-draw .node.given").click()
    page.get_by_role("button", name="Treatment", exact=True).click()
    page.locator("#pane-draw .node.treatments").wait_for()
    page.get_by_role("tab", name="Know").click()
    page.locator("#pane-know .node.treatments").wait_for()
    drawn.until(lambda: question.input_value() == "P(recovery | do(treatment))")


def test_selection_has_name_type_and_roles(drawing, violations, shot):
    page = drawing.page
    drawing.node("x").click()
    page.get_by_role("button", name="Treatment").click()
    assert page.get_by_role("button", name="x, treatment").count() == 1
    page.get_by_label("Type").select_option("continuous")
    drawing.until(lambda: "x: {type: continuous}" in drawing.text)
    assert drawing.graph.nodes["y"].type.word == "class"
    declared = page.get_by_label("Declared as")
    declared.fill("{type: continuous, unit: mm}")
    declared.press("Enter")
    drawing.until(lambda: "unit: mm" in drawing.text)
    name = page.get_by_label("Name", exact=True)
    name.fill("warm up")
    name.press("Enter")
    drawing.until(lambda: "warm up" in drawing.names())
    assert page.get_by_role("button", name="warm up, continuous, mm, treatment").count() == 1
    shot(page, "draw-selection")
    assert violations(page) == []
    drawing.node("m").click()
    page.get_by_role("button", name="Unobserved").click()
    drawing.until(lambda: drawing.graph.latent == ("m",))
    drawing.until(lambda: page.locator(".graph .latent").count() == 1)


def test_what_cannot_be_done_says_why(drawing):
    page = drawing.page
    drawing.drag(drawing.rim("y"), drawing.middle("x"))
    hint = page.locator(".hint.problem")
    hint.wait_for()
    assert "cycle" in hint.inner_text()
    assert drawing.text == GRAPH


def test_texts_of_other_tools_are_pasted(drawing):
    page = drawing.page
    page.evaluate(
        """text => {
            const area = document.getElementById("graph-text");
            area.focus(); area.select();
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }""",
        "dag { smoke -> tar -> cancer smoke <-> cancer }",
    )
    drawing.until(lambda: drawing.names() == ["cancer", "smoke", "tar"])
    drawing.until(lambda: "edges:\n" in drawing.text)
    assert drawing.graph.bidirected == (("smoke", "cancer"),)


def test_examples_are_opened_arranged_and_saved(drawing, shot, tmp_path):
    page = drawing.page
    page.get_by_label("Open an example").select_option("classics/napkin")
    drawing.until(lambda: drawing.names() == ["w1", "w2", "x", "y"] or "napkin" in drawing.text)
    page.get_by_role("button", name="Arrange").click()
    drawing.until(lambda: len(drawing.graph.layout) == len(drawing.names()))
    shot(page, "draw-example")
    for button in ("Save", "SVG", "PNG"):
        with page.expect_download() as caught:
            page.get_by_role("button", name=button, exact=True).click()
        caught.value.save_as(tmp_path / button)
    assert cf.loads((tmp_path / "Save").read_text()) == drawing.graph
    picture = (tmp_path / "SVG").read_text()
    words = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    assert {*drawing.graph.nodes, *drawing.graph.exogenous} <= set(words)
    assert "var(" not in picture
    assert (tmp_path / "PNG").read_bytes().startswith(b"\x89PNG")


def test_names_are_only_text(drawing):
    name = "<img src=x onerror=alert(1)>"
    drawing.reads(f"edges:\n  - '\"{name}\" -> y'\n")
    label = drawing.page.locator(".graph .name").first
    assert label.text_content() == name
    assert drawing.page.locator(".graph img").count() == 0


def test_narrow_page_draws_by_touch(watched, opened, server, shot):
    page = opened(watched(360, 740, scheme="dark", has_touch=True), server.address)
    drawing = Drawing(page).reads(GRAPH)
    page.get_by_role("button", name="Hidden cause", exact=True).tap()
    page.touchscreen.tap(*drawing.middle("x"))
    page.touchscreen.tap(*drawing.middle("m"))
    drawing.until(lambda: {"x", "m"} in map(set, drawing.graph.bidirected))
    shot(page, "draw-narrow-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_shipped_graph_is_shown_whole(drawing, shot):
    page = drawing.page
    for name in ("bareinboim_eleven", "sars_cov_2"):
        page.get_by_label("Open an example").select_option(f"literature/{name}")
        text = (Path(__file__).parents[2] / f"graphs/literature/{name}.yaml").read_text()
        drawing.until(lambda text=text: drawing.names() == sorted(cf.loads(text).nodes))
        canvas = page.locator(".graph").bounding_box()
        for each in drawing.names():
            x, y = drawing.middle(each)
            assert 0 < x - canvas["x"] < canvas["width"]
            assert 0 < y - canvas["y"] < canvas["height"]
        shot(page, f"draw-{name}")
