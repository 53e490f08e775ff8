"""An image in a latent, with random weights: laws that hold for any autoencoder and any flow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from causalflow.errors import CompileError
from causalflow.graph.latent_options import Latent
from causalflow.graph.node import Anticausal, Class, Continuous, Diffusion, Image, Neural
from causalflow.mechanisms.image.canvas import OTHER, SAME, LatentCanvas, Pixels, _gate, canvas_of
from causalflow.mechanisms.image.image_mechanism import ImageMechanism

ROWS = 5
PARENTS = {"color": Class(levels=("g", "r")), "width": Continuous()}
KINDS = {
    "neural": {"color": Neural(), "width": Neural()},
    "anticausal": {"color": Anticausal(scale=2.0), "width": Neural()},
}
LATENT = Latent(factor=4, channels=3, width=4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def shaken(module):
    draws = generator(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return module


def mechanism(kinds="neural", latent=LATENT, parents=PARENTS, classifiers=None, **options):
    """Random weights throughout; those that start at zero are shaken. 10 is no multiple of 4."""
    options = {
        "width": 4,
        "depth": 1,
        "predictor_width": 4,
        "steps": 3,
        "guided_steps": 3,
    } | options
    options = {"local": False} | options
    node = Image(shape=(2, 10, 12), latent=latent, diffusion=Diffusion(**options))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = ImageMechanism("image", node, parents, KINDS[kinds], classifiers=classifiers)
    return shaken(made.eval())


def rows(n=ROWS):
    draws = generator(2)
    image = torch.rand(n, 2, 10, 12, generator=draws) * 2 - 1
    width = torch.randn(n, generator=draws, dtype=torch.float64)
    return image, {"color": torch.arange(n) % 2, "width": width}


def other(parents):
    """Another color in the first two rows."""
    return {**parents, "color": torch.cat([1 - parents["color"][:2], parents["color"][2:]])}


EVERY = {
    "plain": {},
    "anticausal": {"kinds": "anticausal"},
    "free": {"guidance": "free", "strength": 2.0, "null_rate": 0.1},
    "grouped": {"guidance": "grouped", "strength": 2.0, "null_rate": 0.1},
    "delta": {"guidance": "delta", "strength": 2.0},
    "code": {"code": 3},
    "few calls": {"solver": "difference"},
    "ddim": {"solver": "ddim"},
    "drawn steps": {"solver": "ancestral"},
    "grain": {"grain": 1.0},
    "balance": {"balance": "preserving"},
    "stopping": {"kinds": "anticausal", "balance": "stopping"},
    "local": {"local": True, "local_draws": 2},
    "unet": {"backbone": "unet", "multipliers": (1, 2)},
}


@pytest.mark.parametrize("what", EVERY)
def test_whatever_the_options_a_null_intervention_is_exact_and_another_is_seen(what):
    made, (image, parents) = mechanism(**EVERY[what]), rows()
    noise = made.abduct(image, parents, generator())
    assert (made.predict(parents, noise) - image).abs().max() < 1e-6
    asked = made.predict(other(parents), noise)
    assert (asked[2:] - image[2:]).abs().max() < 1e-6
    assert torch.equal(asked, made.predict(other(parents), noise))
    assert asked.isfinite().all()
    if what != "local":  # where the network hardly answers the mask may be empty
        assert (asked[:2] - image[:2]).abs().max() > 1e-3


@pytest.mark.parametrize("what", EVERY)
def test_whatever_the_options_pictures_are_drawn_and_replayed(what):
    made, (_, parents) = mechanism(**EVERY[what]), rows()
    noise = made.draw_noise(ROWS, generator(5))
    drawn = made.predict(parents, noise)
    assert drawn.shape == (ROWS, 2, 10, 12)
    assert torch.equal(drawn, made.predict(parents, noise))
    assert torch.equal(drawn, made.configured(residual=False).predict(parents, noise))


def test_the_remainder_is_what_the_autoencoder_misses_and_without_it_that_is_the_error():
    made, (image, parents) = mechanism(), rows()
    noise = made.abduct(image, parents, generator())
    missed = image - made.canvas.decode(made.canvas.encode(image))
    assert torch.allclose(noise["remainder"], missed, atol=1e-6)
    without = made.configured(residual=False).predict(parents, noise)
    assert torch.allclose(image - without, missed, atol=1e-4)
    assert missed.abs().max() > 0.1


def test_leap_frog_comes_back_in_the_latent():
    made, (image, parents) = mechanism(steps=20), rows()
    z = made.canvas.encode(image)
    back = made.lowered(parents, made.raised(z, parents, generator()))
    assert (back - z).abs().max() < 1e-5


def test_the_gate_is_open_where_nothing_changes_and_shut_where_much_does():
    change = torch.zeros(1, 2, 9, 20)
    change[..., 10] = 1.0
    gate = _gate(change)[0, 0, 4]
    assert torch.equal(gate, (torch.arange(20) - 10).abs().gt(2).float())
    levels = torch.linspace(0, 0.4, 50)[:, None, None, None].expand(-1, 1, 1, 1)
    ramp = _gate(levels).flatten()
    assert (ramp.diff() <= 0).all()
    assert ramp[levels.flatten() <= SAME].min() == 1
    assert ramp[levels.flatten() >= OTHER].max() == 0


def test_a_row_does_not_depend_on_the_others_nor_on_portions(monkeypatch):
    made, (image, parents) = mechanism(), rows()

    def answer(at):
        chosen = {name: value[at] for name, value in parents.items()}
        noise = made.abduct(image[at], chosen, generator())
        asked = {**chosen, "color": 1 - chosen["color"]}
        return made.predict(asked, noise)

    whole = answer(slice(None))
    # The order of sums differs by batch: float32's 6e-8, times what both networks make of it.
    assert (whole[1:3] - answer(slice(1, 3))).abs().max() < 1e-4
    monkeypatch.setattr("causalflow.mechanisms.image.canvas.PORTION", 2 * 10 * 12)
    assert (whole - answer(slice(None))).abs().max() < 1e-4


def test_abducted_and_drawn_rows_go_together():
    made, (image, parents) = mechanism(), rows()
    seen, drawn = made.abduct(image, parents, generator()), made.draw_noise(ROWS, generator(3))
    mixed = {key: torch.cat([seen[key][:2], drawn[key][2:]]) for key in seen}
    together = made.predict(parents, mixed)
    assert (together[:2] - image[:2]).abs().max() < 1e-6
    assert (together[2:] - made.predict(parents, drawn)[2:]).abs().max() < 1e-5


def test_the_pixels_are_their_own_canvas():
    canvas = canvas_of(Image(shape=(3, 28, 28)), None)
    assert isinstance(canvas, Pixels)
    image = torch.rand(2, 3, 28, 28)
    assert canvas.encode(image) is image is canvas.decode(image)
    assert canvas.kept(image, image) == canvas.drawn(2, torch.device("cpu")) == {}
    assert canvas.learn(image, generator())[1] == {}


@pytest.mark.parametrize(
    ("shape", "latent", "network", "expected"),
    [
        ((3, 47, 64), None, False, None),
        ((3, 48, 64), None, False, (16, 6, 8)),
        ((3, 64, 64), None, True, None),
        ((3, 64, 64), Latent(), True, (16, 8, 8)),
        ((3, 64, 64), Latent(autoencoder="none"), False, None),
        ((1, 28, 28), Latent(factor=4, channels=2), False, (2, 7, 7)),
        ((1, 50, 70), Latent(factor=16), False, (16, 4, 5)),
    ],
)
def test_which_images_have_a_latent_and_of_which_shape(shape, latent, network, expected):
    with torch.device("meta"):
        canvas = canvas_of(Image(shape=shape, latent=latent), nn.Identity() if network else None)
    assert (canvas.latent is None) == (expected is None)
    assert canvas.shape == (expected or shape)


def test_the_encoder_learns_first_and_then_stays_while_the_decoder_goes_on():
    canvas = shaken(LatentCanvas((2, 12, 12), LATENT)).train()
    image = torch.rand(6, 2, 12, 12, generator=generator()) * 2 - 1

    def moved(share):
        canvas.zero_grad(set_to_none=True)
        canvas.reach(share)
        z, costs = canvas.learn(image, generator())
        costs["reconstruction"].mean().backward()
        parts = (canvas.autoencoder.encoder, canvas.autoencoder.decoder)
        return z, [any(weight.grad is not None for weight in p.parameters()) for p in parts]

    z, parts = moved(0.0)
    assert z.requires_grad
    assert not canvas.settled
    assert parts == [True, True]
    before = {n: b.clone() for n, b in canvas.named_buffers()}
    z, parts = moved(LATENT.share)
    assert parts == [False, True]
    assert not z.requires_grad
    assert all(torch.equal(before[n], b) for n, b in canvas.named_buffers())
    assert torch.allclose(z, canvas.eval().encode(image), atol=1e-6)


def test_an_encoder_that_is_settled_takes_each_image_by_itself_and_keeps_its_averages():
    canvas = LatentCanvas((2, 12, 12), LATENT)
    canvas.autoencoder.encoder = nn.Sequential(nn.AvgPool2d(4), nn.BatchNorm2d(2))
    canvas.train().reach(LATENT.share)
    canvas.shape = (2, 3, 3)
    canvas.autoencoder.decoder = nn.Upsample(scale_factor=4)
    image = torch.rand(6, 2, 12, 12, generator=generator()) * 2 - 1
    averages = canvas.autoencoder.encoder[1].running_mean.clone()
    z = canvas.precomputed(image)
    assert torch.equal(canvas.precomputed(image[:1]), z[:1])
    assert torch.equal(canvas.learn(image, generator())[0], z)
    assert torch.equal(canvas.learn(image, generator(), z=z + 1)[0], z + 1)
    assert torch.equal(canvas.autoencoder.encoder[1].running_mean, averages)
    assert canvas.autoencoder.training
    canvas.reach(0.0)
    assert canvas.precomputed(image) is None


class Mean(nn.Module):
    """The mean of each cell, and back; what it is given to decode is kept."""

    factor, channels, trained = 4, 2, False

    def __init__(self):
        super().__init__()
        self.sides = []

    def encode(self, x):
        return functional.avg_pool2d(x, 4)

    def decode(self, z):
        self.sides.append(tuple(z.shape[2:]))
        return functional.interpolate(z, scale_factor=4)


def learned(canvas, image, times=200):
    return torch.cat([canvas.learn(image, generator(k))[1]["reconstruction"] for k in range(times)])


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_smaller_latent_is_to_give_the_smaller_picture_in_a_share_of_the_steps(share):
    """12 x 20 pixels by 4: 3 x 5 cells, and from 2 x 2 (1.5 and 2.5, rounded) on."""
    canvas = LatentCanvas((2, 10, 20), replace(LATENT, channels=2, shrinking=share, noise=0.0))
    canvas.autoencoder = means = Mean()
    canvas.reach(0.0)
    even = torch.tensor([[0.3, -0.8], [0.1, 0.6]])[:, :, None, None].expand(2, 2, 10, 20)
    assert learned(canvas, even).abs().max() < 1e-6
    smaller = [sides != (3, 5) for sides in means.sides]
    assert sum(smaller) == pytest.approx(200 * share * (1 - 1 / 10), abs=25 * (share > 0))
    assert set(means.sides) <= {(a, b) for a in (2, 3) for b in (2, 3, 4, 5)}
    canvas.reach(LATENT.share)
    means.sides.clear()
    learned(canvas, even, times=20)
    assert set(means.sides) == {(3, 5)}


def test_what_a_smaller_latent_gives_is_held_against_the_smaller_picture():
    """A stripe of one cell in four, halved, is one of two pixels: the mean of a cell loses it."""
    canvas = LatentCanvas(
        (2, 16, 16), replace(LATENT, channels=2, shrinking=1.0, noise=0.0, squares=0.0)
    )
    canvas.autoencoder = means = Mean()
    canvas.reach(0.0)
    stripe = torch.full((1, 2, 16, 16), -1.0)
    stripe[..., 4:8] = 1.0
    errors = learned(canvas, stripe)
    whole = torch.tensor([sides == (4, 4) for sides in means.sides])
    assert whole.any()
    assert errors[whole].max() < 1e-6
    assert errors[~whole].min() > 0.1


def test_few_pixels_that_are_far_off_cost_more_than_many_that_are_near():
    canvas = LatentCanvas((1, 8, 8), Latent(factor=4, channels=1, width=4, squares=20.0, noise=0))
    canvas.autoencoder.decode = lambda z: torch.zeros(len(z), 1, 8, 8)
    line, grain = torch.zeros(2, 1, 1, 8, 8)
    line[..., 3, :] = 0.8
    grain[...] = 0.1
    z = torch.zeros(1, 1, 2, 2)
    found = [float(canvas._error(each, z, generator())) for each in (line, grain)]
    assert found == pytest.approx([0.1 * (1 + 20 * 0.8), 0.1 * (1 + 20 * 0.1)])
    canvas.squares = 0.0
    found = [float(canvas._error(each, z, generator())) for each in (line, grain)]
    assert found == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize("reading", [0.0, 0.5])
def test_while_the_encoder_learns_the_parents_are_read_off_it(reading):
    made, (image, parents) = mechanism(latent=replace(LATENT, reading=reading)).train(), rows()
    made.canvas.reach(0.0)
    loss = made.loss({"image": image, **parents}, generator())["diffusion"]
    assert bool(loss.any()) is bool(reading)
    if not reading:
        return
    loss.mean().backward()
    moved = {n for n, weight in made.named_parameters() if weight.grad is not None}
    assert {n.split(".")[0] for n in moved} == {"canvas", "predictor"}
    assert not any(n.startswith("canvas.autoencoder.decoder") for n in moved)


def test_the_latent_of_the_data_is_of_unit_scale():
    canvas = LatentCanvas((2, 12, 12), LATENT).train()
    draws = generator()
    canvas.reach(0.0)
    for _ in range(20):
        canvas.learn(torch.rand(64, 2, 12, 12, generator=draws) * 2 - 1, draws)
    with torch.no_grad():
        z = canvas.encode(torch.rand(256, 2, 12, 12, generator=draws) * 2 - 1)
    assert z.mean(dim=(0, 2, 3)).abs().max() < 0.1
    assert (z.std(dim=(0, 2, 3)) - 1).abs().max() < 0.1


def test_a_batch_without_an_image_leaves_the_scale_of_the_latent_as_it_is():
    made, (image, parents) = mechanism().train(), rows(6)
    made.canvas.reach(0.0)
    made.loss({"image": image, **parents}, generator())
    before = {n: b.clone() for n, b in made.canvas.named_buffers()}
    losses = made.loss({"image": torch.full_like(image, torch.nan), **parents}, generator())
    losses["reconstruction"].sum().backward()
    assert not losses["reconstruction"].any()
    assert all(torch.equal(before[n], b) for n, b in made.canvas.named_buffers())


def test_the_scale_of_the_latent_is_taken_in_single_precision_under_autocast():
    """In bfloat16 a mean of 5 and a variance of .01 cannot be told from a variance below zero."""
    standard = LatentCanvas((2, 12, 12), LATENT).autoencoder.encoder.standard.train()
    z = (5 + 0.1 * torch.randn(64, 3, 8, 8, generator=generator())).bfloat16()
    out = standard(z)
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert (out.std() - 1).abs() < 0.05
    assert (standard.variance / z.float().var(dim=(0, 2, 3)) - 1).abs().max() < 1e-3


@pytest.mark.parametrize("solver", ["alf", "ddim"])
def test_what_is_missed_is_the_picture_less_what_is_decoded_without_residuals(solver):
    made, (image, parents) = mechanism(solver=solver), rows()
    noise = made.abduct(image, parents, generator())
    without = made.configured(residual=False).predict(parents, noise)
    assert torch.allclose(made.canvas.missed(noise), image - without, atol=1e-4)


def test_rows_without_image_cost_nothing_and_are_not_seen():
    made, (image, parents) = mechanism().train(), rows(6)
    image[[1, 4]] = torch.nan
    made.canvas.reach(0.0)
    losses = made.loss({"image": image, **parents}, generator())
    assert (losses["reconstruction"] > 0).tolist() == [True, False, True, True, False, True]
    assert (losses["diffusion"] != 0).tolist() == [True, False, True, True, False, True]
    made.canvas.reach(1.0)
    losses = made.loss({"image": image, **parents}, generator())
    assert (losses["diffusion"] != 0).tolist() == [True, False, True, True, False, True]
    assert all(loss.isfinite().all() for loss in losses.values())


def test_the_users_classifier_reads_the_decoded_picture_and_its_gradient_goes_through():
    seen = []

    class Brightness(nn.Module):
        def forward(self, x):
            seen.append(x.shape)
            level = 9 * x.mean(dim=(1, 2, 3))
            return torch.stack([-level, level], dim=1)

    made = mechanism("anticausal", classifiers={"color": Brightness()})
    (image, parents) = rows()
    noise = made.abduct(image, parents, generator())
    asked = made.predict({**parents, "color": torch.ones(ROWS, dtype=torch.int64)}, noise)
    up = asked.mean(dim=(1, 2, 3)) - image.mean(dim=(1, 2, 3))
    assert (up[parents["color"] == 0] > 1e-4).all()
    assert {shape[1:] for shape in seen} == {(2, 10, 12)}
    clear = torch.stack([torch.full((2, 10, 12), -0.9), torch.full((2, 10, 12), 0.9)])
    logits = made._reader.given["color"].logits(made.canvas.encode(clear))
    assert torch.equal(made.infer(clear, ["color"])["color"], logits.argmax(dim=1))


def test_a_classifier_of_noisy_pictures_is_refused_in_a_latent():
    def noisy(y, tau):
        return y.new_zeros(len(y), 2)

    with pytest.raises(CompileError, match="network\\(y, tau\\) reads noisy pictures"):
        mechanism("anticausal", classifiers={"color": noisy})


def test_a_representation_and_missing_labels_are_read_off_the_latent():
    parents = {**PARENTS, "width": replace(PARENTS["width"], representation=3)}
    made, (image, known) = mechanism(parents=parents), rows()
    found = made.infer(image, ["color", "width"])
    assert found["color"].shape == found["width"].shape == (ROWS,)
    noise = made.abduct(image, known, generator())
    assert (made.predict(known, noise) - image).abs().max() < 1e-6


def test_a_student_learns_on_the_canvas():
    made, (image, parents) = mechanism(), rows()
    student = made.student(made.configured(steps=6), 4).train()
    loss = student.loss(image, parents, generator())
    loss.mean().backward()
    assert loss.shape == (ROWS,)
    assert all(weight.grad is None for weight in made.canvas.parameters())
    assert any(weight.grad.abs().max() > 0 for weight in student.denoiser.parameters())
    editor = student.editor()
    made.edited_by(editor)
    few = made.configured(**editor.options)
    noise = few.abduct(image, parents, generator())
    assert (few.predict(parents, noise) - image).abs().max() < 1e-6


def test_where_the_picture_changes_its_grain_stays_and_no_more_of_the_remainder():
    made, (image, parents) = mechanism(), rows()
    noise = made.abduct(image, parents, generator())
    z, r = noise["canvas"], noise["remainder"]
    other = z + 30 * torch.randn(z.shape, generator=generator(3)).to(z)
    left = made.canvas.painted(other, noise, remainder=True) - made.canvas.decode(other.float())
    gate = _gate(made.canvas.decode(other.float()) - made.canvas.decode(z))
    grain = r.abs().flatten(1).median(dim=1).values
    for row, most in enumerate(grain):
        shut = (gate[row] == 0).expand_as(r[row])
        assert shut.any()
        held, whole = left[row][shut], r[row][shut]
        small = whole.abs() <= most
        assert 0.2 < small.double().mean() < 0.8
        assert torch.allclose(held[small], whole[small], atol=1e-5)
        assert torch.allclose(held[~small], most * whole[~small].sign(), atol=1e-5)


def test_networks_are_of_the_package_until_one_is_the_users_own():
    assert mechanism().of_the_package
    other, between = mechanism(), mechanism()
    other.denoiser.network = nn.Identity()
    between.canvas.autoencoder = Mean()
    assert not other.of_the_package
    assert not between.of_the_package
