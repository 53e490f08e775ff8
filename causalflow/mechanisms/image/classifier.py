"""GivenClassifier: a network of the user's own that reads a class parent off an image.

A classifier is ``network(y, tau) -> logits``, trained at every noise level, or ``network(x) ->
logits``, trained on images and then read at the predicted image. Of an image in a latent it is the
latter, and sees the decoded picture, through which its gradient goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature

import torch
from torch import Tensor, nn

from causalflow.diffusion.path import TAU_MIN, enter
from causalflow.errors import CompileError, one_of
from causalflow.graph.node import Image, Node, levels_of
from causalflow.mechanisms.image.canvas import Canvas

__all__ = ["GivenClassifier", "given_classifiers", "home_of"]


class GivenClassifier(nn.Module):
    """A classifier of the user's own, of one class parent; its weights stay as they are.

    Args:
        network: ``network(y, tau) -> logits`` or ``network(x) -> logits``, (batch, levels); tried
            where its weights are.
        where: names it in errors.
        shape: the image's shape.
        levels: the number of the parent's levels.
        decode: what makes a picture of what it is given; None: it is given pictures.

    Raises:
        CompileError: it takes neither one nor two arguments, or its result has another shape.
    """

    def __init__(
        self,
        network: Callable[..., Tensor],
        where: str,
        shape: tuple[int, ...],
        levels: int,
        decode: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.decode: Callable[[Tensor], Tensor] | None = None
        self.is_noise_conditional = _arguments(network, where) == 2
        if isinstance(network, nn.Module):
            network.requires_grad_(False)
        self.train(False)
        device = home_of([network])
        image, tau = torch.zeros(2, *shape, device=device), torch.full((2,), 0.5, device=device)
        try:
            with torch.no_grad():
                found = self(*(image, tau)[: 1 + self.is_noise_conditional])
        except (RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CompileError(f"{where}: cannot be called on two images: {reason}") from None
        if not isinstance(found, Tensor) or found.shape != (2, levels):
            given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise CompileError(f"{where}: gives {given} of two images; expected (2, {levels})")
        if decode is not None and self.is_noise_conditional:
            raise CompileError(
                f"{where}: network(y, tau) reads noisy pictures, and a latent has none; expected "
                "network(x) of clean ones, or an image with latent: none"
            )
        self.decode = decode

    def train(self, mode: bool = True) -> GivenClassifier:
        """It stays in evaluation mode."""
        return super().train(False)

    def forward(self, y: Tensor, tau: Tensor | None = None) -> Tensor:
        """The logits, shape (batch, levels)."""
        dtype = next((weight.dtype for weight in self.parameters()), torch.float32)
        y = y if self.decode is None else self.decode(y)
        return self.network(y.to(dtype), *(() if tau is None else (tau.to(dtype),))).float()

    def infer(self, image: Tensor) -> Tensor:
        """The most probable level, given clean images in [-1, 1]."""
        return self.logits(image).argmax(dim=-1)

    def logits(self, image: Tensor) -> Tensor:
        """The logits, shape (batch, levels), given clean images in [-1, 1]."""
        if not self.is_noise_conditional:
            return self(image)
        return self(enter(image), torch.full((len(image),), TAU_MIN, device=image.device))


def given_classifiers(
    name: str,
    node: Image,
    parents: Mapping[str, Node],
    classifiers: Mapping[str, Callable[..., Tensor]],
    canvas: Canvas,
) -> dict[str, GivenClassifier]:
    """The user's classifiers of an image's class parents, in the parents' order.

    Args:
        name: the image node.
        node: the image's declaration, for its shape.
        parents: the image's parents, by name.
        classifiers: the user's classifiers, by parent.
        canvas: what the node's flow runs on, which they read the parents off.

    Raises:
        CompileError: a name that is no class parent, or a classifier that does not fit.
    """
    classes = levels_of(parents)
    for parent in classifiers:
        if parent not in classes:
            raise CompileError(
                f"predictors of node '{name}': '{parent}' is no class parent; "
                f"{one_of(parent, classes)}"
            )
    return {
        parent: GivenClassifier(
            classifiers[parent],
            f"predictor of '{parent}' in node '{name}'",
            node.shape,
            len(classes[parent]),
            None if canvas.latent is None else canvas.decode,
        )
        for parent in classes
        if parent in classifiers
    }


def home_of(given: Iterable[object]) -> torch.device:
    """Where the first weight of the user's modules is; the CPU where there is none."""
    modules = [each for each in given if isinstance(each, nn.Module)]
    weights = (w for each in modules for w in (*each.parameters(), *each.buffers()))
    return next((weight.device for weight in weights), torch.device("cpu"))


def _arguments(network: Callable[..., Tensor], where: str) -> int:
    """How many arguments a classifier wants: 1 or 2."""
    call = network.forward if isinstance(network, nn.Module) else network
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if not callable(call):
        given = type(network).__name__
        raise CompileError(f"{where}: given {given}; expected a module or a function")
    wanted = [p for p in signature(call).parameters.values() if p.kind in kinds]
    count = sum(parameter.default is Parameter.empty for parameter in wanted)
    if count not in (1, 2):
        raise CompileError(
            f"{where}: takes {count} arguments; expected network(x) or network(y, tau) -> logits"
        )
    return count
