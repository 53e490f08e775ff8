"""Regression mechanism: a real node by a mean, a scale and a shape as rich as its rows ask for.

    x = T^-1(m(pa) + s(pa) h^-1(v; pa))

Notation: z the parents' features (`causalflow.mechanisms.features`), standardised, those with heavy
tails bent (`causalflow.nn.tails`); T an increasing map of the column onto the real line
(`causalflow.mechanisms.regression.column_line`); v ~ N(0, 1).

    mean    m       `causalflow.mechanisms.regression.kernel_function`, by evidence
    scale   log s   `causalflow.mechanisms.regression.log_scale`, by the residuals' likelihood
    shape   h       `causalflow.mechanisms.regression.monotone_map`, the same for all parents, and
                    after it another that varies with them
    tails           where scale or shape vary, v beyond what one row in all would have adds to T(x)
                    the same whatever the parents: no row says how far they spread what is there
    atoms           `causalflow.mechanisms.regression.atoms`: values that many rows share come
                    first; what is said above is the law G of all others

Where the column has atoms and all its values are whole multiples of a step
(`causalflow.mechanisms.regression.lattice`), as counts are, the others are too: G is the law of
what rounds to them.

The noise u ~ N(0, 1) is v where there are no atoms; x increases in it in any case. The laws of
`STAGES` are fitted to four fifths of the rows, one after the other, those with a scale only where
there is evidence of one. A later one is taken only where the log-likelihood of the other fifth is
better by more than two standard errors (without parents: better), or a shape where it is so on all
rows, each held out in its turn; a row counts for no more than
`MOST_GAIN`, lest a few in the tails hide what is gained on all others. Where T may bend the column,
or a shape is wanted, the laws are chosen on a second scale too, that on which a normal law is the
likeliest; it is taken by the same rule, or where fewer parts are better on it by anything. Then all
rows are fitted; there is nothing for gradient steps to do.

Where gaps were filled several times over, rows come in copies
(`causalflow.model.missing.imputation`). All that is chosen is chosen on the first of them, as
copies agree in their noise too; all that is fitted is fitted to all, and as many of them as there
are count as one beside priors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from causalflow.errors import CompileError, DataError, EvidenceError
from causalflow.graph.node import Continuous, Node
from causalflow.mechanisms.features import columns, width
from causalflow.mechanisms.mechanism import (
    Noise,
    Values,
    all_labelled,
    draw_normal,
    draw_uniform,
)
from causalflow.mechanisms.regression.atoms import Atoms, MixedLaw
from causalflow.mechanisms.regression.column_line import ColumnLine, Scale
from causalflow.mechanisms.regression.evidence import Evidence, searched
from causalflow.mechanisms.regression.kernel_function import KernelFunction
from causalflow.mechanisms.regression.lattice import Lattice
from causalflow.mechanisms.regression.log_scale import LogScale
from causalflow.mechanisms.regression.monotone_map import MonotoneMap
from causalflow.nn.tails import bent, measured

__all__ = ["STAGES", "RegressionMechanism"]

STAGES = (
    "mean",
    "mean, shape",
    "mean, scale",
    "mean, scale, shape",
    "mean, varying shape",
    "mean, scale, varying shape",
)
SHAPED, SCALED, VARIED, VARYING = (1, 3, 4, 5), (2, 3, 5), (4, 5), (2, 3, 4, 5)
"""The stages, by number, that have a part."""
UNSHAPED = {1: 0, 3: 2}
"""Those that are another and a shape."""
MEAN_POINTS, CHOICE_POINTS = 300, 120
"""Inducing points of the mean, and those of it while stages are chosen."""
HELD_OUT = 5
"""One row in so many decides."""
ENOUGH = 100
"""Rows below which the mean is all there is."""
MOST_GAIN = 5.0
"""Nats that a row of those held out can count for or against a stage."""
MOST_ROWS, CHOICE_ROWS, TAIL_ROWS = 200_000, 25_000, 1000
"""Rows that are fitted, those that choose, and those of the tails, drawn where there are more."""
SCORES_FREE = 40
"""Free parameters that normal scores count for: their knots, less what the ridges hold."""
ROUNDING = 4e-16
"""Of a probability: v may differ by as much from what was abducted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    """What was chosen on one scale of the column.

    Attributes:
        scale: which.
        likely: the log density of each row held out; where none is, the evidence a row of all.
        searches: the mean's, and the scale's where it varies.
        stage: which of `STAGES`.
        gains: each stage's.
    """

    scale: Scale
    likely: Tensor
    searches: dict[str, Evidence]
    stage: Tensor
    gains: Tensor

    def is_better(self, other: _Trial) -> bool:
        """Whether it is, by more than chance where there are parents; with fewer parts at all."""
        surely = bool(self.searches) and bool(self.stage >= other.stage)
        return _is_better(self.likely, other.likely, surely=surely)


