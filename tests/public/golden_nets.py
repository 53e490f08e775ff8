"""Nets: what tiny seeded networks abduct, predict, draw and answer after a few steps of training.

Pictures are Bar-MNIST on scikit-learn's digits at 8 x 8. Each kind of graph, each option of
training and each option of a call is one case; what is refused is kept as its message.
"""

from functools import cache, partial

import numpy as np
from golden_files import GRAPHS, digest, numbers, refused

import causalflow as cf

TOLERANCE = 4e-3
"""Without vector instructions the numbers differ by 2e-5, after the deepest training by 2e-3."""
ROWS = 24
FIT = {
    "steps": 4,
    "batch_size": 8,
    "learning_rate": 0.02,
    "warmup": 0,
    "ema": 0.5,
    "device": "cpu",
    "progress": False,
}
GRAPH = """
nodes:
  digit: {type: class, levels: 10REPRESENTED}
  color: {type: class, levels: [green, red]REPRESENTED}
  bar: {type: class, levels: [absent, present]}
  image:
    type: image
    shape: [3, 8, 8]
    diffusion: {width: 8, multipliers: [1], predictor_width: 4, steps: 3, guided_steps: 3OPTIONS}
edges:
"""
LABELS = "[digit -> color, color -> bar, digit <-> bar, "
EDGES = {
    "front door": LABELS + '"digit, bar -> image: neural", "color -> image: anticausal"]',
    "neural": LABELS + '"digit, color, bar -> image: neural"]',
    "anticausal": LABELS + '"digit, bar, color -> image: {kind: anticausal, scale: 0.7}"]',
    "back door": '[digit <-> color, "digit, color -> bar", "digit, bar -> image", '
    '"color -> image: anticausal"]',
    "apart": '["color, bar -> image: neural"]',
}
TRAINED = {
    "linear noise": "path: linear, prediction: noise, weighting: noise",
    "cosine data": "path: cosine, prediction: data, weighting: data",
    "linear-1000 noise": "path: linear-1000, prediction: noise, weighting: noise",
    "cosine-1000 min-snr": "path: cosine-1000, weighting: min-snr",
    "optimal coupling": "coupling: optimal",
    "code": "code: 4, code_weight: 0.5, code_independence: 0.1",
    "not reweighted": "reweighted: false",
    "null": "null_rate: 0.3",
    "blocks": "blocks: 2, anticausal: contrast",
}
CALLS = {
    **{
        f"solver {name}": {"solver": name, "guided_solver": name}
        for name in (
            "ddim",
            "ddim-fixed-point",
            "midpoint",
            "heun",
            "dpm++2m",
            "alf",
            "edict",
            "leapfrog",
            "difference",
            "ancestral",
        )
    },
    **{f"grid {name}": {"grid": name} for name in ("cosine", "uniform", "early")},
    **{
        f"guidance {name}": {"guidance": name, "strength": 2.0}
        for name in ("none", "free", "grouped", "delta")
    },
    **{f"anticausal {name}": {"anticausal": name} for name in ("hold", "contrast", "printed")},
    **{
        f"balance {name}": {"balance": name}
        for name in ("none", "printed", "preserving", "odds", "stopping")
    },
    "balanced": {"balance": "odds", "balance_push": 0.8, "balance_noise": 0.3, "balance_end": 0.5},
    **{
        f"schedule {name}": {"guidance": "free", "strength": 2.0, "schedule": name}
        for name in ("constant", "linear", "cosine", "middle")
    },
    "interval": {"guidance": "delta", "strength": 2.0, "guidance_interval": (0.02, 0.4)},
    "grain": {"grain": 1.0},
    "no residual": {"residual": False},
    "more steps": {"steps": 5, "guided_steps": 4},
    "number of guidance": {"guidance": 1.5},
    "unknown solver": {"solver": "hein"},
    "unknown option": {"solvr": "heun"},
}
CLASSES = """
nodes:
  z: {type: class, levels: 3, noise: NOISE}
  x: {type: class, levels: [low, middle, high], noise: NOISE}
  w: {type: continuous, noise: linear}
  y: {type: class, levels: [no, yes], noise: NOISE}
edges: [z -> x, "z, x, w -> y"]
"""
TABLES = """
nodes:
  x: {type: class, levels: 2, table: [1/4, 3/4]}
  y: {type: class, levels: 3, noise: NOISE, table: {0: [1/2, 1/4, 1/4], 1: [1/8, 3/8, 1/2]}}
  t: {type: continuous, noise: linear}
edges: [x -> y, y -> t]
"""
REALS = """
nodes:
  x: {type: continuous, unit: cm, noise: NOISE}
  k: {type: class, levels: [a, b]}
  y: {type: continuous, support: [0, .inf], noise: NOISE}
edges: [x -> y, k -> y]
"""
HIDDEN = """
nodes:
  x: {type: class, levels: 2}
  y: {type: class, levels: 3}
  t: {type: continuous}
edges: [x -> y, x <-> y, y -> t]
"""
SEEN = {"bar": 0, "color": 0}
EXPLICIT = {
    "morphomnist_scm": [
        "E[intensity | do(thickness=2)]",
        "E[intensity[thickness=2] | thickness=3, intensity=200]",
    ],
    "pendulum_scm": ["E[shadow_length | do(angle=20)]", "E[angle | do(shadow_length=5)]"],
    "causal_circuit_scm": ["E[red | do(arm=0.5)]", "E[red[blue=0.9] | red=0.5]"],
}


