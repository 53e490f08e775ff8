"""Sites: the ways in which a program makes a node, each a few statements of Pyro.

    told      x ~ p(x | pa) of a fitted mechanism; its noise follows where x determines it
    solved    the same of an equation solved for a noise of its own
    made      u ~ p(u) of a fitted mechanism, then x = f(pa, u)
    certain   x = f(pa) of an equation

What follows from other values is a site as well, observed at what it follows to be, so that it can
be read and intervened on. Conditioning on it is another matter: a class or a picture of levels then
has log p 0 or -inf; a number has no density, and is refused.

`Natural` keeps what every site was before ``pyro.do`` replaced it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.poutine.messenger import Messenger
from torch import Tensor

from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.hearing import noise_name
from causalflow.mechanisms.categorical import Categorical
from causalflow.mechanisms.equation.equation_mechanism import EquationMechanism
from causalflow.mechanisms.equation.inversion import agrees
from causalflow.mechanisms.mechanism import Likely, Mechanism, Smooth, to_public
from causalflow.model.pyro.laws import Batch, CertainLaw, RowLaw, Rows, flat, generator, interval
from causalflow.model.pyro.solved import Solved
from causalflow.values.variable import NodeType

__all__ = ["FOLLOWS", "Certain", "Made", "Natural", "NodeSite", "SolvedNode", "Told", "site_value"]

FOLLOWS = "follows_from"
"""Marks the site of a noise, with the node that it follows from."""


class Natural(Messenger):  # type: ignore[misc]
    """Keeps the value of every site as it is without an intervention on it.

    Attributes:
        values: site -> value.
        spread: the sites that were drawn once for each value of one that is enumerated.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Tensor] = {}
        self.spread: set[str] = set()

    def _pyro_post_sample(self, msg: Any) -> None:
        name, value, law = msg["name"], msg["value"], msg["fn"]
        if not isinstance(law, TorchDistributionMixin):  # a plate
            return
        self.values[name] = value
        plates = {frame.dim for frame in msg["cond_indep_stack"] if frame.vectorized}
        batch = value.shape[: value.ndim - law.event_dim]
        enumerated = any(n > 1 and k - len(batch) not in plates for k, n in enumerate(batch))
        if enumerated and not msg["is_observed"] and not law.has_enumerate_support:
            self.spread.add(name)

    def check(self, name: str) -> None:
        """Refuse a number that was drawn once for each value of an enumerated class.

        Raises:
            EvidenceError: it was; NUTS would take the draws for several unknowns.
        """
        if name in self.spread:
            raise EvidenceError(
                f"node '{name}': its law depends on a class that is enumerated, so that it would "
                "be several unknowns in place of one; condition on it, or make it by its noise: "
                f"to_pyro(noises=['{name}'])"
            )


def site_value(kind: NodeType, value: Tensor) -> Tensor:
    """What the site of a node has for an engine value: a class its position, others as shown."""
    return value if kind.levels is not None else to_public(kind, value)


