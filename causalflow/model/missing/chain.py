"""Chain: values that rows do not show, drawn from their posterior one variable after the other.

Notation: x_i the value of an unknown variable i, pa its parents, C(i) the laws that read it; q the
posterior of the unknowns given what is known. A *sweep* draws each unknown given all the rest:

    finite      p(x_i | rest) proportional to p(x_i | pa) prod_{c in C(i)} p(x_c | pa_c): exact
    other       x_i = f(pa, u) with u ~ N(0, 1). Given u, draw w ~ N(r u, 1 - r^2), and further
                u_1, ..., u_{N-1} ~ N(r w, 1 - r^2): under the law of the noise u and these are
                exchangeable given w. So one of the N chosen with probability proportional to
                prod_c p(x_c | pa_c) leaves q as it is, whatever r in [0, 1) is: 0 draws anew from
                the parents' prediction, r near 1 looks close by (`CORRELATIONS`).

    together    all numbers of a row that have a density, by
                `causalflow.model.missing.normal_proposal`: drawn from N candidates and the
                value that is there, with probability proportional to density over proposal; where
                laws are linear and normal that is a draw from q

For one number no density of its own is needed: values that many rows share, ends of a support and
counts are drawn as any other. With a noise that is not normal r is 0. What starts anywhere ends in
q.

Source: Tjelmeland (2004), Using all Metropolis-Hastings proposals to estimate mean values; Neal
(1998), Regression and classification using Gaussian process priors (the autoregressive proposal).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from causalflow.mechanisms.continuous import ContinuousMechanism
from causalflow.mechanisms.mechanism import (
    Mechanism,
    Noise,
    Values,
    all_labelled,
    draw_index,
    draw_normal,
    natural,
    take,
)
from causalflow.mechanisms.own_noise import NORMAL
from causalflow.mechanisms.regression.regression_mechanism import RegressionMechanism
from causalflow.model.missing.normal_proposal import NormalProposal
from causalflow.model.scm import StructuralModel
from causalflow.values.regime import regime_column

__all__ = ["Chain"]

CORRELATIONS = (0.0, 0.9, 0.99)
CANDIDATES = 5
CELLS = 1 << 20
"""Numbers that are drawn at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Sweeps over unknown variables.

    Attributes:
        scm: the model.
        unknown: the variables that some rows do not show, causes first; nodes and latent classes.
        laws: the nodes and latent classes whose laws count.
    """

    scm: StructuralModel
    unknown: Sequence[str]
    laws: Sequence[str]

    @torch.no_grad()
    def swept(
        self,
        values: Values,
        gaps: Values,
        generator: torch.Generator,
        sweeps: int,
    ) -> dict[str, Tensor]:
        """The values after so many sweeps.

        Args:
            values: the laws' variables, shape (rows,) each, with any value where they are unknown;
                and regimes.
            gaps: unknown variable -> where it is unknown, bool, shape (rows,).
            generator: draws.
            sweeps: how many.
        """
        found = dict(values)
        proposal = self._proposal(values)
        for _ in range(sweeps):
            if proposal is not None:
                found |= self._together(proposal, found, gaps, generator)
            for name in self.unknown:
                every = gaps[name].nonzero()[:, 0]
                finite = self._is_finite(name)
                each = self.scm.levels(name) if finite else CANDIDATES
                for rows in every.split(max(1, CELLS // each)) if len(every) else ():
                    known = take({n: found[n] for n in self._around(name, found)}, rows)
                    drawn = self._level if finite else self._number
                    found[name] = found[name].index_put((rows,), drawn(name, known, generator))
        return found

    def _proposal(self, values: Values) -> NormalProposal | None:
        """The joint proposal of the numbers that have a density; None where there is none."""
        names = [name for name in self.unknown if self._is_dense(name)]
        read = {each for law in self.laws for each in (law, *self.scm.parents(law))}
        rest = [name for name in self.scm.order if name in read and name not in names]
        numbers = [name for name in rest if not self._is_finite(name)]
        levels = {n: self.scm.levels(n) for n in rest if self._is_finite(n)}
        if not names or not values:
            return None
        columns = (*names, *numbers, *levels)
        rows = all_labelled(values, columns)
        shown = {name: values[name][rows] for name in columns}
        return NormalProposal.of(names, numbers, levels, shown)

    def _is_dense(self, name: str) -> bool:
        """Whether an unknown number's law has a density everywhere."""
        mechanism = None if name in self.scm.latents else self.scm.module(name)
        if isinstance(mechanism, ContinuousMechanism):
            return not bool(mechanism.closed.any())
        return isinstance(mechanism, RegressionMechanism) and not mechanism.atoms.count

    def _together(
        self, proposal: NormalProposal, values: Values, gaps: Values, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Draws of all numbers with a density given all others."""
        names = proposal.names
        every = torch.stack([gaps[name] for name in names]).any(0).nonzero()[:, 0]
        laws = [law for law in self.laws if {law, *self.scm.parents(law)} & set(names)]
        read = {each for law in laws for each in (law, *self.scm.parents(law))}
        read |= {mark for law in laws if (mark := regime_column(law)) in values}
        found = {name: values[name].clone() for name in names}
        for rows in every.split(max(1, CELLS // CANDIDATES)) if len(every) else ():
            known = take({name: values[name] for name in {*read, *proposal.reads}}, rows)
            open_ = take({name: gaps[name] for name in names}, rows)
            drawn = self._chosen(proposal, laws, known, open_, generator)
            for name, value in drawn.items():
                found[name][rows] = value
        return found

    def _chosen(
        self,
        proposal: NormalProposal,
        laws: Sequence[str],
        known: Values,
        gaps: Values,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The numbers of some rows, one of those there and those proposed."""
        names, n = proposal.names, len(next(iter(gaps.values())))
        is_open = torch.stack([gaps[name] for name in names], dim=1)
        mean, factor = proposal.conditional(known, gaps)
        current = torch.stack([known[name] for name in names], dim=1)
        e = (factor @ (current - mean)[..., None])[..., 0]
        shape = (CANDIDATES - 1, n, len(names))
        fresh = draw_normal(shape, generator, current.device)
        steps = torch.linalg.solve_triangular(factor, fresh[..., None], upper=True)[..., 0]
        offered = torch.cat([current[None], torch.where(is_open, mean + steps, current)])
        e = torch.cat([e[None], fresh]) * is_open
        wide = {key: value.repeat(CANDIDATES) for key, value in known.items()}
        wide |= {name: offered[..., k].reshape(-1).contiguous() for k, name in enumerate(names)}
        weight = self._told(laws, wide).view(CANDIDATES, n) + e.square().sum(-1) / 2
        chosen = self._drawn(weight.T, torch.zeros_like(mean[:, 0]).long(), generator)
        taken = offered[chosen, torch.arange(n, device=chosen.device)]
        return {name: taken[:, k] for k, name in enumerate(names)}

    def _is_finite(self, name: str) -> bool:
        return name in self.scm.latents or self.scm.types[name].levels is not None

    def _below(self, name: str) -> list[str]:
        """The laws that read a variable."""
        return [law for law in self.laws if name in self.scm.parents(law)]

    def _around(self, name: str, values: Values) -> set[str]:
        """What a draw of the variable reads."""
        below = self._below(name)
        read = {name, *self.scm.parents(name), *below}
        read |= {parent for law in below for parent in self.scm.parents(law)}
        return read | {mark for law in below if (mark := regime_column(law)) in values}

    def _told(self, laws: Sequence[str], values: Values) -> Tensor:
        """log prod of some laws, shape (rows,); -inf where one is not told."""
        first = next(iter(values.values()))
        total = torch.zeros(len(first), dtype=torch.float64, device=first.device)
        for law in laws:
            found = self.scm.log_prob(law, values)
            own = natural(values, law)
            total = total + (found if own is None else torch.where(own, found, 0.0))
        return torch.nan_to_num(total, nan=-math.inf, neginf=-math.inf)

    def _level(self, name: str, values: Values, generator: torch.Generator) -> Tensor:
        """Draws of a finite variable given all others."""
        levels, n = self.scm.levels(name), len(values[name])
        wide = {key: value.repeat_interleave(levels, 0) for key, value in values.items()}
        wide[name] = torch.arange(levels, device=values[name].device).repeat(n)
        weight = self.scm.log_prob(name, wide) + self._told(self._below(name), wide)
        return self._drawn(weight.view(n, levels), values[name], generator)

    def _number(self, name: str, values: Values, generator: torch.Generator) -> Tensor:
        """Draws of any other variable given all others."""
        mechanism, current = self.scm.mechanism(name), values[name]
        normal = isinstance(mechanism, NORMAL)
        for correlation in CORRELATIONS if normal and self._below(name) else (0.0,):
            known = {**values, name: current}
            offered = self._offered(name, mechanism, known, correlation, generator)
            wide = {key: value.repeat(len(offered)) for key, value in known.items()}
            wide[name] = offered.flatten()
            weight = self._told(self._below(name), wide).view(len(offered), -1).T
            chosen = self._drawn(weight, torch.zeros_like(current).long(), generator)
            current = offered.gather(0, chosen[None])[0]
        return current

    def _offered(
        self,
        name: str,
        mechanism: Mechanism,
        values: Values,
        correlation: float,
        generator: torch.Generator,
    ) -> Tensor:
        """The value and others that its noise, moved, would give: shape (candidates, rows)."""
        n, parents = len(values[name]), self.scm.arguments(name, values)
        more = CANDIDATES - 1 if self._below(name) else 1
        wide = {key: value.repeat(more) for key, value in parents.items()}
        noise = mechanism.draw_noise(more * n, generator)
        if correlation:
            own = mechanism.abduct(values[name], parents, generator)
            centre = _mixed(own, mechanism.draw_noise(n, generator), correlation)
            repeated = {key: value.repeat(more) for key, value in centre.items()}
            noise = _mixed(repeated, noise, correlation)
        drawn = mechanism.predict(wide, noise).to(values[name]).view(more, n)
        return torch.cat([values[name][None], drawn]) if self._below(name) else drawn

    def _drawn(self, weight: Tensor, current: Tensor, generator: torch.Generator) -> Tensor:
        """An index a row; what it is where no index is possible."""
        possible = weight.isfinite().any(1)
        safe = torch.where(possible[:, None], weight, 0.0)
        return torch.where(possible, draw_index(safe, generator), current)


def _mixed(noise: Noise, fresh: Noise, correlation: float) -> dict[str, Tensor]:
    """r u + sqrt(1 - r^2) e; NaN where the fresh noise has none."""
    rest = math.sqrt(1 - correlation**2)
    return {key: correlation * noise[key] + rest * value for key, value in fresh.items()}
