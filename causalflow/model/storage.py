"""Storage: a model as one file, and a mechanism taken over from another model.

A file holds the weights beside the graph's text and the options. Nothing in it is executed
(`causalflow.checkpoint`); whatever is wrong with it is one line that names the file.

A mechanism can be taken over (`transplant`) because p(x | pa) is a part of the world of its own: it
stays what it is when the mechanisms of other nodes change. So graphs that agree on a node, its
parents and what the edges between them compile to can share what was fitted for it, whatever the
rest of them says.

Source: Peters, Janzing & Schoelkopf (2017), Elements of causal inference, section 2.1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from causalflow.checkpoint import (
    Metadata,
    check_like,
    load_into,
    load_outline,
    load_state,
    save_state,
    tensor_digest,
)
from causalflow.errors import CausalflowError, CheckpointError, CompileError, one_of, shown
from causalflow.formats.formats import loads
from causalflow.graph.graph import Graph
from causalflow.graph.image_options import AUTO, CALL_OPTIONS, Diffusion
from causalflow.graph.node import (
    diffusion_images,
    with_noise,
    without_own,
)
from causalflow.graph.settings import read_settings, with_latents
from causalflow.mechanisms.image.image_mechanism import ImageMechanism
from causalflow.model.construction import (
    CompileOptions,
    Parts,
    outline,
    read_options,
    structural_model,
)
from causalflow.model.evidence import check_names
from causalflow.model.experience import Experience
from causalflow.model.packing import packed, unpacked
from causalflow.model.scm import StructuralModel

__all__ = ["Stored", "fingerprint", "frozen_networks", "read", "transplant", "write"]

MOST_TIMES, MOST_MEMBERS = 100, 1_000
COUNTS = "counts:"
"""What the name of a tensor begins with that holds the counts behind a node's table."""
OPEN = frozenset({"bend", "bends", "digits", "edges", "ends", "reach"})
"""Buffers that may be infinite: what bends nothing or reaches everywhere, ends of a support."""

MEMBER = "member"
"""The first part of the names of the members' tensors, before their number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """What a file holds of a model.

    Attributes:
        scm: the weights, with the declaration.
        options: those of compiling.
        fitted: the nodes that were.
        experience: what is kept of the rows.
        members: models like it, fitted to halves of the rows.
    """

    scm: StructuralModel
    options: CompileOptions
    fitted: Sequence[str]
    experience: Experience
    members: Sequence[StructuralModel] = ()

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All weights, by the names that they have in a file."""
        found = dict(self.scm.state_dict())
        for k, member in enumerate(self.members):
            found |= {f"{MEMBER}.{k}.{n}": tensor for n, tensor in member.state_dict().items()}
        return found


def write(path: str | Path, model: Stored, parts: Parts, piece: int, bits: int = 32) -> None:
    """Write a model, wholly or not at all, in one file or in pieces of at most ``piece`` bytes.

    Its weights have so many ``bits`` (`causalflow.model.packing`).

    The options of image nodes are written out, defaults too, so that a later default does not
    change a model that was fitted before it.

    Raises:
        CheckpointError: a weight is not finite, or the file cannot be written; an older file stays.
    """
    scm = model.scm
    images = {name: asdict(image.options) for name, image in scm.images.items()}
    texts: dict[str, Any] = {
        "compile": asdict(model.options),
        "experience": model.experience.record(),
        "fitted": sorted(model.fitted),
        "images": images,
        "parts": parts.names(),
    }
    if latents := {n: asdict(i.canvas.latent) for n, i in scm.images.items() if i.canvas.latent}:
        texts["latents"] = latents
    if scm.settings:
        texts["settings"] = {name: chosen.record() for name, chosen in scm.settings.items()}
    if frozen := frozen_networks(scm):
        texts["frozen"] = frozen
    if noises := _noises(scm.graph):
        texts["noises"] = noises
    if editors := {n: len(i.editor.times) for n, i in scm.images.items() if i.editor is not None}:
        texts["editors"] = editors
    if model.members:
        texts["members"] = len(model.members)
    tensors = model.tensors
    _check_finite(tensors, path)
    if bits != 32:
        texts["bits"] = bits
    counts = {n: each.counts for n, each in scm.tables.items() if each.counts is not None}
    if counts:
        texts["smoothing"] = {name: scm.tables[name].smoothing for name in counts}
    kept = {COUNTS + name: each for name, each in counts.items()}
    metadata = Metadata(kind="model", graph=scm.graph.to_yaml(layout=False), options=texts)
    save_state(path, {**packed(tensors, bits), **kept}, metadata, piece)


