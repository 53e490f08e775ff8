"""The command line's options of reading are the fields of `Reading`: names, defaults, helps."""

import dataclasses
import re

import click

from causalflow.cli.data import data
from causalflow.data.reading import Reading


def test_every_option_has_the_default_and_the_help_of_its_field():
    options = {each.name: each for each in data.params if isinstance(each, click.Option)}
    helps = dict(re.findall(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", Reading.__doc__ or "", re.M))
    for field in dataclasses.fields(Reading):
        assert options[field.name].default == field.default
        assert options[field.name].help == " ".join(helps[field.name].split())
