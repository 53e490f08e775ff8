"""``python -m causalflow``: the command line without its installed script."""

from __future__ import annotations

from causalflow.cli import main

if __name__ == "__main__":
    main()
