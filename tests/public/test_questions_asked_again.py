"""A question asked again is answered as when it was new, whatever was asked between."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch

import causalflow as cf

FINITE = """
exogenous: {u: {p: [1/3, 2/3]}, w: {p: [1/4, 3/4]}, v: {p: [1/5, 4/5]}}
nodes:
  x: {type: class, levels: [low, high], equation: u}
  m: {type: class, levels: 2, equation: x ^ w}
  y: {type: class, levels: 3, equation: m + (u & v)}
  i: {type: image, shape: [1, 1, 2], levels: 2, equation: [m, u ^ v]}
"""
GIVEN = Fraction(17, 25)
"""P(y=1 | m=1) = P(u=0, w=1 or u=1, w=0, v=0) / P(m=1) = (1/4 + 1/30) / (5/12)."""

QUESTIONS = {
    "nothing given": ("P(y | do(x=high))", {}),
    "a condition": ("P(y[x=high]=1)", {"m": [0, 1]}),
    "a free intervention": ("P(y | do(x), m)", {"x": ["low", "high"], "m": [1, 0]}),
    "a mean": ("E[y[x=high] - y[x=low]]", {"y": [0, 1, 2]}),
    "a ratio": ("P(y=2 | do(x=high)) / P(y=1 | do(x=high))", {"m": [0, 1]}),
    "a difference": ("P(y=1 | do(x=high)) - P(y=1)", {}),
    "an image asked about": ("P(i[x=high] | y)", {"y": [0, 1]}),
    "an image by code": ("P(y[x=high] | i)", {"i": [0, 2, 3]}),
    "in the text too": ("P(y | m=1)", {"m": [1, 1]}),
    "a batch": ("P(y | m)", {"m": [[0, 1, 1], [1, 0]]}),
}


def calls(given):
    """The keywords of successive calls, with other values each time."""
    values = zip(*given.values(), strict=False) if given else [()] * 3
    return [dict(zip(given, each, strict=True)) for each in values]


def shown(answer):
    return answer.query, answer.table.to_dict(), answer.rows, answer.assumptions, answer.route


@pytest.fixture(scope="module")
def warm():
    return cf.compile(cf.loads(FINITE))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_warm_model_answers_as_a_new_one(warm, name):
    query, given = QUESTIONS[name]
    for known in calls(given) * 3:
        expected = cf.compile(cf.loads(FINITE)).ask(query, known)
        for asked in (query, cf.parse_query(query, warm.graph)):
            found = warm.ask(asked, known)
            assert shown(found) == shown(expected)
            assert found.verdict == expected.verdict


def test_a_level_is_one_however_it_is_given(warm):
    for _ in range(3):
        for one in (1, 1.0, "1", " 1 ", True, np.int64(1), np.float32(1), torch.tensor(1)):
            assert warm.ask("P(y=1 | m)", m=one).value == GIVEN
        for one in ([1], np.array([1]), torch.tensor([1])):
            assert warm.ask("P(y=1 | m)", m=one).value.tolist() == [GIVEN]


def test_an_image_is_one_by_code_and_by_pixels(warm):
    pixels = [[[1, 0]]]
    kinds = (2, pixels, np.array(pixels), np.array(pixels, dtype=np.float32), torch.tensor(pixels))
    expected = warm.ask("P(y[x=high] | i=2)").table.to_dict()
    for given in kinds * 3:
        assert warm.ask("P(y[x=high])", i=given).table.to_dict() == expected


def test_what_is_refused_is_refused_each_time(warm):
    for known, told in (
        ({"m": 5}, "5"),
        ({"m": None}, "no value"),
        ({"m": 0, "y": 2}, "probability zero"),
        ({"q": 1}, "'q' is known"),
    ):
        for _ in range(3):
            with pytest.raises(cf.CausalflowError, match=told):
                warm.ask("P(x=low)", known)
    for _ in range(3):
        assert warm.ask("P(y=1 | m=1)", m=1).value == GIVEN
        with pytest.raises(cf.CausalflowError, match="give it once"):
            warm.ask("P(y=1 | m=1)", m=0)
        with pytest.raises(cf.CausalflowError, match="seed"):
            warm.ask("P(y=1 | m=1)", m=1, generator="no seed")


def test_an_answer_cannot_be_changed_for_those_who_ask_next(warm):
    answer = warm.ask("P(y)")
    with pytest.raises(TypeError):
        answer.table.levels["y"] = (7, 8, 9)
    with pytest.raises(ValueError, match="read-only"):
        answer.table.values[0] = 1
    assert pickle.loads(pickle.dumps(warm)).ask("P(y)").table.to_dict() == answer.table.to_dict()


def test_more_questions_than_are_kept(warm):
    for blanks in [*range(300), *range(300)]:
        assert warm.ask("P(y=1 | m=1)" + " " * blanks).value == GIVEN


def fitted(rows):
    graph = cf.loads(
        "{nodes: {x: {type: class, levels: 2}, y: {type: class, levels: 2}}, "
        "edges: [x -> y, x <-> y]}"
    )
    model = cf.compile(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cf.CausalflowWarning)
        model.fit(rows, steps=20, progress=False)
    return model


def test_after_another_fit_the_answer_is_that_of_what_was_learned():
    rows = {"x": [0, 0, 1, 1] * 8, "y": [0, 0, 1, 1] * 8}
    others = {"x": [0, 0, 1, 1] * 8, "y": [1, 1, 0, 0] * 8}
    model = fitted(rows)
    query = "P(y=1 | do(x=1))"
    for data in (rows, others):
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cf.CausalflowWarning)
            model.fit(data, steps=20, progress=False)
        for _ in range(3):
            with pytest.warns(cf.CausalflowWarning, match="not identifiable from"):
                answer = model.ask(query, draws=2_000)
            found.append((answer.value, answer.assumptions))
        assert found[0] == found[1] == found[2]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cf.CausalflowWarning)
            twin = pickle.loads(pickle.dumps(model)).ask(query, draws=2_000)
        assert (twin.value, twin.assumptions) == found[0]
