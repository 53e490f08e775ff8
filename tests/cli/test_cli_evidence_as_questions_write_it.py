"""--given in the words of questions, and rows that mark as draws what nobody gave."""

import pytest

LINE = """
graph: line
exogenous: {u_age: {type: normal, mean: 60, std: 10}, u_t: normal, u_y: normal}
nodes:
  age: {type: continuous, equation: u_age}
  drug: {type: class, levels: [no, yes], table: [1/4, 3/4]}
  t: {type: continuous, equation: 0.1 * age + u_t}
  y: {type: continuous, equation: 2 * t + u_y}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("line") / "line.yaml"
    path.write_text(LINE)
    return str(path)


@pytest.mark.parametrize(
    ("words", "sign"),
    [
        ("age in [60, 70]", "age=[60, 70]"),
        ("drug likely {no: .2, yes: .8}", "drug={no: .2, yes: .8}"),
        ("drug in {no}", "drug={no}"),
    ],
)
def test_words_and_signs_say_the_same(cli, file, words, sign):
    asked = ("ask", file, "E[y | do(t=3)]", "--draws", "2000", "--given")
    shown = [cli(*asked, given) for given in (words, sign)]
    assert [each.code for each in shown] == [0, 0]
    assert shown[0].out == shown[1].out


def test_evidence_sets_nothing_and_a_law_is_no_evidence(cli, file):
    ran = cli("sample", file, "-n", "2", "--do", "t in [1, 2]")
    assert (ran.code, "'in' is no value, which says what was seen" in ran.err) == (2, True)
    ran = cli("ask", file, "E[y]", "--given", "drug ~ {no: .2, yes: .8}")
    assert (ran.code, "'~' is no value" in ran.err) == (2, True)


def test_factual_values_that_nobody_gave_are_marked_as_draws(cli, file):
    ran = cli("counterfactual", file, "--given", "y=13", "--do", "t=3")
    factual = next(line for line in ran.out.splitlines() if "factual" in line)
    assert factual.count("(draw)") == 3
    assert not factual.rstrip().endswith("(draw)")


def test_a_cell_that_cannot_be_is_named_as_it_was_written(cli, file, tmp_path):
    for cell, said in {
        "[70, 60]": "'age' is told '[70, 60]': no interval: 70 to 60",
        "60-70": "not a number: '60-70'; an interval, which is evidence, is written [60, 70]",
    }.items():
        (tmp_path / "rows.csv").write_text(f'age,y\n"{cell}",13\n')
        ran = cli("counterfactual", file, "--evidence", tmp_path / "rows.csv", "--do", "t=3")
        assert (ran.code, said in ran.err) == (2, True)