def fingerprint(scm: StructuralModel) -> str:
    """What tells a model from another: its graph, its weights, and what was chosen for them."""
    weights = tensor_digest(scm.state_dict())[:16]
    chosen = {name: each.record() for name, each in sorted(scm.settings.items())}
    return f"{scm.graph.name} {weights}" + (f" {json.dumps(chosen)}" if chosen else "")


def read(path: str | Path, parts: Parts) -> Stored:
    """The model in a file, with all that the file holds of it.

    Args:
        path: the file.
        parts: the modules of the user's own that the model was compiled with.

    Raises:
        CheckpointError: the file is missing, truncated, foreign, altered, or of another version.
    """
    announced = load_outline(path, kind="model")
    try:
        _check_parts(announced.metadata.options.get("parts", {}), parts)
        graph, options, fitted, experience = _declared(announced.metadata, path)
        settings = read_settings(graph, announced.metadata.options.get("settings", {}))
        editors = _editors(announced.metadata.options.get("editors", {}))
        outlined = outline(graph, options, parts, editors)
        count = _member_count(announced.metadata.options.get("members", 0))
    except CausalflowError as error:
        raise CheckpointError(
            f"{path}: the graph or options inside cannot be read ({error})"
        ) from None
    restore = unpacked if "bits" in announced.metadata.options else dict
    expected = {f"{MEMBER}.{k}.{n}": each for k in range(count) for n, each in outlined.items()}
    check_like({**outlined, **expected}, _weights(restore(announced.tensors)), path)
    tensors = restore(load_state(path, kind="model").tensors)
    _check_finite(tensors, path)
    scm = structural_model(graph, options, parts, editors)
    _check_frozen(announced.metadata.options.get("frozen", {}), frozen_networks(scm), path)
    load_into(scm, _part(tensors, outlined), path)
    _read_counts(scm, tensors, announced.metadata.options.get("smoothing", {}), path)
    members = []
    for k in range(count):
        member = structural_model(graph, options, parts, editors)
        load_into(member, _part(tensors, outlined, f"{MEMBER}.{k}."), path)
        members.append(member.eval())
    return Stored(
        scm=scm.settled(settings).eval(),
        options=options,
        fitted=fitted,
        experience=experience,
        members=members,
    )


def _part(
    tensors: Mapping[str, Tensor], names: Iterable[str], prefix: str = ""
) -> dict[str, Tensor]:
    """The tensors of one model among those of all."""
    return {name: tensors[prefix + name] for name in names if prefix + name in tensors}


def _member_count(given: Any) -> int:
    """How many members a file says it has."""
    if type(given) is not int or not 0 <= given <= MOST_MEMBERS:
        raise CheckpointError(f"'members' is {given!r}; expected a number to {MOST_MEMBERS}")
    return given


def _weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the model's state, without the counts behind its tables."""
    return {name: each for name, each in tensors.items() if not name.startswith(COUNTS)}


def _read_counts(
    scm: StructuralModel, tensors: Mapping[str, Tensor], smoothing: Any, path: str | Path
) -> None:
    """The counts behind the tables, in a file that has some.

    Raises:
        CheckpointError: counts of no table, of another shape or below zero; no smoothing of them.
    """
    counts = {n.removeprefix(COUNTS): each for n, each in tensors.items() if n.startswith(COUNTS)}
    for name, each in counts.items():
        table = scm.tables.get(name)
        pseudo_count = smoothing.get(name) if isinstance(smoothing, dict) else None
        fits = table is not None and each.shape == table.table.shape and bool((each >= 0).all())
        if table is None or not fits or not isinstance(pseudo_count, int | float):
            raise CheckpointError(f"{path}: the counts of '{name}' are not those of a table")
        table.counts, table.smoothing = each.to(table.table), float(pseudo_count)


def frozen_networks(scm: StructuralModel) -> dict[str, list[str]]:
    """The digests of networks that stay as they are in folders of their own, by image node."""
    found = {
        name: [digest for part in image.modules() if isinstance(digest := _frozen(part), str)]
        for name, image in scm.images.items()
    }
    return {name: digests for name, digests in found.items() if digests}


