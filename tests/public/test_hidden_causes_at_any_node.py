"""A `<->` may join any nodes: what is identified is drawn right, what is not is a family."""

import itertools
import warnings

import numpy as np
import pytest

import causalflow as cf

CLASS, NUMBER = {"type": "class", "levels": 2}, {"type": "continuous"}
IMAGE = {"type": "image", "shape": [1, 4, 4], "diffusion": {"width": 8, "multipliers": [1]}}


# The language


def test_what_is_said_of_a_hidden_cause_comes_back_from_the_file():
    text = """
nodes:
  x: {type: class, levels: 2}
  y: {type: class, levels: 3}
  dark: {type: class, levels: 2}
  image: {type: image, shape: [1, 4, 4]}
edges:
  - x <-> image: {sensitivity: 2, on: [dark]}
  - "x <-> y: {cause: latent, states: 4}"
  - y <-> dark: noise
"""
    graph = cf.loads(text)
    assert cf.loads(graph.to_yaml()) == graph
    assert graph.cause("image", "x").sensitivity == 2
    assert graph.cause("x", "y").states == 4
    assert graph.cause("y", "dark").cause == "noise"
    assert graph != cf.loads(text.replace("states: 4", "states: 5"))


def test_through_stands_for_the_two_edges():
    nodes = {"x": CLASS, "ground": CLASS, "image": IMAGE}
    short = cf.Graph(nodes=nodes, edges=[{"x <-> image": {"through": "ground"}}])
    assert short == cf.Graph(nodes=nodes, edges=["x <-> ground", "ground -> image"])


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"states": 3}, "expected cause: latent beside it"),
        ({"sensitivity": 2}, "expected both"),
        ({"sensitivity": 0.5, "on": ["y"]}, "expected a number from 1"),
        ({"sensitivity": 2, "on": ["z"]}, "unknown node 'z'"),
        ({"through": "y", "states": 2}, "through stands alone"),
        ("nois", "did you mean 'noise'"),
    ],
)
def test_what_does_not_go_together_is_refused(said, says):
    with pytest.raises(cf.GraphError, match=says):
        cf.Graph(nodes={"x": CLASS, "y": NUMBER}, edges=[{"x <-> y": said}])


@pytest.mark.parametrize(
    ("nodes", "edges", "says"),
    [
        ({"a": IMAGE, "b": IMAGE}, ["a <-> b"], "joins two images"),
        ({"a": IMAGE, "b": CLASS}, ["a -> b", "a <-> b"], "goes round"),
        ({"a": NUMBER, "b": CLASS}, ["a <-> b: latent"], "class nodes alone"),
    ],
)
def test_what_has_no_mechanism_is_refused(nodes, edges, says):
    with pytest.raises(cf.CompileError, match=says):
        cf.compile(cf.Graph(nodes=nodes, edges=edges))


# Identified: the law of the draws


def law_of(order, edges, arcs, random):
    """A random model of binary nodes with a binary cause for each arc: do -> the joint table."""
    cause = {arc: random.dirichlet([1, 1]) for arc in arcs}
    above = {v: [a for a, b in edges if b == v] for v in order}
    hidden = {v: [k for k, arc in enumerate(arcs) if v in arc] for v in order}
    size = {v: (2,) * (len(above[v]) + len(hidden[v])) for v in order}
    table = {v: random.dirichlet([0.7, 0.7], size=size[v]) for v in order}

    def law(do):
        found = np.zeros((2,) * len(order))
        for u in itertools.product((0, 1), repeat=len(arcs)):
            for world in itertools.product((0, 1), repeat=len(order)):
                value = dict(zip(order, world, strict=True))
                p = np.prod([cause[arc][u[k]] for k, arc in enumerate(arcs)])
                for v in order:
                    cell = tuple(value[a] for a in above[v]) + tuple(u[k] for k in hidden[v])
                    p *= (value[v] == do[v]) if v in do else table[v][cell][value[v]]
                found[world] += p
        return found

    return law


