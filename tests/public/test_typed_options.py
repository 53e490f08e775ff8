"""A type checker in strict mode knows every option that a user's script can give."""

import inspect
import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import causalflow as cf

RIGHT = """
import causalflow as cf

graph = cf.load("graph.yaml")
options = cf.Diffusion(
    width=64,
    backbone=cf.UNet(width=64, multipliers=(1, 2)),
    solver=cf.Heun(steps=20),
    guided_solver="dpm++2m",
    guidance=cf.DeltaGuidance(strength=2.0, interval=(0.02, 0.2)),
    balance=cf.OddsBalance(push=0.5),
    null_rate=0.1,
)
name: str = options.solver
model = cf.compile(graph, seed=1, confounder_states=4, image=options)
model.fit({"x": [0, 1]}, steps=5, device="cpu", progress=False, learning_rate=1e-3)
model.fit({"x": [0, 1]}, nodes=["x"], options=cf.Fit(steps=5, schedule="constant"))
sampling = cf.Sampling(solver=cf.Edict(steps=9), residual=False)
world = model.counterfactual({"x": 0}, {"x": 1}, n=2, generator=0, sampling=sampling)
world = model.counterfactual({"x": 0}, {"x": 1}, steps=3, guidance=1.5, solver="alf", grain=1.0)
world = model.sample(3, {"x": 1}, guidance=cf.FreeGuidance(strength=3.0), grid="early")
noise = model.abduct({"x": 0}, steps=4, solver=cf.Alf())
world = model.predict(noise, {"x": 1}, balance="none", residual=True)
world = model.reconstruct({"x": 0}, steps=4, solver="ddim")
report = model.counterfactual({"x": 0}, {"x": 1}, out="out.safetensors", batch_size=8)
answer = model.ask("P(x)", draws=10)
print(name, world.info, report.rows, answer.value)
"""
WRONG = {
    "cf.Diffusion(widht=64)": 'Unexpected keyword argument "widht"',
    "cf.Diffusion(solver=cf.DeltaGuidance())": 'Argument "solver" to "Diffusion"',
    'cf.Diffusion(steps="many")': 'Argument "steps" to "Diffusion"',
    "cf.Heun(stepz=20)": 'Unexpected keyword argument "stepz"',
    "cf.Sampling(width=3)": 'Unexpected keyword argument "width"',
    "cf.Fit(step=5)": 'Unexpected keyword argument "step"',
    "model.fit({}, learning_rat=1e-3)": 'Unexpected keyword argument "learning_rat"',
    'model.fit({}, steps="5")': 'Argument "steps" to "fit"',
    'model.sample(3, solvr="alf")': 'Unexpected keyword argument "solvr"',
    'model.abduct({}, grain="much")': 'Argument "grain" to "abduct"',
    "model.predict(model.abduct({}), width=3)": 'Unexpected keyword argument "width"',
    "model.counterfactual({}, {}, step=3)": 'No overload variant of "counterfactual"',
    "model.reconstruct({}, stps=3)": 'Unexpected keyword argument "stps"',
    'cf.compile(cf.load("g.yaml"), image={"width": 8})': 'Argument "image" to "compile"',
    "cf.heun(steps=3)": "heun",
}
HEAD = 'import causalflow as cf\n\nmodel = cf.compile(cf.load("g.yaml"))\n'


def test_a_strict_type_checker_knows_every_option(tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(HEAD + "\n".join(WRONG) + "\n")
    words = ["--strict", "--no-error-summary", "--follow-imports=silent", "--hide-error-codes"]
    home = Path(inspect.getfile(cf)).parents[1]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "right.py", "wrong.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(home), "MYPY_CACHE_DIR": str(home / ".mypy_cache")},
        check=False,
    )
    found: dict[str, list[str]] = {}
    for line in ran.stdout.splitlines():
        place, _, message = line.partition(": error: ")
        found.setdefault(place, []).append(message)
    assert not [line for line in ran.stdout.splitlines() if line.startswith("right.py")]
    first = HEAD.count("\n") + 1
    for number, (text, message) in enumerate(WRONG.items(), first):
        said = found.get(f"wrong.py:{number}", [])
        assert any(message in each for each in said), (text, said)


CALLS = ["sample", "abduct", "predict", "counterfactual", "reconstruct", "fit"]


@pytest.mark.parametrize("name", CALLS)
def test_no_option_of_a_call_is_hidden(name):
    method = getattr(cf.Model, name)
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            assert "Any" not in str(parameter.annotation)


def keywords(method, last):
    """All that a method takes by keyword, those of its typed keywords too."""
    taken = set(inspect.signature(method).parameters)
    hints = typing.get_type_hints(inspect.unwrap(method), vars(sys.modules[method.__module__]))
    return taken | set(hints[last].__args__[0].__annotations__)


@pytest.mark.parametrize("name", ["sample", "predict", "counterfactual"])
def test_what_sampling_has_a_call_takes_by_keyword(name):
    options = set(inspect.signature(cf.Sampling).parameters)
    assert options <= keywords(getattr(cf.Model, name), "options")


def test_what_fit_has_is_taken_by_keyword():
    assert set(inspect.signature(cf.Fit).parameters) <= keywords(cf.Model.fit, "further")
