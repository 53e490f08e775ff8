"""The tutorials run, with few steps, and end in numbers near the truth."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(name: str, **options: int) -> dict[str, float]:
    spec = importlib.util.spec_from_file_location("tutorial", ROOT / "tutorials" / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(**options)


def test_the_first_counterfactual_ends_near_the_truth() -> None:
    ends = run("01_first_counterfactual.py", steps=3, images=8)
    assert ends["error"] <= 1e-6  # the null intervention is exact, however little was trained
    assert ends["green"] <= 0.02
    assert ends["red"] <= 0.02


def test_exact_counterfactuals_end_in_the_published_numbers() -> None:
    ends = run("02_exact_counterfactuals.py", rows=4_000)
    for name in ("by hand", "ask", "firing squad", "choices alike", "choices outside"):
        assert ends[name] == 0, name
    assert ends["lipid"] <= 1e-9  # a vertex of a linear program in float64
    assert ends["batch"] <= 5 * 0.5 / 4_000**0.5  # 5 standard errors of a mean of numbers in [0, 1]
