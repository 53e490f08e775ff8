"""Files: the report of an evaluation on disk, whole or not at all.

report.json    every number, with its interval, count and unit
report.html    the page, with its pictures inside
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from causalflow.atomic import remove_leftovers, whole_folder, written
from causalflow.errors import DataError
from causalflow.lock import alone
from causalflow.report.evaluation import Evaluation
from causalflow.report.page import page

__all__ = ["FILES", "check_folder", "write_report"]

FILES = ("report.json", "report.html")


def check_folder(folder: Path) -> None:
    """Refuse, before the work, a folder that cannot become a report.

    Raises:
        DataError: it is a file, holds anything but a report, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: a file; expected the name of a folder for the report")
    others = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    if foreign := [name for name in others if name not in FILES]:
        raise DataError(f"{folder}: holds '{foreign[0]}', which is no report; give a new folder")
    above = next(each for each in folder.absolute().parents if each.exists())
    if not (above.is_dir() and os.access(above, os.W_OK | os.X_OK)):
        raise DataError(f"{folder}: cannot be written: '{above}' is no folder to write to")


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write both files; a report that is there already is replaced.

    Raises:
        DataError: the folder cannot be written.
    """
    check_folder(folder)
    record = json.dumps(evaluation.record(), indent=1, ensure_ascii=False, allow_nan=False)
    texts = dict(zip(FILES, (record, page(evaluation)), strict=True))
    with alone(folder, DataError), written(folder, DataError):
        remove_leftovers(folder)
        with whole_folder(folder) as part:
            for name, text in texts.items():
                (part / name).write_text(text, encoding="utf-8")
    return [folder / name for name in FILES]
