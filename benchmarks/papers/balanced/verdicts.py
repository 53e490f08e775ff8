"""Verdicts on the tables of the balanced latent space, of their own numbers."""

from __future__ import annotations

from benchmarks.papers.balanced.ways import FORMS, GUIDES, ORIGINAL, PRINTED
from benchmarks.papers.cells import Found, Verdict, column, read, rows, said, span

BALANCED = 0.1
"""The gap below which a way up is called balanced, with its whole interval."""
SURE = 0.8
"""The tau up to which predictors are sure of the factual value."""


def _sweep(found: Found) -> str:
    place = found["columns"].index("both, %")
    both = {tuple(row[:2]): read(row[place]) for row in found["rows"]}
    texts = []
    for guide in GUIDES:
        printed, original = both[guide, PRINTED], both[guide, ORIGINAL]
        form = max(FORMS, key=lambda each: both[guide, each].value)
        best = both[guide, form]
        beats = said(
            printed.low > original.high,
            "more than",
            said(printed.high < original.low, "less than", "which cannot be told from"),
        )
        texts.append(
            f"with the {'learned predictor' if guide == 'learned' else 'readers'} the paper's "
            f"space does in {printed.value:.0f} %, {beats} DDIM's "
            f"{original.value:.0f} %; the best balanced form ({form}) in {best.value:.0f} %"
        )
    ours = both["readers", "recommended"]
    return (
        "What the paper shows in pictures, a new value with the rest kept, "
        f"{'; '.join(texts)}; our recommended way with readers in {ours.value:.0f} %."
    )


def _forward(found: Found) -> str:
    last = {(row[0], row[1]): read(row[-1]) for row in found["rows"]}  # the last tau stays
    texts = []
    for task in dict.fromkeys(task for task, _ in last):
        gaps = {up: each for (of, up), each in last.items() if of == task}
        ways = ", ".join(f"{up} {each.value:.2f}" for up, each in gaps.items())
        texts.append(f"{task}: {ways}")
    return (
        "The gap |p(y_F) - p(y_CF)| at the end of the way up, 0 in a balanced space, with the "
        f"constants that make the best pictures: {'; '.join(texts)}."
    )


def _saturation(found: Found) -> str:
    low = [row for row in found["rows"] if float(row[1]) < SURE]
    printed, odds, times = (
        [float(row[place].replace(",", "")) for row in low] for place in (-3, -2, -1)
    )
    rounded = [float(f"{each:.1e}") for each in times]
    return (
        f"Why no gamma_1 balances the printed form: up to tau = {SURE:g} the gradient that it "
        f"climbs is {span(printed, '.0e')} long, and were both values equally likely it would be "
        f"{span(rounded, ',.0f')} times as long: what moves a sure picture throws a balanced one "
        f"that much too far. The gradient of the log-odds is {span(odds, '.1f')} long throughout."
    )


def _pushed(found: Found) -> str:
    heads = ("p(y_F) at the end", "p(y_CF) at the end", "gap at the end", "size of x at the end")
    here, there, gap, size = map(found["columns"].index, heads)
    texts = []
    for task, best in found["values"].items():
        (last,) = rows(found, task, "", "test")
        likely = f"{read(last[here]).value:.2f} and {read(last[there]).value:.2f}"
        paper = [
            (read(row[gap]).value, row[4], row[size])
            for row in rows(found, task, "p(y_CF), the paper's")
        ]
        least, gamma, thrown = min(paper)
        closed = said(best["interval"][1] < BALANCED, "balanced", "not balanced")
        texts.append(
            f"{task} {closed}, {likely}, a gap of {last[gap]} with gamma_1 = {best['push']:g}, x "
            f"of size {last[size]} (the paper's push, at the best gamma_1 tried, {gamma}: "
            f"{least:.2f}, x of size {thrown})"
        )
    return f"Climbing the log-odds (ours), on test pictures: {'; '.join(texts)}."


def _gammas(found: Found) -> str:
    tried, both = len(found["rows"]), column(found, "both, %")
    texts = []
    for guide in GUIDES:
        kept = [(read(b).value, row[1]) for b, row in zip(both, found["rows"], strict=True)
                if row[0] == guide]  # fmt: skip
        share, form = max(kept)
        name = "the learned predictor" if guide == "learned" else "readers"
        texts.append(f"{share:.0f} % with {name} ({form})" if share else f"0 % with {name}")
    return (
        f"Of {tried} settings none keeps the one and reaches the other in more than "
        f"{' and '.join(texts)} of the validation pictures."
    )


VERDICTS: dict[str, Verdict] = {
    "balanced_colored": _sweep,
    "balanced_masked": _sweep,
    "balanced_forward": _forward,
    "balanced_saturation": _saturation,
    "balanced_pushed": _pushed,
    "balanced_gammas_colored": _gammas,
    "balanced_gammas_masked": _gammas,
}
