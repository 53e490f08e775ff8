# %% [markdown]
# # One model, two engines: causalflow and Pyro
#
# Pyro writes a model as a program and infers by gradients and enumeration; causalflow writes it as
# a graph and answers by identification, closed forms and weighed draws. `model.to_pyro()` and
# `cf.from_pyro(program)` go from one to the other, so that each can do what it is good at, and be
# held against the other. It needs the extra `pyro`.

# %%
import numpy as np
import pyro
import pyro.distributions as dist
import torch
from pyro import poutine
from pyro.infer import MCMC, NUTS, Predictive, TraceEnum_ELBO, config_enumerate

import causalflow as cf
from causalflow.shipped import graph_path

# %% [markdown]
# ## A model as a program
#
# A dose that doctors give more of to those who are worse off: `health` is hidden, `marker` shows
# some of it, and recovery bends. All the noise of `recovery` is its own, so its equation can be
# solved for it: in the program `recovery` is a site with a density, and `u_r` follows from it.
# What cannot be solved, here the hidden cause, is a site that is drawn.

# %%
CLINIC = """
graph: clinic
exogenous:
  health: {type: normal}
  u_m: {type: normal, std: 0.5}
  u_d: {type: normal, std: 0.3}
  u_r: {type: logistic}
nodes:
  marker:   {type: continuous, equation: health + u_m}
  dose:     {type: continuous, equation: 2 - 0.8 * marker + u_d}
  recovery: {type: continuous, support: [0, 1], equation: sigmoid(dose + 1.5 * health + u_r)}
"""


def program():
    model = cf.compile(cf.loads(CLINIC))
    run = model.to_pyro()
    print(run)
    return model, run


# %% [markdown]
# ## The same density
#
# A program that is conditioned on every node has a log-density; by hand it is four lines. `health`
# is held too, so that there is nothing left to sum out.


# %%
def density(model, run):
    rows = model.sample(20, generator=1)
    held = {name: rows[name] for name in ("marker", "dose", "recovery")}
    held["health"] = torch.linspace(-1, 1, 20).double()
    told = poutine.trace(pyro.condition(run, held)).get_trace(20).log_prob_sum()
    health, marker, dose, recovery = (
        held[name] for name in ("health", "marker", "dose", "recovery")
    )
    u_r = torch.logit(recovery) - dose - 1.5 * health
    by_hand = (
        dist.Normal(0.0, 1.0).log_prob(health)
        + dist.Normal(health, 0.5).log_prob(marker)
        + dist.Normal(2 - 0.8 * marker, 0.3).log_prob(dose)
        + dist.Logistic(0.0, 1.0).log_prob(u_r)
        - torch.log(recovery * (1 - recovery))
    ).sum()
    print(f"log-density: Pyro's trace {told:.9f}, by hand {by_hand:.9f}")
    return abs(float(told - by_hand))


# %% [markdown]
# ## Abduction, twice
#
# One patient took a dose of 2 and recovered to .95; nobody read the marker. What was their health?
# causalflow draws from the posterior itself. Pyro runs Hamiltonian Monte Carlo (NUTS) over all that
# is left open. The patient is repeated in some rows of the plate, which is as good as so many
# chains, and gives the error of NUTS's mean.

# %%
PATIENT = {"dose": 2.0, "recovery": 0.95}


def nuts(run, rows, draws):
    pyro.set_rng_seed(0)
    seen = run.read({name: [value] * rows for name, value in PATIENT.items()})
    held = pyro.condition(run, seen)
    chain = MCMC(
        NUTS(held, max_plate_nesting=1),
        num_samples=draws,
        warmup_steps=draws // 2,
        disable_progbar=True,
    )
    chain.run(rows)
    drawn = chain.get_samples()
    return seen, drawn | Predictive(held, drawn)(rows)


def apart(first, second):
    """The distance of two means, (mean, error) each, in standard errors."""
    return abs(first[0] - second[0]) / float(np.hypot(first[1], second[1]))


