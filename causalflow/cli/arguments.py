"""Arguments: what commands take alike, files and the ``NODE=VALUE`` of an intervention.

color=red, color=1      a level (`causalflow.values.finite` says what stands for one)
thickness=2.5           a number in the unit of the graph file
thickness+=0.5          the factual value and 0.5 more; ``-=`` for less, ``*=`` for times
dose=1 + age / 50       a function of other nodes (`causalflow.query.policy`)
drug~{0: 0.3, 1: 0.7}   a draw: probabilities of levels, or a law such as normal(age / 10, 1)
image=digit.png         an image file
age in [60, 70], t>5    evidence short of a value: an interval, a censored number
digit likely {3: .8, 5: .2}    likelihoods of levels; ``in {3, 5}``: one of them
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from causalflow.cli.choices import among
from causalflow.errors import CausalflowError, EvidenceError, GraphError, one_of
from causalflow.files import opened
from causalflow.formats.formats import PACKED
from causalflow.graph.image_options import Diffusion
from causalflow.graph.node import Node
from causalflow.graph.tree import Place, reader
from causalflow.graph.yaml import from_yaml
from causalflow.limits import DRAWN_ROWS, MODEL_BYTES, SOLVER_STEPS
from causalflow.names import QUOTED, unquoted
from causalflow.options import Names, rules
from causalflow.query.policy_reader import word_mark
from causalflow.query.query import NUMBER
from causalflow.values.finite import finite_of
from causalflow.values.image import ImageType, image_of
from causalflow.values.likelihood import Levels, Span
from causalflow.values.variable import UNTYPED, NodeType

if TYPE_CHECKING:
    import torch

    from causalflow.data.habit import Habit
    from causalflow.graph.graph import Graph
    from causalflow.model.model import Model

__all__ = [
    "PICTURES",
    "Assignment",
    "ModelFile",
    "OutputFile",
    "assigned",
    "device_option",
    "do_option",
    "examples",
    "files",
    "guidance_option",
    "input_file",
    "is_graph_file",
    "load_model",
    "measured_option",
    "model_file",
    "read_image",
    "sampling_option",
    "seed_option",
    "shipped_or_file",
    "steps_option",
    "told_in",
]

_SAID = r"(?<=\s)(?:in|likely)(?=\s*[\[({])"
_ASSIGNMENT = rf"\s*({QUOTED}|.+?)\s*(\+=|-=|\*=|=|~|[<>]=?|{_SAID})\s*(.+?)\s*"
PICTURES = (".png", ".svg", ".pdf")


class InputFile(click.Path):
    """A file that is there."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """The path; of a folder, how rows in one are given."""
        if Path(str(value)).is_dir():
            self.fail(f"'{value}' is a folder; expected a file. Rows in a folder: --data {value}")
        return Path(os.fsdecode(super().convert(value, param, ctx)))


input_file = InputFile()


class ModelFile(InputFile):
    """A file of a model or a graph, the folder of a model, or the name of a model that ships."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """The path: of a folder its own, of a name its graph file, for which the model ships."""
        from causalflow.shipped import checkpoint_names, graph_path

        name = str(value)
        if Path(name).is_dir():
            from causalflow.hub.model_folder import CONFIG

            if not (Path(name) / CONFIG).is_file():
                self.fail(
                    f"'{name}' is a folder without a model (it has no {CONFIG}); expected a file, "
                    f"or a folder of causalflow share. Rows in a folder: --data {name}"
                )
            return Path(name)
        if name.startswith("hf://"):
            self.fail(f"'{name}' is on a hub; copy it first: causalflow share {name} FOLDER")
        if not Path(name).exists() and name in checkpoint_names():
            return graph_path(name)
        return super().convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The models that ship, and files."""
        return shipped_or_file(ctx, param, incomplete)


def _shipped() -> tuple[str, ...]:
    from causalflow.shipped import checkpoint_names

    return checkpoint_names()


shipped_or_file = among(_shipped, file=True)
model_file = ModelFile()


