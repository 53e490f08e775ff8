"""Pictures with a hidden cause: rows, true laws and true pictures of worlds that are known."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

import causalflow as cf

KINDS = ("ascm", "mediated", "bar_mnist", "frontdoor", "severity", "instrument")
ROWS = 1_000


@pytest.fixture(scope="module")
def worlds():
    return {kind: cf.data.confounded(kind, "test", 8, n=ROWS) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_read_off_the_true_pictures(worlds, kind):
    rows = worlds[kind]
    read = rows.read(rows.images)
    for name in rows.world.attributes:
        wrong = np.abs(read[name].numpy() - rows.labels[name])
        assert wrong.mean() < (0.03 if kind == "severity" else 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_done_gives_the_row_back_to_the_byte(worlds, kind):
    rows = worlds[kind]
    again = rows.true_counterfactual([3, 1], {})
    assert torch.equal(again["image"], rows.images[[3, 1]].float() / 255)
    assert again[rows.world.hidden].tolist() == rows.labels[rows.world.hidden][[3, 1]].tolist()


@pytest.mark.parametrize(
    ("kind", "do", "kept"),
    [
        ("bar_mnist", {"color": "red"}, "slant"),
        ("frontdoor", {"marker": "present"}, "ground"),
        ("mediated", {"y": 1}, "first"),
    ],
)
def test_what_the_hidden_cause_decides_stays_in_the_true_picture(worlds, kind, do, kept):
    rows = worlds[kind]
    other = rows.true_counterfactual(range(ROWS), do)
    assert rows.read(other["image"])[kept].tolist() == rows.labels[kept].tolist()
    assert not torch.equal(other["image"], rows.images.float() / 255)


def test_the_law_is_that_of_the_exact_engine(worlds):
    rows = worlds["ascm"]
    exact = cf.compile(rows.scm)
    given = {"first": 0, "second": 1, "third": 0, "fourth": 1}
    seen = ", ".join(f"{name}={value}" for name, value in given.items())
    found = rows.law(["first"], {"x": 1}, given).to_dict()
    asked = exact.ask(f"P(first[x=1] | {seen})").table.to_dict()
    assert found == pytest.approx({level: float(p) for level, p in asked.items()}, abs=1e-12)
    assert found[1] == pytest.approx(9 / 19, abs=1e-12)


def test_the_law_of_the_papers_pictures_is_theirs(worlds):
    law = worlds["ascm"].law(["first", "second", "third", "fourth"]).values.reshape(-1)
    codes = {0: 0.16, 3: 0.16, 5: 0.19, 6: 0.19, 8: 0.09, 11: 0.09, 13: 0.06, 14: 0.06}
    assert {code: p for code, p in enumerate(law) if p} == pytest.approx(codes, abs=1e-12)


def test_the_law_of_a_hidden_number_is_its_closed_form(worlds):
    dark = worlds["severity"].law(["dark"], {"dose": 1.0}).to_dict()[1]
    truth = norm.cdf(-0.8 / np.sqrt(1.3))
    assert dark == pytest.approx(truth, abs=5 * np.sqrt(truth * (1 - truth) / 1e6))


@pytest.mark.parametrize("kind", ["frontdoor", "mediated", "instrument"])
def test_rows_have_the_law_of_their_world(kind):
    rows = cf.data.confounded(kind, n=20_000)
    names = [rows.world.hidden, *(n for n in rows.graph.nodes if n != "image")]
    truth = rows.law(names).values
    seen = np.zeros(truth.shape)
    np.add.at(seen, tuple(rows.labels[name] for name in names), 1 / len(rows))
    assert np.all(np.abs(seen - truth) <= 5 * np.sqrt(truth * (1 - truth) / len(rows)) + 1e-12)


def test_the_hidden_cause_deceives():
    rows = cf.data.confounded("bar_mnist", n=10)
    done = rows.law(["slant"], {"color": "red"}).to_dict()[1]
    seen = rows.law(["slant"], given={"color": "red"}).to_dict()[1]
    assert (done, seen) == (pytest.approx(0.5), pytest.approx(0.725))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: cf.data.confounded("bow"), "unknown kind 'bow'"),
        (lambda: cf.data.confounded("ascm", n=0), "n is 0"),
        (lambda: cf.data.confounded("ascm", size=9), "size 9; expected an even one from 8"),
        (lambda: cf.data.confounded("ascm", n=5).law(["z"]), "no node 'z' in the truth"),
        (lambda: cf.data.confounded("severity", n=5).law(["dose"]), "has no levels"),
        (lambda: cf.data.confounded("ascm", n=5).law(["x"], given={"x": 0, "first": 1}), "no row"),
        (
            lambda: cf.data.confounded("bar_mnist", n=5).true_counterfactual([0], {"digit": 3}),
            "has no true picture",
        ),
    ],
)
def test_what_cannot_be_is_refused(ask, message):
    with pytest.raises(cf.CausalflowError, match=message):
        ask()
