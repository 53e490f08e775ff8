"""The tutorial on few calls runs, and gets the factual pictures back."""

from test_tutorials import run


def test_few_calls_get_the_picture_back() -> None:
    ends = run("04_few_calls.py", steps=3, images=4)
    # In grey levels of 255; a picture is rounded to float32 when it leaves, 1.5e-5 of them.
    assert ends["back"] <= 1e-4
    assert ends["residual"] <= 1e-4
    assert ends["guided null"] <= 1e-4
