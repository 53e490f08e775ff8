"""Verdicts on the tables of the diffusion NCM, of their own numbers."""

from __future__ import annotations

from benchmarks.papers.cells import Found, Verdict, span

ASKED = 0.99
OUTSIDE = 0.01  # how far an answer may lie outside the bounds: errors of fit and of draws


def _queries(found: Found) -> str:
    asked = found["values"]["questions"]
    inside = [
        q for q in asked if q["low"] <= q["interval"][1] and q["interval"][0] <= q["high"]
    ]  # fmt: skip
    met = [q for q in asked if q["interval"][0] <= q["truth"] <= q["interval"][1]]
    return (
        f"What the pictures show lies within the bounds in {len(inside)} of {len(asked)} "
        f"questions, and its interval holds the true answer in {len(met)}: the data do not decide "
        "the rest, and no model of theirs could."
    )


def _invariances(found: Found) -> str:
    measured = found["values"]["rows"]
    kept = [
        row["after"] for row in measured if (row["do"], row["label"]) == ("color", "digit")
    ]  # fmt: skip
    missed = [
        f"{row['label']} under do({row['do']}) in the {row['graph']} graph, {row['after']:.3f}"
        for row in measured
        if row["after"] < ASKED
    ]
    rest = f"below {ASKED:g}: {'; '.join(missed)}" if missed else f"nothing is below {ASKED:g}"
    return (
        f"do(color) keeps the digit, as the paper says, in {span(kept, '.3f')} of the pictures; of "
        f"the {len(measured)} things that are to change or to stay, {rest}."
    )


def _ascm(found: Found) -> str:
    rows = found["values"]["quantities"]

    def off(known: bool) -> list[float]:
        return [
            abs(fit - row["truth"])
            for row in rows
            if row["identifiable"] == known
            for fit in row["fitted"].values()
        ]

    within = all(
        row["low"] - OUTSIDE <= fit <= row["high"] + OUTSIDE
        for row in rows
        for fit in row["fitted"].values()
    )
    return (
        f"What the data decide every fit answers, to {max(off(True)):.3f}; where they do not, fits "
        f"are off the truth by up to {max(off(False)):.2f}, and "
        f"{'none lies' if within else 'some lie'} more than {OUTSIDE:g} outside the bounds."
    )


VERDICTS: dict[str, Verdict] = {
    "diffusion_ncm_queries": _queries,
    "diffusion_ncm_invariances": _invariances,
    "diffusion_ncm_ascm": _ascm,
}
