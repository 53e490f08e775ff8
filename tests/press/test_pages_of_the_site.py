"""What makes the site's pages: links, scripts in cells, the gallery, the reference, versions."""

import json
from pathlib import Path

import pytest
from press.copies import copies
from press.gallery import _page, gallery
from press.inspect_site import faults
from press.links import ROOT, page_of, rewritten
from press.percent import cells, page
from press.reference import reference
from press.tutorials import FEW, _Heard, _shown, tutorials
from press.versions import publish

import causalflow as cf


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("docs/solvers.md", "solvers.md"),
        ("docs/how-to/metric.md", "how-to/metric.md"),
        ("benchmarks/results/papers/diff_scm_scores.md", "measured/papers/diff_scm_scores.md"),
        ("graphs/classics/napkin.yaml", "gallery/classics/napkin.md"),
        ("graphs", "gallery/index.md"),
        ("tutorials/04_few_calls.py", "learn/04_few_calls.ipynb"),
        ("CHANGELOG.md", "project/changelog.md"),
        ("causalflow/plugins.py", None),
        ("benchmarks/results/scenes_ball.json", None),
    ],
)
def test_a_file_of_the_repository_has_its_page(path, name):
    assert (ROOT / path).exists()
    assert page_of(path) == name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a](../solvers.md#few-calls)", "[a](/solvers.md#few-calls)"),
        ("[a](../../graphs/pendulum.yaml)", "[a](/gallery/pendulum.md)"),
        ("[`a.py`](../../causalflow/files.py)", "[`a.py`](https://x/causalflow/files.py)"),
        ("![a](../grids/scene_ball.png)", "![a](../grids/scene_ball.png)"),
        ("[a](https://b.c) and [d](#e)", "[a](https://b.c) and [d](#e)"),
        ("`[a](../solvers.md)`", "`[a](../solvers.md)`"),
        ("`b` [a](../solvers.md) `c`", "`b` [a](/solvers.md) `c`"),
        ("```\n[a](../solvers.md)\n```\n[b](metric.md)", None),
    ],
)
def test_links_lead_to_pages_and_code_stays(text, told):
    found = rewritten(text, "docs/how-to/solver.md", "how-to/solver", "https://x")
    if told is None:
        assert found == "```\n[a](../solvers.md)\n```\n[b](/how-to/metric.md)"
    else:
        assert found == told


def test_a_link_to_a_file_whose_address_is_not_known_is_plain_words():
    assert rewritten("[a](../../CITATION.cff)", "docs/how-to/solver.md", "how-to/solver") == "a"


def test_a_picture_is_found_from_where_its_page_is_made():
    text = rewritten("![a](grid.png)", "benchmarks/results/x.md", "measured/x")
    assert text == "![a](../../benchmarks/results/grid.png)"


def test_a_script_is_read_cell_by_cell_and_nothing_of_it_is_lost():
    for path in sorted((ROOT / "tutorials").glob("[0-9]*.py")):
        found = cells(path.read_text(encoding="utf-8"))
        code = "\n".join(cell.text for cell in found if not cell.prose)
        script = path.read_text(encoding="utf-8").splitlines()
        assert found[0].prose
        assert found[0].text.startswith("# ")
        lines = [line for line in script if line and not line.startswith("#")]
        assert [line for line in code.splitlines() if line and not line.startswith("#")] == lines


def test_what_a_line_printed_stands_below_its_cell():
    script = cells("# %% [markdown]\n# # T\n# %%\ndef f():\n    print(1)\n# %%\nx = 2\n")
    heard = _Heard(Path("there.py"))
    exec(compile("def f(out):\n\n\n\n    out.write('1')", "there.py", "exec"), names := {})
    names["f"](heard)
    assert heard.printed == [(5, "1")]

    class Found:
        printed, drawn = heard.printed, {}

    shown = _shown(script, Found)
    assert [len(outputs) for outputs in shown] == [0, 1, 0]
    told = json.loads(page(script, shown, "a note"))
    assert "".join(told["cells"][0]["source"]).startswith("# T\n\na note")
    assert told["cells"][1]["outputs"][0]["text"] in ("1", ["1"])


def test_every_tutorial_has_a_page_without_being_run():
    made = dict(tutorials("", run=False))
    assert made.keys() == {f"learn/{name}" for name in FEW}
    for text in made.values():
        assert "(../" not in text, "a link that leads out of the site"


def test_every_shipped_graph_is_on_a_page_of_the_gallery():
    files = sorted((ROOT / "graphs").rglob("*.yaml"))
    index = next(gallery())[1]
    missing = [file.stem for file in files if f"{file.stem}.svg" not in index]
    assert missing == []


def test_a_page_of_the_gallery_has_verdicts_formulas_and_numbers():
    text = _page(ROOT / "graphs" / "classics" / "smoking_tar.yaml", "Classics")
    assert "**Identified**" in text
    assert "<math" in text
    text = _page(ROOT / "graphs" / "literature" / "bow.yaml", "Literature")
    assert "**Not identified**" in text
    assert "x <-> y" in text


def test_every_public_name_and_command_is_in_the_reference():
    made = dict(reference())
    whole = "\n".join(made.values())
    for name in cf.__all__:
        assert f"\n## {name}\n" in whole, name
        assert f"`cf.{name} <causalflow.{name}>`" in made["reference/index"]
    assert "causalflow counterfactual" in made["reference/commands"]
    assert "`alf`" in made["reference/registries"]


@pytest.mark.parametrize("text", [r"\hat x_0", r"\bar\alpha_t"])
@pytest.mark.parametrize("block", [True, False])
def test_an_index_stands_behind_a_letter_with_an_accent(text, block):
    pytest.importorskip("sphinx")
    from press.mathml import formula

    made = formula(text, block)
    assert "<msub><mover" in made
    assert "munder" not in made


def test_texts_that_stand_elsewhere_become_pages():
    made = dict(copies(""))
    assert {"project/changelog", "project/contributing", "measured/exact"} <= made.keys()
    assert all(text.lstrip().startswith(("# ", "---\n")) for text in made.values())


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x">1</a><a href="#here" id="here">2</a>')
    (tmp_path / "b.html").write_text('<p id="x"><a href="c.html">3</a><a href="a.html#y">4</a>')
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d.html").write_text('<script src="https://e.f/g.js"></script>')
    assert list(faults(tmp_path)) == [
        "b.html: a.html#y: no such place",
        "b.html: c.html: no such file",
        "c/d.html: fetches https://e.f/g.js",
    ]


def test_versions_stand_beside_each_other_and_the_newest_release_is_first(tmp_path):
    built, published = tmp_path / "built", tmp_path / "published"
    built.mkdir()
    published.mkdir()
    (built / "index.html").write_text("new")
    publish(built, published, "latest")
    assert "url=latest/" in (published / "index.html").read_text()
    for version in ("0.2.0", "0.10.0"):
        publish(built, published, version)
    assert "url=0.10.0/" in (published / "index.html").read_text()
    listed = (published / "versions.html").read_text()
    assert listed.index("latest") < listed.index("0.10.0") < listed.index("0.2.0")
    with pytest.raises(ValueError, match="three numbers"):
        publish(built, published, "../elsewhere")
