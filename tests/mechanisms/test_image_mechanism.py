"""The image mechanism with random weights: its laws hold for any network, trained or not."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch

from causalflow.diffusion.guidance.contrast import GUIDANCES
from causalflow.diffusion.solver.solver import SOLVERS
from causalflow.errors import CompileError, EvidenceError
from causalflow.graph.node import Anticausal, Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

ROWS = 5
COLOR, WIDTH, DIGIT = Class(levels=("g", "r")), Continuous(), Class(levels=(0, 1, 2))
PARENTS = {"color": COLOR, "width": WIDTH, "digit": DIGIT}
TAU_MIN = 0.01


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def mechanism(kinds=None, parents=PARENTS, **options):
    """Random weights throughout; those that start at zero are shaken."""
    kinds = {name: Neural() for name in parents} | (kinds or {})
    small = {"width": 8, "multipliers": (1, 2), "predictor_width": 8, "steps": 6}
    options = {"guided_solver": "midpoint", "guided_steps": None} | small | options
    node = Image(shape=(2, 8, 8), diffusion=Diffusion(**options))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = ImageMechanism("image", node, parents, kinds).eval()
    draws = generator(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return made


def images(n=ROWS, seed=2):
    return torch.rand(n, 2, 8, 8, generator=generator(seed)) * 2 - 1


def values(n=ROWS):
    draws = generator(3)
    return {
        "color": torch.randint(2, (n,), generator=draws),
        "width": torch.randn(n, generator=draws, dtype=torch.float64),
        "digit": torch.randint(3, (n,), generator=draws),
    }


NULLS = {"color": -1, "width": math.nan, "digit": -1}
GUIDED = {"color": Anticausal(scale=2.0), "width": Anticausal(scale=0.5)}


def test_the_shaken_network_hears_its_parents():
    made, y = mechanism(), images().double()
    other = {**values(), "color": 1 - values()["color"]}
    change = made.denoiser.velocity(y, 0.5, values()) - made.denoiser.velocity(y, 0.5, other)
    assert (change.flatten(1).abs().amax(1) > 0.01).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kinds", [{}, GUIDED], ids=["neural", "anticausal"])
def test_the_null_intervention_returns_the_image_with_every_solver(solver, kinds):
    made, image = mechanism(kinds, solver=solver, steps=3), images()
    noise = made.abduct(image, values(), generator())
    torch.testing.assert_close(made.predict(values(), noise), image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("kinds", [{}, GUIDED], ids=["neural", "anticausal"])
def test_the_alf_round_trip_is_exact_without_the_residual_for_any_parents(steps, kinds):
    made, image = mechanism(kinds, steps=steps, residual=False), images()
    parents = {**values(), "color": 1 - values()["color"], "width": values()["width"] * 3}
    noise = made.abduct(image, parents, generator())
    assert not noise["residual"].any()
    torch.testing.assert_close(made.predict(parents, noise), image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kinds", [{}, GUIDED], ids=["neural", "anticausal"])
def test_grain_is_part_of_the_noise_and_never_of_the_picture(kinds):
    made, image = mechanism(kinds, grain=1.0, steps=3), images()
    noise = made.abduct(image, values(), generator())
    # TAU_MIN / (1 - TAU_MIN) = .0101 times a standard normal draw of 640 numbers
    assert noise["grain"].std() == pytest.approx(TAU_MIN / (1 - TAU_MIN), rel=0.1)
    torch.testing.assert_close(made.predict(values(), noise), image, rtol=0, atol=1e-6)
    plain = mechanism(kinds, steps=3)
    assert "grain" not in plain.abduct(image, values(), generator())
    assert "grain" not in made.draw_noise(2, generator())


class Flat(torch.nn.Module):
    """Says that every picture is black, whatever it sees."""

    def forward(self, x, tau, condition):
        return torch.full_like(x, -1.0)


@pytest.mark.parametrize("grain", [0.0, 1.0, 0.5])
def test_of_a_flat_picture_the_grain_is_all_the_noise_that_is_abducted(grain):
    options = Diffusion(
        prediction="data", grain=grain, width=8, multipliers=(1,), predictor_width=8
    )
    node = Image(shape=(2, 8, 8), diffusion=options)
    made = ImageMechanism("image", node, {}, {}, network=Flat()).eval()
    noise = made.abduct(torch.full((3, 2, 8, 8), -1.0), {}, generator())
    drawn = noise.get("grain", torch.zeros(3, 2, 8, 8)) * (1 - TAU_MIN) / TAU_MIN
    # The flow y = -(1 - tau) + tau eps is straight: any solver follows it, up to float32.
    torch.testing.assert_close(noise["position"], drawn.double(), rtol=0, atol=1e-4)
    assert noise["position"].std() == pytest.approx(grain, abs=0.1 * grain + 1e-4)


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("solver", ["alf", "ddim", "difference", "ancestral"])
def test_a_drawn_picture_bears_nothing_of_the_noise_it_was_drawn_from(solver, guided):
    small = {"width": 8, "multipliers": (1,), "predictor_width": 8, "steps": 5}
    node = Image(shape=(2, 8, 8), diffusion=Diffusion(prediction="data", solver=solver, **small))
    kinds = {"color": Anticausal(scale=1e-9 if guided else 0.0)}
    made = ImageMechanism("image", node, {"color": COLOR}, kinds, network=Flat()).eval()
    noise, color = made.draw_noise(3, generator()), {"color": torch.tensor([0, 1, 0])}
    # Every way ends where the network says; what is left at TAU_MIN would be .0101 eps.
    black = torch.full((3, 2, 8, 8), -1.0)
    torch.testing.assert_close(made.predict(color, noise), black, rtol=0, atol=1e-5)
    # A factual picture is given back with its noise, whatever the network says.
    speckled = black + 0.01 * torch.randn(black.shape, generator=generator())
    again = made.predict(color, made.abduct(speckled, color, generator()))
    torch.testing.assert_close(again, speckled, rtol=0, atol=1e-5)


@pytest.mark.parametrize("guidance", GUIDANCES)
@pytest.mark.parametrize("solver", ["alf", "ddim"])
def test_the_null_intervention_returns_the_image_under_every_guidance(guidance, solver):
    options = {"solver": solver, "strength": 4.0, "steps": 3}
    made, image = mechanism({}, guidance=guidance, **options), images()
    noise = made.abduct(image, values(), generator())
    torch.testing.assert_close(made.predict(values(), noise), image, rtol=0, atol=1e-6)
    forced = {**values(), "color": 1 - values()["color"]}
    plain = made.configured(guidance="none").predict(forced, noise)
    moved = (made.predict(forced, noise) - plain).flatten(1).abs().amax(1) > 1e-4
    assert moved.all() == (guidance != "none")


@pytest.mark.parametrize("balance", ["stopping", "printed", "preserving"])
def test_a_balanced_way_up_returns_unchanged_rows_moves_the_others_and_replays(balance):
    made, image = mechanism(GUIDED, balance=balance, steps=3), images()
    factual, forced = values(), values()
    forced["color"][[1, 3]] = 1 - forced["color"][[1, 3]]
    noise = made.abduct(image, factual, generator())
    found = made.predict(forced, noise)
    torch.testing.assert_close(found[[0, 2, 4]], image[[0, 2, 4]], rtol=0, atol=1e-5)
    assert ((found - image)[[1, 3]].flatten(1).abs().amax(1) > 1e-3).all()
    assert made.predict(forced, noise).equal(found)
    drawn = made.draw_noise(2, generator())
    assert made.predict({n: v[:2] for n, v in values().items()}, drawn).isfinite().all()


@pytest.mark.parametrize("solver", ["ddim", "midpoint", "dpm++2m"])
def test_the_guided_residual_is_what_the_guided_solver_misses_of_the_factual_image(solver):
    made = mechanism({"color": Anticausal()}, guided_solver=solver)
    image, factual = images(), values()
    forced = {**factual, "color": 1 - factual["color"]}
    noise = made.abduct(image, factual, generator())
    bare = made.configured(residual=False)
    kept = made.predict(forced, noise) - bare.predict(forced, noise)
    # Its unguided decoding of the same position, under the factual parents, misses just that.
    trajectory = bare.trajectory
    with torch.no_grad():
        decoded = trajectory.from_rest(trajectory.field(factual), noise["position"])
    torch.testing.assert_close(decoded.float() + kept, image, rtol=0, atol=1e-5)


def test_the_code_is_fixed_under_do_and_standard_normal_when_drawn():
    made, image = mechanism({}, code=5), images()
    noise = made.abduct(image, values(), generator())
    assert noise["code."].equal(made.code.mean(image, values()))
    other = {**noise, "code.": noise["code."] + 1}
    forced = {**values(), "color": 1 - values()["color"]}
    change = made.predict(forced, noise) - made.predict(forced, other)
    assert (change.flatten(1).abs().amax(1) > 1e-4).all()
    code = made.draw_noise(400, generator())["code."]
    assert code.shape == (400, 5)
    assert abs(float(code.mean())) < 5 / code.numel() ** 0.5
    assert abs(float(code.var()) - 1) < 5 * (2 / code.numel()) ** 0.5


def test_by_default_an_image_has_a_code_unless_a_parent_is_anticausal():
    assert mechanism({}).options.code == 32
    assert mechanism(GUIDED).options.code == 0
    assert mechanism(GUIDED, code=3).options.code == 3


def test_another_solver_cannot_take_up_a_noise():
    made = mechanism()
    noise = made.abduct(images(), values(), generator())
    with pytest.raises(EvidenceError, match="abducted by another solver"):
        made.configured(solver="ddim").predict(values(), noise)


def test_equations_that_miss_the_reference_by_rounding_change_nothing():
    made, image, factual = mechanism(GUIDED), images(), values()
    noise = made.abduct(image, factual, generator())
    rounded = {**factual, "width": factual["width"] * (1 + 1e-15)}
    torch.testing.assert_close(made.predict(rounded, noise), image, rtol=0, atol=1e-6)


def test_chunks_do_not_show(monkeypatch):
    made, image, factual = mechanism(GUIDED), images(), values()
    forced = {**factual, "color": 1 - factual["color"]}
    whole = made.predict(forced, made.abduct(image, factual, generator()))
    monkeypatch.setattr("causalflow.mechanisms.mechanism.CHUNK", {"cpu": 2})
    parts = made.predict(forced, made.abduct(image, factual, generator()))
    # float32 networks round differently in other batches
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-4)


def test_only_the_residual_makes_ddim_exact():
    made, image = mechanism(solver="ddim", residual=False), images()
    noise = made.abduct(image, values(), generator())
    assert (made.predict(values(), noise) - image).abs().mean() > 1e-3


def cosine_grid(steps):
    """From tau_min to 1, uniform in the angle."""
    u = [(1 - math.cos(math.pi * i / steps)) / 2 for i in range(steps + 1)]
    return [TAU_MIN + (1 - TAU_MIN) * x for x in u]


def leap(v, y, w, nodes):
    """Leap-frog: m = y + (h/2) w; u = v(m, tau + h/2); w' = 2u - w; y' = m + (h/2) w'."""
    for t, s in itertools.pairwise(nodes):
        h = s - t
        m = y + h / 2 * w
        w = 2 * v(m, t + h / 2) - w
        y = m + h / 2 * w
    return y, w


