# %% [markdown]
# # Exact counterfactuals
#
# A structural causal model whose variables all take finitely many values can be asked anything:
# nothing is trained, nothing is drawn, and the answers are fractions. Six short steps: the whole
# model as a table, a counterfactual by hand, the same by `ask`, a story with a moral, a model
# that leaves its counterfactuals open, and what can be said when not even the model is known.

# %%
from fractions import Fraction

import numpy as np

import causalflow as cf
from causalflow.errors import QueryError
from causalflow.shipped import graph_path

# %% [markdown]
# ## A model is a table
#
# Four coins that nobody sees (`exogenous`), two labels and a picture of 2 x 2 pixels, each with
# the equation that makes it; `^` is exclusive or. `u_x` turns up in `x` and in `i`, `u_xy` in `x`
# and in `y`: those are the hidden common causes.

# %%
ASCM = """
graph: ascm-xy
exogenous:
  u_x:  {p: [0.4, 0.6]}
  u_y:  {p: [0.6, 0.4]}
  u_xy: {p: [0.5, 0.5]}
  u_i:  {p: [0.5, 0.5]}
nodes:
  x: {type: class, levels: 2, equation: u_x ^ u_xy}
  y: {type: class, levels: 2, equation: u_y ^ u_xy}
  i: {type: image, shape: [1, 2, 2], levels: 2, equation: [u_x & x, y, x ^ u_i, x ^ y ^ u_i]}
"""

# %% [markdown]
# The coins decide everything, so sixteen rows say all there is to say. A picture is shown as its
# code: the pixels, read as one binary number. 5 is 0101: the second and the fourth pixel are on.


# %%
def whole():
    model = cf.compile(cf.loads(ASCM))
    print(model.enumerate())
    return model


# %% [markdown]
# ## By hand: abduct, act, predict
#
# We see picture 5. What would it have been, had `x` been 1?
#
# *Abduct*: strike out the rows that do not show picture 5, and divide what is left by its sum.
# *Act*: in these rows, x is 1 whatever the coins say. *Predict*: work out the picture again.
# Three rows are left, and they show that the coins, independent before, no longer are: the
# posterior is one of combinations, and an engine that keeps a posterior for each coin gets it
# wrong.


# %%
def by_hand(model):
    rows = model.enumerate()
    u = rows.exogenous
    kept = [row for row, code in enumerate(rows.nodes["i"]) if code == 5]
    total = sum(rows.p[row] for row in kept)
    found = {}
    for row in kept:
        u_x, u_y, u_xy, u_i = (u[name][row] for name in ("u_x", "u_y", "u_xy", "u_i"))
        x, y = 1, u_y ^ u_xy
        code = int("".join(map(str, [u_x & x, y, x ^ u_i, x ^ y ^ u_i])), 2)
        weight = rows.p[row] / total
        print(f"u_x={u_x} u_y={u_y} u_xy={u_xy} u_i={u_i}: P = {weight}, picture {code}")
        found[code] = found.get(code, Fraction(0)) + weight
    return found


# %% [markdown]
# ## The same by `ask`
#
# `i[x=1]` is the picture in the world where x was set to 1. Behind the bar stands what is known
# of the actual world. A question may name several worlds, nest one in another, and ask about the
# coins themselves. `verdict` tells whether data alone could have answered: here they could not,
# the answer rests on the equations.


# %%
def asked(model):
    answer = model.ask("P(i[x=1] | i=5)")
    print(answer)
    print("identifiable from data:", bool(answer.verdict))
    print(model.ask("P(u_x, u_xy | i=5)"))
    print(model.ask("P(y[x=1]=1, i[x=0]=6 | i=5)"))
    return answer.table.to_dict(zeros=False)


# %% [markdown]
# ## A story with a moral
#
# A court orders, a captain signals, two riflemen fire; rifleman A is nervous one time in ten.
# The prisoner is dead. Would he live, had A held his fire? Hardly: a shot by A mostly means that
# there was an order, and then B has fired too. Pearl's formula and the engine agree.
#
# Quantities that have names can be asked by name: was A's shot *necessary* for the death (PN), was
# it *sufficient* (PS), what was its effect where it was fired (ETT)? The answer shows the question
# written out.


# %%
def firing_squad():
    model = cf.compile(cf.load(graph_path("classics/firing_squad")))
    answer = model.ask("P(dead[a=no]=no | dead=yes)")
    q, p = Fraction(3, 5), Fraction(1, 10)
    formula = (1 - q) * p / (1 - (1 - q) * (1 - p))
    print(f"{answer}; by Pearl's formula {formula}")
    for name in ("PN", "PS", "ETT"):
        print(name, model.ask(f"{name}(a=yes/no -> dead=yes/no)"))
    return abs(answer.value - formula)