@cache
def pictures():
    return cf.data.bar_mnist("frontdoor", size=8, n=ROWS, source="digits")


@cache
def fitted(edges, options="", represented="", share=None):
    text = GRAPH.replace("OPTIONS", f", {options}" if options else "")
    text = text.replace("REPRESENTED", represented) + f"  {EDGES[edges]}\n"
    model = cf.compile(cf.loads(text))
    data = pictures()
    model.fit(data if share is None else data.with_labels(share), **FIT)
    return model


def evidence(rows=2):
    """The first rows, pictures in [0, 1]."""
    columns = {name: values[:rows] for name, values in pictures().columns.items()}
    return {name: np.array(values) for name, values in columns.items()}


def of_world(world):
    info = world.info
    return {name: numbers(values) for name, values in world.items()} | {
        "info": [
            float(info.network_calls),
            info.round_trip_error,
            dict(info.inferred),
            list(info.free),
            list(info.undetermined),
            list(info.open_noise),
        ]
    }


def of_call(edges, **options):
    """One counterfactual, one null intervention and two draws under the options of a call."""
    model, do = fitted(edges, "null_rate: 0.3"), {"color": "red", "bar": 0}
    calls = {
        "counterfactual": lambda: of_world(model.counterfactual(evidence(), do, **options)),
        "reconstruct": lambda: of_world(model.reconstruct(evidence(), **options)),
        "sample": lambda: of_world(model.sample(2, do, **options)),
    }
    return {name: refused(call) for name, call in calls.items()}


def of_trained(edges, options="", represented="", share=None):
    """All calls of a fitted model of pictures."""
    model = fitted(edges, options, represented, share)
    seen = {"image": evidence()["image"]}
    abduction = model.abduct(evidence(), residual=False)
    calls = {
        "replayed": lambda: of_world(model.predict(abduction, residual=False)),
        "predicted": lambda: of_world(model.predict(abduction, {"color": 0}, residual=False)),
        "counterfactual": lambda: of_world(model.counterfactual(evidence(), {"color": "green"})),
        "inferred": lambda: of_world(model.counterfactual(seen, {"color": "red"}, n=2)),
        "sample": lambda: of_world(model.sample(3, generator=7)),
        "labels": lambda: of_world(model.sample(12, nodes=["color", "bar"])),
        "ask": lambda: of_answer(model.ask("P(bar[color=red]=present)", SEEN, draws=600)),
        "describe": lambda: digest(model.describe().to_csv()),
    }
    return {name: refused(call) for name, call in calls.items()}


def of_answer(answer):
    values = [float(each) for each in np.asarray(answer.table.to_numpy(), float).reshape(-1)]
    return {
        "values": values,
        "error": float(answer.error),
        "route": answer.route,
        "assumptions": list(answer.assumptions),
    }


def represented():
    """All calls where labels enter the picture as vectors that are read off it."""
    given = ("neural", "null_rate: 0.1", ", representation: 4")
    vectors = fitted(*given).represent(evidence())
    return of_trained(*given) | {"vectors": {k: numbers(v) for k, v in vectors.items()}}


def asked_of_a_picture():
    """A question that is told a picture, and one about a picture that is refused."""
    model, image = fitted("front door"), evidence(1)["image"]
    query = "P(bar[color=red]=present | image, bar=absent)"
    return {
        "answer": refused(lambda: of_answer(model.ask(query, image=image, draws=200, steps=2))),
        "refused": refused(lambda: of_answer(model.ask("P(image | do(color=red))", draws=10))),
        "untold": refused(lambda: of_answer(model.ask(query, draws=10))),
    }


def untrained():
    """Seeded networks before any fit: what they draw, and that they are told to be untrained."""
    text = GRAPH.replace("OPTIONS", "").replace("REPRESENTED", "") + f"  {EDGES['neural']}\n"
    model = cf.compile(cf.loads(text), seed=3)
    return {"text": repr(model), "sample": refused(lambda: of_world(model.sample(2)))}


def confounded_picture():
    """A hidden cause of a picture is refused."""
    text = GRAPH.replace("OPTIONS", "").replace("REPRESENTED", "")
    return refused(
        cf.compile, cf.loads(text + '  ["color, bar -> image", "color <-> image: latent"]')
    )


