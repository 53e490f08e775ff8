"""Search: the times and weights of `difference` for a net, chosen on validation pictures.

Random tries around the best so far, the first one what is known of MorphoMNIST; a try is a function
of net, number of calls and its own number, so that a search that was killed goes on. The score is
the largest over interventions of log(error / error of leap-frog, 20 steps, 43 calls), as few calls
are to be no worse under any of them: true errors, and where none is known the drift of what was to
stay.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

import causalflow as cf
from benchmarks.few.studies import STUDIES, Study
from benchmarks.nets import net_path
from causalflow.evaluation.axioms import pixel_errors
from causalflow.files import whole_file

__all__ = ["BEGIN", "MANY", "chosen", "options_of", "search"]

MANY: Mapping[str, Any] = {"solver": "alf", "steps": 20}
BEGIN: Mapping[int, tuple[tuple[float, ...], tuple[float, ...]]] = {
    4: ((0.3,), (1.0, 0.5, 0.9, 0.93)),
    6: ((0.081, 0.354), (0.596, 0.903, 0.956, 0.927)),
    8: ((0.096, 0.296, 0.789), (1.153, 0.206, 0.502, 0.936)),
    10: ((0.07, 0.2, 0.45, 0.8), (1.1, 0.4, 0.5, 0.94)),
    12: ((0.07, 0.16, 0.33, 0.6, 0.85), (1.0, 0.4, 0.5, 0.94)),
}
"""By calls: times and weights (up, down, sigma, gamma)."""
GRAINS: Mapping[str, tuple[float, ...]] = {"morpho_mnist": (0.0, 1.0)}
GRAIN: Mapping[str, float] = {"morpho_mnist": 1.0}
"""Of leap-frog; 0 for the other nets, as they are."""
PICTURES = 100
STEP = 0.35
Try = dict[str, Any]


def options_of(point: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call, of a point of the search."""
    solver = {"solver": "difference"}
    return solver | {k: tuple(v) if isinstance(v, list) else v for k, v in point.items()}


def chosen(path: Path, net: str, calls: int) -> dict[str, Any] | None:
    """The point with the least score; None where none was tried."""
    found = _read(path).get(net, {})
    if str(calls) not in found:
        return None
    return dict(_best(found[str(calls)], found["alf 20"])["options"])


def search(nets: Path, path: Path, net: str, calls: int, tries: int) -> None:
    """Bring the tries of a net and a number of calls to ``tries``, each written when it is done."""
    found = _read(path)
    listed: list[Try] = found.setdefault(net, {}).setdefault(str(calls), [])
    if len(listed) >= tries:
        return
    study = STUDIES[net]("validation", PICTURES, quick=True)
    model = cf.Model.load(net_path(nets, net))
    many = found[net].get("alf 20")
    if many is None:
        many = found[net]["alf 20"] = errors(model, study, {**MANY, "grain": GRAIN.get(net, 0.0)})
    while len(listed) < tries:
        point = _point(net, calls, listed, many)
        scores = errors(model, study, options_of(point))
        listed.append({"errors": scores, "options": point})
        with whole_file(path) as part:
            part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        score, best = _score(listed[-1], many), min(_score(each, many) for each in listed)
        click.echo(f"{net} {calls} calls, try {len(listed)}: {score:+.4f}, best {best:+.4f}")


def errors(model: cf.Model, study: Study, options: Mapping[str, Any]) -> dict[str, float]:
    """The mean errors under the interventions, in grey levels."""
    noise, found = model.abduct(study.evidence, **options), {}
    for do, act in study.actions.items():
        picture = study.picture(model.predict(noise, act, **options))
        if do in study.truth:
            found[do] = float(pixel_errors(picture, study.truth[do]).mean())
        elif "intensity" in study.readings[do]:
            found[do] = float(study.readings[do]["intensity"](picture).mean())
    return found


def _point(net: str, calls: int, listed: list[Try], many: Mapping[str, float]) -> dict[str, Any]:
    """The next point: the known one, then steps from the best, shorter as tries grow."""
    times, weights = BEGIN[calls]
    grains = GRAINS.get(net, (0.0,))
    if len(listed) < len(grains):
        return _options(times, weights, grains[len(listed)])
    best = _best(listed, many)["options"]
    seed = zlib.crc32(f"{net} {calls} {len(listed)}".encode())
    random, step = np.random.default_rng(seed), STEP / (1 + len(listed) / 8)
    odds = [math.log(t / (1 - t)) + 1.5 * step * random.normal() for t in best["difference_times"]]
    places = sorted(min(0.95, max(0.02, 1 / (1 + math.exp(-each)))) for each in odds)
    up, down, sigma, gamma = best["difference_weights"]
    near = (
        up + step * random.normal(),
        down + step * random.normal(),
        sigma + step * random.normal(),
        gamma + 0.1 * step * random.normal(),
    )
    return _options(places, near, best["grain"])


def _score(tried: Try, many: Mapping[str, float]) -> float:
    return max(math.log(tried["errors"][name] / many[name]) for name in many)


def _best(tries: list[Try], many: Mapping[str, float]) -> Try:
    return min(tries, key=lambda tried: _score(tried, many))


def _options(times: Any, weights: Any, grain: float) -> dict[str, Any]:
    return {
        "difference_times": [round(float(each), 3) for each in times],
        "difference_weights": [round(float(each), 3) for each in weights],
        "grain": grain,
    }


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
