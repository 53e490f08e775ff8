"""Measure a checkout and renew the measured parts of `docs/architecture.md` and its drawing.

    python docs/architecture.py                              of this checkout
    python docs/architecture.py --root DIR --json FILE       of another, into a file

What is measured, and how: `docs/house`. The column "before" is kept in `docs/house/before.json`,
measured at the commit it names; it never changes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from house.drawing import draw, house
from house.measures import measure, rows
from house.page import parts, rewritten

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "architecture.md"
BEFORE = DOCS / "house" / "before.json"


def main(root: Path, kept: Path | None) -> None:
    """Write what is measured of `root` into `kept`, or into this repository's page."""
    after = measure(root)
    if kept is not None:
        pairs = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in after.items())
        kept.write_text("{\n" + ",\n".join(pairs) + "\n}\n", encoding="utf-8")
        return
    home = house(root)
    table = rows(json.loads(BEFORE.read_text(encoding="utf-8")), after)
    told = parts(root, table, after, home)
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    PAGE.with_suffix(".svg").write_text(draw(home), encoding="utf-8")
    print(told["table"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=DOCS.parent, help="the checkout")
    parser.add_argument("--json", type=Path, help="write the measures here, not into the page")
    given = parser.parse_args()
    main(given.root.resolve(), given.json)
