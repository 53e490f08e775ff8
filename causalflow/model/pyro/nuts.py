"""NUTS: numbers that hang together, drawn given what is known by Pyro's Hamiltonian Monte Carlo.

A second way to the posterior that the package finds by closed forms and weighed draws, which shares
nothing with them but the laws. The unknown nodes are made by their noise, so that the unknowns are
noises, whose law depends on nothing. Rows that are alike share one chain; it starts anywhere, so
that its first `WARMUP` steps, which also choose its step size, are thrown away, and what is left is
worth fewer independent draws than it has (`LEAST` at least, else it is refused).

Source: Hoffman & Gelman (2014), The No-U-Turn Sampler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS
from pyro.ops.stats import effective_sample_size
from torch import Tensor

from causalflow.errors import RowError
from causalflow.mechanisms.exogenous.draws import alike
from causalflow.mechanisms.mechanism import Values, to_public
from causalflow.model.posterior.knot import Knot
from causalflow.model.pyro.program import PyroProgram, pyro_program
from causalflow.model.pyro.sites import SolvedNode
from causalflow.model.scm import StructuralModel

__all__ = ["Chained", "chained"]

WARMUP, STEPS, LEAST = 150, 300, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """One draw a row of a knot's posterior.

    Attributes:
        values: unknown variable -> (rows,).
        worth: how many independent draws a chain's are worth, in the worst row.
    """

    values: Values
    worth: float


def chained(
    scm: StructuralModel, known: Values, knot: Knot, generator: torch.Generator
) -> Chained | None:
    """A draw of the knot from its joint posterior; None where not all of it are numbers.

    Args:
        scm: the fitted model.
        known: engine values of nodes, the same rows each.
        knot: what to draw.
        generator: draws.

    Raises:
        RowError: a row whose chain is worth too few draws.
    """
    factors = [name for name in knot.factors if name in scm.types]
    program = pyro_program(scm, scm.order, factors, knot.nodes)
    if not _numbers(scm, knot, program):
        return None
    reads = {name: value for name, value in known.items() if name in program.sites}
    groups = alike(reads)
    held = {n: _public(scm, n, value[groups.first]) for n, value in reads.items()}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        samples = _sampled(program, held, int(groups.counts.max()))
        worth = _worth(samples, groups.first)
        values = _worlds(program, knot, held, samples, groups.counts)
    return Chained(values={n: v[groups.back] for n, v in values.items()}, worth=worth)


def _numbers(scm: StructuralModel, knot: Knot, program: PyroProgram) -> bool:
    """Whether all unknowns are numbers that the program has a site for."""
    summed = {
        site.solved.noise.name
        for site in program.sites.values()
        if isinstance(site, SolvedNode) and not site.solved.is_number
    }
    finite = [r for r in knot.roots if r in scm.latents or scm.exogenous[r].is_discrete]
    classes = [n for n in knot.nodes if not scm.types[n].numeric or scm.types[n].integral]
    return not (finite or classes or summed.intersection(knot.roots))


def _public(scm: StructuralModel, name: str, value: Tensor) -> Tensor:
    kind = scm.types[name]
    return to_public(kind, value) if kind.pictured else value


def _sampled(program: PyroProgram, held: Values, most: int) -> dict[str, Tensor]:
    """The chain's draws of all that is open, site -> (draws, rows)."""
    rows = len(next(iter(held.values())))
    kernel = NUTS(pyro.condition(program, dict(held)), max_plate_nesting=1)
    chain = MCMC(kernel, num_samples=max(STEPS, most), warmup_steps=WARMUP, disable_progbar=True)
    chain.run(rows)
    found: dict[str, Tensor] = chain.get_samples()
    return found


def _worth(samples: Mapping[str, Tensor], first: Tensor) -> float:
    """Independent draws that those of the worst row are worth.

    Raises:
        RowError: too few.
    """
    sizes = [
        effective_sample_size(draws[None], chain_dim=0, sample_dim=1).nan_to_num(0.0)
        for draws in samples.values()
    ]
    each = torch.stack(sizes).amin(0)
    worst = int(each.argmin())
    if each[worst] < LEAST:
        raise RowError(
            "the evidence",
            int(first[worst]),
            f"route='pyro': the draws of NUTS are worth {float(each[worst]):.0f} independent ones; "
            f"at least {LEAST} are wanted: leave out the route",
        )
    return float(each[worst])


def _worlds(
    program: PyroProgram, knot: Knot, held: Values, samples: Mapping[str, Tensor], counts: Tensor
) -> dict[str, Tensor]:
    """The knot's variables in the worlds of as many draws of each row as are wanted."""
    number = len(next(iter(samples.values())))
    row = torch.arange(len(counts)).repeat_interleave(counts)
    within = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
    order = torch.randperm(number)
    at = order[(within * number) // counts[row]]
    given = {name: value[row] for name, value in held.items()}
    given |= {name: draws[at, row] for name, draws in samples.items()}
    sites: Any = poutine.trace(pyro.condition(program, given)).get_trace(len(row)).nodes
    return {name: sites[name]["value"] for name in (*knot.roots, *knot.nodes)}
