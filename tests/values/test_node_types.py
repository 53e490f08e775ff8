"""The contract of every type of nodes: what is shown is read back, gaps are gaps."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from causalflow.errors import CausalflowError, DataError
from causalflow.formats.formats import loads
from causalflow.graph.node import Class, Continuous, Image, Variable
from causalflow.nn.engine import engine_of
from causalflow.plugins import NODE_TYPES, register
from causalflow.values.count import CountType
from causalflow.values.real import RealType
from causalflow.values.variable import UNTYPED, Look, NodeType

EXAMPLES = {  # type, columns of values, values that are none
    "class": [
        (Class(levels=("no", "yes")).type, [["no", "yes", 1, None], [0, -1, "yes"]], ["maybe", 2]),
        (Class(levels=("1", "2", "3")).type, [["3", 1, 2.0, ""], [1, None]], [0, 4, "x"]),
        (Class(levels=("-1", "0", "1")).type, [[-1, 0, 1, None], ["-1", "0"]], [2, 0.5]),
        (Class(levels=("<5", "5", "6")).type, [["<5", 5, 6, None]], [0, "7"]),
    ],
    "continuous": [
        (Continuous().type, [[1, 2.5, "3e2", None], [float("nan")]], ["high", float("inf")]),
        (Continuous(support=(0.0, 1.0)).type, [[0, 0.5, 1, None]], [-0.1, 2]),
    ],
    "image": [
        (Image(shape=(1, 2, 2)).type, [np.full((3, 1, 2, 2), 0.25), np.zeros((2, 2, 2))], [2.0]),
        (
            Image(shape=(1, 2, 2), levels=3).type,
            [np.arange(8).reshape(2, 1, 2, 2) % 3, [0, 5]],
            [99],
        ),
    ],
    "count": [(CountType(), [[0, 3, "12", None], [-1, 2.0, 1e6]], [-2, 0.5, "many", 2**53])],
}
CASES = [
    (kind, given) for cases in EXAMPLES.values() for kind, columns, _ in cases for given in columns
]
WRONG = [
    (kind, given) for cases in EXAMPLES.values() for kind, _, wrong in cases for given in wrong
]
NODES = [kind for cases in EXAMPLES.values() for kind, _, _ in cases]


def stored(kind, column):
    """Which entries are stored as missing."""
    return np.isnan(column) if np.isnan(kind.missing) else column == kind.missing


def test_every_type_that_comes_with_the_package_has_examples():
    assert set(EXAMPLES) == {name for name in NODE_TYPES if not name.endswith("_of_test")}


@pytest.mark.parametrize(("kind", "given"), CASES)
def test_what_is_shown_is_read_back(kind, given):
    column = kind.read(given)
    np.testing.assert_array_equal(kind.read(kind.show(column)), column)
    np.testing.assert_array_equal(kind.read(kind.names(column)), column)


@pytest.mark.parametrize(("kind", "given"), CASES)
def test_a_column_has_a_row_for_each_and_the_shape_of_its_type(kind, given):
    column = kind.read(given)
    assert column.shape == (len(given), *kind.shape)
    known = column[~stored(kind, column)] if not kind.shape else column
    low, high = kind.extent
    assert ((known >= low) & (known <= high)).all()
    assert not kind.integral or (known == np.floor(known)).all()


@pytest.mark.parametrize("kind", [kind for kind in NODES if not kind.shape])
@pytest.mark.parametrize("gap", [None, float("nan"), "", "NA"])
def test_a_gap_is_stored_as_missing(kind, gap):
    assert stored(kind, kind.read([gap])).all()
    assert stored(kind, kind.read(gap)).shape == ()


@pytest.mark.parametrize(("kind", "given"), WRONG)
def test_what_is_no_value_is_refused_in_one_line_of_the_error_asked_for(kind, given):
    column = np.full((1, *kind.shape), given) if kind.shape and given == 2.0 else [given]
    with pytest.raises(DataError) as raised:
        kind.read(column, where="column 'x'", error=DataError)
    assert str(raised.value).startswith("column 'x', row 0: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", NODES)
def test_a_type_says_what_it_is_and_has_an_engine(kind):
    assert kind.word in NODE_TYPES
    assert kind.words.startswith(kind.word)
    assert kind.caption
    assert (kind.levels is not None) + kind.numeric + bool(kind.shape) == 1
    engine = engine_of(kind)
    given = next(column for each, column in CASES if each is kind)
    assert engine.embedding(kind, 4)(torch.as_tensor(kind.read(given))).shape == (len(given), 4)
    if engine.line is not None:
        line = engine.line(kind)
        inside = torch.tensor([line.inside], dtype=torch.float64)
        assert line.to_value(line.to_real(inside)).tolist() == pytest.approx([line.inside])


def test_a_node_without_a_type_reads_nothing():
    with pytest.raises(CausalflowError, match="node 'x' has no type"):
        UNTYPED.read(1, where="node 'x'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Angle(NodeType):
    """Degrees."""

    word: ClassVar[str] = "angle_of_test"
    engine: ClassVar[str] = "causalflow.mechanisms.continuous:ENGINE"
    look: ClassVar[Look] = Look(shape="ellipse", fill="#ffffff", line="#000000")

    @property
    def numeric(self):
        return True

    def read(self, given, *, where="value", error=CausalflowError):
        return RealType().read(given, where=where, error=error) % 360

    def show(self, column):
        return np.asarray(column, dtype=np.float64)


def test_a_type_of_ones_own_is_declared_in_graph_files_and_written_back(restored):
    register("type of a node", "angle_of_test")(Angle)
    graph = loads("nodes: {a: {type: angle_of_test}, y: {type: continuous}}\nedges: [a -> y]")
    assert graph.nodes["a"] == Variable(type=Angle())
    assert loads(graph.to_yaml()) == graph


def test_what_is_no_type_is_refused_when_it_is_registered():
    with pytest.raises(CausalflowError, match="'shape_of_test': expected a dataclass"):
        register("type of a node", "shape_of_test")(dict)
