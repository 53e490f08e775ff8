"""SceneFamily: what makes a family of scenes, an explicit graph of labels and how they are drawn.

A family is two graph files and one function. The function draws labels and the picture's own noise;
all that a data set needs else (rows, splits, counterfactuals) is the same for every family
(`causalflow.data.sets.scenes.scenes`). One more is a module as its siblings here, or one's own:

    cf.register("scene family", "boats")(SceneFamily(name="boats", ...))
    cf.data.scenes("boats")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalflow import plugins
from causalflow.data.sets.scenes.noise import Noise
from causalflow.errors import DataError
from causalflow.formats.formats import load
from causalflow.graph.graph import Graph
from causalflow.registry import Registry
from causalflow.shipped import graph_names, graph_path

__all__ = ["SCENE_FAMILIES", "SceneFamily"]

Draw: TypeAlias = Callable[[Mapping[str, NDArray[Any]], Noise, int], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFamily:
    """A family of scenes.

    Attributes:
        name: the name that `scenes` takes.
        graph: what a learner is told: a graph file that ships, by name, or the path of one; its one
            image node is called ``image``.
        scm: the truth, likewise: an equation for every label.
        channels: channels of the pictures, 1 or 3.
        draw: labels by name, shape (n,) each, classes as level indices; the pictures' own noise;
            height and width in pixels -> the pictures, 0..255, shape (n, channels, size, size).
            Every row's picture must depend on its own row alone.
        grain: the standard deviation of the sensor's noise, in levels of 255.
    """

    name: str
    graph: str
    scm: str
    channels: int
    draw: Draw
    grain: float = 0.0

    def graphs(self) -> tuple[Graph, Graph]:
        """What a learner is told, and the truth."""
        return _read(self.graph), _read(self.scm)


def _read(graph: str) -> Graph:
    return load(graph_path(graph) if graph in graph_names() else graph)


SCENE_FAMILIES: Registry[SceneFamily] = plugins.SCENE_FAMILIES


def as_scene_family(name: str, given: Any) -> SceneFamily:
    """A family of the user's own, under the name that it is registered by.

    Raises:
        DataError: no `SceneFamily`.
    """
    if not isinstance(given, SceneFamily):
        raise DataError(
            f"scene family '{name}': expected a SceneFamily, not {type(given).__name__}"
        )
    return replace(given, name=name)