def test_every_identified_law_of_random_graphs_is_drawn_right_or_refused():
    drawn, n = 0, 40_000
    for seed in range(40):
        random = np.random.default_rng(seed)
        order = [f"v{k}" for k in range(int(random.integers(3, 5)))]
        pairs = list(itertools.combinations(order, 2))
        edges = [pair for pair in pairs if random.random() < 0.5]
        arcs = [pair for pair in pairs if random.random() < 0.35]
        if not arcs:
            continue
        law = law_of(order, edges, arcs, random)
        rows = random.choice(2 ** len(order), n, p=law({}).ravel())
        columns = dict(zip(order, np.unravel_index(rows, (2,) * len(order)), strict=True))
        hidden = [{f"{a} <-> {b}": "noise"} for a, b in arcs]
        links = [f"{a} -> {b}" for a, b in edges]
        graph = cf.Graph(nodes=dict.fromkeys(order, CLASS), edges=[*links, *hidden])
        model = cf.compile(graph)
        model.fit(columns, progress=False)
        for x, y in itertools.permutations(order, 2):
            verdict = cf.identify(graph, f"P({y} | do({x}=1))")
            with warnings.catch_warnings():
                warnings.simplefilter("error", cf.CausalflowWarning)
                try:
                    world = model.sample(n, do={x: 1}, nodes=[y], generator=0)
                except (cf.EvidenceError, cf.CausalflowWarning):
                    continue
            assert verdict.identifiable
            truth = np.take(law({x: 1}), 1, axis=order.index(y)).sum()
            share = float(world[y].double().mean())
            assert abs(share - truth) < 0.03, (seed, x, y)  # 5 errors of 40,000 rows, cut in parts
            drawn += 1
    assert drawn > 80


def front_door(n=6000, seed=0):
    random = np.random.default_rng(seed)
    hidden = random.normal(size=n)
    t = hidden + 0.7 * random.normal(size=n)
    m = 0.8 * t + 0.5 * random.normal(size=n)
    return {"t": t, "m": m, "y": 1.5 * m + 2 * hidden + 0.3 * random.normal(size=n)}


@pytest.mark.parametrize("noise", ["linear", "auto"])
def test_a_front_door_of_numbers_is_drawn_and_asked_right(noise):
    rows = front_door()
    nodes = {name: {"type": "continuous", "noise": noise} for name in rows}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["t -> m -> y", "t <-> y"]))
    model.fit(rows, progress=False)
    naive = np.polyfit(rows["t"], rows["y"], 1)[0]
    slope = model.ask("E[y | do(t=2)] - E[y | do(t=0)]").value / 2
    assert naive > 2
    assert abs(slope - 1.2) < 0.15  # 5 standard errors of 6,000 rows
    world = model.counterfactual({n: v[:50] for n, v in rows.items()}, do={"m": 0.0})
    assert np.abs(world["y"].numpy() - (rows["y"] - 1.5 * rows["m"])[:50]).max() < 0.5
    same = model.counterfactual({n: v[:50] for n, v in rows.items()}, do={})
    assert np.abs(same["y"].numpy() - rows["y"][:50]).max() < 1e-9


def test_a_class_with_parents_that_is_heard_tells_its_listener_of_them():
    random, n = np.random.default_rng(0), 8000
    w, hidden = random.integers(0, 2, n), random.random(n)
    x = (hidden > np.where(w == 1, 0.3, 0.6)).astype(int)
    m = x + 0.5 * random.normal(size=n)
    rows = {"w": w, "x": x, "m": m, "y": m + 3 * hidden + 0.2 * random.normal(size=n)}
    nodes = {"w": CLASS, "x": CLASS, "m": NUMBER, "y": NUMBER}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["w -> x -> m -> y", "x <-> y"]))
    model.fit(rows, progress=False)
    for value in (0, 1):
        answer = model.ask("E[y | do(x)]", x=value).value
        assert abs(answer - (value + 1.5)) < 0.07  # the rank of x alone gives 2.60 at x = 1


def test_what_a_listener_hears_is_kept_in_all_worlds_and_saved(tmp_path):
    rows = front_door(500)
    model = cf.compile(
        cf.Graph(nodes=dict.fromkeys(rows, NUMBER), edges=["t -> m -> y", "t <-> y"])
    )
    model.fit(rows, progress=False)
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    few = {name: value[:20] for name, value in rows.items()}
    first, second = (each.counterfactual(few, do={"t": 1.0}) for each in (model, again))
    assert (first["y"] == second["y"]).all()
    both = model.counterfactual(few, do={"t": 5.0, "m": few["m"]})
    assert np.abs(both["y"].numpy() - few["y"]).max() < 1e-9  # no descendant of what is set
    listens = model.describe().set_index("node").loc["y", "parents"]
    assert listens == "m, noise of t"


# Not identified: a family


def bow(n=5000, seed=0):
    random = np.random.default_rng(seed)
    hidden = random.random(n) < 0.5
    x = (random.random(n) < np.where(hidden, 0.8, 0.2)).astype(int)
    return {"x": x, "y": (random.random(n) < np.where(hidden, 0.7, 0.2) + 0.1 * x).astype(int)}


