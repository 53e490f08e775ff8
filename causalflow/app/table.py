"""Table: counterfactual rows of a model without pictures, with what is not known of them.

    table_models   the models, and the graph on the page where it needs no fit
    table_types    the graph on the page with types guessed from rows of one's own
    table_fit      a model of rows of one's own, for the graph on the page
    table_start    a model's controls, and the rows that it can start from
    table          what a row would have been, node by node, with its ranges

The ranges are `causalflow.certainty.counterfactuals`', in its own words.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causalflow.app.factual import Factual, factual, shown_rows
from causalflow.app.fitted import Fitted, controls, fitted, listed, pictured
from causalflow.app.fitting import fit_rows, given_rows, typed
from causalflow.app.handler import Handler, Session
from causalflow.app.imagine import asked_of, badge_of
from causalflow.errors import CausalflowWarning, EvidenceError

if TYPE_CHECKING:
    from causalflow.certainty.individuals import Individuals

__all__ = ["HANDLERS"]

Request = Mapping[str, Any]
Reply = dict[str, Any]

DRAWS = 200
"""Draws behind the ranges of a row."""


def _models(request: Request, session: Session) -> Reply:
    models = [each for each in listed(session) if not each["pictures"]]
    return {"models": models, "rows": given_rows(session)}


def _types(request: Request, session: Session) -> Reply:
    return typed(session, request)


def _fit(request: Request, session: Session) -> Reply:
    return {"model": fit_rows(session, request).name}


def _start(request: Request, session: Session) -> Reply:
    given = _plain(fitted(session, request))
    return {
        "model": given.name,
        "graph": given.model.graph.to_yaml(),
        "controls": controls(session, given),
        "rows": shown_rows(session, given),
        "notes": list(given.notes),
        "members": len(given.model.members),
    }


def _table(request: Request, session: Session) -> Reply:
    from causalflow.certainty.counterfactuals import individuals

    given = _plain(fitted(session, request))
    do = asked_of(given, request.get("do"))
    row = factual(session, given, request.get("row"))
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CausalflowWarning)
        found = individuals(given.model, row.evidence, do, draws=DRAWS, generator=0)
    taken = 1000 * (time.perf_counter() - begin)
    said = (str(each.message).removeprefix("individuals: ") for each in told)
    return {
        "nodes": _nodes(session, given, row, do, found),
        "badge": _badge(given, row, do, found),
        "notes": [*dict.fromkeys(said), *(found.notes() if found else [])],
        "row": row.about,
        "draws": DRAWS,
        "members": found.members,
        "level": found.share,
        "milliseconds": {"prediction": taken},
        "python": _python(given, row, do),
    }


def _plain(given: Fitted) -> Fitted:
    if pictures := pictured(given.model.graph):
        raise EvidenceError(f"node '{pictures[0]}' is an image; Imagine shows such a model")
    return given


def _nodes(
    session: Session, given: Fitted, row: Factual, do: Mapping[str, Any], found: Individuals
) -> list[Reply]:
    """A line a node: what it was, what is set, or what it would have been with its ranges."""
    lines = []
    for control in controls(session, given):
        name = control["name"]
        line = {"node": name, "unit": control["unit"], "set": name in do, "moved": name in found}
        line["factual"] = _factual(row, name)
        if name in do:
            line["value"] = do[name]
        if name in found:
            line["parts"] = [each for each in found.record() if each["node"] == name]
        lines.append(line)
    return lines


def _factual(row: Factual, name: str) -> Any:
    value = row.evidence.get(name)
    if value is None:
        return None
    first = value[0] if hasattr(value, "__getitem__") and not isinstance(value, str) else value
    return first.item() if hasattr(first, "item") else first


def _badge(given: Fitted, row: Factual, do: Mapping[str, Any], found: Individuals) -> Reply:
    """As of a picture; what data do not tell has bounds here, whatever the noise."""
    badge = badge_of(given, row.evidence, do)
    if badge["kind"] != "model" or not found:
        return badge
    return {**badge, "kind": "bounds"}


def _python(given: Fitted, row: Factual, do: Mapping[str, Any]) -> str:
    """The lines that repeat an answer."""
    lines = [
        "import causalflow as cf",
        "",
        f"model = {given.python}",
        *row.python,
        f"found = cf.individuals(model, evidence, {dict(do)!r}, draws={DRAWS}, generator=0)",
        "print(found)",
    ]
    return "\n".join(lines)


HANDLERS: dict[str, Handler] = {
    "table_models": Handler(_models),
    "table_types": Handler(_types, slow=True),
    "table_fit": Handler(_fit, slow=True),
    "table_start": Handler(_start, slow=True),
    "table": Handler(_table, slow=True),
}
