"""`causalflow check` says of a typed graph what `compile` would refuse, by the same sentence."""

import itertools
import json
import random

import pytest

import causalflow as cf

TYPES = {
    "class": {"type": "class", "levels": 2},
    "many": {"type": "class", "levels": 70},
    "response": {"type": "class", "levels": 3, "noise": "response"},
    "coin": {"type": "class", "levels": 2, "equation": "u"},
    "linear": {"type": "continuous", "noise": "linear"},
    "flow": {"type": "continuous"},
    "told": {"type": "continuous", "representation": 2},
    "image": {"type": "image", "shape": [1, 4, 4], "diffusion": {"width": 8, "multipliers": [1]}},
    "wide": {"type": "image", "shape": [1, 8, 8], "diffusion": {"width": 5000, "multipliers": [2]}},
    "deep": {"type": "image", "shape": [1 << 24, 1, 1]},
    "pixels": {"type": "image", "shape": [1, 2, 2], "levels": 2},
}
GRAPHS = 60


def checked(cli, tmp_path, declaration):
    (tmp_path / "g.yaml").write_text(json.dumps(declaration))
    return cli("check", "g.yaml")


def refusal(declaration):
    """What `compile` says, or "" where it compiles; None where the graph itself is refused."""
    try:
        graph = cf.loads(json.dumps(declaration))
    except cf.GraphError:
        return None
    try:
        cf.compile(graph)
    except cf.CompileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        (["class", "linear"], ["n0 -> n1", "n0 <-> n1: latent"]),
        (["many", "many", "many"], ["n0 <-> n1", "n1 <-> n2"]),
        (["flow", "response"], ["n0 -> n1"]),
        (["image", "linear"], ["n0 -> n1"]),
        (["image", "image"], ["n0 -> n1"]),
        (["class", "wide"], ["n0 -> n1"]),
        (["deep"], []),
        (["told", "flow"], ["n0 -> n1"]),
        (["pixels"], []),
    ],
)
def test_each_refusal_that_needs_no_data_is_said_and_fails(cli, tmp_path, nodes, edges):
    declaration = {
        "exogenous": {"u": {"p": [0.5, 0.5]}},
        "nodes": {f"n{k}": TYPES[kind] for k, kind in enumerate(nodes)},
        "edges": edges,
    }
    said = refusal(declaration)
    assert said
    ran = checked(cli, tmp_path, declaration)
    assert ran.code == 2
    assert f"g.yaml: cannot be compiled: {said}" in ran.err.splitlines()


def test_check_and_compile_agree_on_random_typed_graphs(cli, tmp_path):
    chance, compared = random.Random(0), 0
    while compared < GRAPHS:
        kinds = chance.choices(list(TYPES), k=chance.randint(1, 4))
        names = [f"n{k}" for k in range(len(kinds))]
        edges = [
            f"{a} {chance.choice(['->', '<->'])} {b}"
            for a, b in itertools.combinations(names, 2)
            if chance.random() < 0.5
        ]
        declaration = {
            "exogenous": {"u": {"p": [0.5, 0.5]}} if "coin" in kinds else {},
            "nodes": {name: TYPES[kind] for name, kind in zip(names, kinds, strict=True)},
            "edges": edges,
        }
        said = refusal(declaration)
        if said is None:
            continue
        compared += 1
        ran = checked(cli, tmp_path, declaration)
        assert (ran.code == 2) == bool(said), (declaration, said, ran)
        assert said in ran.err


def test_a_symbolic_file_is_not_meant_to_be_compiled_and_is_ok(cli, tmp_path):
    ran = checked(cli, tmp_path, {"edges": ["a -> b", "a <-> b"]})
    assert (ran.code, ran.err) == (0, "")


def test_json_has_the_refusal_among_the_errors(cli, tmp_path):
    declaration = {
        "nodes": {"a": TYPES["class"], "b": TYPES["linear"]},
        "edges": ["a -> b", "a <-> b: latent"],
    }
    (tmp_path / "g.yaml").write_text(json.dumps(declaration))
    (result,) = json.loads(cli("check", "g.yaml", "--json").out)
    assert result["ok"] is False
    assert "cannot be compiled: node 'b': the hidden confounder" in result["errors"][0]