@torch.no_grad()
def test_abduction_and_the_delta_rule_are_those_of_the_theory():
    made, image, nodes = mechanism(residual=False, code=3), images(), cosine_grid(6)
    factual, forced = values(), {**values(), "color": 1 - values()["color"]}

    def v(parents):
        return lambda y, tau: made.denoiser.velocity(y, tau, parents, code).double()

    code = made.code.mean(image, factual)
    y = image.double() * (1 - TAU_MIN)
    y, w = leap(v(factual), y, v(factual)(y, nodes[0]), nodes)
    noise = made.abduct(image, factual, generator())
    torch.testing.assert_close(noise["position"], y, rtol=0, atol=1e-5)
    offset = w - v(factual)(y, 1.0)
    torch.testing.assert_close(noise["offset.0"], offset, rtol=0, atol=1e-4)
    assert offset.abs().max() > 0.01
    turned = w + v(forced)(y, 1.0) - v(factual)(y, 1.0)
    expected, _ = leap(v(forced), y, turned, nodes[::-1])
    found = made.predict(forced, noise)
    assert (found - image).abs().mean() > 0.01
    torch.testing.assert_close(found.double(), expected / (1 - TAU_MIN), rtol=0, atol=1e-4)


def test_rows_whose_anticausal_parents_stay_come_back_while_others_are_guided():
    made, image, factual = mechanism(GUIDED), images(), values()
    noise = made.abduct(image, factual, generator())
    forced = {**factual, "color": factual["color"].clone()}
    forced["color"][[1, 3]] = 1 - forced["color"][[1, 3]]
    found = made.predict(forced, noise)
    torch.testing.assert_close(found[[0, 2, 4]], image[[0, 2, 4]], rtol=0, atol=1e-6)
    assert ((found - image)[[1, 3]].flatten(1).abs().amax(1) > 1e-3).all()


