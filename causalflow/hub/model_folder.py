"""Model folder: the files by which a model is given to others, and what makes them trustworthy.

    graph.yaml           the declaration, as the weights' file has it
    model.safetensors    the weights, options and all that a model keeps (`causalflow.checkpoint`),
                         or the index of its pieces
    config.json          {"format", "version", "graph", "libraries",
                          "files": name -> {"bytes", "sha256"} of the files above,
                          "nodes": name -> type in words,
                          "ranges": continuous column -> [least, largest] that was learned,
                          "unseen": class -> levels that no row had,
                          "settings": image -> what was chosen for it}
    README.md, *.png     the card and its pictures, for people: they may be edited

What is read is checked: every file against its digest, the declaration against that within the
weights, and what config.json says of the model against the model. The files of a folder are made
aside and take their places one after another, config.json last: a reader sees a whole folder, or
one that is refused. Files of other names are kept.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from causalflow.checkpoint import Metadata, load_outline
from causalflow.errors import CheckpointError, shown
from causalflow.files import alone, place_of, read_bytes, remove_leftovers, whole_file, written
from causalflow.limits import CONFIG_BYTES, GRAPH_BYTES
from causalflow.model.model import Model
from causalflow.pieces import NAME, Piece, piece_of, read_index, remove_strays

__all__ = [
    "CARD",
    "CONFIG",
    "GRAPH",
    "PICTURES",
    "WEIGHTS",
    "Config",
    "check_place",
    "copy_folder",
    "file_names",
    "ranges",
    "read_config",
    "read_folder",
    "write_folder",
]

GRAPH, WEIGHTS, CONFIG, CARD = "graph.yaml", "model.safetensors", "config.json", "README.md"
PICTURES = ("graph.png", "samples.png", "counterfactual.png")
FORMAT, VERSION = "causalflow model folder", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What config.json says.

    Attributes:
        files: name -> the file, as it was written.
        said: what it says of the model, by name.
        libraries: name -> the version that wrote the weights.
    """

    files: Mapping[str, Piece]
    said: Mapping[str, Any]
    libraries: Mapping[str, str]

    def text(self) -> str:
        """The file."""
        whole = {
            "format": FORMAT,
            "version": VERSION,
            "libraries": dict(self.libraries),
            **self.said,
            "files": {name: asdict(part) for name, part in self.files.items()},
        }
        return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_folder(
    model: Model,
    folder: str | Path,
    weights: Callable[[Path], None],
    about: Callable[[Path], None],
) -> list[Path]:
    """Write the files of a model, in place of those of a model that is there already.

    Args:
        model: what the folder says of the weights.
        folder: it is made if it is not there.
        weights: writes the weights to a path.
        about: writes the card and its pictures into a folder.

    Returns:
        The files.

    Raises:
        CheckpointError: it is a file, holds files of these names that are no model's, or cannot be
            written.
    """

    def make(made: Path) -> None:
        weights(made / WEIGHTS)
        about(made)
        _describe(made, model)

    return _settled(folder, make)


def copy_folder(source: Path, folder: str | Path) -> list[Path]:
    """Copy the files of a model's folder as they are, in place of those of a model that is there.

    Raises:
        CheckpointError: as for `write_folder`.
    """

    def make(made: Path) -> None:
        for name in file_names(source):
            shutil.copyfile(source / name, made / name)

    return _settled(folder, make)


def _settled(folder: str | Path, make: Callable[[Path], None]) -> list[Path]:
    """Have files made aside, and move them to their places."""
    target = Path(os.path.realpath(folder))
    check_place(folder)
    with alone(target, CheckpointError), written(folder, CheckpointError):
        remove_leftovers(target)
        with TemporaryDirectory(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part", ignore_cleanup_errors=True
        ) as made:
            make(Path(made))
            return _moved(Path(made), target)


def check_place(folder: str | Path) -> None:
    """Refuse a folder that holds, under the names of a model's files, something else.

    Raises:
        CheckpointError: it does, or is no folder.
    """
    there = Path(folder)
    if there.exists() and not there.is_dir():
        raise CheckpointError(f"{folder}: a file; expected the name of a folder for the model")
    own = (GRAPH, WEIGHTS, CONFIG, CARD, *PICTURES)
    taken = [name for name in own if os.path.lexists(there / name)]
    if taken and not _is_model(there):
        raise CheckpointError(
            f"{folder}: holds '{taken[0]}', and no model that was saved here; give another folder"
        )


def _is_model(folder: Path) -> bool:
    try:
        read_config(folder)
    except CheckpointError:
        return False
    return True


def _describe(made: Path, model: Model) -> None:
    """The declaration and config.json, to the weights that stand there."""
    metadata = _metadata(made)
    _write(made / GRAPH, metadata.graph)
    names = [GRAPH, WEIGHTS, *_pieces(made)]
    files = {name: piece_of(made / name) for name in names}
    said = _said(model)
    _write(made / CONFIG, Config(files=files, said=said, libraries=metadata.libraries).text())


def _metadata(folder: Path) -> Metadata:
    return load_outline(folder / WEIGHTS, "model").metadata


def _pieces(folder: Path) -> list[str]:
    """The names of the files that the weights' index names, if it is one."""
    index = read_index(folder / WEIGHTS)
    return [] if index is None else list(index.pieces)


def _write(path: Path, text: str) -> None:
    with whole_file(path) as part:
        part.write_bytes(text.encode())


