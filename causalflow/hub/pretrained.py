"""Pretrained: a model to a folder and back, byte for byte, wherever the folder lies.

save              what `Model.save_pretrained` does
save_weights      the same of weights that stand in a file already, which are copied as they are
push              what `Model.push_to_hub` does
from_pretrained   the model of a folder, of a repository on a hub, or one that ships
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

import torch

from causalflow.errors import CheckpointError, one_of, shown
from causalflow.evaluation.evaluation import Evaluation, evaluate
from causalflow.evaluation.table_report import TableReport
from causalflow.graph.node import images_of
from causalflow.hub.card import Account, card
from causalflow.hub.model_folder import CARD, check_place, read_folder, write_folder
from causalflow.hub.repository import fetch, is_repository
from causalflow.hub.repository import push as push_folder
from causalflow.hub.specimens import MOST_SPECIMENS, draw_specimens
from causalflow.limits import PIECE_BYTES
from causalflow.model.model import Model
from causalflow.model.sharing import CardKeywords
from causalflow.shipped import checkpoint_names, checkpoint_path
from causalflow.training.progress import parts

__all__ = ["from_pretrained", "place_of_model", "push", "save", "save_weights"]

PLACE = "folder or owner/name"
"""Stands on a card for where the reader has the model from."""
MEASURED = 100
"""Pictures that a model is measured on, where the call does not say how many."""
MOST_PARTS = 2 + MOST_SPECIMENS
"""Of the writing of a folder: the weights, the pictures, the card."""


def save(
    model: Model,
    folder: str | Path,
    *,
    bits: int = 32,
    piece: str | int = PIECE_BYTES,
    place: str = PLACE,
    **said: Unpack[CardKeywords],
) -> list[Path]:
    """What `Model.save_pretrained` does; ``place`` is where its card says that the model is."""

    def weights(path: Path) -> None:
        model.save(path, piece=piece, bits=bits)

    return save_weights(model, folder, weights, place=place, **said)


def save_weights(
    model: Model,
    folder: str | Path,
    weights: Callable[[Path], None],
    *,
    place: str = PLACE,
    **said: Unpack[CardKeywords],
) -> list[Path]:
    """Write the folder of a model whose weights ``weights`` writes to a path.

    Raises:
        CheckpointError: what `write_folder` refuses.
        CausalflowError: data that the model cannot be measured on, a text that is none.
    """
    check_place(folder)
    texts = {name: _text(name, said.get(name, "")) for name in ("name", "about", "limits")}
    license = _text("license", said.get("license", ""))
    account = Account(
        model=model,
        name=texts["name"] or model.graph.name,
        place=place,
        about=texts["about"],
        limits=texts["limits"],
        license=license,
        evaluation=_measured(model, said),
        command=_command(model, place, said),
    )
    with parts(MOST_PARTS, shown=said.get("progress", True)) as begin:

        def about(made: Path) -> None:
            drawn = draw_specimens(model, made, account.evaluation, said.get("do"), begin)
            begin("card")
            (made / CARD).write_bytes(card(replace(account, specimens=drawn)).encode())

        begin("weights")
        return write_folder(model, folder, weights, about)


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise CheckpointError(f"save_pretrained: {name}={shown(given)}; expected a text")
    return given


def _measured(model: Model, said: CardKeywords) -> Evaluation | TableReport | None:
    """What is known of how good the model is."""
    given, data = said.get("evaluation"), said.get("data")
    if isinstance(given, Evaluation | TableReport):
        return given
    if given is not None:
        raise CheckpointError(
            f"save_pretrained: evaluation={shown(given)}; expected what cf.evaluate returns"
        )
    if data is None:
        return None
    name, progress = said.get("name") or model.graph.name, said.get("progress", True)
    if not images_of(model.graph.nodes):
        return evaluate(model, data, name=name, progress=progress)
    n = said.get("n", MEASURED)
    return evaluate(model, data, do=said.get("do"), n=n, name=name, progress=progress)


def _command(model: Model, place: str, said: CardKeywords) -> str:
    """The command that measures a model with images by a data set as its card does, if one does."""
    data, do = said.get("data"), said.get("do") or {}
    if not isinstance(data, str) or said.get("evaluation") or not images_of(model.graph.nodes):
        return ""
    if not all(isinstance(value, str | int | float) for value in do.values()):
        return ""
    action = ",".join(f"{name}={value}" for name, value in do.items())
    words = [shlex.quote("MODEL" if place == PLACE else place), "--data", data]
    words += ["--n", str(said.get("n", MEASURED)), *(["--do", shlex.quote(action)] if do else [])]
    return " ".join(["causalflow evaluate", *words])


def push(
    model: Model,
    repository: str,
    *,
    private: bool = False,
    branch: str | None = None,
    token: str | None = None,
    message: str = "A causalflow model",
    **given: Any,
) -> str:
    """Upload the folder of a model, as `Model.push_to_hub` says; ``given`` is for `save`."""
    if not isinstance(repository, str) or not is_repository(repository):
        raise CheckpointError(f"push_to_hub: {shown(repository)}; expected owner/name")
    with TemporaryDirectory(prefix="causalflow-") as made:
        folder = Path(made) / "model"
        save(model, folder, place=repository, **given)
        return push_folder(
            folder, repository, private=private, branch=branch, token=token, message=message
        )


def from_pretrained(
    place: str | Path,
    device: str = "cpu",
    *,
    revision: str | None = None,
    token: str | None = None,
    networks: Mapping[str, torch.nn.Module] | None = None,
    predictors: Mapping[str, Mapping[str, Callable[..., torch.Tensor]]] | None = None,
) -> Model:
    """Read a model that `Model.save_pretrained` wrote; every file is checked, nothing is executed.

    Args:
        place: the folder; owner/name of a repository on a model hub (extra ``hub``); or the name
            of a model that comes with the package, as "morpho_mnist". A folder wins.
        device: where the weights go.
        revision: a branch, tag or commit of a repository; None: the main branch.
        token: a reader's, of a private repository; None: the one that is logged in.
        networks: the networks that the model was compiled with, as for `Model.load`.
        predictors: the predictors that it was compiled with, alike.

    Raises:
        CheckpointError: no such place, or files that are missing, foreign or altered.
        CausalflowError: no such device.

    Example:
        model = cf.from_pretrained("my_model")
        world = model.counterfactual(rows, do={"color": "red"})
    """

    def load(path: Path) -> Model:
        return Model.load(path, device, networks=networks, predictors=predictors)

    return read_folder(place_of_model(place, revision, token), load)


def place_of_model(place: Any, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of a model that `from_pretrained` is told of; fetched, if it is on a hub.

    Raises:
        CheckpointError: there is none, or it cannot be fetched.
    """
    if not isinstance(place, str | Path):
        raise CheckpointError(f"from_pretrained: {shown(place)}; expected a folder or a name")
    if str(place) and Path(place).is_dir():
        return Path(place)
    if str(place) in checkpoint_names():
        return checkpoint_path(str(place)).parent
    if isinstance(place, str) and is_repository(place):
        return fetch(place, revision, token)
    known = one_of(place, checkpoint_names())
    raise CheckpointError(
        f"from_pretrained: {shown(str(place))} is no folder, no owner/name of a repository, nor a "
        f"model that comes with the package; {known}"
    )
