"""Gaps: the cells that rows do not show, and which laws of a model must be fitted to them together.

Notation: an *open* column has gaps, and its own law is among those that are fitted; a hidden cause
is open in every row. The *family* of a node is it and its parents.

    part    the families that open columns join, and no others: their likelihood stands alone
    closed  a column with gaps whose law is not fitted; what reads it uses the rows that show it
    usable  the rows of a part that show all its closed columns, and every value that was set

A part of tables is fitted by exact expectation-maximisation
(`causalflow.model.missing.expected_counts`); in any other the gaps are drawn again and again
(`causalflow.model.missing.imputation`). Both ask for no model of why a cell is missing: they assume
that it is missing at random, given what the row shows. A node that says so itself,
``missing: NAME``, is fitted like any other (`causalflow.design.missingness`).

Graphs with images keep to the rows that show a node and its parents, picture by picture.

Source: Rubin (1976), Inference and missing data; Little & Rubin (2002), chapters 6 to 10.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from causalflow.admg.admg import ADMG
from causalflow.design.missingness import Missingness, missingness_of
from causalflow.graph.graph import Graph
from causalflow.graph.indicator import indicators_of
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.latent_class import LatentClass
from causalflow.mechanisms.mechanism import Values, labelled
from causalflow.model.scm import StructuralModel
from causalflow.values.regime import regime_column

__all__ = ["Joined", "declared_gaps", "gap_notes", "joined", "laws_of", "shares", "tables_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Laws that have to be fitted together.

    Attributes:
        names: the nodes and hidden causes whose laws they are.
        open: the columns with gaps that are summed out or drawn, and the hidden causes.
        usable: the rows that count, bool, shape (rows,).
    """

    names: tuple[str, ...]
    open: tuple[str, ...]
    usable: Tensor


def laws_of(
    scm: StructuralModel, hidden: Iterable[str], nodes: Iterable[str], columns: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The laws that gaps may join, and what they read: those fitted, and tables that are given.

    None in a graph with images.
    """
    if any(kind.pictured for kind in scm.types.values()):
        return {}
    read, fitted = set(columns), set(nodes)
    given = {
        name
        for name in read & scm.given - scm.equations.keys()
        if read.issuperset(scm.parents(name))
    }
    names = (*hidden, *(name for name in scm.order if name in fitted | given))
    return {name: scm.parents(name) for name in names}


def tables_of(scm: StructuralModel, names: Iterable[str]) -> dict[str, Categorical | LatentClass]:
    """Those of some laws that are tables."""
    found: dict[str, Categorical | LatentClass] = {}
    for name in names:
        module = scm.latents[name] if name in scm.latents else scm.module(name)
        if isinstance(module, LatentClass) or (isinstance(module, Categorical) and module.is_table):
            found[name] = module
    return found


def shares(columns: Values, names: Iterable[str]) -> dict[str, float]:
    """The share of the rows that do not show a column, of those where there are any."""
    found = {name: float((~labelled(columns[name])).double().mean()) for name in names}
    return {name: share for name, share in found.items() if share > 0}


def gap_notes(gaps: Mapping[str, float], graph: Graph) -> tuple[str, ...]:
    """What a model rests on that was fitted to rows with gaps, one sentence each.

    Args:
        gaps: column -> share of the rows that do not show it.
        graph: says of some columns why their cells are empty.
    """
    marked = gaps.keys() & indicators_of(graph.nodes).keys()
    others = {name: share for name, share in gaps.items() if name not in marked}
    notes: list[str] = []
    if others:
        notes.append(
            f"empty cells of the rows it was fitted to ({_listed(others)}) are missing at random: "
            "whether a cell is empty depends on nothing but what its row shows"
        )
    if marked:
        declared = {name: share for name, share in gaps.items() if name in marked}
        found = declared_gaps(graph, gaps)
        notes.append(
            f"empty cells of the rows it was fitted to ({_listed(declared)}) are missing "
            f"{found.kind}, by the graph: {found.said}"
        )
    return tuple(notes)


def declared_gaps(graph: Graph, gaps: Iterable[str]) -> Missingness:
    """What the graph says of the gaps of some columns."""
    return _declared(graph.admg, tuple(indicators_of(graph.nodes).items()), tuple(gaps))


@lru_cache(maxsize=64)
def _declared(
    admg: ADMG, indicators: tuple[tuple[str, str], ...], gaps: tuple[str, ...]
) -> Missingness:
    return missingness_of(admg, dict(indicators), gapped=gaps)


def _listed(gaps: Mapping[str, float]) -> str:
    return ", ".join(f"'{name}' {100 * share:.2g} %" for name, share in gaps.items())


def joined(
    laws: Mapping[str, Collection[str]], hidden: Collection[str], columns: Values
) -> list[Joined]:
    """The parts of a fit that have open columns.

    Args:
        laws: what is fitted, or given as a table: name -> its parents, hidden causes among
            them; a hidden cause has none.
        hidden: the hidden causes.
        columns: all rows of every other column that the laws name, and regimes.
    """
    gaps = {name: ~labelled(columns[name]) for name in _columns(laws, hidden)}
    gapped = {name for name, gap in gaps.items() if gap.any()}
    open_ = (gapped & laws.keys()) | set(hidden)
    groups: list[tuple[set[str], set[str]]] = []  # open variables, and the laws that read them
    for name, parents in laws.items():
        scope, members = ({name, *parents} & open_), {name}
        if not scope:
            continue
        for group in [group for group in groups if group[0] & scope]:
            groups.remove(group)
            scope, members = scope | group[0], members | group[1]
        groups.append((scope, members))
    return [
        Joined(
            names=tuple(name for name in laws if name in members),
            open=tuple(name for name in laws if name in scope),
            usable=_usable(laws, members, scope, gaps, columns),
        )
        for scope, members in groups
        if scope & gapped
    ]


def _columns(laws: Mapping[str, Collection[str]], hidden: Collection[str]) -> list[str]:
    named = dict.fromkeys(each for name, above in laws.items() for each in (name, *above))
    return [name for name in named if name not in hidden]


def _usable(
    laws: Mapping[str, Collection[str]],
    members: Collection[str],
    scope: Collection[str],
    gaps: Values,
    columns: Values,
) -> Tensor:
    """Rows that show every closed column of the members, and what was set."""
    read = {each for name in members for each in (name, *laws[name])} & gaps.keys()
    usable = torch.ones_like(next(iter(gaps.values())))
    for name in sorted(read):
        was_set = columns.get(regime_column(name))
        if name not in scope:
            usable &= ~gaps[name]
        elif was_set is not None:
            usable &= ~(gaps[name] & was_set)
    return usable
