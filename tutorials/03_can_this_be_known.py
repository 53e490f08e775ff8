# %% [markdown]
# # Can this be known?
#
# Some causal questions follow from data, some do not, however much data there is. Which is which is
# a matter of the causal graph, and can be decided before a single row is collected. `cf.identify`
# decides it: a *yes* comes with a formula and a proof, a *no* with the structure that forbids it.
#
# Every claim below is held against a model that we know completely, because we wrote it.

# %%
from pathlib import Path

import causalflow as cf

# %% [markdown]
# ## Yes: the front door
#
# Does smoking cause cancer, or does a gene cause both? The gene was never measured (`<->`). But
# smoking works through tar, and the gene has no hand in tar. That is enough: three uses of the
# do-calculus turn the effect into quantities of P(v) alone. Each line of the proof names the rule,
# and the separation in the graph that it rests on.

# %%
SMOKING = """
graph: smoking
exogenous:
  gene: {p: [0.6, 0.4]}
  u_s:  {p: [0.7, 0.3]}
  u_t:  {p: [0.8, 0.2]}
  u_c:  {p: [0.9, 0.1]}
nodes:
  smoking: {type: class, levels: [no, yes], equation: gene ^ u_s}
  tar:     {type: class, levels: [no, yes], equation: smoking ^ u_t}
  cancer:  {type: class, levels: [no, yes], equation: (tar & gene) ^ u_c}
"""


def number(table):
    """The one number of a table without axes."""
    return float(table.to_dict()[()])


def front_door(rows):
    model = cf.compile(cf.loads(SMOKING))
    question = "P(cancer=yes | do(smoking=yes))"
    verdict = cf.identify(model.graph, question)
    print(verdict.text(proof=True))
    seen = float(model.ask("P(cancer=yes | smoking=yes)").value)
    truth = float(model.ask(question).value)
    known = number(verdict.evaluate(model.ask("P(smoking, tar, cancer)").table))
    print(f"seen {seen:.4f}; computed from P(v) {known:.4f}; true {truth:.4f}")
    sample = {name: column.numpy() for name, column in model.sample(rows).items()}
    found = verdict.estimate(sample)
    print(found)
    return {"front door": abs(known - truth), "rows": abs(number(found.table) - truth)}


# %% [markdown]
# ## No: the bow
#
# Take away the tar, and nothing is left to hold on to. The verdict names the *hedge*: two nested
# sets of nodes, joined by hidden causes, of which only the outer one has the treatment. Wherever
# there is one, two models exist that agree on all that can be observed and disagree on the effect.
# Here they are: in the first the drug does all, in the second the gene does.

# %%
BOW = """
exogenous: {{gene: {{p: [1/2, 1/2]}}}}
nodes:
  drug: {{type: class, levels: 2, equation: gene}}
  cure: {{type: class, levels: 2, equation: "{cure}"}}
"""


def bow(folder):
    graph = cf.Graph(edges=["drug -> cure", "drug <-> cure"])
    verdict = cf.identify(graph, "P(cure=1 | do(drug=1))")
    print(verdict)
    print("drawn:", cf.plot_graph(graph, Path(folder) / "hedge.png", highlight=verdict.hedge))
    pair = [cf.compile(cf.loads(BOW.format(cure=cure))) for cure in ("drug", "gene")]
    seen = [model.ask("P(drug, cure)").table.to_dict() for model in pair]
    effects = [model.ask("P(cure=1 | do(drug=1))").value for model in pair]
    print(f"the same data: {seen[0] == seen[1]}; effects {effects[0]} and {effects[1]}")
    return {"bow": float(seen[0] != seen[1] or effects[0] == effects[1])}


# %% [markdown]
# ## Experiments are data too
#
# Perhaps the drug cannot be randomised, but the advice to take it can. Name the distributions that
# you have. A formula may draw on several, and says which of them each term comes from.

