"""Folder: a network as ``save_pretrained`` of diffusers writes it, read without running anything.

    config.json                              its class and its sizes
    diffusion_pytorch_model*.safetensors     its weights, in one file, or in several and an index
    scheduler_config.json                    how it was trained; also found in ../scheduler

The folder of a whole pipeline will do, where the network stands in ``unet``, ``transformer`` or
``vae``. Nothing is downloaded, and no pickle is read. The tensors of the files must be those of the
network that config.json describes, name by name and shape by shape; that is found out from their
headers and a network without memory, before a weight is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from causalflow.errors import CompileError, one_line, one_of
from causalflow.files import opened, read_bytes
from causalflow.header import read_header
from causalflow.limits import CONFIG_BYTES, CONFIG_NUMBER, MODEL_BYTES, NETWORK_STAGES
from causalflow.pretrained.adm_file import differences

__all__ = ["Folder", "imported", "network_in", "read_folder"]

CONFIG, SCHEDULER = "config.json", "scheduler_config.json"
WEIGHTS = "diffusion_pytorch_model"
PARTS = ("unet", "transformer", "vae")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
OLDER = re.compile(r"(\.attentions\.\d+\.)(query|key|value|proj_attn)\.")
NEWER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What a folder holds.

    Attributes:
        path: the folder of the network itself.
        kind: the name of its class.
        config: its sizes.
        files: the files of its weights.
        scheduler: how it was trained, and the file that says so; None: the folder does not say.
    """

    path: Path
    kind: str
    config: Mapping[str, Any]
    files: tuple[Path, ...]
    scheduler: tuple[Mapping[str, Any], Path] | None

    def digest(self) -> str:
        """The sha256 of the configuration and the weights, of all bytes in this order."""
        found = hashlib.sha256()
        for file in (self.path / CONFIG, *self.files):
            with opened(file, CompileError, limit=MODEL_BYTES) as content:
                found.update(hashlib.file_digest(content, "sha256").digest())
        return found.hexdigest()


def imported() -> Any:
    """The package.

    Raises:
        CompileError: it is not installed.
    """
    try:
        import diffusers
    except ImportError:
        raise CompileError(
            "a network of diffusers needs that package: pip install 'causalflow-engine[diffusers]'"
        ) from None
    return diffusers


def read_folder(path: str | Path, kinds: tuple[str, ...]) -> Folder:
    """The folder, its configuration read and checked; the weights are not opened yet.

    Args:
        path: the folder, or that of a pipeline.
        kinds: the classes of networks that serve here.

    Raises:
        CompileError: no such folder, no weights that can be read, or another class.
    """
    home = Path(path)
    inner = [home / part for part in PARTS if (home / part / CONFIG).is_file()]
    if not (home / CONFIG).is_file() and len(inner) >= 1:
        home = next((each for each in inner if _kind(each) in kinds), inner[0])
    if not home.is_dir():
        raise CompileError(f"{path}: no such folder; expected one that save_pretrained has written")
    kind = _kind(home)
    if kind not in kinds:
        raise CompileError(f"{home / CONFIG}: a network of class {kind!r}; {one_of(kind, kinds)}")
    places = [home / SCHEDULER, home.parent / "scheduler" / SCHEDULER]
    scheduler = next((place for place in places if place.is_file()), None)
    return Folder(
        path=home,
        kind=kind,
        config=_json(home / CONFIG),
        files=_files(home),
        scheduler=None if scheduler is None else (_json(scheduler), scheduler),
    )


def network_in(folder: Folder) -> nn.Module:
    """The network, its weights those of the files, in float32; without weights on "meta".

    Raises:
        CompileError: sizes that make no network, or tensors that are not those of the network.
    """
    kind = getattr(imported(), folder.kind)
    with torch.device("meta"):
        outline = _made(kind, folder)
    expected = {name: tuple(tensor.shape) for name, tensor in outline.state_dict().items()}
    _check_shapes(folder, expected)
    if torch.get_default_device().type == "meta":
        return outline
    network = _made(kind, folder)
    try:
        for file in folder.files:
            stored = load_file(file)
            network.load_state_dict(
                {_renamed(n): t.float() for n, t in stored.items()}, strict=False
            )
    except (SafetensorError, OSError) as error:
        raise CompileError(f"{file}: cannot be read ({one_line(str(error))})") from None
    for name, tensor in network.state_dict().items():
        if not bool(tensor.isfinite().all()):
            raise CompileError(f"{folder.path}: tensor '{name}' holds numbers that are not finite")
    return network


