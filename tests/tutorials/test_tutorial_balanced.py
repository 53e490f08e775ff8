"""The tutorial on the balanced latent space runs, and what it says holds of any model holds."""

from test_tutorials import run


def test_the_red_five_keeps_what_was_assumed() -> None:
    ends = run("06_balanced_latent_space.py", steps=3, images=4)
    # In grey levels of 255; a picture is rounded to float32 when it leaves, 1.5e-5 of them.
    assert ends["back"] <= 1e-4
    # Sums of two numbers in either order are the same number.
    assert ends["told apart"] == 0
    assert all(0 <= ends[space] <= 1 for space in ("original", "balanced", "stopping"))
