"""The face: every public name, and the members and parameters of what can be called.

A name or a parameter that is kept and no longer found is lost; what is new is not seen here. That
a callable takes ``**options`` is not kept: the options themselves are called in the other areas.
"""

import inspect
from functools import partial

from golden_files import GRAPHS

import causalflow as cf

TOLERANCE = 0.0
OPEN = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def bow():
    return cf.load(GRAPHS / "literature" / "bow.yaml")


def model():
    return cf.compile(cf.load(GRAPHS / "ascm_xy.yaml"))


def bounds():
    table = cf.Table(["x", "y"], [[0.1, 0.3], [0.2, 0.4]])
    return cf.bounds(bow(), "P(y=1 | do(x=1))", table)


def estimate():
    graph = cf.Graph(edges=["x -> y"])
    return cf.identify(graph, "P(y | do(x))").estimate({"x": [0, 1, 0, 1], "y": [0, 1, 1, 0]})


OBJECTS = {
    "Model": model,
    "Graph": bow,
    "Verdict": lambda: cf.identify(bow(), "P(y | do(x))"),
    "Proof": lambda: cf.identify(cf.Graph(edges=["x -> y"]), "P(y | do(x))").proof,
    "Hedge": lambda: cf.identify(bow(), "P(y | do(x))").hedge,
    "Answer": lambda: model().ask("P(x)"),
    "Table": lambda: model().ask("P(x)").table,
    "Diffusion": cf.Diffusion,
    "World": lambda: model().sample(2),
    "Info": lambda: model().sample(2).info,
    "Abduction": lambda: model().abduct(dict(model().sample(2))),
    "Enumeration": lambda: model().enumerate(),
    "Bounds": bounds,
    "Estimate": estimate,
    "Query": lambda: cf.parse_query("P(y[x=1] | x=0)"),
    "bar_mnist": lambda: cf.data.bar_mnist(n=2, size=8, source="digits"),
    "pendulum": lambda: cf.data.pendulum(n=2, size=16),
    "causal_circuit": lambda: cf.data.causal_circuit(n=2, size=16, synthetic=True),
    "colored_mnist": lambda: cf.data.colored_mnist(n=2, source="digits"),
}


def parameters(value):
    """The names of the parameters of a callable; None where it has no signature."""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [each.name for each in found if each.kind not in OPEN]


def of_names(module):
    """Each exported name, with the parameters where it can be called."""
    values = {name: getattr(module, name) for name in module.__all__}
    return {name: parameters(value) if callable(value) else [] for name, value in values.items()}


def of_object(make):
    """Each public member of an object, with the parameters of its methods."""
    found = make()
    names = [name for name in dir(found) if not name.startswith("_")]
    members = {name: getattr(type(found), name, None) for name in names}
    return {n: parameters(m) if inspect.isroutine(m) else [] for n, m in members.items()}


def of_defaults():
    """The options of an image node and their defaults: these must be equal."""
    default = cf.Diffusion()
    names = inspect.signature(cf.Diffusion).parameters
    return {name: repr(getattr(default, name)) for name in names if hasattr(default, name)}


def compare(found, golden, _):
    """What is kept and no longer found; defaults must be equal."""
    for name, kept in golden.items():
        if name not in found:
            yield f"{name}: lost"
        elif isinstance(kept, list):
            lost = [each for each in kept if each not in (found[name] or [])]
            yield from (f"{name}: parameter '{each}' lost" for each in lost)
        elif found[name] != kept:
            yield f"{name}: {found[name]!r}; golden {kept!r}"


CASES = {
    "causalflow": partial(of_names, cf),
    "causalflow.data": partial(of_names, cf.data),
    "defaults": of_defaults,
    **{f"object {name}": partial(of_object, make) for name, make in OBJECTS.items()},
}
