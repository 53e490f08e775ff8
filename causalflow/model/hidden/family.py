"""Family: the ends between which all models lie that have the data and the graph.

Where a hidden cause leaves a question open, one fitted model is arbitrary, and the answer is two
ends. Notation: e an event of labels and of attributes read off the picture, x what is set to v, z
what else has a part in x (its parents, and the classes that share another hidden cause with it).

    unrestricted   the bounds of `causalflow.bounds.bounds` under P(labels, attributes), sharp or as
                   it says, the picture itself being one of the hidden variables
    at ratio L     P(e | do(x=v)) = sum_z P(z) (pi_z p_z + (1 - pi_z) q_z): pi_z = P(x=v | z) and
                   p_z = P(e | x=v, z) are seen, and nobody sees q_z, what the rows with another x
                   would show under x=v. Its density is at most L times, and at least 1 / L times,
                   the one that is seen:

                   max(p / L, 1 - L (1 - p))  <=  q  <=  min(L p, 1 - (1 - p) / L)

L = 1 is no hidden cause given z. A ratio means something of attributes that one can name, such as
the ground of a picture, and nothing of its pixels.

Source: Manski (1990), Nonparametric bounds on treatment effects; Balke & Pearl (1994); the marginal
sensitivity model of Tan (2006).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from causalflow.bounds.bounds import Bounds, bounds
from causalflow.errors import CausalflowError, QueryError, one_of
from causalflow.factors.table import Table
from causalflow.graph.graph import Graph
from causalflow.graph.node import Class, Node
from causalflow.names import written
from causalflow.query.combination import AnyQuery
from causalflow.query.parse import parse_query
from causalflow.query.query import Kind, Query
from causalflow.values.dataframe import table_of

if TYPE_CHECKING:
    import pandas

__all__ = ["Family", "Reader", "family"]

Reader = Callable[[torch.Tensor], Any]
"""Pictures, float in [0, 1], (rows, channels, height, width) -> a level, 0, 1, ..., a row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """What a question's answer can be.

    Attributes:
        query: the question.
        bounds: the unrestricted ends, and what they are.
        ratio: L, where one is assumed.
        at_ratio: the ends at that ratio, within the unrestricted ones.
        seen: what the rows in which x is v by itself show: the answer at ratio 1; None without a
            ratio.
        rows: how many rows that rests on.
        assumptions: what it rests on beside the graph, one sentence each.
    """

    query: AnyQuery
    bounds: Bounds
    rows: int
    ratio: float | None = None
    at_ratio: tuple[float, float] | None = None
    seen: float | None = None
    assumptions: tuple[str, ...] = ()

    @property
    def low(self) -> float | Table:
        """The lower end: at the ratio where one is assumed, else the unrestricted one."""
        return self.bounds.low if self.at_ratio is None else self.at_ratio[0]

    @property
    def high(self) -> float | Table:
        """The upper end."""
        return self.bounds.high if self.at_ratio is None else self.at_ratio[1]

    def __str__(self) -> str:
        lines = [str(self.bounds)]
        if self.at_ratio is not None:
            low, high = self.at_ratio
            lines.insert(
                0,
                f"{self.query} in [{low:.4g}, {high:.4g}] at a density ratio of at most "
                f"{self.ratio:g}; {self.seen:.4g} at 1; unrestricted:",
            )
        lines += [f"note: {each}" for each in self.assumptions]
        return "\n".join(lines)


