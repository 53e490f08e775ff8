# %% [markdown]
# # Few calls
#
# A counterfactual picture takes two walks through a diffusion model: up, from the picture to its
# noise, and down again under other labels. The papers take a thousand steps each way, and still
# do not get the factual picture back. This tutorial walks with forty-three calls of the network,
# and with eight, gets it back exactly, and holds what comes out against the true counterfactual.

# %%
import torch

import causalflow as cf
from causalflow.evaluation.axioms import composition, largest_error, true_error
from causalflow.evaluation.readers import agreement, read_bar, read_color

# %% [markdown]
# ## A model
#
# Digits in colour under a bar, as in the first tutorial, with every edge into the image neural.
# `image=cf.Diffusion(...)` sets the options of the node called `image`: here, hide a parent from
# the network in one row of ten, which some guidances need. 3,200 steps take twenty minutes on two
# cores.

# %%
GRAPH = """
graph: few-calls
nodes:
  digit: {type: class, levels: 10}
  color: {type: class, levels: [green, red]}
  bar:   {type: class, levels: [absent, present]}
  image: {type: image, shape: [3, 16, 16]}
edges:
  - digit -> color
  - color -> bar
  - digit <-> bar
  - digit, color, bar -> image: neural
"""


def fitted(steps):
    model = cf.compile(cf.loads(GRAPH), image=cf.Diffusion(null_rate=0.1))
    model.fit(cf.data.bar_mnist("frontdoor"), steps=steps, progress=steps > 50)
    return model


# %% [markdown]
# ## Get the picture back
#
# Change nothing, and the picture should come back. `ddim` is the papers' solver; `alf`
# (asynchronous leap-frog) undoes each of its steps exactly, so it does not matter how few there
# are. `difference` keeps what its few calls miss of the factual picture, and follows the change
# alone; its `times` say where on the way it asks the network. `residual=False` leaves out the
# remedy for the others: what decoding misses of the factual picture is kept as part of its noise,
# and put back. With it, every solver gives the picture back.

# %%
SOLVERS = {
    "ddim, 100 steps": {"solver": "ddim", "steps": 100},
    "midpoint, 10 steps": {"solver": "midpoint", "steps": 10},
    "alf, 20 steps": {"solver": "alf", "steps": 20},
    "difference": {"solver": cf.Difference(times=(0.1, 0.3, 0.8))},
}


def get_back(model, evidence):
    found = {}
    for name, options in SOLVERS.items():
        world = model.reconstruct(evidence, residual=False, **options)
        found[name] = composition(evidence["image"], world["image"]).value
        print(
            f"{name:18} {world.info.network_calls:4.0f} calls, off by {found[name]:.2g} grey "
            f"levels, {largest_error(evidence['image'], world['image']):.2g} at most"
        )
    kept = model.reconstruct(evidence, solver="ddim", steps=100)
    found["residual"] = composition(evidence["image"], kept["image"]).value
    print(f"ddim, with its residual: {found['residual']:.2g}")
    return found


# %% [markdown]
# ## Hold it against the truth
#
# The data know what each picture would have been in the other colour. The bar is held, so that
# the picture alone is judged. The picture left as it was is the baseline that everything must
# beat. More steps hardly help: what is left is the network's error, not the solver's.


# %%
def against_the_truth(model, data, evidence):
    do = {"color": 1 - evidence["color"], "bar": evidence["bar"]}
    truth = data.true_counterfactual(range(len(data)), do)["image"]
    print(f"unchanged: {true_error(evidence['image'], truth).value:.2f} grey levels")
    found = {}
    for name, options in SOLVERS.items():
        world = model.counterfactual(evidence, do=do, **options)
        found[name] = true_error(world["image"], truth).value
        print(f"{name:18} {world.info.network_calls:4.0f} calls, off by {found[name]:.2f}")
    return found


# %% [markdown]
# ## Guide
#
# A network that was trained briefly may not do all it is told. Guidance insists: `delta` goes
# beyond the new labels, away from the old ones. It acts only where a label has changed, so a null
# intervention is left alone whatever its strength; `grouped` is as careful, and compares with
# networks that were not told the changed label at all. A guided walk is not the way back of the
# walk up, so it is made by another, stable solver (`guided_solver`).


# %%
def guided(model, evidence):
    do = {"color": 1 - evidence["color"], "bar": evidence["bar"]}
    found = {}
    for name, options in {
        "none": {},
        "delta": {"guidance": "delta", "strength": 2.0},
        "grouped": {"guidance": "grouped", "strength": 2.0},
    }.items():
        world = model.counterfactual(evidence, do=do, **options)
        colored = agreement(read_color(world["image"]), world["color"])
        kept = agreement(read_bar(world["image"]), evidence["bar"])
        cost = f"{name:8} {world.info.network_calls:4.0f} calls"
        print(f"{cost}, {colored:.0%} have the new colour, {kept:.0%} their bar")
        nothing = model.reconstruct(evidence, **options)
        found[name] = composition(evidence["image"], nothing["image"]).value
    return found


# %%
def main(steps=3200, images=64):
    data = cf.data.bar_mnist("frontdoor", split="test", n=images)
    evidence = {name: torch.as_tensor(column) for name, column in data.columns.items()}
    evidence["image"] = evidence["image"] / 255
    model = fitted(steps)
    back = get_back(model, evidence)
    truth = against_the_truth(model, data, evidence)
    null = guided(model, evidence)
    return {
        "back": max(back["alf, 20 steps"], back["difference"]),
        "residual": back["residual"],
        "guided null": max(null.values()),
        "spread": max(truth.values()) - min(truth.values()),
    }


if __name__ == "__main__":
    main()
