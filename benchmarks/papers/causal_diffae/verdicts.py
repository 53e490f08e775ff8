"""Verdicts on the tables of CausalDiffAE, of their own numbers."""

from __future__ import annotations

from benchmarks.papers.causal_diffae.labels import STILL
from benchmarks.papers.cells import Cell, Found, Verdict, column, read, rows, said, span

PAPER = "paper, CausalDiffAE"
PARTS = "parts"
"""The column of the graph that is told which part of the picture each cause draws."""


def _effectiveness(found: Found) -> str:
    (paper,) = rows(found, PAPER)
    ours = [row for row in found["rows"] if row[0].startswith("ours")]
    ratios = [
        float(cell.rpartition("/")[2]) / float(theirs.rpartition("/")[2])
        for row in ours
        for cell, theirs in zip(row[1:5], paper[1:5], strict=True)
    ]
    return (
        f"Ours err less than the paper in {sum(r < 1 for r in ratios)} of {len(ratios)} cells: in "
        f"its own unit our errors are {span(ratios, '.2f')} times its."
    )


def _reach(found: Found) -> str:
    effect, cause = (found["values"][f"labels do({name})"] for name in ("intensity", "thickness"))
    return (
        f"do(intensity) acts on the effect: the thickness moves by {effect['thickness label']:.0e} "
        f"px, its latent by {effect['thickness latent']:.2g} deviations. do(thickness) reaches the "
        f"intensity too, {cause['intensity label']:.2g} grey levels off the true counterfactual."
    )


def _dci(found: Found) -> str:
    printed = read(next(row[3] for row in found["rows"] if row[0] == PAPER)).value
    given, alone = (
        found["values"][of]["disentanglement"] for of in ("labels given", "picture alone")
    )
    return (
        f"In the paper's form, which is told the labels, {given:.3f} "
        f"({said(given >= printed - 0.01, 'as much as', 'less than')} the paper's {printed:.3f} "
        f"+- .01); of the picture alone {alone:.3f}."
    )


def _masking(found: Found) -> str:
    errors = {row[0]: read(row[3]).value for row in found["rows"]}
    best = min(errors, key=lambda omega: errors[omega])
    return (
        f"Nearest to the true picture is omega = {best}, {errors[best]:.3g} levels off; "
        f"{errors['0.5']:.3g} at half the strength, {errors['2']:.3g} at twice."
    )


def _cells(found: Found, who: str) -> dict[tuple[str, int], Cell]:
    """What one maker's rows say, by label and column."""
    return {
        (row[0], k): read(cell) for row in rows(found, "", who) for k, cell in enumerate(row[2:])
    }


def _pendulum(found: Found) -> str:
    paper, texts = _cells(found, PAPER), []
    for who in dict.fromkeys(column(found, "made by")):
        if who.startswith("ours"):
            ours = _cells(found, who)
            met = sum(ours[key].value <= paper[key].value for key in paper)
            surely = sum(ours[key].high <= paper[key].value for key in paper)
            texts.append(
                f"{who.removeprefix('ours, ')}: {met} of {len(paper)} cells are at most the "
                f"paper's, {surely} with their whole interval"
            )
    return "Ours with " + "; ".join(texts) + "."


def _shares(found: Found) -> str:
    """How many cells each share of rows meets, and how the largest misses what it misses."""
    texts, shares = [], [head for head in found["columns"] if head.endswith("%")]
    paper = [read(text).value for text in column(found, PAPER)]
    for who in (*shares, *(head for head in found["columns"] if head == PARTS)):
        ours = [*map(read, column(found, who))]
        met, surely = (
            sum(end <= most for end, most in zip(ends, paper, strict=True))
            for ends in ([each.value for each in ours], [each.high for each in ours])
        )
        texts.append(f"{who}: {met} of {len(paper)}, {surely} with their whole interval")
    ratios = zip(found["rows"], map(read, column(found, shares[-1])), paper, strict=True)
    left = [
        f"{row[1]} under {row[0]}, {ours.value / most:.2g} times the paper's"
        for row, ours, most in ratios
        if ours.value > most
    ]
    missed = f" Missed at {shares[-1]}: {'; '.join(left)}." if left else ""
    return f"Cells at most the paper's: {'; '.join(texts)}.{missed}"


def _nearer(found: Found) -> str:
    """How often the counterfactual picture is nearer to the true one than the factual picture."""
    (still,) = rows(found, STILL)
    texts = []
    for row in found["rows"]:
        if row[0].startswith("ours"):
            pairs = [(read(a), read(b)) for a, b in zip(row[1:], still[1:], strict=True)]
            shares = [ours.value / idle.value for ours, idle in pairs]
            surely = sum(ours.high < idle.low for ours, idle in pairs)
            texts.append(
                f"{row[0].removeprefix('ours, ')}: {span(shares, '.2f')} of the error of changing "
                f"nothing, surely nearer in {surely} of {len(pairs)} interventions"
            )
    return "Ours with " + "; ".join(texts) + "."


def _circuit(found: Found) -> str:
    heads = [head.removeprefix("do(").removesuffix(")") for head in found["columns"][2:]]

    def own(who: str) -> str:
        """The errors of the labels that were set."""
        made = [row for row in found["rows"] if row[1].startswith(who)]
        places = [2 + heads.index(row[0].partition(",")[0]) for row in made]
        return span(
            (read(row[k]).value for row, k in zip(made, places, strict=True)),
            ".2g",
        )

    every = [each.value for each in _cells(found, "ours, representations").values()]
    return (
        f"The label that is set is shown with an error of {own('ours')} (a constant guess: "
        f"{own('a constant')}), every label under every intervention with at most "
        f"{max(every):.3f}. The poster prints no such table of CausalCircuit: nothing of the "
        "paper's can be held against it."
    )


VERDICTS: dict[str, Verdict] = {
    "causal_diffae_effectiveness": _effectiveness,
    "causal_diffae_reach": _reach,
    "causal_diffae_dci": _dci,
    "causal_diffae_masking": _masking,
    "causal_diffae_pendulum_effectiveness": _pendulum,
    "causal_diffae_pendulum_raw": _pendulum,
    "causal_diffae_pendulum_images": _nearer,
    "causal_diffae_pendulum_shares": _shares,
    "causal_diffae_circuit_dci": _dci,
    "causal_diffae_circuit_effectiveness": _circuit,
    "causal_diffae_circuit_images": _nearer,
}