def family(
    graph: Graph,
    query: str,
    read: Mapping[str, Reader],
    rows: object,
    ratio: float | None,
    draws: Callable[[], Mapping[str, torch.Tensor]],
) -> Family:
    """The ends of a question.

    Args:
        graph: the fitted model's.
        query: a question about class nodes and attributes, every variable with a value.
        read: attribute -> how it is read off the picture.
        rows: columns of labels, and the picture; None: the model's own draws.
        ratio: L; None: what the graph says of the hidden cause's attributes, if anything.
        draws: makes those draws.

    Raises:
        CausalflowError: a question that cannot be read or answered, an attribute that is a node's
            name, more than one picture, or no ratio.
    """
    columns = dict((table_of(rows) if rows is not None else draws()) or {})
    image = _image(graph, read)
    attributes = {name: _levels(name, each, columns, image) for name, each in read.items()}
    shown = _with_attributes(graph, attributes, image)
    frame = _frame(graph, columns, attributes)
    question = parse_query(query, shown)
    _check_levels(shown, question)
    ends = bounds(shown, query, frame)
    chosen = _declared(graph, question) if ratio is None else ratio
    drawn = (
        () if rows is not None else ("the rows are draws of the model: its fit is not included",)
    )
    found = Family(query=question, bounds=ends, rows=len(frame), assumptions=drawn)
    return found if chosen is None else _at_ratio(found, shown, frame, chosen)


def _check_levels(graph: Graph, question: AnyQuery) -> None:
    """Refuse a question about numbers."""
    numbers = sorted(n for n in question.variables if graph.nodes[n].type.numeric)
    if numbers and (question.told or graph.nodes[numbers[0]].type.levels is None):
        raise QueryError(
            f"family: '{numbers[0]}' is {graph.nodes[numbers[0]].type.predicate}; ends are told of "
            "levels: make it a class of ranges in the graph, or ask about a class"
        )


def _image(graph: Graph, read: Mapping[str, Reader]) -> str:
    """The picture that the attributes are read off."""
    images = [name for name, node in graph.nodes.items() if node.type.pictured]
    if read and len(images) != 1:
        raise CausalflowError(f"family: read= of a graph with {len(images)} images; expected one")
    for name in read:
        if name in graph.nodes:
            raise CausalflowError(f"family: read: '{name}' is a node; give the attribute a name")
    return images[0] if images else ""