@pytest.mark.parametrize("code", [None, 8])
def test_a_picture_that_listens_has_no_code_but_one_that_is_stated(tmp_path, code):
    said = {} if code is None else {"code": code}
    image = {**IMAGE, "diffusion": {**IMAGE["diffusion"], **said}}
    edges = ["x -> image", "x <-> image"]
    model = cf.compile(cf.Graph(nodes={"x": CLASS, "image": image}, edges=edges))
    deaf = cf.compile(cf.Graph(nodes={"x": CLASS, "image": image}, edges=edges[:1]))
    rows = {"x": [0, 1] * 8, "image": np.zeros((16, 1, 4, 4), np.uint8)}
    model.fit(rows, steps=1, progress=False)
    model.save(tmp_path / "model.safetensors")
    told = "none (it listens to a hidden cause)" if code is None else "8"
    for each in (model, cf.Model.load(tmp_path / "model.safetensors")):
        assert f"code {told}" in str(each.describe().mechanism.iloc[-1])
    assert f"code {code or 32}" in str(deaf.describe().mechanism.iloc[-1])


def test_a_bow_is_two_ends_never_one_number():
    rows = bow()
    edges = ["x -> y", {"x <-> y": {"cause": "noise", "sensitivity": 2, "on": ["y"]}}]
    model = cf.compile(cf.Graph(nodes={"x": CLASS, "y": CLASS}, edges=edges))
    model.fit(rows, progress=False)
    with pytest.raises(cf.EvidenceError, match="not identified"):
        model.ask("P(y=1 | do(x=1))")
    with pytest.warns(cf.CausalflowWarning, match="one member of a family"):
        world = model.counterfactual({n: v[:9] for n, v in rows.items()}, do={"x": 1})
    assert "not identified" in world.info.assumptions[0]
    found = model.family("P(y=1 | do(x=1))", rows)
    x, y = rows["x"] == 1, rows["y"] == 1
    p, pi = y[x].mean(), x.mean()
    assert found.bounds.low == pytest.approx((x & y).mean(), abs=1e-9)
    assert found.bounds.high == pytest.approx((x & y).mean() + 1 - pi, abs=1e-9)
    assert found.ratio == 2
    assert found.low == pytest.approx(pi * p + (1 - pi) * max(p / 2, 1 - 2 * (1 - p)), abs=1e-9)
    assert found.high == pytest.approx(pi * p + (1 - pi) * min(2 * p, 1 - (1 - p) / 2), abs=1e-9)
    assert found.bounds.low < 0.55 < found.bounds.high  # the truth
    assert model.family("P(y=1 | do(x=1))", rows, ratio=1).low == pytest.approx(p, abs=1e-9)
    assert "density ratio" in str(found)


def test_replayed_noise_says_what_is_open_too():
    rows = bow()
    edges = ["x -> y", {"x <-> y": {"cause": "noise", "sensitivity": 2, "on": ["y"]}}]
    model = cf.compile(cf.Graph(nodes={"x": CLASS, "y": CLASS}, edges=edges))
    model.fit(rows, progress=False)
    noise = model.abduct({n: v[:9] for n, v in rows.items()})
    assert not model.predict(noise).info.assumptions
    assert not model.predict(noise, {"x": rows["x"][:9]}).info.assumptions
    with pytest.warns(cf.CausalflowWarning, match="predict: .* one member of a family"):
        assert "not identified" in model.predict(noise, {"x": 1}).info.assumptions[0]


def test_of_a_bow_no_row_tells_what_holds_whatever_the_noise():
    rows = bow()
    model = cf.compile(cf.Graph(nodes={"x": CLASS, "y": CLASS}, edges=["x -> y", "x <-> y: noise"]))
    model.fit(rows, progress=False)
    few = {name: value[:20] for name, value in rows.items()}
    with pytest.warns(cf.CausalflowWarning, match="individuals: .* not identified"):
        found = cf.individuals(model, few, {"x": 1}, draws=50)
    assert "not identified" in found.assumptions[-1]
    ends, changed = found["y"].any_noise, few["x"] == 0
    assert (ends[changed] == [0, 1]).all()
    assert (ends[~changed, :, 0] == ends[~changed, :, 1]).all()


def test_a_mechanism_that_listens_is_neither_taken_over_nor_distilled():
    rows, nodes = bow(), {"x": CLASS, "y": NUMBER}
    graph = cf.Graph(nodes=nodes, edges=["x -> y", "x <-> y"])
    donor = cf.compile(graph)
    donor.fit({**rows, "y": rows["y"] + 0.5}, progress=False)
    with pytest.raises(cf.CompileError, match="'y' of the donor listens to the noise of 'x'"):
        cf.compile(graph).transplant("y", donor)
    seen = {"x": [0, 1] * 8, "image": np.zeros((16, 1, 4, 4), np.uint8)}
    pictured = cf.Graph(nodes={"x": CLASS, "image": IMAGE}, edges=["x -> image", "x <-> image"])
    model = cf.compile(pictured)
    model.fit(seen, steps=1, progress=False)
    with pytest.raises(cf.CompileError, match="a hidden cause, to be set"):
        model.distill(seen, steps=1, progress=False)


