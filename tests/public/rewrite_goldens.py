"""Rewrite the golden files, on purpose: ``python tests/public/rewrite_goldens.py [AREA ...]``.

Every area by default (answers, checkpoints, commands, data, face, nets, symbols). Run it only where
a change of what users see is meant; the difference of the golden files then says what changed, and
belongs into the change log. Cases that need MNIST are kept as they are where it is missing.
"""

import sys
import warnings

from golden_files import path_of, read, write
from test_goldens import AREAS, missing


def rewrite(area):
    """Find every case of an area anew, and write the golden file."""
    module = AREAS[area]
    before = read(area) if path_of(area).exists() else {}
    kept = {name: before[name] for name in module.CASES if missing(name) and name in before}
    found = {name: case() for name, case in module.CASES.items() if not missing(name)}
    write(area, kept | found)
    return len(module.CASES), path_of(area).stat().st_size


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for each in sys.argv[1:] or AREAS:
        cases, size = rewrite(each)
        sys.stdout.write(f"{each}: {cases} cases, {size:,} bytes\n")