def rows_of(names, seed=0, n=60):
    """Rows of labels that depend on one another; classes as indices."""
    generator = np.random.default_rng(seed)
    z, w = generator.integers(0, 3, n), generator.normal(size=n)
    x = np.clip(z + generator.integers(-1, 2, n), 0, 2)
    y = (x + w + generator.normal(size=n) > 1).astype(int)
    t = 2.0 * y + generator.normal(size=n)
    made = {"z": z, "w": w, "x": x, "y": y, "t": t, "k": z % 2}
    return {name: made[name] for name in names}


def of_labels(text, kinds, do, question, noise):
    """A model of labels alone: drawn, abducted, changed and asked."""
    graph = cf.loads(text.replace("NOISE", noise))
    model = cf.compile(graph)
    data = rows_of(graph.nodes) | kinds
    model.fit({name: data[name] for name in graph.nodes}, **(FIT | {"steps": 20}))
    first = {name: data[name][:4] for name in graph.nodes}
    partly = {name: values for name, values in first.items() if name != next(iter(graph.nodes))}
    calls = {
        "sample": lambda: of_world(model.sample(6, do)),
        "counterfactual": lambda: of_world(model.counterfactual(first, do)),
        "partly seen": lambda: of_world(model.counterfactual(partly, do, n=2)),
        "reconstruct": lambda: of_world(model.reconstruct(first)),
        "ask": lambda: of_answer(model.ask(question, draws=2000)),
        "describe": lambda: digest(" ".join(map(str, model.describe().columns))),
    }
    return {name: refused(call) for name, call in calls.items()}


def of_classes(noise):
    return of_labels(CLASSES, {}, {"x": "high"}, "P(y[x=low]=yes | x=high, y=yes)", noise)


def of_tables(noise):
    binary = {"x": rows_of("k")["k"], "y": rows_of("x")["x"]}
    return of_labels(TABLES, binary, {"x": 1}, "P(y[x=1] | x=0, y=0)", noise)


def of_reals(noise):
    generator = np.random.default_rng(1)
    x = generator.normal(size=60)
    real = {"x": x, "y": np.exp(0.5 * x + 0.2 * generator.normal(size=60))}
    return of_labels(REALS, real, {"x": 0.5}, "E[y[x=1] | x=0, y=1, k=a]", noise)


def of_hidden():
    return of_labels(
        HIDDEN,
        {"x": rows_of("k")["k"], "y": rows_of("x")["x"]},
        {"x": 1},
        "P(y[x=1] | x=0, y=0)",
        "",
    )


def of_explicit(name):
    """Draws, counterfactuals and simulated answers of a graph file of continuous equations."""
    model = cf.compile(cf.load(GRAPHS / f"{name}.yaml"))
    drawn = model.sample(4)
    node = next(iter(drawn))
    other = refused(lambda: of_world(model.counterfactual(dict(drawn), {node: drawn[node] * 0.9})))
    answers = {
        query: refused(lambda query=query: of_answer(model.ask(query, draws=2000)))
        for query in EXPLICIT[name]
    }
    return {"sample": of_world(drawn), "other": other, "answers": answers}


CASES = {
    "untrained": untrained,
    "confounded picture": confounded_picture,
    **{f"edges {name}": partial(of_trained, name) for name in EDGES},
    **{
        f"trained {name}": partial(of_trained, "front door", text) for name, text in TRAINED.items()
    },
    "represented": represented,
    "asked of a picture": asked_of_a_picture,
    "neural code": partial(of_trained, "neural", "code: 4, null_rate: 0.2"),
    "balanced": partial(
        of_trained,
        "anticausal",
        "balance: odds, path: linear-1000, prediction: noise, weighting: noise",
    ),
    "printed": partial(of_trained, "anticausal", "anticausal: printed"),
    "partly labelled": partial(of_trained, "front door", "null_rate: 0.2", share=0.5),
    "partly labelled posterior": partial(of_trained, "neural", "unlabelled: posterior", share=0.5),
    **{f"call {name}": partial(of_call, "front door", **given) for name, given in CALLS.items()},
    **{
        f"anticausal {name}": partial(of_call, "anticausal", **given)
        for name, given in CALLS.items()
        if name.startswith("balance")
    },
    **{
        f"neural {name}": partial(of_call, "neural", **given)
        for name, given in CALLS.items()
        if name.startswith(("guidance", "solver heun", "interval"))
    },
    **{f"classes {noise}": partial(of_classes, noise) for noise in ("gumbel", "monotone")},
    **{
        f"tables {noise}": partial(of_tables, noise) for noise in ("gumbel", "monotone", "response")
    },
    **{f"reals {noise}": partial(of_reals, noise) for noise in ("flow", "additive", "linear")},
    "hidden causes": of_hidden,
    **{f"explicit {name}": partial(of_explicit, name) for name in EXPLICIT},
}
