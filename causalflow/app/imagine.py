"""Imagine: counterfactual pictures of a fitted model.

    imagine_models   the models
    imagine_start    a model's controls, and the rows that it can start from
    imagine_picture  a picture of one's own, at the model's size
    imagine_fits     whether a text still declares what the model was fitted with
    imagine          what a row would have been: its picture, what moved, what it rests on
    strip            the same along one control

The noise of a row is abducted once and kept with the factual world; a move of a slider costs the
prediction alone. ``milliseconds`` has both, and the writing of the pictures.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from causalflow.app.departure import ANOTHER, departures
from causalflow.app.factual import Factual, factual, key_of, shown_rows
from causalflow.app.fitted import Fitted, controls, fitted, listed, pictured
from causalflow.app.handler import Handler, Session
from causalflow.app.picture import FULL, data_uri, difference, made, picture_of, unit
from causalflow.errors import CausalflowWarning, EvidenceError
from causalflow.graph.settings import in_words
from causalflow.identify.judgement import left_open

if TYPE_CHECKING:
    from causalflow.model.abduction import Abduction
    from causalflow.model.world import World

__all__ = ["HANDLERS", "asked_of", "badge_of"]

Request = Mapping[str, Any]
Reply = dict[str, Any]

MOST_DRAWS, MOST_FRAMES = 6, 12
DRAFT_STEPS = 4
"""Solver steps of a preview, while a slider moves: a third of the time, nearly the picture."""
MOST_ABDUCTIONS = 24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """A row whose noise was found.

    Attributes:
        row: the evidence.
        abduction: the noise, several draws of the row.
        world: the factual world, with the same draws.
        milliseconds: what finding them took.
    """

    row: Factual
    abduction: Abduction
    world: World
    milliseconds: float


def _models(request: Request, session: Session) -> Reply:
    return {"models": [each for each in listed(session) if each["pictures"] or "problem" in each]}


def _start(request: Request, session: Session) -> Reply:
    given = fitted(session, request)
    graph = given.model.graph
    if not pictured(graph):
        raise EvidenceError(f"model '{given.name}' has no pictures; the Table shows its rows")
    return {
        "model": given.name,
        "graph": graph.to_yaml(),
        "images": {name: list(graph.nodes[name].type.shape) for name in pictured(graph)},
        "controls": controls(session, given),
        "rows": shown_rows(session, given),
        "full": FULL,
        "draws": MOST_DRAWS,
    }


def _picture(request: Request, session: Session) -> Reply:
    """An uploaded picture as the model sees it, and ``about``, what was done to it for that.

    ``size`` is the (width, height) that its file had, where the page sends a smaller one.
    """
    given = fitted(session, request)
    names = pictured(given.model.graph)
    if len(names) != 1:
        raise EvidenceError(f"the model has {len(names)} images; a picture shows one")
    kind = given.model.graph.nodes[names[0]].type
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CausalflowWarning)
        image = picture_of(request.get("png"), kind.shape, given.model.habits.get(names[0]))
    about = made(request.get("png"), request.get("size"), kind.shape)
    notes = [str(each.message) for each in told]
    return {"png": data_uri(unit(image, kind.depth)[0]), "about": about, "notes": notes}


def _fits(request: Request, session: Session) -> Reply:
    given = fitted(session, request)
    said = departures(given.model.graph, request.get("text"), request.get("format"))
    return {"fits": not said, "departures": said, "other": said == [ANOTHER]}


def _imagine(request: Request, session: Session) -> Reply:
    from causalflow.model.unlike import unlike

    given = fitted(session, request)
    do, draws = asked_of(given, request.get("do")), _count("draws", request.get("draws", 1))
    steps = DRAFT_STEPS if request.get("draft") is True else None
    kept, was_kept = _kept(session, given, request.get("row"), draws, steps)
    begin = time.perf_counter()
    world, told = _predicted(given, kept.abduction, do, steps)
    middle = time.perf_counter()
    pictures = [_shown(given, name, kept.world, world) for name in pictured(given.model.graph)]
    if draws > 1 and all(len(set(each["counterfactual"])) == 1 for each in pictures):
        told.append("the row leaves nothing of the pictures open: all draws are the same")
    end = time.perf_counter()
    return {
        "pictures": pictures,
        "moved": moved(session, given, kept.world, world, do),
        "badge": badge_of(given, kept.row.evidence, do),
        "notes": _notes(kept, world, told),
        "doubts": unlike(kept.abduction),
        "row": kept.row.about,
        "calls": {
            "abduction": kept.abduction.info.network_calls,
            "prediction": world.info.network_calls - kept.abduction.info.network_calls,
        },
        "milliseconds": {
            "abduction": 0.0 if was_kept else kept.milliseconds,
            "prediction": 1000 * (middle - begin),
            "pictures": 1000 * (end - middle),
        },
        "python": _python(given, kept, do, draws),
    }


def _strip(request: Request, session: Session) -> Reply:
    """Pictures along one control, its fitted range or its levels, all else as ``do`` says."""
    given = fitted(session, request)
    do = asked_of(given, request.get("do"))
    control = _control(session, given, request.get("node"))
    values = _stops(control, _count("frames", request.get("frames", 7), MOST_FRAMES))
    kept, _ = _kept(session, given, request.get("row"), 1)
    repeated = _repeated(kept.abduction, len(values))
    world, told = _predicted(given, repeated, {**do, control["name"]: values})
    frames = [
        {
            "value": value,
            "pictures": {name: data_uri(_pixels(given, world, name)[at]) for name in names},
        }
        for names in [pictured(given.model.graph)]
        for at, value in enumerate(values)
    ]
    return {"node": control["name"], "unit": control["unit"], "frames": frames, "notes": told}


def asked_of(given: Fitted, do: object) -> dict[str, Any]:
    """What a request sets, node -> level or number.

    Raises:
        EvidenceError: no mapping, a node that is none or a picture, no level or number.
    """
    nodes = given.model.graph.nodes
    if not isinstance(do, Mapping):
        raise EvidenceError("do: expected values by node")
    for name, value in do.items():
        if name not in nodes or nodes[name].type.pictured:
            raise EvidenceError(f"do: no control '{str(name)[:100]}'")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise EvidenceError(f"do({name}): no value; expected a level or a number")
        if isinstance(value, str) and nodes[name].type.levels is None:
            raise EvidenceError(f"do({name}): expected a number")
    return dict(do)


def badge_of(given: Fitted, evidence: Mapping[str, Any], do: Mapping[str, Any]) -> Reply:
    """Whether data alone would tell this answer, in a word and in the engine's words."""
    from causalflow.model.world_verdicts import counterfactual_verdict

    if not do:
        return {"kind": "unchanged", "words": "nothing is set: the row as it is"}
    if not given.model.scm.learned:
        return {"kind": "given", "words": "by the equations and tables of the graph"}
    verdict = counterfactual_verdict(given.model.graph, tuple(evidence), dict.fromkeys(do))
    if verdict is None:
        return {"kind": "unchanged", "words": "nothing depends on what is set"}
    if said := left_open(verdict):
        return {"kind": "model", "words": said, "question": str(verdict.query)}
    return {"kind": "identified", "words": verdict.said, "question": str(verdict.query)}


