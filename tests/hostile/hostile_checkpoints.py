"""Hostile model files: lines 24 to 27 of the list; signatures are right wherever that can be."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as packed

import causalflow as cf
from tests.hostile.hostile_equations import HUGE, _graph
from tests.hostile.hostile_graphs import _file, _products
from tests.hostile.hostile_pictures import GRAPH as STAMPS
from tests.hostile.hostile_runner import Case
from tests.hostile.hostile_tables import GRAPH, model_bytes

__all__ = ["CASES"]

DIGITS = "9" * 5000
TEXTS = ("format", "version", "kind", "graph", "options", "libraries")


def parts(path: str) -> tuple[dict[str, Any], bytes]:
    content = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: bytes | dict[str, Any], body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def sealed(tensors: dict[str, torch.Tensor], texts: dict[str, str]) -> bytes:
    """A file with a right digest around whatever it holds."""
    digest = hashlib.sha256()
    for name in TEXTS:
        digest.update(json.dumps([name, texts[name]]).encode() + b"\n")
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return packed(tensors, {"sha256": digest.hexdigest(), **texts})


def opened(path: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        texts = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    texts.pop("sha256")
    return tensors, texts


def _good() -> None:
    Path("g.yaml").write_text(GRAPH)
    Path("rows.csv").write_text("color,size\nred,1\ngreen,2\nred,3\n")
    Path("good.safetensors").write_bytes(model_bytes())
    Path("image.safetensors").write_bytes(model_bytes(STAMPS))


def _case(line: int, name: str, content: Callable[[], bytes], **given: Any) -> Case:
    def make() -> None:
        _good()
        Path("m.safetensors").write_bytes(content())

    commands = (
        ("sample", "m.safetensors", "-n", "2"),
        ("describe", "m.safetensors"),
        ("counterfactual", "m.safetensors", "--given", "color=red", "--do", "color=green"),
        ("ask", "m.safetensors", "E[size]"),
    )
    return Case(
        line,
        f"model file: {name}",
        make=make,
        python=lambda: cf.Model.load("m.safetensors"),
        commands=given.pop("commands", commands),
        **given,
    )


def _header(change: Callable[[dict[str, Any]], object]) -> Callable[[], bytes]:
    def content() -> bytes:
        header, body = parts("good.safetensors")
        changed = change(header)
        return joined(changed if isinstance(changed, bytes) else header, body)

    return content


def _first(header: dict[str, Any]) -> dict[str, Any]:
    return next(entry for name, entry in header.items() if name != "__metadata__")


def _texts(file: str = "good.safetensors", /, **changes: Any) -> Callable[[], bytes]:
    """The good file with other texts, sealed again."""

    def content() -> bytes:
        tensors, texts = opened(file)
        for name, change in changes.items():
            texts[name] = change(texts[name]) if callable(change) else change
        return sealed(tensors, texts)

    return content


def _options(file: str = "good.safetensors", /, **changes: Any) -> Callable[[], bytes]:
    """The good file with other options, sealed again; a callable changes what is there."""

    def change(text: str) -> str:
        options = json.loads(text)
        for name, value in changes.items():
            options[name] = value(options.get(name)) if callable(value) else value
        return json.dumps(options)

    return _texts(file, options=change)


def _images(**options: Any) -> Callable[[], bytes]:
    return _options("image.safetensors", images=lambda images: {n: {**o, **options} for n, o in images.items()})


def _tensors(change: Callable[[dict[str, torch.Tensor]], object], file: str = "good.safetensors") -> Callable[[], bytes]:
    def content() -> bytes:
        tensors, texts = opened(file)
        change(tensors)
        return sealed(tensors, texts)

    return content


def _some(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name, tensor in tensors.items() if tensor.is_floating_point() and tensor.numel())


HEADERS: dict[str, Callable[[], bytes]] = {
    "a header of 2**63 bytes": lambda: struct.pack("<Q", 2**63) + b"{}",
    "a header of 2**64 - 1 bytes": lambda: struct.pack("<Q", 2**64 - 1) + b"{}",
    "a header longer than the file": lambda: struct.pack("<Q", 10**6) + b"{}",
    "a header of 90 MB": lambda: joined(b"{" + b" " * 90_000_000 + b"}", b""),
    "a header of nothing": lambda: struct.pack("<Q", 0) + b"0123456789",
    "no JSON": _header(lambda header: b"no JSON at all"),
    "no UTF-8": _header(lambda header: b"\xff\xfe{}"),
    "JSON that is a list": _header(lambda header: b"[1, 2]"),
    "an int of 5,000 digits": _header(
        lambda header: _first(header).update(shape=[1]) or json.dumps(header).replace("[1]", f"[{DIGITS}]").encode()
    ),
    "NaN in the header": _header(lambda header: json.dumps(header | {"a": float("nan")}).encode()),
    "10**6 keys": _header(lambda header: json.dumps(dict.fromkeys(map(str, range(10**6)), 0)).encode()),
    "10**6 tensors of no bytes": _header(
        lambda header: json.dumps(
            {**header, **{f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}}
        ).encode()
    ),
    "brackets 10**5 deep": _header(lambda header: b'{"a": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    "objects 10**5 deep": _header(lambda header: b'{"a": ' * 10**5),
    "metadata of numbers": _header(lambda header: header["__metadata__"].update(graph=3)),
    "metadata that is a list": _header(lambda header: header.update(__metadata__=[1])),
    "no metadata": _header(lambda header: header.pop("__metadata__")),
    "a tensor named twice": _header(
        lambda header: (
            json.dumps(header)[:-1].encode()
            + b', "'
            + next(n for n in header if n != "__metadata__").encode()
            + b'": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
        )
    ),
    "a key twice": _header(lambda header: json.dumps(header)[:-1].encode() + b', "__metadata__": {}}'),
    "a lone surrogate": _header(lambda header: json.dumps(header)[:-1].encode() + b', "\\ud800": 1}'),
    "offsets that overlap": _header(
        lambda header: [entry.update(data_offsets=[0, 8]) for name, entry in header.items() if name != "__metadata__"] and None
    ),
    "offsets past the end": _header(lambda header: _first(header).update(data_offsets=[0, 10**9])),
    "offsets of 2**63": _header(lambda header: _first(header).update(data_offsets=[2**63, 2**64 - 1])),
    "offsets of 10**30": _header(lambda header: _first(header).update(data_offsets=[0, 10**30])),
    "negative offsets": _header(lambda header: _first(header).update(data_offsets=[-8, 0])),
    "offsets that are texts": _header(lambda header: _first(header).update(data_offsets=["0", "8"])),
    "one offset": _header(lambda header: _first(header).update(data_offsets=[0])),
    "a hole between tensors": lambda: _with_hole(),
    "a shape that overflows": _header(lambda header: _first(header).update(shape=[2**32, 2**32, 2])),
    "a shape of 2**62": _header(lambda header: _first(header).update(shape=[2**62])),
    "a negative shape": _header(lambda header: _first(header).update(shape=[-1])),
    "a shape of floats": _header(lambda header: _first(header).update(shape=[1.5])),
    "a shape of 10**5 axes": _header(lambda header: _first(header).update(shape=[1] * 10**5)),
    "a dtype that is not known": _header(lambda header: _first(header).update(dtype="F1")),
    "a dtype of eight bits": _header(lambda header: _first(header).update(dtype="F8_E4M3")),
    "a dtype that is a number": _header(lambda header: _first(header).update(dtype=7)),
    "an entry that is a number": _header(lambda header: header.update({next(n for n in header if n != "__metadata__"): 7})),
    "a truncated file": lambda: Path("good.safetensors").read_bytes()[:-9],
    "half of the file": lambda: Path("good.safetensors").read_bytes()[:200],
    "a byte too many": lambda: Path("good.safetensors").read_bytes() + b"\0",
    "another program's file": lambda: packed({"weight": torch.zeros(3)}),
    "another program's file with a format": lambda: packed({"weight": torch.zeros(3)}, {"format": "pt"}),
    "a pickle": lambda: b"\x80\x04cposix\nsystem\n(S'touch RAN-pickle'\ntR.",
    "an altered weight": lambda: Path("good.safetensors").read_bytes()[:-1] + b"\x55",
    "a file of zeros": lambda: bytes(10**6),
}
CONTENTS: dict[str, Callable[[], bytes]] = {
    "a version that is not known": _texts(version="2"),
    "a version of 1 MB": _texts(version="2" * 10**6),
    "a kind that is not known": _texts(kind="other"),
    "a training file": _texts(kind="training"),
    "options that are no JSON": _texts(options="{"),
    "options that are a list": _texts(options="[]"),
    "options 10**5 deep": _texts(options='{"a": ' + "[" * 10**5 + "]" * 10**5 + "}"),
    "options of an int of 5,000 digits": _texts(options='{"a": ' + DIGITS + "}"),
    "options of NaN": _texts(options='{"compile": {"seed": NaN}}'),
    "no options": _texts(options="{}"),
    "compile that is a list": _options(compile=[]),
    "a seed that is a text": _options(compile={"seed": "x"}),
    "a seed of 10**30": _options(compile={"seed": 10**30}),
    "a seed of null": _options(compile={"seed": None}),
    "a compile option of another name": _options(compile={"seed": 0, "x\n\u202e": 1}),
    "fitted that is a text": _options(fitted="color"),
    "fitted of 10**5 names": _options(fitted=["x"] * 10**5),
    "fitted of nodes that are not": _options(fitted=["nobody"]),
    "fitted of lists": _options(fitted=[["color"]]),
    "images of nodes that are not": _options(images={"size": {}}),
    "images that are a list": _options(images=[1]),
    "parts that are a number": _options(parts=7),
    "parts of a network": _options(parts={"networks": ["color"], "predictors": {}}),
    "ranges that are texts": _options(ranges={"size": ["a", "b"]}, support={"size": "x"}),
    "a graph of nothing": _texts(graph=""),
    "a graph of brackets": _texts(graph="[" * 10**5),
    "a graph of another law": _texts(graph=GRAPH.replace("linear", "flow")),
    "a graph of more levels": _texts(graph=GRAPH.replace("[green, red]", "100000")),
    "a graph of 10**6 levels": _texts(graph=GRAPH.replace("[green, red]", "1000000")),
    "a graph of a node more": _texts(graph=GRAPH.replace("edges", "  z: {type: continuous}\nedges")),
    "a graph of 1.9 million edges": _texts(graph=_file(_products("->"))),
    "a graph with an alias": _texts(graph="nodes: &a [*a]"),
    "a graph with a tag": _texts(graph="nodes: !!python/object/apply:os.system ['touch RAN-tag']\n"),
    "a graph with floor(exp(exp(20)))": _texts(graph=_graph(HUGE["floor(exp(exp(20)))"], "normal")),
    "a graph with a huge image": _texts(graph=STAMPS.replace("[3, 8, 8]", "[3, 4096, 4096]")),
    "a graph with other pictures": _texts(graph=STAMPS),
    "a network of width 10,000": _images(width=10_000),
    "a network of width 2**40": _images(width=2**40),
    "a network of 10**6 levels": _images(multipliers=[1] * 10**6),
    "a network of 10,000 levels": _images(multipliers=[1] * 10_000),
    "channels of 2**40": _images(multipliers=[2**40]),
    "1,000 blocks": _images(blocks=1000),
    "10**12 blocks": _images(blocks=10**12),
    "a code of 10,000": _images(code=10_000),
    "a width that is a text": _images(width="8"),
    "a width that is true": _images(width=True),
    "a width of null": _images(width=None),
    "steps of 10**9": _images(steps=10**9),
    "an option of another name": _images(**{"x" * 10**5: 1}),
    "a solver that is a path": _images(solver="../../x"),
    "a weight of infinity": _images(code_weight=1e999),
    "multipliers of texts": _images(multipliers=["1"]),
    "multipliers of nothing": _images(multipliers=[]),
    "another width": _images(width=16),
    "an image of 4,096 x 4,096": _texts("image.safetensors", graph=lambda text: text.replace("8", "4096")),
    "a tensor of another shape": _tensors(lambda t: t.update({_some(t): t[_some(t)].reshape(1, 1, 1, -1)})),
    "a tensor of another type": _tensors(lambda t: t.update({_some(t): t[_some(t)].half()})),
    "a tensor that is missing": _tensors(lambda t: t.pop(_some(t)) is None),
    "a tensor too many": _tensors(lambda t: t.update({"extra\n\x1b": torch.zeros(2)})),
    "a tensor of NaN": _tensors(lambda t: t[_some(t)].fill_(np.nan)),
    "10**5 tensors": _tensors(lambda t: t.update({f"t{i}": torch.zeros(1) for i in range(10**5)})),
    "no tensors": _tensors(lambda t: t.clear()),
}


def _with_hole() -> bytes:
    header, body = parts("good.safetensors")
    for name, entry in header.items():
        if name != "__metadata__":
            entry["data_offsets"] = [offset + 8 for offset in entry["data_offsets"]]
    return joined(header, bytes(8) + body)


def _training() -> Iterator[Case]:
    """Files that a fit would go on from."""

    def fitted() -> None:
        Path("i.yaml").write_text(SMALL)
        Path("data.npz").write_bytes(b"")
        np.savez("data.npz", a=np.arange(40.0), b=np.arange(40.0) ** 2)

    words = ("fit", "i.yaml", "--data", "data.npz", "--no-progress", "--steps", "4", "-o", "n.safetensors", "--checkpoint", "kept")
    changes: dict[str, dict[str, Any]] = {
        "a step that is a text": {"step": "x"},
        "a negative step": {"step": -1},
        "a step of 10**30": {"step": 10**30},
        "a step of 1.5": {"step": 1.5},
        "seconds of a text": {"seconds": "x"},
        "seconds of minus one": {"seconds": -1.0},
        "seconds of null": {"seconds": None},
        "an identity that is a list": {"identity": []},
        "an identity of nothing": {"identity": {}},
        "an identity of lists": {"identity": lambda old: {key: [[[]]] for key in old}},
        "a scaler that is a text": {"scaler": "x"},
        "a scaler of texts": {"scaler": {"scale": "x", "_growth_tracker": []}},
        "a scaler of another name": {"scaler": {"x": 1}},
    }
    tensors: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
        "a moment of another name": lambda t: t.update({"moments/other/" + _moment(t): t.pop("moments/exp_avg/" + _moment(t))}),
        "a moment of another type": lambda t: t.update({"moments/exp_avg/" + _moment(t): t["moments/exp_avg/" + _moment(t)].long()}),
        "a moment that is missing": lambda t: t.pop("moments/exp_avg/" + _moment(t)),
        "a moment's counter below zero": lambda t: t["moments/step/" + _moment(t)].fill_(-3),
        "no average": lambda t: [t.pop(n) for n in list(t) if n.startswith("average/")],
        "a part of another name": lambda t: t.update({"other/x": torch.zeros(1)}),
    }
    contents = {name: _options("kept", **change) for name, change in changes.items()}
    contents |= {name: _tensors(change, "kept") for name, change in tensors.items()}
    for name, content in contents.items():

        def make(content: Callable[[], bytes] = content) -> None:
            fitted()
            graph = cf.load("i.yaml")
            data = {"a": np.arange(40.0), "b": np.arange(40.0) ** 2}
            cf.compile(graph).fit(data, steps=2, checkpoint="kept", progress=False)
            Path("kept").write_bytes(content())

        def python() -> object:
            data = {"a": np.arange(40.0), "b": np.arange(40.0) ** 2}
            return cf.compile(cf.load("i.yaml")).fit(data, steps=2, checkpoint="kept", progress=False)

        yield Case(27, f"training file: {name}", make=make, python=python, commands=(words[:-2] + words[-2:],))


def _moment(tensors: dict[str, torch.Tensor]) -> str:
    return next(n.removeprefix("moments/exp_avg/") for n in tensors if n.startswith("moments/exp_avg/"))


SMALL = "nodes:\n  a: {type: continuous, noise: flow}\n  b: {type: continuous, noise: flow}\nedges: [a -> b]\n"


def _all() -> Iterator[Case]:
    for name, content in HEADERS.items():
        yield _case(25 if "offset" in name or "shape" in name or "dtype" in name else 24, name, content)
    image = (("describe", "m.safetensors"), ("sample", "m.safetensors", "-n", "1", "-o", "a.png"))
    for name, content in CONTENTS.items():
        size = any(word in name for word in ("network", "channels", "blocks", "width", "code", "image"))
        answer = name in ("steps of 10**9", "ranges that are texts")
        yield _case(
            26 if size else 27, name, content, **({"commands": image[:1] if answer else image} if size or answer else {}), answer=answer
        )
    yield from _training()
    yield Case(
        24,
        "guided diffusion: a header of 2**63 bytes",
        make=lambda: Path("m.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}") and None,
        python=lambda: cf.guided_diffusion("m.safetensors"),
    )
    yield Case(
        24,
        "guided diffusion: a pickle that runs",
        make=lambda: Path("m.pt").write_bytes(b"\x80\x02cposix\nsystem\nU\x10touch RAN-pickle\x85R.") and None,
        python=lambda: cf.guided_diffusion("m.pt"),
    )


CASES = list(_all())