def mean(values):
    """Mean and standard error over independent ones."""
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def abduction(model, run, rows, draws):
    _, drawn = nuts(run, rows, draws)
    theirs = mean(drawn["health"].mean(0).flatten())
    people = {name: [value] * (20 * rows) for name, value in PATIENT.items()}
    ours = mean(model.abduct(people).noise["health"]["value"])
    print(f"health: causalflow {ours[0]:.3f}, NUTS {theirs[0]:.3f}; prior mean 0")
    return drawn, apart(ours, theirs)


# %% [markdown]
# ## Abduct, act, predict
#
# What would the recovery have been, had the doctor read a marker of 1? `pyro.do` sets it, but what
# was seen of the actual world must not be asked of the other one. So the noises are kept and the
# evidence is let go: `to_pyro(noises=True)` is the same model with every node made by its noise, on
# which the drawn noises are held: under `pyro.do`, it gives the counterfactual of each draw.


# %%
def counterfactual(model, drawn):
    draws, rows = drawn["health"].shape[:2]
    noises = {n: drawn[n].reshape(-1) for n in ("health", "u_m", "u_d", "u_r")}
    kept = pyro.condition(model.to_pyro(noises=True), noises)
    there = pyro.do(kept, {"marker": torch.tensor(1.0)})(draws * rows)
    theirs = mean(there["recovery"].view(draws, rows).mean(0))
    people = {name: [value] * (20 * rows) for name, value in PATIENT.items()}
    ours = mean(model.counterfactual(people, {"marker": 1.0})["recovery"])
    print(f"recovery at marker 1: causalflow {ours[0]:.3f}, Pyro {theirs[0]:.3f}; it was .95")
    return apart(ours, theirs)


# %% [markdown]
# ## Enumeration
#
# Of classes nothing has to be drawn: Pyro sums them out. P(evidence) is exp(-loss) of an empty
# guide, and a conditional probability the ratio of two of them. Pearl's firing squad, by both.


# %%
def enumeration():
    model = cf.compile(cf.load(graph_path("classics/firing_squad")))
    run = config_enumerate(model.to_pyro())

    def probability(**evidence):
        held = pyro.condition(run, model.to_pyro().read(evidence))
        return np.exp(-TraceEnum_ELBO(max_plate_nesting=1).loss(held, lambda: None))

    theirs = probability(order=1, dead=1) / probability(dead=1)
    ours = model.ask("P(order=yes | dead=yes)").value
    print(f"P(order | dead): causalflow {ours}, Pyro {theirs:.9f}")
    return abs(float(ours) - theirs)


# %% [markdown]
# ## A program as a graph
#
# The other way: a program of finite sites, or of normal ones whose means are lines, becomes a graph
# with tables or equations. Now it can be asked what Pyro does not answer: whether an effect can be
# known from data, in closed form. Anything else is refused, with the name of the site.


# %%
def smoking():
    taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    smoke = pyro.sample("smoke", dist.Normal(0.5 * taste, 1.0))
    tar = pyro.sample("tar", dist.Normal(0.8 * smoke, 0.5))
    pyro.sample("cancer", dist.Normal(1.2 * tar + 0.7 * taste, 0.4))


def back():
    graph = cf.from_pyro(smoking)
    print({name: str(node.equation) for name, node in graph.nodes.items()})
    seen = cf.Graph(edges=["smoke -> tar -> cancer", "smoke <-> cancer"])
    print(cf.identify(seen, "P(cancer | do(smoke))"))
    answer = cf.compile(graph).ask("E[cancer[smoke=1] | smoke=0, cancer=0]")
    print(answer)
    # cancer = .96 smoke + 1.2 u_tar + .7 taste + u_cancer: the rest of it is kept
    return abs(float(answer.value) - 0.96)


# %%
def main(rows=40, draws=200):
    model, run = program()
    drawn, health = abduction(model, run, rows, draws)
    return {
        "density": density(model, run),
        "health": health,
        "recovery": counterfactual(model, drawn),
        "enumeration": enumeration(),
        "back": back(),
    }


if __name__ == "__main__":
    main()
