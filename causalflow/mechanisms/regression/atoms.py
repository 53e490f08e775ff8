"""Atoms: the values that many rows share, and how likely each is given the inputs.

Notation: z the inputs, standardised, shape (n, p); a_1 < ... < a_K the atoms; p_k(z) the share of
a_k, p_0(z) that of all other values, whose law G is continuous:

    p(z) = softmax(W c(z)),   c(z) = (1, z, b(z)),   b_m(z) = exp(-|z - C_m|^2 / (2 p))

with C_m some rows' inputs. W is where likelihood times a normal prior is greatest. The whole law is

    F(x) = sum of p_k over a_k <= x, plus p_0 G(x)

and its noise u = Phi^-1(F(x)) increases in x: at an atom it lies anywhere between F just below it
and F there. Probabilities are counted from the nearer end, so that both tails keep their digits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Atoms"]

MOST = 101
"""Atoms at most: each has more than `SHARE` of the rows, or is an end of the support."""
SHARE, LEAST = 0.01, 5
"""A value is an atom if more than this share of the rows have it, and at least so many rows."""
NONE = torch.finfo(torch.float64).max
CENTRES = 20
RIDGE = 1.0
STEPS = 100
MARGIN = 1e-6
"""Share of an atom's interval of noise left out at both ends: rounding differs between batches."""