def test_a_row_does_not_depend_on_the_others_of_its_batch():
    made, image, factual = mechanism(GUIDED), images(), values()
    forced = {**factual, "digit": 2 - factual["digit"], "color": torch.zeros(ROWS).long()}
    whole = made.predict(forced, made.abduct(image, factual, generator()))
    for row in range(ROWS):
        alone = {name: value[[row]] for name, value in factual.items()}
        noise = made.abduct(image[[row]], alone, generator())
        found = made.predict({name: value[[row]] for name, value in forced.items()}, noise)
        # float32 networks round differently in other batches
        torch.testing.assert_close(found, whole[[row]], rtol=0, atol=1e-4)


def test_a_changed_neural_parent_is_guided_too_so_that_anticausal_ones_are_held():
    made, image, factual = mechanism(GUIDED), images(), values()
    forced = {**factual, "digit": (factual["digit"] + 1) % 3}
    noise = made.abduct(image, factual, generator())
    held = made.predict(forced, noise)
    free = made.configured(guidance=0.0).predict(forced, noise)
    assert ((held - free).flatten(1).abs().amax(1) > 1e-4).all()


@torch.no_grad()
def test_guided_decoding_is_midpoint_along_the_guided_velocity():
    interval = (0.1, 0.8)
    made = mechanism(
        {"color": Anticausal(scale=3.0)},
        anticausal="contrast",
        guidance_interval=interval,
        residual=False,
    )
    image, factual = images(), values()
    forced = {**factual, "color": 1 - factual["color"]}
    noise = made.abduct(image, factual, generator())

    def guided(y, tau):
        velocity = made.denoiser.velocity(y, tau, {n: factual[n] for n in ("width", "digit")})
        if not interval[0] <= tau <= interval[1]:
            return velocity
        with torch.enable_grad():
            point = y.clone().requires_grad_()
            features = made.predictor.encoder(point, made.predictor.time(torch.full((ROWS,), tau)))
            log_p = made.predictor.heads["node:color"](features).log_softmax(-1)
            gain = log_p[range(ROWS), forced["color"]] - log_p[range(ROWS), factual["color"]]
            (slope,) = torch.autograd.grad(gain.sum(), point)
        return velocity - 3.0 * tau / (1 - tau) * slope

    y, nodes = noise["position"], cosine_grid(6)[::-1]
    for t, s in itertools.pairwise(nodes):
        middle = y + (s - t) / 2 * guided(y, t)
        y = y + (s - t) * guided(middle, (t + s) / 2)
    found = made.predict(forced, noise).double()
    torch.testing.assert_close(found, y / (1 - TAU_MIN), rtol=0, atol=1e-4)