class RegressionMechanism(nn.Module):
    """A continuous node's mechanism, fitted by `calibrate` alone.

    Args:
        name: the node's name.
        node: the node's declaration.
        parents: the parents' declarations by name.

    Attributes:
        stage: which of `STAGES` was taken, shape ().
        gains: by how much each exceeds the first on held-out rows, nats a row, shape (6,).
        reach: the |v| beyond which the tails are, infinite where there are none, shape ().
        outer: dT(x)/dv in the lower tail and in the upper, shape (2,).

    Raises:
        CompileError: an image among the parents.
    """

    centre: Tensor
    spread: Tensor
    bends: Tensor
    stage: Tensor
    gains: Tensor
    reach: Tensor
    outer: Tensor

    def __init__(self, name: str, node: Node, parents: Mapping[str, Node]) -> None:
        super().__init__()
        self.name, self.node, self.parents = name, cast(Continuous, node), dict(parents)
        for parent, above in self.parents.items():
            if not above.type.scalar:
                raise CompileError(
                    f"node '{name}': noise 'auto' cannot have the {above.type.word} parent "
                    f"'{parent}'; use 'additive' or 'flow'"
                )
        inputs = sum(map(width, self.parents.values()))
        for buffer, start in {
            "centre": torch.zeros(inputs),
            "spread": torch.ones(inputs),
            "bends": torch.full((inputs,), math.inf),
            "stage": torch.zeros(()),
            "gains": torch.zeros(len(STAGES)),
            "reach": torch.tensor(math.inf),
            "outer": torch.zeros(2),
        }.items():
            self.register_buffer(buffer, start.double())
        self.mean = KernelFunction(inputs, MEAN_POINTS if inputs else 0)
        self.log_scale = LogScale(inputs)
        self.shape, self.varying = MonotoneMap(0), MonotoneMap(inputs)
        self.atoms, self.line = Atoms(inputs), ColumnLine(self.node.support)
        self.lattice = Lattice()

    @property
    def description(self) -> str:
        """What was chosen, and by how much."""
        stage = int(self.stage)
        parts = [STAGES[stage].replace("mean", self.mean.description, 1)]
        if scale := self.line.scale:
            parts.append(scale)
        if count := self.atoms.count:
            parts.append(f"{count} atom{'s' if count > 1 else ''}")
        if step := self.lattice.step:
            parts.append(f"in steps of {step:g}")
        by = f"; +{float(self.gains[stage]):.2g} nats a row over the first alone" if stage else ""
        return f"auto noise: {', '.join(parts)}{by}"

    @property
    def assumption(self) -> str:
        """The assumption that the noise orders the values."""
        return "noise in which it is monotone"

    def _inputs(self, parents: Values, n: int) -> Tensor:
        found = columns(self.parents, parents, n, self.centre.device)
        return bent((found - self.centre) / self.spread, self.bends)

    def _score(self, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """v and log dv/dt."""
        if self.reach.isinf():
            return self._inner_score(t, z)
        low, high = (self._inner_place(v.expand(len(t)), z) for v in (-self.reach, self.reach))
        below, above = t - low, t - high
        v, slope = self._inner_score(t.clamp(low, high), z)
        first, last = self.outer
        v = torch.where(below < 0, below / first - self.reach, v)
        v = torch.where(above > 0, above / last + self.reach, v)
        slope = torch.where(below < 0, -first.log(), slope)
        return v, torch.where(above > 0, -last.log(), slope)

    def _inner_score(self, t: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The same, as if there were no tails."""
        log_scale = self.log_scale(z)
        v, slope = self._shaped((t - self.mean(z)) * (-log_scale).exp(), z)
        return v, slope - log_scale

    def _place(self, v: Tensor, z: Tensor) -> Tensor:
        """The t whose normal score is v."""
        if self.reach.isinf():
            return self._inner_place(v, z)
        inside = v.clamp(-self.reach, self.reach)
        first, last = self.outer
        beyond = torch.where(v < 0, first, last) * (v - inside)
        return self._inner_place(inside, z) + beyond

    def _inner_place(self, v: Tensor, z: Tensor) -> Tensor:
        e = self.shape.to_residual(self.varying.to_residual(v, z) if self.varying.inputs else v, z)
        return self.mean(z) + self.log_scale(z).exp() * e

    def _shaped(self, e: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """v and log dv/de."""
        v, slope = self.shape.to_noise(e, z)
        if not self.varying.inputs:
            return v, slope
        v, more = self.varying.to_noise(v, z)
        return v, slope + more

    def _law(self, z: Tensor) -> MixedLaw:
        """Atoms and G; the normal scores of the atoms at an end of the support are infinite."""
        scores = [self._score(t.expand(len(z)), z)[0] for t in self._atom_places()]
        found = torch.stack(scores, dim=1) if scores else z.new_empty((len(z), 0))
        return self.atoms.law(z, found)

    def _atom_places(self) -> list[Tensor]:
        count = self.atoms.count
        return list(self.line(self.atoms.values[:count])[0]) if count else []

    def log_prob(self, value: Tensor, parents: Values) -> Tensor:
        """log density of the value in the node's unit, log mass at an atom: (batch,)."""
        x, z = value.double(), self._inputs(parents, len(value))
        index, shares = self.atoms.index(x), self.atoms.log_shares(z)
        mass = shares.gather(1, index[:, None] + 1)[:, 0]
        return mass + torch.where(index < 0, self._log_law(x, z), 0.0)

    def _log_law(self, x: Tensor, z: Tensor) -> Tensor:
        """log density of G; times a step where values are whole, nearly the mass of a cell."""
        t, slope = self.line(x)
        v, inner = self._score(t, z)
        density = slope + inner - v.square() / 2 - math.log(2 * math.pi) / 2
        if self.lattice.step:
            density = density + math.log(self.lattice.step)
        return torch.where(t.isnan() & ~x.isnan(), -math.inf, density)

    @torch.no_grad()
    def calibrate(
        self, values: Values, generator: torch.Generator, first: Tensor | None = None
    ) -> None:
        """Fit all, over the rows in which all is labelled.

        Args:
            values: the columns.
            generator: unused, as nothing is drawn.
            first: where rows come in copies, which of them are of the first, bool, shape (rows,).

        Raises:
            DataError: no such row, or values outside the support.
        """
        names = [self.name, *self.parents]
        keep = all_labelled(values, names).nonzero()[:, 0]
        if not len(keep):
            raise DataError(f"node '{self.name}': no row has a label of it and of its parents")
        keep = keep[_drawn(len(keep), MOST_ROWS)]
        rows = {name: values[name][keep] for name in names}
        x = rows[self.name].double().to(self.centre.device)
        self._standardise(rows, len(x))
        z = self._inputs(rows, len(x))
        chosen = torch.ones(len(x), dtype=torch.bool) if first is None else first[keep.cpu()]
        copies = max(1, round(len(x) / max(int(chosen.sum()), 1)))
        index = self.atoms.find(x, x.new_tensor(self.node.support), copies)
        self.atoms.fit(index, z, copies)
        self.lattice.digits.fill_(math.inf)
        if self.atoms.count:
            self.lattice.find(x)
        rest = index < 0
        if rest.any():
            share = draw_uniform((int(rest.sum()),), torch.Generator().manual_seed(0), x.device)
            part = chosen.to(x.device)[rest]
            self._fit_law(z[rest], self.lattice.within(x[rest], share), part, copies)

    def _standardise(self, rows: Values, n: int) -> None:
        found = columns(self.parents, rows, n, self.centre.device)
        column = 0
        for node in self.parents.values():
            for _ in range(width(node)):
                centre, spread, bend = measured(found[:, column])
                self.centre[column], self.spread[column] = centre, spread
                self.bends[column] = bend if node.type.levels is None else math.inf
                column += 1

    def _fit_law(self, z: Tensor, x: Tensor, first: Tensor, copies: int) -> None:
        """Choose on a part of the first copy's rows, then fit to all."""
        if not self.line.contains(x):
            raise DataError(f"node '{self.name}': values outside its support {self.node.support}")
        own = first.nonzero()[:, 0] if first.any() else torch.arange(len(x), device=x.device)
        some = own[_drawn(len(own), CHOICE_ROWS).to(x.device)]
        held = torch.arange(len(some), device=x.device) % HELD_OUT == 0
        if len(own) < ENOUGH:
            held = torch.zeros_like(held)
        searches = self._choose_law(z[some], x[some], held)
        t, _ = self.line(x)
        self._fit_stage(int(self.stage), z, t, searches, copies)

    def _choose_law(self, z: Tensor, x: Tensor, held: Tensor) -> dict[str, Evidence]:
        """Set T and the stage; the searches that go with them, none without parents."""
        best = last = self._try_scale(Scale.PLAIN, z, x, held)
        bending = self.line.bending(x[~held])
        wants_shape = best.searches and int(best.stage) in SHAPED
        if others := [*bending, *([Scale.SCORES] if wants_shape else [])]:
            normal = {scale: self._normal_evidence(scale, z[~held], x[~held]) for scale in others}
            last = self._try_scale(max(others, key=normal.__getitem__), z, x, held)
            best = last if last.is_better(best) else best
        if best is not last:
            self.line.fit(x[~held], best.scale)
            self.stage.copy_(best.stage)
            self.gains.copy_(best.gains)
            self._fit_residuals(~held, z, self.line(x)[0], best.searches)
        return best.searches

    def _normal_evidence(self, scale: Scale, z: Tensor, x: Tensor) -> float:
        """How likely a row is on a scale by a smooth mean and one normal law about it, log.

        Normal scores, fitted to the rows, pay for it (Akaike).
        """
        self.line.fit(x, scale)
        t, slope = self.line(x)
        found = float(slope.mean()) - (SCORES_FREE / len(x) if scale is Scale.SCORES else 0.0)
        if not z.shape[1]:
            return found - float(t.var(correction=0).log()) / 2
        return found + searched(z, t, plain=True).value

    def _try_scale(self, scale: Scale, z: Tensor, x: Tensor, held: Tensor) -> _Trial:
        """Set T and the stage on a scale."""
        self.line.fit(x[~held], scale)
        t, slope = self.line(x)
        searches = {"mean": searched(z[~held], t[~held])} if z.shape[1] else {}
        likely = self._choose_stage(z, t, held, searches)
        if len(likely):
            likely = likely + slope[held]
        else:
            value = searches["mean"].value if searches else -float(t.var(correction=0).log()) / 2
            likely = (value + slope.mean())[None]
        return _Trial(
            scale=scale,
            likely=likely,
            searches=searches,
            stage=self.stage.clone(),
            gains=self.gains.clone(),
        )

    def _choose_stage(
        self, z: Tensor, t: Tensor, held: Tensor, searches: dict[str, Evidence]
    ) -> Tensor:
        """Set the stage: the last that is better on the rows held out than those before.

        Returns:
            The log density that it gives T(x) of the rows held out.
        """
        self.stage.zero_()
        self.gains.zero_()
        if not held.any():
            return t.new_empty(0)
        residuals = {False: self._fit_residuals(~held, z, t, searches)}
        if searches:
            e, log_scale = residuals[False]
            found = self.log_scale.searched(z[~held], (e * log_scale.exp())[~held])
            if found.degree:
                searches["scale"] = found
                residuals[True] = self._fit_scaled_residuals(~held, z, t, searches)
        first = best = None
        for stage in range(len(STAGES) if searches else 2):
            if (stage in SCALED) not in residuals:
                continue
            e, log_scale = residuals[stage in SCALED]
            self._fit_shapes(stage, e[~held], z[~held])
            v, slope = self._shaped(e[held], z[held])
            likely = slope - log_scale[held] - v.square() / 2
            first = likely if first is None else first
            self.gains[stage] = _gain(likely, first).mean()
            if (
                best is None
                or _is_better(likely, best, surely=bool(searches))
                or self._is_shaped(stage, e, z, _gain(likely, best))
            ):
                best = likely
                self.stage.fill_(stage)
        assert best is not None
        return best

    def _is_shaped(self, stage: int, e: Tensor, z: Tensor, gain: Tensor) -> bool:
        """Whether the residuals have a shape, where a fifth of them says so, but not surely.

        Each row is judged by the shape of the other fifths; ``gain`` is that of the fifth held out.
        """
        if UNSHAPED.get(stage) != int(self.stage) or not gain.mean() > 0:
            return False
        likely = torch.empty_like(e)
        for part in range(HELD_OUT):
            rows = torch.arange(len(e), device=e.device) % HELD_OUT == part
            self._fit_shapes(stage, e[~rows], z[~rows])
            v, slope = self._shaped(e[rows], z[rows])
            likely[rows] = slope - v.square() / 2
        return _is_better(likely, -e.square() / 2, surely=True)

    def _fit_stage(
        self, stage: int, z: Tensor, t: Tensor, searches: Mapping[str, Evidence], copies: int
    ) -> None:
        rows = torch.ones_like(t).bool()
        fitted = self._fit_scaled_residuals if stage in SCALED else self._fit_residuals
        e, _ = fitted(rows, z, t, searches, copies)
        self._fit_shapes(stage, e, z, copies)
        self.reach.fill_(math.inf)
        if stage in VARYING and searches:
            self._fit_tails(z[_drawn(len(z), TAIL_ROWS).to(z.device)], len(z) // copies)

    def _fit_tails(self, z: Tensor, n: int) -> None:
        """Beyond where one of n rows lies: the slope that is the median of those there."""
        reach = torch.special.ndtri(z.new_tensor(1 - 1 / n))
        for end, v in enumerate((-reach, reach)):
            place = self._inner_place(v.expand(len(z)), z)
            self.outer[end] = (-self._inner_score(place, z)[1].median()).exp()
        self.reach.copy_(reach)

    def _fit_residuals(
        self,
        rows: Tensor,
        z: Tensor,
        t: Tensor,
        searches: Mapping[str, Evidence],
        copies: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Fit a mean and one scale to some rows; e and log s of all, shape (n,) each."""
        if searches:
            most = _points(rows)
            self.mean.fit(z[rows], t[rows], searches["mean"], most=most, copies=copies)
        else:
            self.mean.constant(t[rows].mean())
        residual = t - self.mean(z)
        self.log_scale.constant(residual[rows])
        return self._standardised(residual, z)

    def _fit_scaled_residuals(
        self,
        rows: Tensor,
        z: Tensor,
        t: Tensor,
        searches: Mapping[str, Evidence],
        copies: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """The same with a scale that varies, from what mean and scale were before."""
        residual = t - self.mean(z)
        self.log_scale.fit(z[rows], residual[rows], searches["scale"], copies)
        weights = (-2 * self.log_scale(z[rows])).exp()
        weights = weights / weights.mean()
        self.mean.fit(z[rows], t[rows], searches["mean"], weights, _points(rows), copies)
        residual = t - self.mean(z)
        self.log_scale.fit(z[rows], residual[rows], searches["scale"], copies)
        return self._standardised(residual, z)

    def _standardised(self, residual: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = self.log_scale(z)
        return residual * (-log_scale).exp(), log_scale

    def _fit_shapes(self, stage: int, e: Tensor, z: Tensor, copies: int = 1) -> None:
        for shape in (self.shape, self.varying):
            shape.reset()
        if stage in SHAPED:
            self.shape.fit(e, z, copies)
        if stage in VARIED:
            self.varying.fit(self.shape.to_noise(e, z)[0], z, copies)

    def loss(self, values: Values, generator: torch.Generator) -> Tensor | None:
        """None: `calibrate` does all."""
        return None

    def draw_noise(self, n: int, generator: torch.Generator) -> Noise:
        """n draws of u ~ N(0, 1): {"u": (n,)}, no v (NaN), and nothing between whole values."""
        u = draw_normal((n,), generator)
        between = {"between": torch.zeros_like(u)} if self.lattice.step else {}
        return {"u": u, "v": torch.full_like(u, math.nan), **between}

    @torch.no_grad()
    def abduct(self, value: Tensor, parents: Values, generator: torch.Generator) -> Noise:
        """u and v that give ``value``, at an atom a u that does, drawn: (batch,) each.

        Next to an atom, far from the middle of G, u has fewer digits than v, which is therefore
        kept as well; NaN at an atom. Of a whole value, v is drawn in its cell; "between" tells the
        rows whose value is none.

        Raises:
            EvidenceError: a value outside the support.
        """
        x, z = value.double().to(self.centre.device), self._inputs(parents, len(value))
        index, given = self.atoms.index(x), x
        if self.lattice.step:
            x = self.lattice.within(x, draw_uniform((len(x),), generator, x.device))
        v, _ = self._score(self.line(x)[0], z)
        bad = ~v.isfinite() & (index < 0)
        if bad.any():
            row = int(bad.nonzero()[0])
            raise EvidenceError(
                f"node '{self.name}': row {row}: no noise gives the value {float(value[row]):g}; "
                f"the support is the open interval {self.line.support}"
            )
        if not self.atoms.count:
            return {"u": v, "v": v}
        within = draw_uniform((len(x),), generator, x.device)
        u = self.atoms.noise(index, torch.nan_to_num(v), self._law(z), within)
        found = {"u": u, "v": torch.where(index < 0, v, math.nan)}
        if self.lattice.step:
            found["between"] = (self.lattice.nearest(given) != given).double()
        return found

    @torch.no_grad()
    def predict(self, parents: Values, noise: Noise) -> Tensor:
        """The value under ``parents`` and ``noise``: float64, shape (batch,)."""
        return self.made(parents, noise)

    @property
    def is_smooth(self) -> bool:
        """Whether there are no atoms."""
        return not self.atoms.count

    @property
    def support(self) -> tuple[float, float]:
        """The declared one, or the positive numbers."""
        return self.line.support

    def made(self, parents: Values, noise: Noise) -> Tensor:
        """The same with gradients."""
        u = noise["u"].to(self.centre.device)
        z = self._inputs(parents, len(u))
        if not self.atoms.count:
            return self._under(u, z)
        law = self._law(z)
        index, v = self.atoms.place(u, law)
        kept = noise["v"].to(v)
        tails = [torch.special.ndtr(torch.where(u < 0, each, -each)) for each in (v, kept)]
        v = torch.where((tails[0] - tails[1]).abs() * law.other <= ROUNDING, kept, v)
        value = self._under(v, z)
        if self.lattice.step:
            whole = self.lattice.rounded(value, self.atoms)
            value = torch.where(noise["between"].to(v) > 0, value, whole)
        return torch.where(index < 0, value, self.atoms.values[index.clamp_min(0)])

    def _under(self, v: Tensor, z: Tensor) -> Tensor:
        """The value of the density's law with the normal score v."""
        return self.line.value(self._place(v, z))


def _drawn(n: int, most: int) -> Tensor:
    """All of n rows, or as many of them as may be, drawn."""
    if n <= most:
        return torch.arange(n)
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:most]


def _points(rows: Tensor) -> int:
    """Inducing points of a mean that is fitted to some rows, or to all."""
    return MEAN_POINTS if rows.all() else CHOICE_POINTS


def _is_better(likely: Tensor, other: Tensor, *, surely: bool) -> bool:
    """Whether one law is better than another, by more than two standard errors or by anything."""
    gain = _gain(likely, other)
    doubt = 2 * gain.std() / math.sqrt(len(gain)) if surely and len(gain) > 1 else 0.0
    return bool(gain.mean() > doubt)


def _gain(likely: Tensor, other: Tensor) -> Tensor:
    """What each row counts for one law against another."""
    return (likely - other).clamp(-MOST_GAIN, MOST_GAIN)
