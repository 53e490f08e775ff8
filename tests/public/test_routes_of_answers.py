"""Routes: how what the evidence leaves open is drawn, said by name wherever it is drawn."""

import pytest

import causalflow as cf

LINES = """
graph: lines
exogenous:
  u: {type: normal, mean: 0, std: 1}
  e: {type: normal, mean: 0, std: 1}
nodes:
  x: {type: continuous, equation: u}
  y: {type: continuous, equation: x + 0.5 * e}
  z: {type: continuous, equation: 2 * x + e}
"""
# E[x | y] = y / 1.25, E[e | y] = 2 (y - E[x | y]), and z under do(x=0) is e
Y = 1.5
E_GIVEN_Y = 2 * (Y - Y / 1.25)
DEVIATION = 0.8**0.5  # of e given y: var = 1 - .25 / 1.25


@pytest.fixture(scope="module")
def model():
    return cf.compile(cf.loads(LINES))


@pytest.mark.parametrize("route", ["linear-Gaussian", "resampling"])
def test_a_counterfactual_by_a_named_route_has_the_mean_of_the_closed_form(model, route):
    n = 20_000
    world = model.counterfactual({"y": [Y]}, do={"x": 0.0}, n=n, route=route)
    assert world.info.route == route
    worth = world.info.effective_draws or n
    assert float(world["z"].mean()) == pytest.approx(
        E_GIVEN_Y, abs=5 * DEVIATION * (1 / n + 1 / worth) ** 0.5
    )


def test_a_question_by_a_named_route_is_answered_by_draws(model):
    asked = f"E[z[x=0] | y={Y}]"
    exact, drawn = model.ask(asked), model.ask(asked, route="resampling")
    assert exact.route == "exact"
    assert drawn.route == "simulated"
    assert exact.value == pytest.approx(E_GIVEN_Y, abs=1e-9)
    assert drawn.value == pytest.approx(E_GIVEN_Y, abs=5 * drawn.error)


def test_a_variable_that_is_called_route_has_a_value_as_any_other():
    graph = cf.loads(LINES.replace("y:", "route:"))
    answer = cf.compile(graph).ask("E[z[x=0] | route]", route=Y)
    assert answer.value == pytest.approx(E_GIVEN_Y, abs=1e-9)


def test_what_is_drawn_as_it_is_told_says_its_route_and_its_worth(model):
    world = model.counterfactual({"y": [Y], "x": cf.within(1, 2)}, do={"x": 0.0}, n=3)
    assert world.info.route == "resampling"
    assert set(world.info.routes) == {"u", "e", "x"}
    (said,) = (each for each in world.info.assumptions if "worth" in each)
    assert said.startswith("e, u, x: drawn from the posterior by weighed draws, worth ")


def test_exogenous_variables_of_a_world_that_is_told_alone_are_open(model):
    assert model.abduct({"x": cf.within(1, 2)}).info.open_noise == ("e", "u")


def test_a_route_that_what_is_told_does_not_fit_is_refused_in_one_line(model):
    with pytest.raises(cf.CausalflowError, match=r"route='exact' does not fit \['x'\], which"):
        model.counterfactual({"x": cf.within(1, 2)}, do={"y": 0.0}, route="exact")


@pytest.mark.parametrize("evidence", [{"y": [Y]}, {"x": [1.0], "y": [1.0], "z": [2.0]}])
def test_a_name_of_no_route_is_refused_wherever_it_is_given(model, evidence):
    for call in (
        lambda: model.abduct(evidence, route="guess"),
        lambda: model.counterfactual(evidence, do={"x": 0.0}, route="guess"),
        lambda: model.ask("E[z[x=0]]", route="guess"),
    ):
        with pytest.raises(cf.CausalflowError, match="route='guess'"):
            call()


def test_a_stream_by_a_named_route_goes_on_with_that_route_alone(model, tmp_path):
    rows, do, out = {"y": [Y, 0.0, -Y]}, {"x": 0.0}, tmp_path / "worlds"
    model.counterfactual(
        rows, do, route="resampling", out=out, batch_size=1, shards="tar", progress=False
    )
    with pytest.raises(cf.CausalflowError):
        model.counterfactual(rows, do, out=out, batch_size=1, shards="tar", progress=False)