def test_configuring_changes_the_options_and_shares_the_weights():
    made = mechanism(GUIDED)
    other = made.configured(steps=3, guidance=0.5, residual=False)
    assert (other.options.steps, other.options.residual) == (3, False)
    assert other.scales == {"color": 1.0, "width": 0.25}
    assert (made.options.steps, made.scales["color"]) == (6, 2.0)
    assert other.denoiser is made.denoiser


def test_drawn_noise_is_standard_normal_at_rest_and_replays():
    made = mechanism(GUIDED)
    noise = made.draw_noise(400, generator(5))
    position = noise["position"]
    n = position.numel()
    assert abs(float(position.mean())) < 5 / n**0.5
    assert abs(float(position.var()) - 1) < 5 * (2 / n) ** 0.5
    assert not noise["offset.0"].any()
    assert not noise["residual"].any()
    few = {key: value[:ROWS] for key, value in noise.items()}
    assert made.predict(values(), few).equal(made.predict(values(), few))
    again = made.draw_noise(400, generator(5))
    assert all(again[key].nan_to_num().equal(noise[key].nan_to_num()) for key in noise)


@pytest.mark.parametrize("kinds", [{}, GUIDED], ids=["neural", "anticausal"])
def test_a_row_that_misses_a_label_trains_all_but_the_head_of_that_parent(kinds):
    made, image, parents = mechanism(kinds), images(), values()
    made.calibrate(parents, generator())
    missing = {name: torch.full_like(v, NULLS[name]) for name, v in parents.items()}
    loss = made.loss({**parents, "image": image, "color": missing["color"]}, generator(7))
    assert loss.isfinite().all()
    loss.sum().backward()
    heads = made.predictor.heads
    assert not heads["node:color"].weight.grad.any()
    assert heads["node:digit"].weight.grad.any()
    assert made.denoiser.network.leave.weight.grad.any()
    made.zero_grad()
    made.loss({**missing, "image": image}, generator(7)).sum().backward()
    grads = [w.grad for w in made.parameters() if w.grad is not None]
    assert all(grad.isfinite().all() for grad in grads)
    assert not any(heads[key].weight.grad.any() for key in heads)
    assert made.denoiser.network.leave.weight.grad.any()


