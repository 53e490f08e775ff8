# %% [markdown]
# # Counterfactuals that data do not decide
#
# A picture, its labels, and a graph of who listens to whom: is that enough to say what the picture
# would have been? Sometimes. This tutorial takes the two examples of the diffusion NCM (Sardesai,
# *Ctf-Editing using a Diffusion NCM*): four pixels whose true equations are known, and Bar-MNIST.
# Both are fitted to samples, asked, and held against the truth and against the *bounds*: the
# smallest and the largest answer of all models that the data allow.

# %%
import torch

import causalflow as cf
from causalflow.evaluation.readers import agreement, read_bar, read_color
from causalflow.shipped import checkpoint_path, graph_path

# %% [markdown]
# ## Four pixels
#
# `graphs/ascm_xy.yaml` has the equations, so the exact engine answers in fractions.
# `graphs/ascm_neural.yaml` has the graph alone: `x` and `y` decide the picture, hidden causes join
# `x` with `y` and `x` with the picture. Its model is fitted to rows, each `<->` a latent class.
#
# The fit reproduces what was seen. What it says of picture 5, had `x` been 1, is another matter:
# the graph says that P(picture 14 there) may be anything from 0 to 13/19.


# %%
def pixels(rows):
    exact = cf.compile(cf.load(graph_path("ascm_xy")))
    drawn = exact.sample(rows)
    bits = (drawn["i"].reshape(rows, 4) > 0.5).long()
    data = {"x": drawn["x"], "y": drawn["y"], "i": bits @ torch.tensor([8, 4, 2, 1])}
    model = cf.compile(cf.load(graph_path("ascm_neural")))
    model.fit(data, progress=False)
    return exact, model, data


def four_pixels(rows):
    exact, model, data = pixels(rows)
    graph = cf.Graph(edges=["x -> i", "y -> i", "x <-> y", "x <-> i"])
    seen = exact.ask("P(x, y, i)").table.to_float()
    for query in ("P(y=1 | do(x=1))", "P(i[x=1]=14 | i=5)"):
        true, found = float(exact.ask(query).value), model.ask(query).value
        print(f"{cf.bounds(graph, query, seen)}; fitted {found:.3f}, true {true:.3f}")
    effect = abs(model.ask("P(y=1 | do(x=1))").value - 0.5)
    # y is not below x: whatever was fitted, it is the same in both worlds
    there = model.counterfactual(data, {"x": 1 - data["x"]})
    moved = 1 - agreement(there["y"], data["y"])
    print(f"y is another under do(x) in {moved:.0%} of the rows")
    return effect, moved


# %% [markdown]
# ## Whose bar would be there?
#
# In Bar-MNIST's back-door graph a hidden cause joins digit and colour, and both decide the bar. A
# green 3 has a bar. Had it been red? The data tell P(bar | digit, colour), .735 for green and .615
# for red, and no more: of the digits with a bar, at least .476 and at most .837 keep it.
#
# A model has to choose. *Gumbel-max* noise, the default, is monotone for two levels: red takes bars
# away and gives none, so that .615/.735 = .837 keep theirs. *Response* noise is drawn for green and
# for red apart: .615. The true mechanism says 40/49 = .816, and nothing in the data can tell.

# %%
BACKDOOR = """
graph: bar-mnist-backdoor
nodes:
  digit: {type: class, levels: 10}
  color: {type: class, levels: [green, red]}
  bar:   {type: class, levels: [absent, present], noise: NOISE}
  image: {type: image, shape: [3, 28, 28]}
edges:
  - digit <-> color
  - digit, color -> bar
  - digit, color, bar -> image: neural
"""
LABELS = ("digit", "color", "bar")
QUERY = "P(bar[color=red]=present | digit=3, color=green, bar=present)"
LOW, HIGH, TRUTH = 0.4762, 0.8367, 40 / 49


def fitted(noise, rows):
    graph = cf.loads(BACKDOOR.replace("NOISE", noise))
    drawn = cf.compile(cf.load(graph_path("bar_mnist_backdoor_scm"))).sample(rows)
    model = cf.compile(graph)
    model.fit({name: drawn[name] for name in LABELS}, nodes=LABELS, progress=False)
    return model


def bars(rows):
    outside = []
    for noise in ("gumbel", "response"):
        found = fitted(noise, rows).ask(QUERY).value
        outside.append(max(LOW - found, found - HIGH, 0))
        print(f"{noise}: {found:.3f}; bounds {LOW:.3f} to {HIGH:.3f}, true {TRUTH:.3f}")
    return max(outside)


# %% [markdown]
# ## Off the pixels
#
# The picture is made of digit, colour and bar in the same way, whoever decides the three. So the
# image mechanism need not be fitted again: `transplant` takes it from the model that ships for the
# front-door graph. The noise of picture and labels is abducted once; under do() nothing looks at
# the factual picture any more.


# %%
def pictures(rows, images, steps):
    donor = cf.Model.load(checkpoint_path("bar_mnist_frontdoor_neural"))
    model = fitted("response", rows).transplant("image", donor)
    factual = model.sample(images, do={"color": "green"}, steps=steps)
    evidence = {name: factual[name] for name in (*LABELS, "image")}
    red = model.counterfactual(evidence, do={"color": "red"}, steps=steps)
    kept = agreement(red["digit"], factual["digit"])
    print(f"do(color=red): digit of the world kept in {kept:.0%}")
    print(f"  strokes red in {agreement(read_color(red['image']), 1):.0%}")
    print(f"  bar as in that world in {agreement(read_bar(red['image']), red['bar']):.0%}")
    return 1 - kept


# %%
def main(rows=100_000, images=16, steps=20):
    effect, moved = four_pixels(rows)
    return {
        "effect": effect,
        "moved": moved,
        "outside": bars(rows),
        "digit lost": pictures(rows, images, steps),
    }


if __name__ == "__main__":
    main()