@pytest.mark.parametrize("noise", ["linear", "auto"])
def test_a_bow_of_numbers_has_no_closed_form_either(noise):
    random = np.random.default_rng(0)
    hidden = random.normal(size=4000)
    t = hidden + 0.7 * random.normal(size=4000)
    rows = {"t": t, "y": t + 2 * hidden + random.normal(size=4000)}
    nodes = {name: {"type": "continuous", "noise": noise} for name in rows}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["t -> y", "t <-> y"]))
    model.fit(rows, progress=False)
    for query in ("E[y | do(t=1)]", "E[y[t=1] - y[t=0]]", "E[y[t=1] | t=0, y=1]"):
        with pytest.raises(cf.EvidenceError, match="not identified"):
            model.ask(query)
    assert abs(model.ask("E[y | t=1]").value - (1 + 2 / 1.49)) < 0.2
    with pytest.warns(cf.CausalflowWarning, match="one member of a family"):
        world = model.sample(4000, do={"t": 1.0}, generator=0)
    assert abs(float(world["y"].mean()) - (1 + 2 / 1.49)) < 0.2  # that of rows with t = 1


def test_an_instrument_of_lines_says_that_a_rank_is_assumed():
    random = np.random.default_rng(0)
    z, hidden = random.normal(size=(2, 6000))
    t = z + hidden + 0.5 * random.normal(size=6000)
    rows = {"z": z, "t": t, "y": 1.5 * t + 2 * hidden + 0.3 * random.normal(size=6000)}
    nodes = {name: {"type": "continuous", "noise": "linear"} for name in rows}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["z -> t -> y", "t <-> y"]))
    model.fit(rows, progress=False)
    with pytest.warns(cf.CausalflowWarning, match="not identifiable from P"):
        answer = model.ask("E[y | do(t=1)]")
    assert abs(answer.value - 1.5) < 0.15
    assert any("(rank)" in each for each in answer.notes)


def test_attributes_are_read_off_the_picture():
    rows = bow()
    pictures = np.where(rows["y"], 0.2, 0.8)[:, None, None, None] + np.zeros((1, 1, 4, 4))
    graph = cf.Graph(nodes={"x": CLASS, "image": IMAGE}, edges=["x -> image", "x <-> image"])
    data = {"x": rows["x"], "image": pictures.astype(np.float32)}
    found = cf.compile(graph).family(
        "P(dark[x=1]=1 | x=0, dark=1)",
        data,
        read={"dark": lambda image: image.mean((1, 2, 3)) < 0.5},
    )
    assert (found.bounds.low, found.bounds.high) == (0, 1)


# Pictures


def test_a_picture_listens_and_keeps_what_the_hidden_cause_decides():
    random, n = np.random.default_rng(0), 1500
    hidden = random.random(n) < 0.5
    x = (random.random(n) < np.where(hidden, 0.9, 0.1)).astype(int)
    m = (random.random(n) < np.where(x == 1, 0.8, 0.2)).astype(int)
    pictures = random.normal(0.2, 0.02, (n, 1, 8, 8))
    pictures[:, :, :4] += 0.6 * m[:, None, None, None]
    pictures[:, :, 4:] += 0.6 * hidden[:, None, None, None]
    rows = {"x": x, "m": m, "image": pictures.clip(0, 1).astype(np.float32)}
    small = {"type": "image", "shape": [1, 8, 8], "diffusion": {"width": 16, "multipliers": [1, 2]}}
    nodes = {"x": CLASS, "m": CLASS, "image": small}
    model = cf.compile(cf.Graph(nodes=nodes, edges=["x -> m", "m -> image", "x <-> image"]))
    model.fit(rows, steps=300, batch_size=64, progress=False)
    few = {name: value[:40] for name, value in rows.items()}
    world = model.counterfactual(few, do={"m": 1 - few["m"]}, steps=12)
    lower = world["image"][:, 0, 4:].mean((1, 2)).numpy() > 0.5
    assert (lower == hidden[:40]).mean() > 0.95
    same = model.counterfactual(few, do={}, steps=12)
    assert np.abs(same["image"].numpy() - few["image"]).max() < 1e-6
    drawn = model.sample(200, do={"x": 1}, steps=12, generator=0)["image"]
    share = float((drawn[:, 0, 4:].mean((1, 2)) > 0.5).double().mean())
    assert abs(share - 0.5) < 0.2  # P(hidden), not the 0.9 of the rows with x = 1