def _kind(home: Path) -> str:
    """The class that a configuration names."""
    return str(_json(home / CONFIG).get("_class_name")) if home.is_dir() else ""


def _json(path: Path) -> dict[str, Any]:
    content = read_bytes(path, CompileError, limit=CONFIG_BYTES)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CompileError(f"{path}: no JSON ({one_line(str(error))})") from None
    if not isinstance(found, dict):
        raise CompileError(f"{path}: expected a JSON object")
    return found


def _files(home: Path) -> tuple[Path, ...]:
    """The files of the weights.

    Raises:
        CompileError: there are none, or pickles alone.
    """
    if (index := home / f"{WEIGHTS}.safetensors.index.json").is_file():
        named = _json(index).get("weight_map")
        names = sorted(map(str, set(named.values()))) if isinstance(named, dict) else [""]
        if not all(name and Path(name).name == name for name in names):
            raise CompileError(f"{index}: its weight_map names no files of the folder")
        return tuple(home / name for name in names)
    found = sorted(home.glob(f"{WEIGHTS}*.safetensors"))
    if len(found) > 1:
        found = [home / f"{WEIGHTS}.safetensors"]
    if found:
        return tuple(found)
    pickles = sorted(file.name for end in PICKLES for file in home.glob(f"*{end}"))
    if pickles:
        raise CompileError(
            f"{home / pickles[0]}: a pickle, which could run code, and is not read; write it anew "
            "by save_pretrained(folder, safe_serialization=True) where you trust it"
        )
    raise CompileError(f"{home}: no file {WEIGHTS}.safetensors")


def _made(kind: Any, folder: Folder) -> nn.Module:
    """The network of a configuration, with weights of its own; further entries are derived ones."""
    names = set(signature(kind.__init__).parameters) - {"self"}
    given = {name: value for name, value in folder.config.items() if name in names}
    for name, value in given.items():
        _check_numbers(folder, name, value)
    try:
        made: nn.Module = kind(**given)
    except (ValueError, TypeError, RuntimeError, LookupError, NotImplementedError) as error:
        raise CompileError(
            f"{folder.path / CONFIG}: no {folder.kind} can be made of it ({one_line(str(error))})"
        ) from None
    return made.eval()


def _check_numbers(folder: Folder, name: str, value: object) -> None:
    """Refuse sizes that would take all memory, or time, to build."""
    values = value if isinstance(value, list) else [value]
    for each in values:
        if isinstance(each, list):
            _check_numbers(folder, name, each)
        elif isinstance(each, int) and abs(each) > (
            NETWORK_STAGES if "layers" in name else CONFIG_NUMBER
        ):
            raise CompileError(f"{folder.path / CONFIG}: {name}={each}, which no network has")
    if len(values) > NETWORK_STAGES:
        raise CompileError(f"{folder.path / CONFIG}: {name} has {len(values):,} entries")


def _renamed(name: str) -> str:
    """The name of today; attentions of older autoencoders have others."""
    return OLDER.sub(lambda found: f"{found[1]}{NEWER[found[2]]}.", name)


def _check_shapes(folder: Folder, expected: Mapping[str, tuple[int, ...]]) -> None:
    found: dict[str, tuple[int, ...]] = {}
    for file in folder.files:
        for name, entry in read_header(file).tensors.items():
            if entry.dtype not in FLOATS:
                raise CompileError(f"{file}: tensor '{name}' is of {entry.dtype}, no real numbers")
            found[_renamed(name)] = entry.shape
    if gap := differences(expected, found):
        more = f"; and {len(gap) - 3} more differences" if len(gap) > 3 else ""
        raise CompileError(
            f"{folder.path}: its tensors are not those of the {folder.kind} that its {CONFIG} "
            f"describes: {'; '.join(gap[:3])}{more}"
        )