def _frozen(part: nn.Module) -> object:
    return getattr(part, "frozen", None)


def _check_frozen(wanted: Any, found: Mapping[str, list[str]], path: str | Path) -> None:
    """Refuse another network in the place of the one that the model was fitted beside."""
    if not isinstance(wanted, dict) or set(wanted) != set(found):
        raise CheckpointError(f"{path}: 'frozen' is {wanted!r}; expected digests of {list(found)}")
    for name, digests in found.items():
        if wanted[name] != digests:
            raise CheckpointError(
                f"{path}: node '{name}' was fitted beside networks of other digests than those in "
                f"its folders: {shown(wanted[name], 100)}, now {shown(digests, 100)}"
            )


def _check_finite(tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Infinity stands only in `OPEN`; elsewhere it would make answers NaN, in silence."""
    for name, tensor in tensors.items():
        if name.rpartition(".")[2] in OPEN or not tensor.is_floating_point():
            continue
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{path}: tensor '{name}' holds numbers that are not finite; the fit diverged?"
            )


def _declared(
    metadata: Metadata, path: str | Path
) -> tuple[Graph, CompileOptions, list[str], Experience]:
    """What the texts alone say: the graph, the options, what was fitted and to what."""
    given, fitted = metadata.options.get("compile"), metadata.options.get("fitted")
    images = metadata.options.get("images", {})
    if not isinstance(given, dict):
        raise CheckpointError(f"'compile' is {given!r}; expected an object")
    if not (isinstance(fitted, list) and all(isinstance(name, str) for name in fitted)):
        raise CheckpointError(f"'fitted' is {fitted!r}; expected a list of nodes")
    if not (isinstance(images, dict) and all(isinstance(o, dict) for o in images.values())):
        raise CheckpointError(f"'images' is {images!r}; expected options by image node")
    latents = metadata.options.get("latents", {})
    if not (isinstance(latents, dict) and all(isinstance(o, dict) for o in latents.values())):
        raise CheckpointError(f"'latents' is {latents!r}; expected options by image node")
    noises = metadata.options.get("noises", {})
    if not (isinstance(noises, dict) and all(isinstance(n, str) for n in noises.values())):
        raise CheckpointError(f"'noises' is {noises!r}; expected a noise by continuous node")
    graph = loads(metadata.graph, "yaml", source=str(path))
    graph = _with_noises(with_latents(graph, latents), noises)
    diffusions = {n: _beside(path, _diffusion(each, graph, n)) for n, each in images.items()}
    declared, options = read_options(graph, {**given, **diffusions})
    experience = Experience.read(metadata.options.get("experience"), graph)
    return declared, options, check_names(graph, fitted, "'fitted'"), experience


def _beside(path: str | Path, options: Diffusion) -> Diffusion:
    """The options; where the folder of a network is gone, one of its name beside the file."""
    if options.folder is None or Path(options.folder).is_dir():
        return options
    near = Path(path).absolute().parent / Path(options.folder).name
    return replace(options, folder=str(near)) if near.is_dir() else options


def _unsaid(graph: Graph) -> dict[str, tuple[str, str]]:
    """The nodes whose noise the graph's text leaves to a default, with the two that there are."""
    return {
        name: node.type.unsaid
        for name, node in graph.nodes.items()
        if node.noise is None and node.equation is None and node.type.unsaid is not None
    }


def _noises(graph: Graph) -> dict[str, str]:
    """What the defaults of today add to the graph's text, but for what it meant all along."""
    return {
        name: each for name, (each, _) in _unsaid(graph).items() if graph.noise_of(name) == each
    }


def _with_noises(graph: Graph, noises: Mapping[str, str]) -> Graph:
    """The graph whose nodes have just these noises, whatever the defaults of today."""
    nodes: dict[str, Any] = {}
    for name, (_, before) in _unsaid(graph).items():
        noise = noises.get(name, before)
        if noise != graph.noise_of(name):
            nodes[name] = with_noise(graph.nodes[name], noise)
    return graph.with_nodes(nodes) if nodes else graph


def _diffusion(options: Mapping[str, Any], graph: Graph, name: str) -> Diffusion:
    """The options of an image in a file; the U-Net of pixels, which is their default, unnamed."""
    image = diffusion_images(graph.nodes).get(name)
    unsaid = image is not None and image.space is None and options.get("backbone") == "unet"
    return Diffusion(**{**options, **({"backbone": AUTO} if unsaid else {})})


def _editors(given: Any) -> dict[str, int]:
    """The image nodes with a distilled network, and the number of its times."""
    whole = isinstance(given, dict) and all(type(times) is int for times in given.values())
    if not whole or not all(1 <= times <= MOST_TIMES for times in given.values()):
        raise CheckpointError(f"'editors' is {given!r}; expected a number of times by image node")
    return dict(given)


def _check_parts(wanted: Any, parts: Parts) -> None:
    """Refuse to read a model without the user's own modules, or with others."""
    if not isinstance(wanted, dict):
        raise CheckpointError(f"'parts' is {wanted!r}; expected an object")
    names = parts.names()
    for what in names:
        there = wanted.get(what)
        if (there or type(names[what])()) != names[what]:
            raise CheckpointError(
                f"the model was compiled with {what}={there!r}; give the same to Model.load, "
                f"not {names[what]!r}"
            )


def transplant(name: str, donor: StructuralModel, receiver: StructuralModel) -> None:
    """Copy the weights of ``name`` from ``donor`` to ``receiver``.

    Args:
        name: a node that is the same in both graphs, with parents in the same order.
        donor: where it was fitted.
        receiver: where it goes.

    Raises:
        CompileError: the node is not the same in both, or reads a hidden cause, whose states mean
            something in the donor alone.
    """
    for whose, scm in (("the donor", donor), ("this model", receiver)):
        if name not in scm.order:
            allowed = one_of(name, scm.order)
            raise CompileError(f"transplant: {whose} has no node '{name}'; {allowed}")
        if hidden := scm.hidden_parents[name]:
            raise CompileError(
                f"transplant: node '{name}' of {whose} reads the hidden cause '{hidden[0]}', which "
                "belongs to its own graph; fit the node instead"
            )
        if heard := scm.listened(name):
            raise CompileError(
                f"transplant: node '{name}' of {whose} listens to the noise of '{heard[0].heard}', "
                "which another mechanism there makes; fit the node instead"
            )
        if name in scm.given:
            raise CompileError(
                f"transplant: the graph of {whose} gives the mechanism of node '{name}', by an "
                "equation or a table; there is nothing to take over"
            )
    given, wanted = _described(name, donor), _described(name, receiver)
    for what in dict.fromkeys([*given, *wanted]):
        if given.get(what) != wanted.get(what):
            raise CompileError(
                f"transplant: node '{name}': {what} {given.get(what)!r} in the donor, "
                f"{wanted.get(what)!r} in this model; they must be the same"
            )
    receiver.module(name).load_state_dict(donor.module(name).state_dict())
    if name in receiver.tables:
        table = donor.tables[name]
        counts = None if table.counts is None else table.counts.clone()
        receiver.tables[name].counts, receiver.tables[name].smoothing = counts, table.smoothing


def _described(name: str, scm: StructuralModel) -> dict[str, object]:
    """What must agree; the options that only inference reads need not."""
    graph, parents = scm.graph, scm.parents(name)
    found: dict[str, object] = {"parents": list(parents), "type": without_own(graph.nodes[name])}
    if graph.nodes[name].type.unsaid is not None:
        found["noise"] = graph.noise_of(name)
    found |= {f"type of '{parent}'": without_own(graph.nodes[parent]) for parent in parents}
    found |= {f"edge from '{parent}'": graph.kind(parent, name) for parent in parents}
    options = _options(scm.images[name]) if name in scm.images else {}
    found |= {f"option '{k}'": value for k, value in options.items() if k not in CALL_OPTIONS}
    weights = scm.module(name).state_dict()
    return found | {f"shape of '{key}'": tuple(value.shape) for key, value in weights.items()}


def _options(image: ImageMechanism) -> dict[str, Any]:
    """Those of the diffusion, and of its latent."""
    latent = image.canvas.latent
    space = {} if latent is None else asdict(latent)  # both have a width and a folder
    return {**asdict(image.options), **{f"latent.{name}": value for name, value in space.items()}}
