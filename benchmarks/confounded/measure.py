"""Measure: one model of a world, with the hidden cause or without, held against the truth.

    law       total variation between the attributes that 2,000 drawn pictures show under do() and
              the true law; beside it that of as many true pictures, what drawing alone costs, and
              that of 16,000 drawn pictures, where little is left of that
    kept      the share of rows whose attribute, which the hidden cause decides, stays under do()
    pixels    mean absolute difference of the counterfactual picture to the true one, grey levels
    shares    P(event[do] | given) among the counterfactuals of the first 6,000 rows, of 60,000,
              that look like what is given

The fit is kept when it is done; the same command goes on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import causalflow as cf
from benchmarks.confounded.bounds import bounds
from benchmarks.confounded.questions import CASES, Case, Question
from causalflow.shipped import graph_path

__all__ = ["DRAWN", "SIZE", "WAYS", "fitted", "measured", "pictures_under"]

SIZE, DRAWN, MORE, ROWS, ASKED, ALIKE = 8, 2_000, 16_000, 400, 60_000, 6_000
NET = "width: 16, multipliers: [1, 2], blocks: 1"
TRAINING: Mapping[str, Any] = {"batch_size": 128, "learning_rate": 2e-3, "ema": 0.99}
WAYS: Mapping[str, Mapping[str, str]] = {
    "ignored": dict.fromkeys(CASES, ""),
    "own noise": {kind: case.hidden for kind, case in CASES.items()},
    "own noise, code": {kind: case.hidden for kind, case in CASES.items() if not case.code},
    "through": {
        kind: f"{CASES[kind].hidden}: {{through: {name}}}"
        for kind, name in (("bar_mnist", "slant"), ("frontdoor", "ground"))
    },
}
"""What is written for the hidden edge into the picture, by world."""


def graph_of(kind: str, way: str) -> cf.Graph:
    """The world's graph file with small pictures, a small net, and its hidden edge as the way."""
    text = graph_path(f"confounded_{kind}").read_text(encoding="utf-8").partition("queries:")[0]
    net = f"{NET}, code: {32 if way == 'own noise, code' else CASES[kind].code}"
    shape = rf"shape: [\1, {SIZE}, {SIZE}], diffusion: {{{net}}}"
    text = re.sub(r"shape: \[(\d), \d+, \d+\]", shape, text)
    written = WAYS[way][kind]
    if way == "through":
        text = text.replace("nodes:\n", f"nodes:\n  {_hidden_node(kind)}\n")
    line = f"  - {written}\n" if written else ""
    return cf.loads(text.replace(f"  - {CASES[kind].hidden}\n", line))


def _hidden_node(kind: str) -> str:
    rows: Any = cf.data.confounded(kind, n=1)
    levels = ", ".join(rows.scm.nodes[rows.world.hidden].type.levels)
    return f"{rows.world.hidden}: {{type: class, levels: [{levels}]}}"


def fitted(kind: str, way: str, seed: int, steps: int, work: Path) -> tuple[cf.Model, float]:
    """The model of a world, fitted to its 20,000 rows now or by an earlier run; CPU seconds."""
    path = work / f"{kind}-{way.replace(' ', '_')}-{seed}-{steps}.safetensors"
    spent = path.with_suffix(".seconds")
    if not path.exists():
        start, rows = time.process_time(), _told(kind, "train", seed)
        model = cf.compile(graph_of(kind, way))
        model.fit(rows, steps=steps, seed=seed, progress=False, **TRAINING)
        model.save(path)
        spent.write_text(str(time.process_time() - start), encoding="utf-8")
    return cf.Model.load(path), float(spent.read_text(encoding="utf-8"))


def _told(kind: str, split: str, seed: int) -> dict[str, Any]:
    """The columns; of attributes, what a reader reads off the pictures."""
    rows = cf.data.confounded(kind, split, SIZE, seed=seed)
    return {**rows.columns, **_read(rows)}


