"""A whole number that Python refuses to write out is refused in one line, by every door."""

import pytest

import causalflow as cf

HUGE = 10**5_000
GRAPH = cf.loads("""
nodes:
  x: {type: class, levels: [a, b], table: [0.5, 0.5]}
  y: {type: class, levels: 2, table: {a: [0.3, 0.7], b: [0.6, 0.4]}, noise: gumbel}
edges: [x -> y]
""")
LEARNED = cf.loads(
    "nodes: {x: {type: class, levels: [a, b]}, z: {type: continuous}}\nedges: [x -> z]"
)
ROWS = {"x": ["a", "b"], "y": [0, 1]}

DOORS = {
    "ask": lambda given: cf.compile(GRAPH).ask("P(y | x)", x=given),
    "ask, a level of numbers": lambda given: cf.compile(GRAPH).ask("P(x | y)", y=given),
    "a column of evidence": lambda given: cf.compile(GRAPH).ask("P(y | x)", x=["a", given]),
    "do": lambda given: cf.compile(GRAPH).sample(2, do={"x": given}),
    "counterfactual": lambda given: cf.compile(GRAPH).counterfactual(
        {"x": given, "y": 0}, do={"x": "b"}
    ),
    "fit": lambda given: cf.compile(LEARNED).fit({"x": ["a", given], "z": [0, 1]}, progress=False),
    "fit, a number": lambda given: cf.compile(LEARNED).fit(
        {"x": ["a", "b"], "z": [0, given]}, progress=False
    ),
    "estimate": lambda given: cf.identify(GRAPH, "P(y | do(x))").estimate(
        {**ROWS, "x": ["a", given]}
    ),
    "bounds": lambda given: cf.bounds(GRAPH, "P(y[x=a]=1)", {**ROWS, "x": ["a", given]}),
    "query": lambda given: cf.compile(GRAPH).ask(f"P(y=1 | x={'7' * 5_000})"),
}


@pytest.mark.parametrize("door", DOORS)
def test_it_is_one_line_of_the_projects_own(door):
    with pytest.raises(cf.CausalflowError) as caught:
        DOORS[door](HUGE)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_number_that_can_be_written_goes_through_the_same_doors():
    assert float(cf.compile(GRAPH).ask("P(y=1 | x)", x=0).value) == pytest.approx(0.7)
