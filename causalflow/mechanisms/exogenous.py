"""Exogenous: a declared exogenous variable as a hidden root; its value is its noise.

Finite variables (a list of probabilities, or a Bernoulli) have ``levels``; the others an interval.
Families are those of `causalflow.graph.distribution`, whose numpy generator is seeded by the torch
generator that is passed in.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from causalflow.graph.distribution import FAMILIES
from causalflow.graph.schema import Exogenous, Finite
from causalflow.mechanisms import draws
from causalflow.mechanisms.base import Noise

__all__ = ["ExogenousVariable"]


class ExogenousVariable(nn.Module):
    """An exogenous variable's law.

    Args:
        name: of the variable.
        law: finite probabilities or a parametric family.

    Attributes:
        log_p: log-probabilities of the values 0, 1, .. of a finite variable; empty otherwise.
        support: the smallest interval that holds every value.
    """

    log_p: Tensor

    def __init__(self, name: str, law: Exogenous) -> None:
        super().__init__()
        self.name, self.law = name, law
        p: list[float] = []
        if isinstance(law, Finite):
            p = [float(share) for share in law.p]
            self.support = (0.0, len(p) - 1.0)
        else:
            self.family = FAMILIES.get(law.name)
            self.parameters_of_law = self.family.complete(dict(law.parameters))
            self.support = self.family.support(self.parameters_of_law)
            if law.name == "bernoulli":
                p = [1 - self.parameters_of_law["p"], self.parameters_of_law["p"]]
        self.register_buffer("log_p", torch.tensor(p, dtype=torch.float64).log(), persistent=False)

    @property
    def is_finite(self) -> bool:
        """Whether the values are 0, 1, .. with given probabilities: they can be enumerated."""
        return len(self.log_p) > 0

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value), a density unless the law is discrete; same shape as ``value``."""
        if self.is_finite:
            known = (value >= 0) & (value < len(self.log_p))
            found = self.log_p[value.long().clamp(0, len(self.log_p) - 1)]
            return torch.where(known, found, -torch.inf)
        array = self.family.log_prob(value.cpu().numpy(), **self.parameters_of_law)
        return torch.as_tensor(array, dtype=torch.float64, device=value.device)

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws: {"value": (n,)}, int64 if the law is discrete, else float64."""
        if self.is_finite:
            return {"value": draws.index(self.log_p.expand(n, -1), generator)}
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        drawn = self.family.sample(np.random.default_rng(int(seed)), n, **self.parameters_of_law)
        return {"value": torch.as_tensor(drawn).to(self.log_p.device)}
