"""What a notebook shows of the nouns: a picture or a table, escaped, no longer than a screen."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import causalflow as cf

CELLS = {
    "graph": """
import causalflow as cf
graph = cf.Graph(
    nodes={"x": {"type": "class", "levels": 2}, "y": {"type": "class", "levels": 2}},
    edges=["x -> y"],
)
graph""",
    "verdict": 'cf.identify(graph, "P(y | do(x))")',
    "model": "model = cf.compile(graph)\nmodel",
    "report": """
rows = {"x": [0, 1, 0, 1] * 8, "y": [0, 1, 1, 1] * 8}
model.fit(rows, steps=2, progress=False)""",
    "answer": 'answer = model.ask("P(y | do(x=1))")\nanswer',
    "table": "answer.table",
    "worlds": 'model.counterfactual({"x": [0], "y": [0]}, do={"x": 1})',
    "effect": """
numbers = {"x": [0, 1] * 20, "y": [0.1, 1.2, 0.3, 0.9] * 10}
cf.identify(cf.Graph(edges=["x -> y"]), "E[y[x=1] - y[x=0]]").estimate(numbers)""",
    "plot": "cf.plot_graph(graph)",
}
MARKS = {
    "graph": "<svg",
    "verdict": "identifiable",
    "model": "<table",
    "report": "<table",
    "answer": "<table",
    "table": "<table",
    "worlds": "<table",
    "effect": "<table",
}


BARE = """
import sys, types, warnings
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")  # as in a notebook
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: None)
sys.modules["ipywidgets"] = None  # as where it is not installed
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import causalflow as cf
    model = cf.compile(cf.loads("nodes: {x: {type: continuous, noise: flow}}"))
    model.fit({"x": [0.0, 1.0, 2.0, 4.0] * 8}, steps=2)
print([str(each.message) for each in told if "progress" in str(each.message).lower()])
"""

RUN = """
import json, sys
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(code) for code in json.load(sys.stdin)]
book = nbformat.v4.new_notebook(cells=cells)
manager = AsyncKernelManager(kernel_name="python3")
manager.kernel_spec.argv[:1] = [sys.executable]
NotebookClient(book, km=manager, timeout=300).execute()
print(json.dumps([cell.outputs for cell in book.cells]))
"""


@pytest.fixture(scope="module")
def shown():
    """Each cell's output by its type, as a notebook keeps it; run in a process of its own."""
    for module in ("nbformat", "nbclient", "ipykernel"):
        pytest.importorskip(module, reason="no notebooks here")
    cells = json.dumps([code.strip() for code in CELLS.values()])
    ran = subprocess.run(
        [sys.executable, "-c", RUN], input=cells, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    outputs = json.loads(ran.stdout.splitlines()[-1])
    return {
        name: next(each["data"] for each in given if each["output_type"] == "execute_result")
        for name, given in zip(CELLS, outputs, strict=True)
    }


@pytest.mark.parametrize("name", MARKS)
def test_a_notebook_shows_each_noun(shown, name):
    data = shown[name]
    found = data.get("text/html") or data["image/svg+xml"]
    assert MARKS[name] in found
    assert found.count("<tr") <= 14


def test_a_notebook_shows_a_plotted_graph_as_a_picture(shown):
    assert shown["plot"]["image/png"].startswith("iVBOR")


class Tags(HTMLParser):
    """The tags of a text, and those left open."""

    def __init__(self):
        super().__init__()
        self.seen, self.open = set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.open += [] if tag == "img" else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(text):
    parser = Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.seen


def test_names_and_levels_are_text_and_no_markup():
    bad = "<script>alert(1)</script>"
    graph = cf.Graph(
        nodes={bad: {"type": "class", "levels": ["<b>", "&"]}, "y": {"type": "class", "levels": 2}},
        edges=[f'"{bad}" -> y'],
    )
    drawing = graph._repr_svg_()
    assert bad in "".join(ElementTree.fromstring(drawing).itertext())
    model = cf.compile(graph)
    model.fit({bad: [0, 1] * 8, "y": [0, 1] * 8}, steps=2, progress=False)
    answer = model.ask(f'P("{bad}")')
    verdict = cf.identify(graph, f'P(y | do("{bad}"))')
    for noun in (verdict, model, answer, answer.table, model.sample(3)):
        assert "script" not in tags_of(noun._repr_html_())
        assert "script" not in tags_of(drawing)


def test_the_hedge_of_a_verdict_is_drawn():
    bow = cf.Graph(edges=["x -> y", "x <-> y"])
    text = cf.identify(bow, "P(y | do(x))")._repr_html_()
    assert "not identifiable" in text
    (drawing,) = re.findall(r"<svg.*</svg>", text)
    assert "roots of both: y" in "".join(ElementTree.fromstring(drawing).itertext())


def test_worlds_with_pictures_are_a_strip_of_a_few():
    scm = cf.compile(
        cf.loads(
            "exogenous:\n  u: {p: [0.5, 0.5]}\nnodes:\n"
            "  x: {type: class, levels: 2, equation: u}\n"
            "  i: {type: image, shape: [1, 2, 2], levels: 2, equation: [x, x, x, x]}\n"
        )
    )
    text = scm.sample(40)._repr_html_()
    assert text.count("<img ") == 8
    assert "… 32 more" in text
    assert "… 28 more rows" in text


def test_a_large_graph_is_told_not_drawn_and_a_large_table_is_cut():
    names = [f"n{i}" for i in range(80)]
    large = cf.Graph(edges=[f"{a} -> {b}" for a, b in pairwise(names)])
    assert large._repr_svg_() is None
    table = cf.Table(["x"], [1 / 500] * 500)._repr_html_()
    assert table.count("<tr") == 13
    assert "… 488 more rows" in table


def test_a_fit_by_steps_shows_how_its_loss_fell():
    nodes = {name: {"type": "continuous", "noise": "flow"} for name in "xy"}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> y"]))
    rows = {"x": [0.1 * i for i in range(40)], "y": [0.2 * i for i in range(40)]}
    report = model.fit(rows, steps=4, log_every=1, progress=False)
    assert [step for step, _ in report.history] == [1, 2, 3, 4]
    assert all(each.keys() == {"x", "y"} for _, each in report.history)
    (points,) = re.findall(r'<polyline points="([^"]*)"', report._repr_html_())
    assert len(points.split()) == 4


def test_a_drawing_fits_on_a_screen():
    width, height = re.search(
        r'width="(\d+)" height="(\d+)"',
        cf.Graph(edges=[f"a -> b{i}" for i in range(14)])._repr_svg_(),
    ).groups()
    assert int(width) <= 880
    assert int(height) <= 520


def test_a_notebook_without_widgets_has_a_bar_of_text_and_no_warning():
    ran = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
    assert "fit: " in ran.stderr
