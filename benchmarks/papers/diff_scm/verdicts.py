"""Verdicts on the tables of Diff-SCM, of their own numbers."""

from __future__ import annotations

from benchmarks.papers.cells import Found, Verdict, said
from benchmarks.papers.diff_scm.experiment import PAPER_SCALE, SCALES, chosen

OURS, PAPERS = "ours, diff_scm_mnist", "paper's procedure, 1000"


def _scores(found: Found) -> str:
    values = found["values"]
    (ours,) = [each for name, each in values.items() if name.startswith(OURS)]
    (papers,) = [each for name, each in values.items() if name.startswith(PAPERS)]
    nearer = ours["cld"]["interval"][1] < papers["cld"]["interval"][0]
    return (
        f"With the paper's procedure at its scale {papers['target']['value']:.0%} of the pictures "
        f"show the digit asked for, on the same net with our scale and solver "
        f"{ours['target']['value']:.0%}, in {ours['calls']:.0f} network calls for "
        f"{papers['calls']:.0f}; CLD is {ours['cld']['value']:.2f} against "
        f"{papers['cld']['value']:.2f} ({said(nearer, 'better', 'not told apart')}; "
        "the paper prints 1.08)."
    )


def _scale(found: Found) -> str:
    curves = found["values"]
    texts = []
    for name, curve in curves.items():
        net, _, way = name.partition(": ")
        scale = chosen(net, curves, papers="paper" in way).scale
        shown = {s: each["target"]["value"] for s, each in zip(SCALES, curve, strict=True)}
        texts.append(
            f"{name}, {shown[PAPER_SCALE]:.0%} at the paper's s = {PAPER_SCALE:g}, "
            f"{shown[scale]:.0%} at s = {scale:g}, which the search takes"
        )
    return "In per cent of pictures that show the target: " + "; ".join(texts) + "."


def _interventional(found: Found) -> str:
    by_net: dict[str, list[float]] = {}
    for name, share in found["values"].items():
        by_net.setdefault(name.split()[0], []).append(share)
    return (
        "The same noise becomes the digit set: "
        + "; ".join(
            f"{net} {shares[0]:.0%} at the paper's scale, {shares[-1]:.0%} at ours"
            for net, shares in by_net.items()
        )
        + "."
    )


VERDICTS: dict[str, Verdict] = {
    "diff_scm_scores": _scores,
    "diff_scm_scale": _scale,
    "diff_scm_interventional": _interventional,
}