class Atoms(nn.Module):
    """The atoms of one node; all that is fitted are buffers of fixed shape.

    Args:
        inputs: p.

    Attributes:
        values: the atoms in order, shape (101,), then the largest number.
    """

    values: Tensor
    weights: Tensor
    centres: Tensor

    def __init__(self, inputs: int) -> None:
        super().__init__()
        centres = CENTRES if inputs else 0
        shapes = {
            "values": (MOST,),
            "weights": (MOST + 1, 1 + inputs + centres),
            "centres": (centres, inputs),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.values.fill_(NONE)

    @property
    def count(self) -> int:
        """K."""
        return int((self.values < NONE).sum())

    def find(self, x: Tensor, always: Tensor, copies: int = 1) -> Tensor:
        """Take the atoms of a column; which row is at which: int64, shape (n,), -1 at none.

        Args:
            x: values, shape (n,).
            always: values that are atoms wherever they occur.
            copies: how many of the rows count as one.
        """
        different, counts = x.unique(return_counts=True)
        many = (counts > SHARE * len(x)) & (counts >= copies * LEAST)
        found = different[many | torch.isin(different, always)]
        self.values.fill_(NONE)
        self.values[: len(found)] = found
        return self.index(x)

    def index(self, x: Tensor) -> Tensor:
        """Which atom each value is: int64, shape (n,); -1: none."""
        at = torch.searchsorted(self.values, x.contiguous()).clamp(max=MOST - 1)
        return torch.where(self.values[at] == x, at, -1)

    def fit(self, index: Tensor, z: Tensor, copies: int = 1) -> None:
        """The likeliest W, given where each row is and its inputs; ``copies`` rows count as one."""
        centres = z[torch.randperm(len(z), generator=torch.Generator().manual_seed(0))]
        self.centres.zero_()
        self.centres[: len(centres)] = centres[: len(self.centres)]
        shares = (index + 1).bincount(minlength=self.count + 1).to(z) / len(index)
        self.weights.zero_()
        self.weights[: len(shares), 0] = shares.clamp_min(1e-300).log()
        if z.shape[1] and len(shares) > 1:
            self._descend(self._columns(z), index + 1, len(shares), copies * RIDGE)

    def _descend(self, columns: Tensor, target: Tensor, kinds: int, ridge: float) -> None:
        start = self.weights[:kinds].clone()
        moved = torch.zeros_like(start).requires_grad_(True)
        optimizer = torch.optim.LBFGS([moved], max_iter=STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(columns @ (start + moved).T, target)
            loss = loss + ridge * moved[:, 1:].square().sum() / (2 * len(target))
            loss.backward()
            return loss

        with torch.enable_grad():
            optimizer.step(closure)
        self.weights[:kinds] = start + moved.detach()

    def _columns(self, z: Tensor) -> Tensor:
        one = torch.ones_like(z[:, :1]) if z.shape[1] else z.new_ones((len(z), 1))
        near = torch.cdist(z, self.centres).square() / (2 * max(z.shape[1], 1))
        return torch.cat([one, z, torch.exp(-near)], dim=1)

    def log_shares(self, z: Tensor) -> Tensor:
        """log p_0, log p_1, ..., log p_K: shape (n, K + 1)."""
        return torch.log_softmax(self._columns(z) @ self.weights[: self.count + 1].T, dim=1)

    def noise(self, index: Tensor, v: Tensor, law: MixedLaw, within: Tensor) -> Tensor:
        """u of values at an atom, or with the normal score v in G.

        Args:
            index: as `index` gives.
            v: Phi^-1(G(x)), shape (n,); of no account at an atom.
            law: the law of each row.
            within: where in its interval a value at an atom is, 0..1.
        """
        passed = (law.scores < v[:, None]).to(v)
        below = (passed * law.shares).sum(1) + law.other * torch.special.ndtr(v)
        above = ((1 - passed) * law.shares).sum(1) + law.other * torch.special.ndtr(-v)
        at, chosen = index >= 0, index.clamp_min(0)[:, None]
        if self.count:
            share = law.shares.gather(1, chosen)[:, 0]
            within = MARGIN + (1 - 2 * MARGIN) * within
            below = torch.where(at, law.below.gather(1, chosen)[:, 0] + within * share, below)
            above = torch.where(at, law.above.gather(1, chosen)[:, 0] + (1 - within) * share, above)
        return _score(below, above)

    def place(self, u: Tensor, law: MixedLaw) -> tuple[Tensor, Tensor]:
        """Which atom the noise gives (-1: none), and else the normal score v in G: (n,) each."""
        low, high = torch.special.ndtr(u)[:, None], torch.special.ndtr(-u)[:, None]
        left = u[:, None] <= 0
        reached = torch.where(left, law.below <= low, law.above + law.shares >= high)
        passed = torch.where(left, law.below + law.shares <= low, law.above >= high)
        number = passed.sum(1)
        only = (law.other <= 0)[:, None] & (torch.arange(self.count).to(number) == number[:, None])
        at = (reached & ~passed) | only
        index = torch.where(at.any(1), at.to(torch.uint8).argmax(1), -1)
        below = low[:, 0] - (passed * law.shares).sum(1)
        above = high[:, 0] - (~passed * law.shares).sum(1)
        other = law.other.clamp_min(1e-300)
        v = _score((below / other).clamp(1e-300, 1), (above / other).clamp(1e-300, 1))
        ends = nn.functional.pad(law.scores, (1, 1), value=torch.inf)
        ends[:, 0] = -torch.inf
        low, high = (ends.gather(1, number[:, None] + step)[:, 0] for step in (0, 1))
        return index, v.clamp(low, high)

    def law(self, z: Tensor, scores: Tensor) -> MixedLaw:
        """The law of each row, given the atoms' normal scores in G, shape (n, K)."""
        return MixedLaw(self.log_shares(z).exp(), scores)


class MixedLaw:
    """Atoms and a density, row by row.

    Attributes:
        other: p_0, shape (n,).
        shares: p_1 to p_K, shape (n, K).
        scores: Phi^-1(G(a_k)), increasing in k, shape (n, K).
        below: F just below each atom.
        above: 1 - F at each atom.
    """

    def __init__(self, shares: Tensor, scores: Tensor) -> None:
        self.other, self.shares, self.scores = shares[:, 0], shares[:, 1:], scores
        other = self.other[:, None]
        before = self.shares.cumsum(1) - self.shares
        after = self.shares.flip(1).cumsum(1).flip(1) - self.shares
        self.below = before + other * torch.special.ndtr(scores)
        self.above = after + other * torch.special.ndtr(-scores)


def _score(below: Tensor, above: Tensor) -> Tensor:
    """The normal score of a probability, from the nearer end."""
    low = torch.special.ndtri(below.clamp(1e-300, 1))
    return torch.where(below < 0.5, low, -torch.special.ndtri(above.clamp(1e-300, 1)))
