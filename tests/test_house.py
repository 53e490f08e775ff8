"""What `docs/house` measures: trips grow no longer than recorded, and the other counts count."""

from pathlib import Path

import pytest
from house.drawing import draw, house
from house.page import rewritten
from house.source import circles, double_names, imports, single_importers
from house.trips import TRIPS, entered
from house.typed import askers

from causalflow import plugins
from causalflow.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
RECORDED = {
    "counterfactual": 36,
    "exact, first": 25,
    "exact, again": 3,
    "verdict": 13,
    "verdict, from a file": 27,
    "fit": 49,
    "evaluate": 117,
}
"""Lower a number when a trip gets shorter; the aims stand in `docs/architecture.md`."""


def test_every_trip_has_a_record():
    assert RECORDED.keys() == TRIPS.keys()


@pytest.mark.parametrize("trip", TRIPS)
def test_trip_enters_no_more_files_than_recorded(trip):
    files = entered(ROOT, trip)
    assert len(files) <= RECORDED[trip], files


def test_nobody_asks_of_which_type_a_node_is_but_the_types_own_files():
    assert askers(ROOT) == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("from causalflow.graph.node import Class\nisinstance(x, int | Class)", 1),
        ("from ..graph.node import Class as C\n[k for k in y if type(k) is C]", 1),
        ("from causalflow.graph import node\nissubclass(x, (int, node.Image))", 1),
        ("from causalflow.graph.node import Image\nmatch x:\n case [Image(), Image()]: 1", 2),
        ("from PIL import Image\nisinstance(x, Image)", 0),
        ("from causalflow.graph.node import Class\nClass(levels=isinstance(x, int))", 0),
        ("from .node import Image\nclass Class: 1\nisinstance(x, Image)", 0),
        ("if node.type.shape: pass\nx = [n for n in y if not kind.shape]", 2),
        ("x = bool(node.type.shape) or a.shape\ny = kind.shape and z", 2),
        ("if array.shape: pass\nx = math.prod(kind.shape)\nif len(kind.shape) > 1: pass", 0),
    ],
)
def test_questions_of_type_are_seen_where_the_class_is_the_packages_and_not_its_own(
    plant, text, places
):
    assert len(askers(plant(model__scm=text))) == places


def test_circles_are_those_of_types_too_where_they_count(plant):
    typed = "if TYPE_CHECKING:\n    from causalflow.a.two import y"
    found = imports(plant(a__one=typed, a__two="import causalflow.a.one"))
    assert circles(found, typing=True) == [["causalflow.a.one", "causalflow.a.two"]]
    assert circles(found, typing=False) == []


def test_importers_are_counted_by_statements_and_by_texts_that_name_a_module(plant):
    root = plant(
        a__once="",
        a__twice="",
        b__x="from causalflow.a import once, twice",
        b__y="PLACE = 'causalflow.a.twice:Noun'",
        c__x="'see causalflow.b.x'",
    )
    assert single_importers(root) == ["causalflow.a.once"]
    assert double_names(root) == ["x"]


def test_folders_stand_above_what_they_import_and_torch_above_what_does_not_reach_it(plant):
    home = house(
        plant(
            errors="x = 1",
            graph__admg="from causalflow.errors import x",
            query__reader="from causalflow.graph import admg",
            nn__unet="import torch",
            model__scm="from causalflow.nn import unet\nfrom causalflow.query import reader",
            cli__ask="def f():\n    from causalflow.model import scm",
        )
    )
    floors = home.floors
    order = ["ground", "graph", "query", "nn", "model", "cli"]
    assert sorted(floors, key=lambda name: floors[name]) == order
    assert home.torch == {"nn", "model", "cli"}
    drawn = draw(home)
    assert drawn.count("marker-end") == 4  # cli -> model, model -> nn and query, query -> graph
    assert all(f">{name}</text>" in drawn for name in order)


def test_marked_parts_of_a_page_are_renewed_and_the_rest_stays():
    page = "a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\n"
    told = rewritten(page, {"one": "1", "two": "2"})
    assert told == "a\n<!-- one -->\n1\n<!-- end -->\nb\n<!-- two -->\n2\n<!-- end -->\n"
    assert rewritten(told, {"one": "1", "two": "2"}) == told


def test_every_registry_has_its_row_in_where_to_add_what():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    start = page.index("## Where to add what")
    table = page[start : page.index("## The trips", start)]
    names = [name for name, each in vars(plugins).items() if isinstance(each, Registry)]
    assert len(names) >= 20
    assert [name for name in names if f"`{name}`" not in table] == []
