"""Logger: whoever is told how a fit goes, beside its bar and its JSON lines.

    a function                   logger(step, values)
    a logger of Lightning's      its log_metrics(values, step), its pictures
                                 (TensorBoardLogger, CSVLogger, WandbLogger, ...; Fabric's too)
    "csv:FOLDER", "tensorboard:FOLDER", "wandb:PROJECT"
                                 one that is made so

The values are averages since those before: "loss", "loss/NODE" for every node, "held_out" where
rows are held out, and "seconds". A picture is a value of its own, "pictures/NODE": draws of the
averaged weights side by side, uint8, shape (height, width) or (height, width, 3).

A fit that is resumed begins at its checkpoint. So what belongs to later steps is told only once a
checkpoint has them: nobody is told of a step twice, however the fit was killed. Without a
checkpoint it is told at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalflow.errors import CausalflowError, CausalflowWarning, one_line, one_of, shown

__all__ = ["KINDS", "Logger", "Teller", "read_logger", "strip"]

Logger = Callable[[int, dict[str, Any]], object]
"""What is told of a step; of one of Lightning's, `_Lightning` makes such a function."""

KINDS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "csv": (("lightning_fabric.loggers",), "CSVLogger", "root_dir"),
    "tensorboard": (("lightning_fabric.loggers",), "TensorBoardLogger", "root_dir"),
    "wandb": (("lightning.pytorch.loggers", "pytorch_lightning.loggers"), "WandbLogger", "project"),
}
"""Kind -> the modules that may have its class, the class, and the argument that is spelt out."""


class Teller:
    """Tells a logger what is certain to be kept.

    Args:
        logger: who is told; None: nobody.
        at_once: whether nothing is resumed, so that all can be told when it is known.
    """

    def __init__(self, logger: Logger | None, *, at_once: bool) -> None:
        self._logger, self._at_once = logger, at_once
        self._held: list[tuple[int, dict[str, Any]]] = []

    def add(self, step: int, values: dict[str, Any]) -> None:
        """Take note of what is to be told of a step."""
        if self._logger is not None:
            self._held.append((step, values))
            if self._at_once:
                self.kept()

    def kept(self) -> None:
        """Tell what was noted: a checkpoint has it now."""
        held, self._held = self._held, []
        if self._logger is None or not held:
            return
        try:
            for step, values in held:
                self._logger(step, values)
            if isinstance(self._logger, _Lightning):
                self._logger.save()
        except Exception as error:  # what is learned is worth more than what is told of it
            self._logger = None
            said = one_line(f"fit: the logger failed ({type(error).__name__}: {error}", ")")
            warnings.warn(f"{said}; the fit goes on without it", CausalflowWarning, stacklevel=2)


class _Lightning:
    """One of Lightning's loggers, as a function."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def __call__(self, step: int, values: dict[str, Any]) -> None:
        """Numbers together, each picture by itself where pictures are taken."""
        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        if numbers:
            self._logger.log_metrics(numbers, step)
        for name in values.keys() - numbers.keys():
            self._show(name, values[name], step)

    def _show(self, name: str, picture: np.ndarray, step: int) -> None:
        if hasattr(self._logger, "log_image"):
            self._logger.log_image(name, [picture], step=step)
        elif hasattr(experiment := self._logger.experiment, "add_image"):
            form = "HW" if picture.ndim == 2 else "HWC"
            experiment.add_image(name, picture, step, dataformats=form)

    def save(self) -> None:
        """Have what was told written, where the logger keeps it in memory."""
        if callable(save := getattr(self._logger, "save", None)):
            save()


def read_logger(given: Any) -> Logger | None:
    """The function that is told, of what ``logger=`` takes.

    Raises:
        CausalflowError: something else, an unknown kind, or a library that is not there.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return _Lightning(_made(given))
    if callable(getattr(given, "log_metrics", None)):
        return _Lightning(given)
    if callable(given):
        told: Logger = given
        return told
    raise CausalflowError(
        f"fit: logger={shown(given)}; expected a function (step, values), one of Lightning's "
        f"loggers, or a text such as 'csv:FOLDER'; kinds: {', '.join(KINDS)}"
    )


def _made(text: str) -> Any:
    """The logger of a text "kind:where"."""
    kind, mark, where = text.partition(":")
    if not (mark and where and kind in KINDS):
        known = one_of(kind, KINDS)
        raise CausalflowError(f"fit: logger={shown(text)}; expected KIND:PLACE, KIND {known}")
    modules, name, argument = KINDS[kind]
    further = {"tensorboard": {"name": "", "version": ""}, "csv": {"name": ""}}.get(kind, {})
    missing = ""
    for module in modules:
        try:
            return getattr(import_module(module), name)(**{argument: where}, **further)
        except ImportError as error:
            missing = str(error)
        except OSError as error:
            raise CausalflowError(one_line(f"fit: logger={shown(text)}: {error}")) from None
    raise CausalflowError(one_line(f"fit: logger={shown(text)} takes a library: {missing}"))


def strip(pictures: Tensor) -> np.ndarray:
    """Pictures side by side.

    Args:
        pictures: in [0, 1], shape (batch, 1 or 3, height, width).

    Returns:
        uint8, shape (height, batch * width), with a last axis of 3 where they have colours.
    """
    bits = (pictures.detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8)
    row = torch.cat(list(bits), dim=-1)
    whole: np.ndarray = (row[0] if len(row) == 1 else row.permute(1, 2, 0)).numpy()
    return whole
