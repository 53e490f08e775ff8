"""Settings: the rows of the tables, solver by steps by guidance, declared in settings.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

DEFAULT, PAPERS = "default", "papers: DDIM 1000"
STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row.

    Attributes:
        name: shown in tables.
        solver: which line it is a point of in the plot.
        options: of the image node, in abduction and prediction.
        residual: whether what decoding misses is kept; both are scored then.
        main: whether it runs on all the images.
        levels: it runs on the released code's noise levels, "plain" or "clipped".
    """

    name: str
    solver: str
    options: Mapping[str, Any] = field(default_factory=dict)
    residual: bool = True
    main: bool = False
    levels: str | None = None

    @property
    def steps(self) -> int:
        """Each way."""
        return int(self.options.get("steps", STEPS))

    @property
    def asked(self) -> dict[str, Any]:
        """The options with the residual."""
        return {**self.options, "residual": self.residual}


def settings(part: str, net: str = "") -> tuple[Setting, ...]:
    """The rows of a part, of a net where each net has its own."""
    found = _declared()[part]
    return tuple(_read(found[net] if net else found))


@cache
def _declared() -> dict[str, Any]:
    path = Path(__file__).with_suffix(".yaml")
    found: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return found


def _read(entries: Any) -> Iterator[Setting]:
    """The settings of nested lists of entries."""
    for entry in entries:
        if isinstance(entry, list):
            yield from _read(entry)
            continue
        lists = {k: v if isinstance(v, list) else [v] for k, v in entry.items()}
        for values in product(*lists.values()):
            yield _setting(dict(zip(lists, values, strict=True)))


def _setting(given: dict[str, Any]) -> Setting:
    name = given.pop("name", "{both} {steps}").format(**given)
    about = {key: given.pop(key) for key in ("residual", "main", "levels") if key in given}
    line = given.pop("line", "default")
    if (both := given.pop("both", None)) is not None:
        line, given = both, {"solver": both, "guided_solver": both, **given}
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    return Setting(name=name, solver=line, options=options, **about)