# %%
ADVICE = """
graph: advice
exogenous:
  hidden: {p: [0.5, 0.5]}
  other:  {p: [0.3, 0.7]}
  u_a:    {p: [0.75, 0.25]}
  u_d:    {p: [0.8, 0.2]}
  u_c:    {p: [0.85, 0.15]}
nodes:
  advice: {type: class, levels: 2, equation: hidden ^ other ^ u_a}
  drug:   {type: class, levels: 2, equation: (advice & hidden) ^ u_d}
  cure:   {type: class, levels: 2, equation: (drug & other) ^ u_c}
"""


def experiments():
    model = cf.compile(cf.loads(ADVICE))
    question = "P(cure=1 | do(drug=1))"
    print(cf.identify(model.graph, question).text().splitlines()[0])
    trial = "P(v | do(advice))"
    verdict = cf.identify(model.graph, question, data=["P(v)", trial])
    print(verdict)
    tables = {
        "P(v)": model.ask("P(advice, drug, cure)").table,
        trial: model.ask("P(drug, cure | do(advice))").table,
    }
    found = number(verdict.evaluate(tables))
    truth = float(model.ask(question).value)
    print(f"from the trial of the advice: {found:.4f}; true {truth:.4f}")
    return {"experiment": abs(found - truth)}


# %% [markdown]
# ## What no experiment tells
#
# She took the drug and was cured. Would she have been cured without it? That is the probability of
# necessity, PN: a statement about two worlds at once, of which anybody lives in only one. Not even
# all experiments together determine it. But they leave an interval, and the data narrow it.

# %%
NECESSITY = """
graph: necessity
exogenous:
  coin:  {p: [0.4, 0.6]}
  kind:  {p: [0.2, 0.3, 0.4, 0.1]}
nodes:
  drug: {type: class, levels: 2, equation: coin}
  cure: {type: class, levels: 2, equation: (kind == 2) | (kind == 1) & drug | (kind == 3) & ~drug}
"""


def necessity():
    model = cf.compile(cf.loads(NECESSITY))
    print(cf.identify(model.graph, "PN(drug -> cure)", data="experimental"))
    found = cf.bounds(model.graph, "PN(drug -> cure)", model.ask("P(drug, cure)").table)
    truth = float(model.ask("PN(drug -> cure)").value)
    print(f"{found}; true {truth:.4f}")
    return {"necessity": max(0.0, found.low - truth, truth - found.high)}


# %% [markdown]
# ## Quantities with names
#
# How much of the drug's effect does not go by way of sleep? The natural direct effect, NDE, is
# nested: cure under the drug, with the sleep she would have had without. `ETT`, `PN`, `PS`, `PNS`,
# `NDE`, `NIE`, `CDE`, path-specific effects and the counterfactual ones of fairness go by name.
# Age, which matters for everything, finds its place in the mediation formula.

# %%
SLEEP = """
graph: sleep
exogenous:
  u_age: {p: [0.55, 0.45]}
  u_d:   {p: [0.7, 0.3]}
  u_s:   {p: [0.8, 0.2]}
  u_c:   {p: [0.9, 0.1]}
nodes:
  age:   {type: class, levels: 2, equation: u_age}
  drug:  {type: class, levels: 2, equation: age ^ u_d}
  sleep: {type: class, levels: 2, equation: drug ^ u_s}
  cure:  {type: class, levels: 2, equation: (drug & sleep | age & sleep) ^ u_c}
"""


def named():
    model = cf.compile(cf.loads(SLEEP))
    joint = model.ask("P(age, drug, sleep, cure)").table
    errors = {}
    for name in ("NDE(drug -> cure)", "NIE(drug -> cure)", "ETT(drug -> cure)"):
        verdict = cf.identify(model.graph, name)
        found, truth = number(verdict.evaluate(joint)), float(model.ask(name).value)
        print(f"{name} = {found:.4f}, true {truth:.4f}")
        print(*(f"  {each}" for each in verdict.short_answers), sep="\n")
        errors[name[:3]] = abs(found - truth)
    return errors


# %%
def main(rows=20_000, folder="."):
    return {**front_door(rows), **bow(folder), **experiments(), **necessity(), **named()}


if __name__ == "__main__":
    main()