class NodeSite(Protocol):
    """How a node is made."""

    @property
    def words(self) -> str:
        """What it is, in a table of sites."""

    def run(self, given: Batch, natural: Natural) -> Tensor:
        """The node's value in public units, after its statements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A fitted node by its law."""

    name: str
    kind: NodeType
    mechanism: Mechanism

    @property
    def words(self) -> str:
        """The mechanism."""
        noise = f"; {noise_name(self.name)} follows" if self._tells_noise else ""
        return f"law: {self.mechanism.description}{noise}"

    @property
    def _tells_noise(self) -> bool:
        return isinstance(self.mechanism, Smooth) and self.mechanism.is_smooth

    def run(self, given: Batch, natural: Natural) -> Tensor:
        """The node, and its noise where that follows."""
        value: Tensor = pyro.sample(self.name, self._law(given))
        natural.check(self.name)
        if self._tells_noise:
            follows(noise_name(self.name), self._noise(natural.values[self.name], given), self.name)
        return value

    def _law(self, given: Batch) -> Any:
        if isinstance(self.mechanism, Categorical):
            logits = self.mechanism.logits(given.rows(given.shape))
            return dist.Categorical(logits=logits.view(*given.shape, logits.shape[-1]))
        smooth = self.mechanism if isinstance(self.mechanism, Smooth) else None
        likely = isinstance(self.mechanism, Likely)
        rough = smooth is not None and not smooth.is_smooth
        return RowLaw(
            given,
            self._drawn,
            cast(Likely, self.mechanism).log_prob if likely else None,
            event_shape=torch.Size(self.kind.shape),
            support=interval(*(smooth.support if smooth else self.kind.extent)),
            rough=rough,
            refusal=self._refusal(likely),
        )

    def _refusal(self, likely: bool) -> str:
        if not likely:
            return (
                f"node '{self.name}': its mechanism tells no likelihood; leave it out of the "
                "program, as in to_pyro(nodes=[...])"
            )
        return (
            f"node '{self.name}': some of its values have a probability and others a density, "
            "which gradients cannot tell apart; condition on it, or use "
            f"to_pyro(noises=['{self.name}'])"
        )

    def _drawn(self, rows: Rows, n: int) -> Tensor:
        noise = self.mechanism.draw_noise(n, generator())
        made = self.mechanism.predict(rows, noise)
        return site_value(self.kind, made.expand(n, *made.shape[1:]))

    def _noise(self, value: Tensor, given: Batch) -> Tensor:
        shape = torch.broadcast_shapes(value.shape, given.shape)
        rows = given.rows(shape)
        return self.mechanism.abduct(flat(value, shape), rows, generator())["u"].view(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedNode:
    """A node by its equation, solved for its noise."""

    name: str
    solved: Solved

    @property
    def words(self) -> str:
        """The equation, and its noise."""
        noise = "follows" if self.solved.is_number else "is summed out"
        return f"law: {self.solved.mechanism.equation}; {self.solved.noise.name} {noise}"

    def run(self, given: Batch, natural: Natural) -> Tensor:
        """The node, and its noise where that follows."""
        value: Tensor = pyro.sample(self.name, self.solved.law(given))
        natural.check(self.name)
        if self.solved.is_number:
            noise = self.solved.noise_of(natural.values[self.name], given)
            follows(self.solved.noise.name, noise, self.name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A fitted node by its noise.

    Attributes:
        parts: part of the noise -> its site, its law, and the number of its own axes.
        constant: part of the noise that is the same in all rows -> its value.
    """

    name: str
    kind: NodeType
    mechanism: Mechanism
    parts: Mapping[str, tuple[str, Any, int]] = field(default_factory=dict)
    constant: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, kind: NodeType, mechanism: Mechanism) -> Made:
        """The node, if Pyro has the laws of its noise.

        Raises:
            CompileError: it has not.
        """
        parts: dict[str, tuple[str, Any, int]] = {}
        constant: dict[str, Tensor] = {}
        for key, value in mechanism.draw_noise(1, torch.Generator().manual_seed(0)).items():
            own = value.shape[1:]
            if key in NOISES:
                site = noise_name(name) if not parts else f"{noise_name(name)}.{key}"
                parts[key] = site, NOISES[key]().expand(own).to_event(len(own)), len(own)
            elif bool((value.isnan() | (value == 0)).all()):
                constant[key] = value[0]
            else:
                raise CompileError(
                    f"to_pyro: node '{name}': its noise '{key}' has no law in Pyro; leave the node "
                    "out of noises"
                )
        return cls(name=name, kind=kind, mechanism=mechanism, parts=parts, constant=constant)

    @property
    def words(self) -> str:
        """The mechanism, and the sites of its noise."""
        drawn = ", ".join(site for site, _, _ in self.parts.values())
        return f"follows from {drawn}: {self.mechanism.description}"

    def run(self, given: Batch, natural: Natural) -> Tensor:
        """The noise, and the node that follows."""
        drawn = {key: pyro.sample(site, law) for key, (site, law, _) in self.parts.items()}
        events = {key: own for key, (_, _, own) in self.parts.items()}
        noise = Batch.of(drawn, events)
        shape = torch.broadcast_shapes(noise.shape, given.shape)
        rows, n = noise.rows(shape), shape.numel()
        rows |= {key: value.expand(n, *value.shape) for key, value in self.constant.items()}
        smooth = isinstance(self.mechanism, Smooth)
        make = cast(Smooth, self.mechanism).made if smooth else self.mechanism.predict
        made = site_value(self.kind, make(given.rows(shape), rows))
        return certain(self.name, self.kind, made.reshape(*shape, *self.kind.shape), natural)


NOISES = {
    "u": lambda: _normal(),
    "z": lambda: _normal(),
    "gumbel": lambda: dist.Gumbel(torch.zeros(()).double(), torch.ones(()).double()),
    "uniform": lambda: dist.Uniform(torch.zeros(()).double(), torch.ones(()).double()),
}
"""The law of a part of a mechanism's noise, by its name there."""


def _normal() -> Any:
    return dist.Normal(torch.zeros(()).double(), torch.ones(()).double())


@dataclass(frozen=True, slots=True, kw_only=True)
class Certain:
    """A node by its equation, of what is known."""

    name: str
    kind: NodeType
    mechanism: EquationMechanism

    @property
    def words(self) -> str:
        """The equation."""
        return f"follows: {self.mechanism.equation}"

    def run(self, given: Batch, natural: Natural) -> Tensor:
        """The node."""
        n = given.shape.numel()
        made = site_value(self.kind, self.mechanism.predict(given.rows(given.shape)))
        made = made.expand(n, *self.kind.shape).reshape(*given.shape, *self.kind.shape)
        return certain(self.name, self.kind, made, natural)


def certain(name: str, kind: NodeType, value: Tensor, natural: Natural) -> Tensor:
    """The site of a node that follows from others.

    Raises:
        EvidenceError: it is a number, and conditioned on another one.
    """
    law = CertainLaw(value, len(kind.shape))
    found: Tensor = pyro.sample(name, law, obs=value, infer={"_deterministic": True})
    seen = natural.values[name]
    if not _finite(kind) and seen is not value and not bool(agrees(seen, value).all()):
        raise EvidenceError(
            f"node '{name}': it follows from other sites, so that it has no density to be "
            "conditioned on; give it a noise that its equation can be solved for, or leave it out "
            "of noises"
        )
    return found


def _finite(kind: NodeType) -> bool:
    return kind.levels is not None or kind.depth is not None or kind.integral


def follows(name: str, value: Tensor, node: str) -> None:
    """The site of a noise that follows from its node.

    Raises:
        EvidenceError: it is conditioned or intervened on.
    """
    law = CertainLaw(value, silent=True)
    infer: Any = {"_deterministic": True, FOLLOWS: node}
    if pyro.sample(name, law, obs=value, infer=infer) is not value:
        raise EvidenceError(
            f"site '{name}': it follows from node '{node}'; to condition on the noise, or to set "
            f"it, use to_pyro(noises=['{node}'])"
        )