def _moved(made: Path, target: Path) -> list[Path]:
    """Move the files to their places, config.json last, and drop what older ones left."""
    target.mkdir(parents=True, exist_ok=True)
    names = sorted((each.name for each in made.iterdir()), key=lambda name: (name == CONFIG, name))
    for name in names:
        place_of(target / name)
    for name in names:
        os.replace(made / name, target / name)
    for name in PICTURES:
        if name not in names:
            (target / name).unlink(missing_ok=True)
    remove_strays(target / WEIGHTS)
    return [target / name for name in sorted(names)]


def _said(model: Model) -> dict[str, Any]:
    """What config.json says of a model."""
    unseen: dict[str, set[str]] = {}
    for parents in model.experience.unseen.values():
        for name, missing in parents.items():
            levels = model.graph.nodes[name].type.levels or ()
            unseen.setdefault(name, set()).update(str(levels[k]) for k in missing)
    said = {
        "graph": model.graph.name,
        "nodes": {name: kind.words for name, kind in model.scm.types.items()},
        "ranges": {name: list(ends) for name, ends in ranges(model).items()},
        "unseen": {name: sorted(levels) for name, levels in sorted(unseen.items())},
        "settings": {name: chosen.record() for name, chosen in model.settings.items()},
    }
    return dict(json.loads(json.dumps(said)))


def ranges(model: Model) -> dict[str, tuple[float, float]]:
    """Continuous column -> the values between which every mechanism that reads it was fitted."""
    found: dict[str, tuple[float, float]] = {}
    for columns in model.experience.ranges.values():
        for name, (low, high) in columns.items():
            least, largest = found.get(name, (low, high))
            found[name] = max(least, low), min(largest, high)
    return {name: found[name] for name in model.graph.nodes if name in found}


def read_config(folder: str | Path) -> Config:
    """What config.json of a folder says.

    Raises:
        CheckpointError: there is none, or another program's, or one that is damaged.
    """
    path = Path(folder) / CONFIG
    if not path.exists():
        raise CheckpointError(f"{folder}: no folder of a model: it has no {CONFIG}")
    content = read_bytes(path, CheckpointError, limit=CONFIG_BYTES)
    try:
        whole = json.loads(content.decode())
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path}: damaged: no JSON") from None
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not one that causalflow wrote")
    if whole.get("version") != VERSION:
        given = shown(whole.get("version"))
        raise CheckpointError(
            f"{path}: format version {given}; this causalflow reads {VERSION}: upgrade it"
        )
    try:
        files = {str(name): Piece(**part) for name, part in whole["files"].items()}
        _check_files(files)
        said = {name: whole[name] for name in ("graph", "nodes", "ranges", "unseen", "settings")}
        libraries = {str(name): str(each) for name, each in whole["libraries"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckpointError(f"{path}: damaged: it lacks what a model's has") from None
    return Config(files=files, said=said, libraries=libraries)


def _check_files(files: Mapping[str, Piece]) -> None:
    """Refuse a list of files that no model has: names that lead elsewhere, or no sizes.

    Raises:
        ValueError: it is one.
    """
    pieces = files.keys() - {GRAPH, WEIGHTS}
    named = all(name.startswith(f"{WEIGHTS}.") and NAME.fullmatch(name) for name in pieces)
    sized = all(type(part.bytes) is int and part.bytes >= 0 for part in files.values())
    small = sized and GRAPH in files and files[GRAPH].bytes <= GRAPH_BYTES
    if not (files.keys() >= {GRAPH, WEIGHTS} and named and small):
        raise ValueError(files)


def read_folder(folder: str | Path, load: Callable[[Path], Model]) -> Model:
    """The model in a folder that `write_folder` wrote.

    Args:
        folder: where it is.
        load: reads the weights at a path.

    Raises:
        CheckpointError: no such folder, or one of whose files any is missing or altered.
    """
    there = Path(folder)
    if not there.is_dir():
        raise CheckpointError(f"{folder}: no folder; expected one of Model.save_pretrained")
    config = read_config(there)
    for name, part in config.files.items():
        _check_part(folder, there / name, part)
    if set(_pieces(there)) != config.files.keys() - {GRAPH, WEIGHTS}:
        raise CheckpointError(f"{folder}: {WEIGHTS} has other pieces than {CONFIG} says")
    declared = read_bytes(there / GRAPH, CheckpointError, limit=GRAPH_BYTES)
    metadata = _metadata(there)
    if declared != metadata.graph.encode():
        raise CheckpointError(f"{folder}: {GRAPH} is not the graph that {WEIGHTS} was fitted with")
    if config.libraries != metadata.libraries:
        raise CheckpointError(f"{folder}: {CONFIG} is altered: other 'libraries' than {WEIGHTS}")
    model = load(there / WEIGHTS)
    _check_said(folder, config.said, _said(model))
    return model


def _check_part(folder: str | Path, path: Path, part: Piece) -> None:
    if not path.exists():
        raise CheckpointError(f"{folder}: {path.name} is missing")
    same = path.is_file() and path.stat().st_size == part.bytes
    if not same or piece_of(path) != part:
        raise CheckpointError(
            f"{folder}: {path.name} is altered or damaged: not the file that {CONFIG} says"
        )


def _check_said(folder: str | Path, said: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a config.json that says something else of the model than the model does."""
    for name, value in found.items():
        if said[name] != value:
            raise CheckpointError(
                f"{folder}: {CONFIG} is altered: its '{name}' is not what the model says"
            )


def file_names(folder: str | Path) -> list[str]:
    """The files of a folder that belong to its model."""
    config = read_config(folder)
    further = [name for name in (CARD, *PICTURES) if (Path(folder) / name).is_file()]
    return [*config.files, CONFIG, *further]
