"""The law rows are drawn by: every node still sees its own, and no row weighs more than twice."""

import torch

import causalflow as cf
from causalflow.model.likelihood import Trainee
from causalflow.training.state import drawn_rows

ROWS = 400
GENERATOR = torch.Generator().manual_seed(0)
DIGIT = torch.randint(0, 2, (ROWS,), generator=GENERATOR)
SWAPPED = torch.rand(ROWS, generator=GENERATOR) < 0.05
COLUMNS = {
    "digit": DIGIT,
    "color": torch.where(SWAPPED, 1 - DIGIT, DIGIT),
    "size": torch.randn(ROWS, generator=GENERATOR, dtype=torch.float64),
    "image": 2 * torch.rand(ROWS, 3, 8, 8, generator=GENERATOR) - 1,
}
GRAPH = cf.Graph(
    nodes={
        "digit": {"type": "class", "levels": 2},
        "color": {"type": "class", "levels": 2},
        "size": {"type": "continuous", "noise": "additive"},
        "image": {"type": "image", "shape": [3, 8, 8]},
    },
    edges=[
        "digit -> color",
        "color -> size",
        "digit -> image: neural",
        "color -> image: anticausal",
    ],
)


def trainee(**options):
    model = cf.compile(GRAPH, image=cf.Diffusion(width=8, steps=2, **options))
    part = Trainee(model.scm, model.scm.order)
    part.calibrate(COLUMNS, torch.Generator().manual_seed(0))
    return part


def test_the_law_is_the_mean_of_the_data_and_the_mutilated_law():
    part = trainee()
    law = part.row_law(COLUMNS)
    # Weights of a 2 x 2 table: p(a) p(b) / p(a, b), here from the counts.
    joint = torch.zeros(2, 2, dtype=torch.float64)
    for a, b in zip(COLUMNS["digit"], COLUMNS["color"], strict=True):
        joint[a, b] += 1 / ROWS
    weights = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True) / joint
    expected = (1 + weights[COLUMNS["digit"], COLUMNS["color"]]) / 2
    torch.testing.assert_close(law.double(), expected, rtol=1e-5, atol=0)


def test_every_loss_is_divided_by_the_law_so_that_its_mean_is_that_of_the_data():
    drawn, alike = trainee(), trainee()
    law = drawn.row_law(COLUMNS)
    losses, plain = (
        part.loss(COLUMNS, torch.Generator().manual_seed(1)) for part in (drawn, alike)
    )
    assert losses.keys() == plain.keys() == {"size", "image"}
    for name in losses:
        torch.testing.assert_close(losses[name] * law, plain[name])


def test_a_model_that_reweights_nothing_draws_rows_alike():
    assert trainee(reweighted=False).row_law(COLUMNS) is None


def test_rows_are_drawn_in_proportion_to_their_law_and_repeat_themselves():
    law = torch.tensor([1.0, 2.0, 0.0, 5.0])
    draws = torch.cat([drawn_rows(law, 1000, 3, step) for step in range(20)])
    shares = torch.bincount(draws, minlength=4) / len(draws)
    # Five standard errors of a share in 20,000 draws.
    assert (shares - law / 8).abs().max() < 5 * (0.25 / 20_000) ** 0.5
    assert shares[2] == 0
    assert torch.equal(drawn_rows(law, 1000, 3, 7), drawn_rows(law, 1000, 3, 7))
