"""The layers of the package: imports run downward only, and the symbolic half never meets torch."""

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from house.source import TORCH, Import, folder, imports, modules

ROOT = Path(__file__).resolve().parents[1]

LAYERS = [  # lowest first; modules of one layer may import one another, without cycles
    {"limits", "errors", "names", "registry", "plugins", "frozen", "options", "files", "header"}
    | {"pieces", "display", "bar"},
    {"values"},
    {"equations"},
    {"admg"},
    {"graph"},
    {"factors"},
    {"query"},
    {"formats", "edit"},
    {"shipped"},
    {"symbolic"},
    {"estimate"},
    {"proof"},
    {"dependence"},
    {"design"},
    {"effects"},
    {"identify"},
    {"exact", "gaussian"},
    {"bounds"},
    {"nn"},
    {"diffusion"},
    {"pretrained"},
    {"mechanisms"},
    {"checkpoint", "data"},
    {"training"},
    {"model"},
    {"plot"},
    {"notebook"},
    {"certainty"},
    {"evaluation"},
    {"hub"},
    {"demo"},
    {"__init__"},
    {"app"},
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
TORCH_FREE = {name for layer in LAYERS[: LEVEL["nn"]] for name in layer}
SLOW = {"sympy", "matplotlib", "networkx"}  # imported inside the functions that need them


def without_layer(root: Path) -> list[str]:
    return [f"{module}: has no layer" for module in modules(root) if folder(module) not in LEVEL]


def upward(found: list[Import]) -> list[str]:
    own = (each for each in found if each.target.split(".")[0] == "causalflow")
    pairs = ((each, folder(each.source), folder(each.target)) for each in own)
    return [
        f"{each.place}  ({source} lies below {target})"
        for each, source, target in pairs
        if source in LEVEL and target in LEVEL and LEVEL[source] < LEVEL[target]
    ]


def cycle(found: list[Import]) -> list[str]:
    """The import lines of one cycle; late imports count, and those for types."""
    lines = {(each.source, each.target): each.place for each in found}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in lines:
        if target.startswith("causalflow"):
            sorter.add(source, target)
    try:
        sorter.prepare()
    except CycleError as error:
        around = error.args[1]
        return [lines[user, used] for used, user in pairwise(around)]
    return []


def reaches_torch(found: list[Import]) -> list[str]:
    """Import lines by which a torch-free module comes to torch, directly or through others."""
    running = [each for each in found if not each.typing]
    tainted = {each.source for each in running if each.target.split(".")[0] in TORCH}
    while more := {e.source for e in running if e.target in tainted} - tainted:
        tainted |= more
    return [
        each.place
        for each in running
        if folder(each.source) in TORCH_FREE
        and (each.target in tainted or each.target.split(".")[0] in TORCH)
    ]


def test_every_module_has_a_layer():
    assert without_layer(ROOT) == []


def test_imports_run_downward_only():
    assert upward(imports(ROOT)) == []


def test_no_modules_import_one_another_in_a_circle_not_even_late_or_for_types():
    assert cycle(imports(ROOT)) == []


def test_symbolic_half_never_reaches_torch():
    assert reaches_torch(imports(ROOT)) == []


def test_importing_the_face_and_the_symbolic_half_loads_neither_torch_nor_slow_libraries():
    wanted = [m for m in modules(ROOT) if folder(m) in TORCH_FREE | {"__init__", "cli"}]
    lines = [*(f"import {module}" for module in wanted), "import sys", "print(*sys.modules)"]
    command = [sys.executable, "-c", "\n".join(lines)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert {name.split(".")[0] for name in ran.stdout.split()} & (TORCH | SLOW) == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "from causalflow.query.query import Query",
            ":1: from causalflow.query.query import Query",
        ),
        (
            "def f():\n    import causalflow.query.query as q",
            ":2: import causalflow.query.query as q",
        ),
        ("from ..query import query", ":1: from ..query import query"),
        (
            "if TYPE_CHECKING:\n    import os\n    from causalflow.query import query",
            ":3: from causalflow.query import query",
        ),
        ("import causalflow", ":1: import causalflow"),
    ],
)
def test_upward_import_is_caught_with_its_line(plant, text, shown):
    root = plant(graph__admg=text, query__query="Query = 1")
    (line,) = upward(imports(root))
    assert line.startswith(f"causalflow/graph/admg.py{shown}  (graph lies below ")


@pytest.mark.parametrize("condition", ["def f():", "if TYPE_CHECKING:"])
def test_cycle_is_caught_with_its_lines_late_or_for_types(plant, condition):
    there = f"{condition}\n    from . import reader"
    root = plant(graph__graph=there, graph__reader="from causalflow.graph.graph import Graph")
    assert sorted(cycle(imports(root))) == [
        "causalflow/graph/graph.py:2: from . import reader",
        "causalflow/graph/reader.py:1: from causalflow.graph.graph import Graph",
    ]


def test_cycle_of_three_is_caught_with_three_lines(plant):
    root = plant(query__a="from . import b", query__b="from . import c", query__c="from . import a")
    assert len(cycle(imports(root))) == 3


def test_torch_is_caught_directly_and_through_others(plant):
    root = plant(
        graph__a="def f():\n    import torch.nn",
        graph__b="from causalflow.graph import a",
        graph__c="if typing.TYPE_CHECKING:\n    import torch",
        nn__mlp="import torch",
    )
    assert reaches_torch(imports(root)) == [
        "causalflow/graph/a.py:2: import torch.nn",
        "causalflow/graph/b.py:1: from causalflow.graph import a",
    ]


def test_module_without_a_layer_is_caught(plant):
    assert without_layer(plant(helpers="")) == ["causalflow.helpers: has no layer"]
