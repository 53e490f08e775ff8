"""Tables: what each part of the benchmark found, as lines of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.counterfactual.cells import Row, composed, interval, markdown, number, short, true

__all__ = ["confounding", "of_net", "pairs", "partial", "speed", "stream", "variations"]


def of_net(net: str, rows: Sequence[Row]) -> list[str]:
    """Two tables: what it costs and how far off it is, what the pictures show."""
    known = [n for n, found in rows[0]["interventions"].items() if "true" in found]
    unchanged = ", ".join(
        f"do({n}) {number(rows[0]['interventions'][n]['true unchanged'])}" for n in known
    )
    head = ["setting", "n", "calls (plain)", "s", "MiB", "composition plain: mean / largest"]
    head += ["after 10", "kept", "reversed plain / kept"]
    head += [f"do({n}) (plain)" for n in known]
    lines = [
        [
            row["setting"],
            row["n"],
            f"{row['calls']:.0f} ({row['calls_plain']:.0f})",
            f"{row['seconds']:.2f}",
            "" if row["memory_mib"] is None else f"{row['memory_mib']:.0f}",
            composed(row["composition"], "plain"),
            composed(row["composition"], "plain 10"),
            composed(row["composition"], "kept"),
            " / ".join(
                short(row["reversibility"][k]["value"])
                for k in ("plain", "kept")
                if k in row["reversibility"]
            ),
            *(true(row["interventions"][n]) for n in known),
        ]
        for row in rows
    ]
    text = [f"\n## {net}\n", f"Unchanged picture: {unchanged or 'not known'}.\n"]
    return [*text, *markdown(head, lines), "", *_shown(rows)]


def _shown(rows: Sequence[Row]) -> list[str]:
    """What the pictures show, a column for each intervention and attribute."""
    pairs = [
        (what, name)
        for what, found in rows[0]["interventions"].items()
        for name in found["attributes"]
    ]
    head = ["setting", *(f"do({what}): {name}" for what, name in pairs)]

    def attribute(row: Row, pair: tuple[str, str]) -> Row:
        found: Row = row["interventions"][pair[0]]["attributes"][pair[1]]
        return found

    lines = [
        [row["setting"], *(_attribute(attribute(row, pair)) for pair in pairs)] for row in rows
    ]
    for name in ("floor", "unchanged"):
        values = (number(attribute(rows[0], pair)[name]) for pair in pairs)
        lines.append([f"*{name}*", *values])
    note = "Share that shows it, or mean error; [drift beyond the floor] of what was to stay."
    return [note, "", *markdown(head, lines)]


def _attribute(found: Row) -> str:
    text = number(found["read"])
    if not found["moved"] and "drift" in found:
        text += f" [{found['drift']['value']:+.3g}]"
    return text


def pairs(pairs: Iterable[Row]) -> list[str]:
    """True errors of two settings on the same images, as difference and ratio."""
    lines = [
        [
            f"do({pair['intervention']})",
            " ".join(pair["ours"]),
            " ".join(pair["other"]),
            interval(pair["difference"]),
            interval(pair["ratio"]),
            pair["difference"]["count"],
        ]
        for pair in pairs
    ]
    head = [
        "",
        "ours",
        "other",
        "other - ours, grey levels (95 %)",
        "other : ours (95 %)",
        "images",
    ]
    return ["\n## The same images, paired\n", *markdown(head, lines)]


def variations(rows: Iterable[Row]) -> list[str]:
    """Total variation of pictures beside that of the true ones: whether a small error is a blur."""
    lines = [
        [row["net"], row["setting"], f"do({name})", interval(found["variation"]),
         interval(found["variation true"])]
        for row in rows
        for name, found in row["interventions"].items()
        if "variation" in found
    ]  # fmt: skip
    head = ["net", "setting", "", "total variation, grey levels (95 %)", "of the truth (95 %)"]
    return ["\n## Sharpness\n", *markdown(head, lines)]


def confounding(found: Row) -> list[str]:
    """do(color) by nets that saw colour and digit together."""
    lines = []
    for row in found["rows"]:
        shown = row["interventions"]["color"]
        by = shown["attributes"]
        lines.append(
            [
                row["net"].removeprefix("confounded_"),
                row["setting"],
                row["size"],
                row["n"],
                f"{row['calls']:.0f}",
                number(by["color"]["read"]),
                number(by["digit"]["read"]),
                number(by["digit"].get("read, rare", by["digit"]["read"])),
                number(by["digit"]["floor"]),
                number(by["bar"]["read"]),
                true(shown),
                number(shown["true unchanged"]),
            ]
        )
    head = ["net", "guidance", "pixels a side", "n", "calls", "colour set", "digit kept"]
    head += [
        "digit kept, colour now rare",
        "ceiling",
        "bar kept",
        "true error (plain)",
        "unchanged",
    ]
    evidence = found.get("evidence", "")
    text = [f"\n## Confounding: do(color), evidence with {evidence}\n", *markdown(head, lines)]
    return [*text, *(["", found["note"]] if "note" in found else ())]


def partial(found: Row) -> list[str]:
    """Nets with all labels and with a fifth of them, and the share of the loss that remains."""
    shown = (("color", "color"), ("bar", "bar"), ("digit", "digit"), ("color", "digit"))
    lines = [
        [
            row["net"],
            row["setting"],
            *(number(row["interventions"][a]["attributes"][b]["read"]) for a, b in shown),
            *(true(row["interventions"][name]) for name in ("color", "bar")),
        ]
        for row in found["rows"]
    ]
    head = ["net", "setting", *(f"do({what}): {name}" for what, name in shown)]
    head += ["do(color) true", "do(bar) true"]
    text = ["\n## Partly labelled\n", *markdown(head, lines), ""]
    ratios = [
        [
            each["net"],
            each["setting"],
            each["error"],
            *(short(each[k]) for k in ("all", "fifth", "fifth_only")),
            interval(each["ratio"]),
        ]
        for each in found.get("ratios", ())
    ]
    head = [
        "net",
        "setting",
        "error",
        "all",
        "fifth",
        "fifth only",
        "(fifth - all) / (fifth only - all)",
    ]
    return [*text, *(markdown(head, ratios) if ratios else ())]


def speed(rows: Iterable[Row]) -> list[str]:
    """Seconds of the default and of the papers' procedure."""
    lines = [
        [
            row["net"],
            row["way"],
            row["images"],
            f"{row['default_seconds']:.3f}",
            f"{row['papers_seconds']:.2f}",
            f"{row['ratio']:.1f}",
            f"{row['default_images_per_second']:.0f}",
            f"{row['papers_images_per_second']:.1f}",
        ]
        for row in rows
    ]
    head = ["net", "network", "batch", "default s", "papers s", "ratio"]
    return ["\n## Speed\n", *markdown([*head, "default images/s", "papers images/s"], lines)]


def stream(found: Row) -> list[str]:
    """The stream that was killed and resumed, and its memory."""
    if "rows" not in found:
        return []
    memory = ", ".join(f"{at}: {mib:.0f}" for at, mib in found["memory_mib"].items())
    return [
        "\n## Stream\n",
        f"{found['rows']} pictures; killed after {found['killed_after_batches']} batches, resumed "
        f"from {found['resumed_from']}, {found['seconds']:.1f} s. Resident MiB by rows written: "
        f"{memory}.",
    ]