def moved(
    session: Session, given: Fitted, before: World, after: World, do: Mapping[str, Any]
) -> list[Reply]:
    """A line a control: its value before and after, by how much it moved, whether it was set.

    ``inferred`` has how its value before was found, None where the evidence gives it. ``open`` says
    that the evidence leaves it open: ``after`` is one draw; of a class ``shares`` has the
    probability of each level.
    """
    old, new = (world.to_dataframe().iloc[0] for world in (before, after))
    open_nodes = after.info.undetermined
    shares = after.probabilities if open_nodes else {}
    lines = []
    for control in controls(session, given):
        name = control["name"]
        line = {"node": name, "unit": control["unit"], "set": name in do, "open": False}
        line["inferred"] = before.info.inferred.get(name)
        line |= {"before": _plain(old[name]), "after": _plain(new[name])}
        if "levels" not in control:
            line["change"] = line["after"] - line["before"]
        if name in open_nodes and name not in do:
            line["open"] = True
            if name in shares:
                levels = map(str, control["levels"])
                line["shares"] = dict(zip(levels, shares[name][0].tolist(), strict=True))
        lines.append(line)
    return lines


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _kept(
    session: Session, given: Fitted, asked: object, draws: int, steps: int | None = None
) -> tuple[Kept, bool]:
    """The noise of a row, found once; and whether it was kept from before."""
    fresh: list[Kept] = []

    def find() -> Kept:
        begin = time.perf_counter()
        row = factual(session, given, asked)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalflowWarning)  # told of by what is predicted
            abduction = given.model.abduct(row.evidence, draws=draws, generator=0, steps=steps)
            world = given.model.predict(abduction, steps=steps)
        fresh.append(
            Kept(
                row=row,
                abduction=abduction,
                world=world,
                milliseconds=1000 * (time.perf_counter() - begin),
            )
        )
        return fresh[0]

    key = (given.key, key_of(asked), draws, steps)
    found = session.cache.keep("abduction", key, find, most=MOST_ABDUCTIONS)
    return found, not fresh