def _read(rows: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = rows.read(rows.images)
    return {name: each for name, each in found.items() if name in (rows.world.hidden, "marker")}


def measured(model: cf.Model, kind: str, seed: int) -> dict[str, Any]:
    """What a model of a world makes of its questions."""
    case, rows = CASES[kind], cf.data.confounded(kind, "test", SIZE, n=DRAWN, seed=seed)
    found: dict[str, Any] = {"arms": [_arm(model, case, rows, act, seed) for act in case.arms]}
    if case.kept:
        found["kept"] = _kept(model, case, rows, seed)
    if case.questions:
        asked = cf.data.confounded(kind, "test", SIZE, n=ASKED, seed=seed)
        found["shares"] = _shares(model, case, asked, seed)
    return found


def _shares(model: cf.Model, case: Case, rows: Any, seed: int) -> list[dict[str, Any]]:
    """Each question's exact bounds and truth, and the share among counterfactuals of test rows."""
    alike = [
        _meets(rows.labels, question.given).nonzero()[0][:ALIKE] for question in case.questions
    ]
    values = [question.do[case.treatment] for question in case.questions]
    read = {}
    for value in sorted({*values}):
        asked = [some for some, each in zip(alike, values, strict=True) if each == value]
        some, act = np.unique(np.concatenate(asked)), {case.treatment: value}
        read[value] = _read_under(model, rows, some, act, seed)
    seen, found = _drawn(model, rows, seed), []
    for question, value, some in zip(case.questions, values, alike, strict=True):
        low, high = bounds(case, question, rows)
        law = rows.law(list(question.event), question.do, question.given).values
        shown = _meets(read[value], question.event)[some]
        found.append(
            {
                "question": question.text,
                "low": low,
                "truth": float(law[tuple(question.event.values())]),
                "high": high,
                "share": float(shown.mean()),
                "rows": len(shown),
                "ends": _ends(case, question, seen),
            }
        )
    return found


def _read_under(
    model: cf.Model, rows: Any, some: NDArray[np.int64], act: Mapping[str, int], seed: int
) -> dict[str, NDArray[Any]]:
    """What the pictures of some rows show under an intervention; -1 of the other rows."""
    found = {}
    for name, shown in rows.read(pictures_under(model, rows, some, act, seed)).items():
        found[name] = np.full(len(rows), -1)
        found[name][some] = np.asarray(shown)
    return found


def _drawn(model: cf.Model, rows: Any, seed: int) -> dict[str, Any]:
    """Rows as the model draws them where nothing is done, with what its pictures show."""
    world = model.sample(MORE, generator=torch.Generator().manual_seed(seed))
    return {**world, **rows.read(world["image"])}


def _ends(case: Case, question: Question, drawn: Mapping[str, Any]) -> list[float] | None:
    """The package's bounds from rows that the model drew; None of questions of several pixels."""
    own = [case.treatment, case.instrument, *case.strata]
    shown = sorted({*question.event, *question.given} - set(own))
    if len(shown) > 1:
        return None
    within = np.ones(MORE, dtype=bool)
    for name in set(case.strata) & question.given.keys():
        within &= np.asarray(drawn[name]) == question.given[name]
    given = {name: value for name, value in question.given.items() if name not in case.strata}
    graph = _bow(case, shown[0])
    columns = {name: np.asarray(drawn[name])[within] for name in sorted(graph.nodes)}
    counts = np.zeros([2] * len(columns))
    np.add.at(counts, tuple(columns.values()), 1 / within.sum())
    text = replace(question, given=given).text
    found: Any = cf.bounds(graph, text, cf.Table(axes=list(columns), values=counts))
    return [float(found.low), float(found.high)]


def _bow(case: Case, shown: str) -> cf.Graph:
    lot = [f"{case.instrument} -> {case.treatment}"] if case.instrument else []
    arrow, arc = (f"{case.treatment} {mark} {shown}" for mark in ("->", "<->"))
    return cf.Graph(edges=[*lot, arrow, arc])


def _meets(columns: Mapping[str, Any], values: Mapping[str, int]) -> NDArray[np.bool_]:
    """Which of the rows have these values; all where there are none."""
    every = [np.asarray(columns[name]) == value for name, value in values.items()]
    whole = np.ones(len(np.asarray(next(iter(columns.values())))), dtype=bool)
    return np.logical_and.reduce([whole, *every])


def _arm(
    model: cf.Model, case: Case, rows: Any, act: Mapping[str, float], seed: int
) -> dict[str, Any]:
    truth = rows.law(case.shown, act).values

    def shown(pictures: Any) -> Any:
        return _law(rows.read(pictures), case.shown, truth.shape)

    few, many = (shown(_under(model, act, n, seed)) for n in (DRAWN, MORE))
    best = shown(rows.true_counterfactual(range(DRAWN), act)["image"])
    apart, more, floor = (float(np.abs(each - truth).sum() / 2) for each in (few, many, best))
    law = few.ravel().round(4).tolist()
    return {"do": dict(act), "apart": apart, "more": more, "floor": floor, "law": law}


def _under(model: cf.Model, act: Mapping[str, float], n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return model.sample(n, do=dict(act), generator=generator)["image"]


def _law(read: Mapping[str, Tensor], names: tuple[str, ...], sizes: tuple[int, ...]) -> Any:
    cells = np.ravel_multi_index([read[name].numpy() for name in names], sizes)
    return np.bincount(cells, minlength=int(np.prod(sizes))).reshape(sizes) / len(cells)


def _kept(model: cf.Model, case: Case, rows: Any, seed: int) -> dict[str, float]:
    name, changes = case.kept or ("", {})
    some = range(ROWS)
    act = {
        node: 1 - rows.labels[node][:ROWS] if how == "flip" else rows.labels[node][:ROWS] + how
        for node, how in changes.items()
    }
    true = rows.true_counterfactual(some, act)
    ours = pictures_under(model, rows, np.arange(ROWS), act, seed)
    stays = rows.labels[name][:ROWS] == true[name].numpy()
    same = (rows.read(ours)[name].numpy() == rows.labels[name][:ROWS])[stays]
    apart = float((ours - true["image"]).abs().mean() * 255)
    return {"rows": int(stays.sum()), "share": float(same.mean()), "pixels": apart}


def pictures_under(
    model: cf.Model, rows: Any, at: Any, act: Mapping[str, Any], seed: int
) -> Tensor:
    """The model's pictures of some rows under an intervention, in [0, 1]."""
    columns = {**rows.labels, **_read(rows), "image": rows.images}
    evidence = {n: columns[n][at] for n in model.graph.nodes}
    generator = torch.Generator().manual_seed(seed)
    world = model.counterfactual(evidence, do=dict(act), generator=generator)
    return torch.as_tensor(world["image"])