class OutputFile(click.ParamType):
    """A file to be written: refused before the work, not after it, if that cannot be."""

    name = "file"

    def __init__(self, *suffixes: str, devices: bool = False) -> None:
        self.suffixes, self.devices = suffixes, devices

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """The path, checked."""
        path = Path(value)
        name = repr(str(path)[:60])
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:  # too long, or with a null character
            self.fail(f"{name} is no name of a file: {error.args[-1]}")
        if self.suffixes and path.suffix.lower() not in self.suffixes:
            self.fail(
                f"'{path}': unknown format '{path.suffix}'; {one_of(path.suffix, self.suffixes)}"
            )
        if path.is_dir():
            self.fail(f"'{path}' is a folder; expected the name of a file")
        if path.exists() and not (path.is_file() or (self.devices and path.is_char_device())):
            self.fail(f"{name} is a device or a pipe in its place; expected the name of a file")
        folder = next(each for each in path.absolute().parents if each.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            self.fail(f"'{path}' cannot be written: '{folder}' is no folder to write to")
        return path


def files(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What a shell completes an argument by: the names of files."""
    return [CompletionItem(begun, type="file")]


def is_graph_file(path: Path) -> bool:
    """Whether a file holds a graph, in any format, and no model: it is text, or packed by gzip."""
    if path.suffix.lower() == ".safetensors":
        return False
    try:
        with opened(path, GraphError, limit=MODEL_BYTES) as file:
            start = file.read(8)
            return start.startswith(PACKED) or b"\0" not in start
    except CausalflowError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """``node``, an operator, ``= += -= *= ~ < <= > >= in likely``, and the text after it."""

    node: str
    operator: str
    text: str

    @property
    def said(self) -> str:
        """What is said of the node, with the sign that compares it."""
        return f"{self.operator} {self.text}" if self.is_told else self.text

    @property
    def is_told(self) -> bool:
        """Whether it says less than a value."""
        return self.operator in ("<", "<=", ">", ">=", "in", "likely")

    def __str__(self) -> str:
        space = " " if self.operator.isalpha() else ""
        return f"{self.node}{space}{self.operator}{space}{self.text}"


class AssignmentType(click.ParamType):
    """Reads ``NODE=VALUE``."""

    name = "node=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> Assignment:
        """The parts of an assignment."""
        if isinstance(value, Assignment):
            return value
        parts = re.fullmatch(_ASSIGNMENT, value, re.DOTALL)
        if parts is None:
            self.fail(f"'{value}': expected NODE=VALUE, as in color=red")
        return Assignment(node=unquoted(parts[1]), operator=parts[2], text=parts[3])


do_option = click.option(
    "--do",
    type=AssignmentType(),
    multiple=True,
    help="Intervention: a level (by index too, where levels are names), a number, an image file; "
    "NODE+=NUMBER shifts it, NODE=EXPRESSION of other nodes is a plan ('dose=1 + age / 50'), "
    "NODE~LAW a draw ('drug~{0: 0.3, 1: 0.7}'). Repeat it for several nodes.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the draws."
)
measured_option = click.option(
    "-n",
    "--n",
    type=click.IntRange(2, DRAWN_ROWS),
    default=100,
    show_default=True,
    help="Pictures measured on.",
)
steps_option = click.option(
    "--steps",
    type=click.IntRange(1, SOLVER_STEPS),
    help="Solver steps of image nodes, each way.  [default: the graph's]",
)
guidance_option = click.option(
    "--guidance",
    type=float,
    help="Multiplies the scale of anti-causal edges, and what strength has over 1.  [default: 1]",
)


class SamplingType(click.ParamType):
    """Reads ``NAME=VALUE``, an option of image nodes that a call may change, as graph files do."""

    name = "name=value"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Any]:
        """The option and its value."""
        if isinstance(value, tuple):
            return value
        name, _, text = value.partition("=")
        tree = from_yaml(text)
        if tree is None:
            self.fail(f"'{value}': expected NAME=VALUE, as in solver=heun")
        allowed, name = rules(Diffusion, "call"), name.strip()
        if name not in allowed:
            self.fail(f"'{value}': unknown option '{name}'; {one_of(name, allowed)}")
        return name, reader(allowed[name])(tree, Place(f"--option {name}"))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names of the options, then the names that one of them takes."""
        allowed = rules(Diffusion, "call")
        name, sign, _ = incomplete.partition("=")
        known = allowed.get(name) if sign else None
        values = known if isinstance(known, Names) else ()
        whole = [f"{name}={each}" for each in values] if sign else [f"{n}=" for n in allowed]
        return among(lambda: whole)(ctx, param, incomplete)


sampling_option = click.option(
    "-O",
    "--option",
    "options",
    type=SamplingType(),
    multiple=True,
    help="An option of image nodes, as graph files write it, for this call: solver=heun, grain=1, "
    "guidance_interval=[0.1, 0.9]. Repeat it for several.",
)
device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    shell_complete=among(lambda: ("auto", "cpu", "cuda")),
    help="auto (CUDA, else CPU), cpu, cuda, cuda:1.",
)


def examples(*lines: str) -> str:
    """The end of a command's help."""
    shown = "\n".join(f"  {line}" for line in lines)
    return f"\b\nExample{'s' if len(lines) > 1 else ''}:\n{shown}"


def assigned(
    graph: Graph,
    assignments: Sequence[Assignment],
    where: str,
    habits: Mapping[str, Habit] = MappingProxyType({}),
) -> dict[str, Any]:
    """Node -> value, as `Model.sample` and `Model.counterfactual` take them.

    Pictures are read as those of the model were, if ``habits`` tells how.

    Raises:
        EvidenceError: unknown node, one given twice, or a text that is no value of it.
    """
    values: dict[str, Any] = {}
    for each in assignments:
        if each.node not in graph.nodes:
            allowed = one_of(each.node, graph.nodes)
            raise EvidenceError(f"{where} {each}: unknown node '{each.node}'; {allowed}")
        if each.node in values:
            raise EvidenceError(f"{where} {each}: node '{each.node}' is given twice")
        spelt = _policy(graph, each) if where == "--do" else told_in(graph, each.node, each.said)
        values[each.node] = spelt or _value(graph.nodes[each.node], each, where, habits)
    return values


def _policy(graph: Graph, given: Assignment) -> str | None:
    """The text of a policy, as `Model.sample` takes it; None where the node is set to a value."""
    variables = {**graph.nodes, **graph.exogenous}
    if given.operator == "=":
        kind = graph.nodes[given.node].type
        is_policy = kind.scalar and word_mark(given.node, given.text, variables) is not None
        return f"= {given.text}" if is_policy else None
    numeric = given.operator in ("+=", "-=") and graph.nodes[given.node].type.numeric
    if given.is_told or (numeric and re.fullmatch(NUMBER, given.text)):
        return None
    return f"{given.operator} {given.text}"


def told_in(graph: Graph, name: str, text: str) -> Levels | Span | None:
    """What a text says of a variable short of a value; None where it is one of its values.

    Raises:
        QueryError: it is of such a form, and does not fit the variable.
    """
    from causalflow.query.parse import told_by

    variables = {**graph.nodes, **graph.exogenous}
    levels = finite_of(variables[name].type)
    if levels is not None and levels.find(text) is not None:
        return None
    return told_by(text, name, variables)


def _value(node: Node, given: Assignment, where: str, habits: Mapping[str, Habit]) -> Any:
    if given.is_told:
        said = "" if where != "--do" else ", which says what was seen, and sets nothing"
        raise EvidenceError(f"{where} {given}: '{given.operator}' is no value{said}; expected '='")
    if given.operator != "=":
        if where != "--do":
            raise EvidenceError(f"{where} {given}: '{given.operator}' is for --do")
        return _shift(_number(given, where, node.type) * (-1 if given.operator == "-=" else 1))
    if (image := image_of(node.type)) is not None:
        return read_image(image, given.text, given.node, habits)
    if node.type is UNTYPED:
        raise EvidenceError(f"{where} {given}: node '{given.node}' has no type")
    return _number(given, where, node.type) if node.type.numeric else given.text


def _number(given: Assignment, where: str, kind: NodeType) -> float:
    try:
        number = float(given.text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise EvidenceError(
            f"{where} {given}: '{given.text}' is no number; node '{given.node}' is {kind.predicate}"
        )
    return number


def _shift(amount: float) -> Callable[[Any], Any]:
    return lambda value: value + amount


def read_image(
    node: ImageType,
    file: str | Path,
    name: str,
    habits: Mapping[str, Habit],
    spelt: Mapping[str, Any] = MappingProxyType({}),
) -> torch.Tensor:
    """The image in a file, shape (1, channel, height, width): uint8, or float32 if it is deeper.

    Args:
        node: its type.
        file: the file.
        name: the node's name.
        habits: how the pictures of the model were read, by node.
        spelt: how it is read instead: fields of `causalflow.data.reading.Reading`.

    Raises:
        DataError: no image file, or one of another size than the node's and no rule for it.
    """
    from causalflow.data.collection import read_picture

    return read_picture(file, node.shape, name, habits.get(name), **spelt)


def load_model(path: Path, device: str) -> Model:
    """The model in a file, or in a folder whose every file is checked, on a device.

    Raises:
        CausalflowError: no model file, an altered folder, or no such device.
    """
    from causalflow.hub.pretrained import from_pretrained
    from causalflow.model.model import Model

    return from_pretrained(path, device) if path.is_dir() else Model.load(path, device)


def given_once(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The union of evidence from several options.

    Raises:
        EvidenceError: a node is in two of them.
    """
    whole: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if name in whole:
                raise EvidenceError(f"the evidence gives node '{name}' twice")
            whole[name] = value
    return whole
