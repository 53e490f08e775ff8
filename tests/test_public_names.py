from __future__ import annotations

import importlib
import re
import subprocess
import sys
from types import ModuleType

import pytest

import causalflow as cf


@pytest.mark.parametrize("name", cf.__all__)
def test_public_name_is_the_same_object_at_every_use(name):
    first = getattr(cf, name)
    importlib.import_module("causalflow.identify.identify")
    assert getattr(cf, name) is first
    assert isinstance(first, ModuleType) == (name in ("data", "edit"))


@pytest.mark.parametrize("first", ["causalflow.identify", "causalflow.model.model"])
def test_identify_is_the_function_whatever_was_imported_before(first):
    code = f"import {first}; import causalflow as cf; g = cf.Graph(edges=['x -> y']); " + (
        "print([cf.identify(g, 'P(y | do(x))').identifiable for _ in range(2)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True]"


@pytest.mark.parametrize("name", cf.__all__)
def test_public_name_says_what_it_is_and_how_it_is_used(name):
    shown = getattr(cf, name)
    text = vars(shown).get("__doc__") if isinstance(shown, type) else shown.__doc__
    assert text, f"{name}: no docstring"
    assert text.strip().splitlines()[0].endswith("."), f"{name}: no sentence"
    assert re.search(r"Args:|Attributes:|Example|>>> ", text), f"{name}: neither arguments nor use"
