"""Verdicts: what was asked of every family, and whether a table's own numbers meet it.

    fit         minutes by the wall of the fit with all labels
    judges      read the true counterfactual pictures right, every label and trace
    right       the attribute set is right under every intervention; the same told the picture
                alone or half of its labels, and of the net that was fitted with half of the labels
    obeys       what follows an intervention does, what it must leave alone is
    changed     error of truly changed pixels, as a multiple of the factual picture's
    all         error of all pixels, as a multiple of the autoencoder's floor, or no larger than
                that of the picture left unchanged, where the change is tiny
    null        the largest error without an intervention, with the residual
    round       the largest error of the latent on its way to the noise and back

Each is decided by the values; their intervals stand in the tables. Bounds: families.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.scenes.scene import declared

__all__ = ["Verdict", "threads_of", "verdicts"]

Found = Mapping[str, Any]
SHARES = {
    "latent": "",
    "latent, picture alone": ", told the picture alone",
    "latent, half told": ", told half of the labels",
    "latent, half labels": ", fitted with half of the labels",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line.

    Attributes:
        asked: in words.
        found: the number that decides, and where it is.
        met: whether it does.
    """

    asked: str
    found: str
    met: bool


def verdicts(found: Found) -> list[Verdict]:
    """The lines of a family, those whose rows there are."""
    return [*_fitted(found), *_judged(found), *_shares(found), *_errors(found), *_exact(found)]


def threads_of(record: Mapping[str, Any]) -> str:
    """How many threads a fit or a machine had, in words."""
    number = str(record["threads"])
    return {"1": "one thread", "default": "all threads"}.get(number, f"{number} threads")


def _fitted(found: Found) -> Iterator[Verdict]:
    bound, took = declared()["bounds"]["fit"], found.get("fits", {}).get("latent")
    if took is not None:
        yield Verdict(
            asked=f"minutes of the fit, by the wall: {bound:g}",
            found=f"{took['minutes']:.1f} ({threads_of(took)})",
            met=took["minutes"] <= bound,
        )


def _judged(found: Found) -> Iterator[Verdict]:
    bound, judges = declared()["bounds"]["judge"], found["judges"]
    name = min(judges, key=lambda each: judges[each])
    yield Verdict(
        asked=f"judges right on true counterfactual pictures: {bound:.0%}",
        found=f"{judges[name]:.1%} ({name})",
        met=judges[name] >= bound,
    )


def _shares(found: Found) -> Iterator[Verdict]:
    words = {"right": "attribute right", "obeys": "descendants obey the graph"}
    for way, said in SHARES.items():
        for measure, what in words.items():
            bound = declared()["bounds"][measure]
            yield from _extreme(found, way, measure, min, f"{what}{said}: {bound:.0%}", bound)


def _extreme(
    found: Found,
    way: str,
    measure: str,
    worst: Callable[..., str],
    asked: str,
    bound: float,
) -> Iterator[Verdict]:
    """The worst value over interventions: the least of shares, the largest of errors."""
    rows = found["ways"].get(way, {})
    known = {do: row[measure]["value"] for do, row in rows.items() if row[measure] is not None}
    known = {do: value for do, value in known.items() if value is not None}
    if known:
        do = worst(known, key=lambda each: known[each])
        text = f"{known[do]:.1%}" if worst is min else f"{known[do]:.2f}"
        met = known[do] >= bound if worst is min else known[do] <= bound
        yield Verdict(asked=asked, found=f"{text} ({do})", met=met)


def _errors(found: Found) -> Iterator[Verdict]:
    bounds = declared()["bounds"]
    yield from _extreme(
        found,
        "latent",
        "of_unchanged",
        max,
        f"error of changed pixels, of the unchanged picture's: {bounds['changed']:g}",
        bounds["changed"],
    )
    rows = found["ways"].get("latent", {})
    if rows and all(row["over_floor"] is not None for row in rows.values()):
        beyond = {
            do: row["over_floor"]["value"]
            for do, row in rows.items()
            if row["beyond_unchanged"]["value"] > 0 or row["over_floor"]["value"] <= bounds["all"]
        }
        do = max(beyond, key=lambda each: beyond[each], default=None)
        yield Verdict(
            asked=f"error of all pixels, of the floor: {bounds['all']:g}, or below unchanged",
            found="below unchanged" if do is None else f"{beyond[do]:.2f} ({do})",
            met=do is None or beyond[do] <= bounds["all"],
        )


def _exact(found: Found) -> Iterator[Verdict]:
    bounds, null = declared()["bounds"], found["null"]
    if "latent" in null:
        plain = null.get("latent, no residual")
        also = "" if plain is None else f"; without residual {plain['largest']:.2g}"
        yield Verdict(
            asked=f"null intervention, largest error in [0, 1]: {bounds['nothing']:.0e}",
            found=f"{null['latent']['largest']:.1e}{also}",
            met=null["latent"]["largest"] <= bounds["nothing"],
        )
    if (error := found.get("round_trip")) is not None:
        yield Verdict(
            asked=f"there and back in the latent, largest error: {bounds['round']:.0e}",
            found=f"{error:.1e}",
            met=error <= bounds["round"],
        )