def _predicted(
    given: Fitted, abduction: Abduction, do: Mapping[str, Any], steps: int | None = None
) -> tuple[World, list[str]]:
    """A world, and what the engine says of it, each sentence once."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CausalflowWarning)
        world = given.model.predict(abduction, do, steps=steps)
    said = [str(each.message).removeprefix("predict: ") for each in told]
    return world, list(dict.fromkeys(said))


def _notes(kept: Kept, world: World, told: list[str]) -> list[str]:
    info = world.info
    ways = dict.fromkeys(info.inferred.values())
    named = {way: [n for n, how in info.inferred.items() if how == way] for way in ways}
    notes = [f"inferred: {', '.join(names)}, {way}" for way, names in named.items()]
    notes += told
    notes += [f"assumes: {each}" for each in info.assumptions if each not in told]
    notes += [f"settings of {each}" for each in in_words(info.settings)]
    if info.free:
        notes.append(f"free, so drawn: {', '.join(info.free)}")
    if info.round_trip_error is not None:
        error = f"{info.round_trip_error:.2g} (mean over pixels in [0, 1], no residual)"
        notes.append(f"round-trip error: {error}")
    return notes


def _shown(given: Fitted, name: str, before: World, after: World) -> Reply:
    """An image before, in each draw after, and what differs."""
    old, new = _pixels(given, before, name), _pixels(given, after, name)
    return {
        "node": name,
        "factual": data_uri(old[0]),
        "counterfactual": [data_uri(each) for each in new],
        "difference": [difference(*pair) for pair in zip(old, new, strict=True)],
        "change": float((new - old).abs().mean()),
    }


def _pixels(given: Fitted, world: World, name: str) -> Any:
    return unit(world[name], given.model.graph.nodes[name].type.depth).float()


def _control(session: Session, given: Fitted, name: object) -> Mapping[str, Any]:
    known = {each["name"]: each for each in controls(session, given)}
    if name not in known:
        raise EvidenceError(f"strip: no control '{str(name)[:100]}'")
    return known[str(name)]


def _stops(control: Mapping[str, Any], frames: int) -> list[Any]:
    """Values along a control: all levels, or so many numbers at equal distances."""
    if "levels" in control:
        return list(control["levels"][:MOST_FRAMES])
    low, high = control["fitted"] or (control["low"], control["high"])
    step = (high - low) / max(frames - 1, 1)
    stops = [low + step * at for at in range(frames)]
    whole = control["type"] == "count"
    return list(dict.fromkeys(map(round, stops))) if whole else stops


def _repeated(abduction: Abduction, times: int) -> Abduction:
    """The noise of one row so many times."""
    noise = {
        name: {key: each.repeat(times, *[1] * (each.ndim - 1)) for key, each in parts.items()}
        for name, parts in abduction.noise.items()
    }
    known = {
        name: each.repeat(times, *[1] * (each.ndim - 1)) for name, each in abduction.known.items()
    }
    return replace(abduction, noise=noise, rows=times, draws=times, known=known)


def _count(name: str, given: object, most: int = MOST_DRAWS) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise EvidenceError(f"{name}: {str(given)[:40]}; expected 1 to {most}")
    return given


def _python(given: Fitted, kept: Kept, do: Mapping[str, Any], draws: int) -> str:
    """The lines that repeat an answer."""
    name = pictured(given.model.graph)[0]
    several = f", draws={draws}" if draws > 1 else ""
    lines = [
        "import causalflow as cf",
        *(line for line in kept.row.python if line.startswith(("import ", "from "))),
        "",
        f"model = {given.python}",
        *(line for line in kept.row.python if not line.startswith(("import ", "from "))),
        f"abduction = model.abduct(evidence{several}, generator=0)",
        "before = model.predict(abduction)",
        f"after = model.predict(abduction, do={dict(do)!r})",
        f'cf.image_grid({{"before": before["{name}"], "after": after["{name}"]}})'
        '.savefig("counterfactual.png")',
        "print(after.to_dataframe())",
    ]
    return "\n".join(lines)


HANDLERS: dict[str, Handler] = {
    "imagine_models": Handler(_models),
    "imagine_start": Handler(_start, slow=True),
    "imagine_picture": Handler(_picture, slow=True),
    "imagine_fits": Handler(_fits, slow=True),
    "imagine": Handler(_imagine, slow=True),
    "strip": Handler(_strip, slow=True),
}