# %% [markdown]
# ## When the model leaves it open
#
# A table of P(recovery | dose) is less than an equation: it does not say *who* recovers under
# which dose. Questions about one world do not care. A question about two worlds does, and is
# refused until the file says how chance enters: `monotone` (a patient who does well on little
# does at least as well on more), `gumbel` (the Gumbel-max model), `response` (what a patient
# would do under one dose says nothing of another).

# %%
DOSE = """
graph: dose
nodes:
  dose: {type: class, levels: [none, full], table: [1/2, 1/2]}
  recovery:
    type: class
    levels: [no, partly, fully]
    table: {none: [3/5, 3/10, 1/10], full: [1/5, 3/10, 1/2]}
    # noise
edges: [dose -> recovery]
"""
PATIENT = "P(recovery[dose=full]=fully | dose=none, recovery=no)"


def choices():
    silent = cf.compile(cf.loads(DOSE))
    print(silent.ask("P(recovery=fully | do(dose=full))"))
    try:
        silent.ask(PATIENT)
    except QueryError as error:
        print(error)
    found = {}
    for noise in ("monotone", "gumbel", "response"):
        model = cf.compile(cf.loads(DOSE.replace("# noise", f"noise: {noise}")))
        answer = model.ask(PATIENT)
        print(answer)
        found[noise] = answer.value
    return found


# %% [markdown]
# No experiment can tell the three apart: they agree on every table of doses and recoveries. What
# every model with these data agrees on is an interval, and `cf.bounds` finds it; the choices fall
# within.


# %%
def open_interval(found):
    joint = cf.compile(cf.loads(DOSE)).ask("P(dose, recovery)").table
    interval = cf.bounds(cf.loads(DOSE), PATIENT, joint)
    print(interval)
    return all(interval.low - 1e-9 <= p <= interval.high + 1e-9 for p in found.values())


# %% [markdown]
# ## Bounds on an effect
#
# Not even a model: men were assigned a cholesterol drug (z) or not, some took it (x), some got
# better (y), and why they took it is hidden. The effect of the drug is not identifiable, but it
# is not anything either. Balke & Pearl (1997) print [0.392, 0.780]: the drug helps, surely, 39
# of a hundred men at least.


# %%
def lipid():
    graph = cf.Graph(edges=["z -> x -> y", "x <-> y"])
    print(cf.identify(graph, "P(y | do(x))"))
    seen = [
        [0.919, 0, 0.081, 0],
        [0.315, 0.139, 0.073, 0.473],
    ]  # P(y, x | z): y0x0, y0x1, y1x0, y1x1
    data = cf.Table(["z", "y", "x"], np.reshape(seen, (2, 2, 2)))
    found = cf.bounds(graph, "E[y[x=1] - y[x=0]]", data)
    print(found)
    return max(abs(found.low - 0.392), abs(found.high - 0.780))


# %% [markdown]
# ## Many rows at once
#
# Conditions without a value are evidence: one value, or one for each row, and the answer has a
# table for each row. Averaged over the people, a counterfactual is an intervention: the sum of
# P(i[x=1] | evidence) P(evidence) over all evidence is P(i[x=1]). With rows drawn from the model
# that holds up to the error of so many draws.


# %%
def batch(model, rows):
    drawn = model.sample(rows)
    evidence = {name: drawn[name].numpy() for name in ("y", "i")}
    answer = model.ask("P(i[x=1] | y, i)", evidence)
    print(f"{answer.table.axes}: {rows:,} tables")
    sums = answer.table.sum("row").to_dict()
    truth = model.ask("P(i | do(x=1))").table.to_dict()
    for code, p in truth.items():
        print(f"P(i={code} | do(x=1)) = {p}, mean of the rows {float(sums[code] / rows):.4f}")
    return max(abs(float(sums[code] / rows - p)) for code, p in truth.items())


# %%
def main(rows=10_000):
    model = whole()
    hand, engine = by_hand(model), asked(model)
    published = {5: Fraction(6, 19), 6: Fraction(4, 19), 14: Fraction(9, 19)}
    pearl = firing_squad()
    found = choices()
    return {
        "by hand": float(hand != published),
        "ask": float(engine != published),
        "firing squad": float(pearl),
        "choices alike": float(len(set(found.values())) < len(found)),
        "choices outside": float(not open_interval(found)),
        "lipid": lipid(),
        "batch": batch(model, rows),
    }


if __name__ == "__main__":
    main()