def told(made, parents):
    """What the denoiser is told of the parents in training."""
    heard = []
    loss = made.denoiser.loss

    def spy(image, given, draws, code=None):
        heard.append(given)
        return loss(image, given, draws, code=code)

    made.denoiser.loss = spy
    made.loss({**parents, "image": images()}, generator(7))
    return heard[0]


def test_a_missing_label_is_hidden_from_the_denoiser_or_drawn():
    parents, rows = values(), torch.tensor([0, 2])
    missing = {name: v.index_fill(0, rows, NULLS[name]) for name, v in parents.items()}
    hidden = told(mechanism(), missing)
    drawn = told(mechanism(unlabelled="posterior"), missing)
    for name, value in parents.items():
        assert hidden[name].nan_to_num(-9).equal(missing[name].nan_to_num(-9))
        assert drawn[name].isfinite().all()
        assert (drawn[name][rows] != NULLS[name]).all()
        kept = [row for row in range(ROWS) if row not in rows]
        assert drawn[name][kept].equal(value[kept])


def test_where_nothing_is_missing_nothing_is_drawn():
    row = {**values(), "image": images()}
    plain, drawing = mechanism(), mechanism(unlabelled="posterior")
    assert plain.loss(row, generator(7)).equal(drawing.loss(row, generator(7)))


def test_the_loss_of_a_row_is_its_own():
    made, image, parents = mechanism(GUIDED), images(), values()
    made.calibrate(parents, generator())
    whole = made.loss({**parents, "image": image}, generator(7))
    parents["color"][1] = -1
    holes = made.loss({**parents, "image": image}, generator(7))
    kept = [0, 2, 3, 4]
    torch.testing.assert_close(holes[kept], whole[kept])
    assert holes[1] != whole[1]


def test_a_row_without_image_costs_nothing():
    made, image, parents = mechanism({}), images(), values()
    made.calibrate(parents, generator())
    image[2] = torch.nan
    loss = made.loss({**parents, "image": image}, generator(7))
    assert (loss != 0).tolist() == [True, True, False, True, True]
    loss.sum().backward()
    assert all(w.grad.isfinite().all() for w in made.parameters() if w.grad is not None)


def test_the_codes_divergence_is_weighted_by_the_number_of_pixel_values():
    made, image, parents = mechanism({}, code=4, code_weight=0.0), images(), values()
    free = made.loss({**parents, "image": image}, generator(7))
    made.options = replace(made.options, code_weight=2.0)
    paid = made.loss({**parents, "image": image}, generator(7))
    expected = 2.0 / (2 * 8 * 8) * made.code.kl(image, parents)
    torch.testing.assert_close(paid - free, expected, rtol=1e-4, atol=1e-5)


def test_an_image_without_parents_is_abducted_too():
    made, image = mechanism({}, parents={}), images()
    noise = made.abduct(image, {}, generator())
    torch.testing.assert_close(made.predict({}, noise), image, rtol=0, atol=1e-6)
    assert made.loss({"image": image}, generator()).shape == (ROWS,)


def test_an_image_parent_of_an_image_is_refused():
    with pytest.raises(
        CompileError, match=r"node 'photo'.*expected a class, continuous or count parent"
    ):
        mechanism({}, parents={"photo": Image(shape=(1, 8, 8))})
