"""What a command refuses names its options as they are typed."""

import click
import pytest

from causalflow.cli.spelling import spelt
from causalflow.plugins import COMMANDS


@pytest.mark.parametrize(
    ("command", "python", "typed"),
    [
        ("estimate", "estimate: folds=1; expected 2", "estimate: --folds 1; expected 2"),
        ("estimate", "of TE(seed=1/0 -> y), seed='a b'", "of TE(seed=1/0 -> y), --seed 'a b'"),
        ("estimate", "at='dose' is no free number", "--at dose is no free number"),
        ("estimate", "fewer values of x (at=...)", "fewer values of x (--at ...)"),
        (
            "fit",
            "precision='16-mixed' needs device='cuda'",
            "--precision 16-mixed needs --device cuda",
        ),
        ("fit", "held_out=0.5 and resume=False", "--held-out 0.5 and --no-resume"),
        ("fit", "window=LOW,HIGH, window=1%,99%", "--window LOW,HIGH, --window 1%,99%"),
        (
            "fit",
            "give --images FOLDER (images= in Python)",
            "give --images FOLDER (images= in Python)",
        ),
        ("fit", "with members=20 (--members 20)", "with members=20 (--members 20)"),
        ("counterfactual", "--do steps=few: 'few' is no number; do(seed=3)", None),
        ("fit", "node 'x': levels=3, {seed=1}, [seed=1], 'seed=1'", None),
    ],
)
def test_options_are_said_as_they_are_typed(command, python, typed):
    assert spelt(python, COMMANDS.get(command)) == (python if typed is None else typed)


def test_every_option_of_every_command_is_said_as_it_is_typed():
    for name in COMMANDS:
        command = COMMANDS.get(name)
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                said = spelt(f"{name}: {option.name}=3; expected more", command)
                assert said == f"{name}: {max(option.opts, key=len)} 3; expected more"
