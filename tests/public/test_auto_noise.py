"""`noise: auto`: a table is fitted at once, and its counterfactuals are the true ones."""

import numpy as np
import pytest

import causalflow as cf

TEXT = """
graph: doses
nodes:
  age:   {type: continuous, unit: years, noise: auto}
  sex:   {type: class, levels: [f, m]}
  dose:  {type: continuous, noise: auto}
  spent: {type: continuous, noise: auto}
edges:
  - age, sex -> dose
  - age, dose -> spent
"""
ROWS = 3000


def world(noise, dose=None):
    """The rows that noises make, and under do(dose)."""
    age = 50 + 12 * noise["age"]
    sex = (noise["sex"] > 0.5).astype(int)
    natural = 1 + 0.03 * age + 0.8 * sex + 0.3 * noise["dose"]
    dose = natural if dose is None else np.full(len(age), dose)
    spent = np.where(noise["spent"] < -0.6, 0.0, np.exp(0.4 * dose + 0.4 * noise["spent"]))
    return {"age": age, "sex": np.array(["f", "m"])[sex], "dose": dose, "spent": spent}


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(size=ROWS) for name in ("age", "dose", "spent")}
    noise["sex"] = rng.random(ROWS)
    model = cf.compile(cf.loads(TEXT, format="yaml"))
    report = model.fit(world(noise), progress=False)
    assert report.steps == 0
    return model, noise


def test_a_persons_spending_under_another_dose_is_the_true_one(case):
    model, noise = case
    rows, truth = world(noise), world(noise, dose=3.0)
    found = model.counterfactual(rows, do={"dose": 3.0})
    spent = np.asarray(found["spent"])
    some = rows["spent"] > 0
    error = np.abs(spent[some] - truth["spent"][some]) / truth["spent"][some].std()
    assert np.median(error) < 0.05
    assert np.quantile(error, 0.95) < 0.2
    assert (spent[~some] == 0).mean() > 0.9
    assert np.allclose(np.asarray(found["age"]), rows["age"], rtol=1e-12, atol=0)


def test_a_null_intervention_gives_the_rows_back(case):
    model, noise = case
    rows = world(noise)
    found = model.counterfactual(rows, do={"dose": rows["dose"]})
    assert np.allclose(np.asarray(found["spent"]), rows["spent"], rtol=1e-9, atol=0)


def test_what_was_chosen_is_said(case):
    said = case[0].describe().set_index("node")["mechanism"]
    assert said["dose"].startswith("auto noise: line")
    assert "1 atom" in said["spent"]


def test_it_is_kept_in_a_file(case, tmp_path):
    model, noise = case
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    rows = world({name: values[:50] for name, values in noise.items()})
    asked = [m.counterfactual(rows, do={"age": 40.0}, generator=1) for m in (model, again)]
    for name in rows:
        assert (np.asarray(asked[0][name]) == np.asarray(asked[1][name])).all(), name


def test_an_image_above_it_is_refused_before_anything_is_built():
    text = TEXT + "  - scan -> dose\n"
    text = text.replace("edges:", "  scan: {type: image, shape: [1, 16, 16]}\nedges:")
    with pytest.raises(cf.CausalflowError, match="noise 'auto' cannot have the image parent"):
        cf.compile(cf.loads(text, format="yaml"))


def test_it_is_the_default_of_tables_alone(tmp_path):
    table = cf.Graph(nodes={n: {"type": "continuous"} for n in "ab"}, edges=["a -> b"])
    assert [table.noise_of(name) for name in "ab"] == ["auto", "auto"]
    picture = {"type": "image", "shape": [1, 8, 8]}
    nodes = {"a": {"type": "continuous"}, "picture": picture}
    beside = cf.Graph(nodes=nodes, edges=["a -> picture"])
    assert beside.noise_of("a") == "flow"
    named = cf.Graph(nodes={"a": {"type": "continuous", "noise": "linear"}}, edges=[])
    assert named.noise_of("a") == "linear"
    assert "noise" not in table.to_yaml()
    model = cf.compile(table)
    rng = np.random.default_rng(0)
    model.fit({"a": rng.normal(size=200), "b": rng.normal(size=200)}, progress=False)
    model.save(tmp_path / "model.safetensors")
    again = cf.Model.load(tmp_path / "model.safetensors")
    assert again.graph == table
    assert list(again.describe()["mechanism"]) == list(model.describe()["mechanism"])


def test_no_row_far_out_makes_a_counterfactual_immense():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, 1000))
    a = u[0]
    b = np.exp(a + 0.5 * np.abs(a) * u[1])
    model = cf.compile(cf.Graph(nodes={n: {"type": "continuous"} for n in "ab"}, edges=["a -> b"]))
    model.fit({"a": a, "b": b}, progress=False)
    odd = {"a": [-2.0, 0.0], "b": [3 * b.max(), 2 * b.max()]}
    with pytest.warns(cf.SupportWarning):
        found = np.asarray(model.counterfactual(odd, do={"a": [2.0, 1.0]})["b"])
    assert (np.abs(found) < 50 * b.max()).all()
    with pytest.warns(cf.SupportWarning):
        back = np.asarray(model.counterfactual(odd, do={"a": odd["a"]})["b"])
    assert np.allclose(back, odd["b"], rtol=1e-9)