def _levels(
    name: str, reader: Reader, columns: Mapping[str, Any], image: str
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The attribute in each row; a column of that name is taken as it is."""
    given = columns.get(name)
    if given is None:
        if image not in columns:
            raise CausalflowError(f"family: the rows have no '{image}' to read '{name}' off")
        pictures = torch.as_tensor(np.asarray(columns[image]))
        pictures = pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures.float()
        given = reader(pictures)
    found = np.asarray(given)
    whole = found.astype(np.int64)
    if found.ndim != 1 or not (whole == found).all() or (len(whole) and whole.min() < 0):
        raise CausalflowError(
            f"family: the reader of '{name}' gave shape {found.shape}; expected a level, 0, 1, "
            "..., for each row"
        )
    return whole


def _with_attributes(graph: Graph, attributes: Mapping[str, Any], image: str) -> Graph:
    """The graph whose picture shows them."""
    made = {n: Class(levels=tuple(range(max(2, int(v.max()) + 1)))) for n, v in attributes.items()}
    nodes: dict[str, Node] = {**graph.nodes, **made}
    links = [f"{written(edge.source)} -> {written(edge.target)}" for edge in graph.edges]
    links += [f"{written(a)} <-> {written(b)}" for a, b in map(tuple, graph.admg.bidirected)]
    links += [f"{written(image)} -> {written(name)}" for name in attributes]
    symbols = {name: _plain(node) for name, node in nodes.items()}
    return Graph(nodes=symbols, edges=links, name=graph.name)


def _plain(node: Node) -> dict[str, Any]:
    """A node's type alone."""
    if (levels := node.type.levels) is not None:
        return {"type": "class", "levels": list(levels)}
    shape = {"shape": list(node.type.shape)} if node.type.pictured else {}
    return {"type": node.type.word if shape else "continuous", **shape}


def _frame(
    graph: Graph, columns: Mapping[str, Any], attributes: Mapping[str, Any]
) -> pandas.DataFrame:
    """The labels and attributes of the rows that have all of them."""
    import pandas

    found: dict[str, Any] = {}
    for name, node in graph.nodes.items():
        if node.type.levels is not None and name in columns:
            read = node.type.read(columns[name], where=f"node '{name}'")
            found[name] = node.type.names(read)
    return pandas.DataFrame({**found, **attributes}).dropna().reset_index(drop=True)


def _declared(graph: Graph, question: AnyQuery) -> float | None:
    """The ratio that the graph declares of what the question asks of."""
    causes = [graph.cause(*ends) for ends in graph.bidirected]
    asked = [each for each in causes if frozenset(each.on) & question.variables]
    return max((each.sensitivity for each in asked if each.sensitivity), default=None)


def _at_ratio(found: Family, graph: Graph, frame: pandas.DataFrame, ratio: float) -> Family:
    """The ends at a density ratio.

    Raises:
        QueryError: another question than P(event | do(x=v)).
    """
    question = found.query
    if not (isinstance(ratio, int | float) and ratio >= 1):
        raise CausalflowError(f"family: ratio={ratio!r}; expected a number of at least 1")
    if not (
        isinstance(question, Query)
        and question.kind is Kind.PROBABILITY
        and len(question.do) == 1
        and not question.conditions
        and not question.free_variables
    ):
        raise QueryError(
            f"family: {question}: a density ratio answers P(event | do(x=v)) alone, with a value "
            "for each variable; leave out ratio= for the unrestricted ends"
        )
    (done,) = question.do
    strata = _strata(graph, done.variable, frame)
    event = np.ones(len(frame), dtype=bool)
    for term in question.outcomes:
        event &= (frame[term.name] == term.value).to_numpy()
    own = (frame[done.variable] == done.value).to_numpy()
    seen, low, high = _ends(frame, strata, own, event, float(ratio))
    unrestricted = found.bounds.low, found.bounds.high
    assert isinstance(unrestricted[0], float)
    assert isinstance(unrestricted[1], float)
    given = f" given {', '.join(strata)}" if strata else ""
    assumed = (
        f"what rows with another {done.variable} would show under {done} has{given} a density at "
        f"most {ratio:g} times, and at least 1/{ratio:g} times, that of the rows that have it"
    )
    return Family(
        query=question,
        bounds=found.bounds,
        rows=found.rows,
        ratio=float(ratio),
        at_ratio=(max(low, unrestricted[0]), min(high, unrestricted[1])),
        seen=seen,
        assumptions=(*found.assumptions, assumed),
    )


def _strata(graph: Graph, treatment: str, frame: pandas.DataFrame) -> list[str]:
    """What has a part in the treatment and is seen, but is not moved by it."""
    siblings = {n for pair in graph.admg.bidirected if treatment in pair for n in pair}
    near = (graph.parents(treatment) | siblings) - graph.descendants(treatment)
    if lost := [name for name in graph.parents(treatment) if name not in frame.columns]:
        raise QueryError(
            f"family: '{treatment}' has the parent '{lost[0]}', which is no class of the rows; "
            f"{one_of(lost[0], list(frame.columns))}"
        )
    return [name for name in graph.nodes if name in near and name in frame.columns]


def _ends(
    frame: pandas.DataFrame, strata: list[str], own: Any, event: Any, ratio: float
) -> tuple[float, float, float]:
    """What is seen, and the two ends."""
    groups = frame.groupby(strata, observed=True).indices if strata else {(): np.arange(len(frame))}
    total = np.zeros(3)
    for place in groups.values():
        mine, hit = own[place], event[place]
        if not mine.any():
            raise CausalflowError(
                f"family: no row of a group of {strata or 'all'} has that treatment: at no ratio "
                "do the rows tell anything of it"
            )
        p, pi = float(hit[mine].mean()), float(mine.mean())
        q = np.array([p, max(p / ratio, 1 - ratio * (1 - p)), min(ratio * p, 1 - (1 - p) / ratio)])
        total += len(place) / len(frame) * (pi * p + (1 - pi) * q)
    return float(total[0]), float(total[1]), float(total[2])
