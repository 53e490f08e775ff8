"""Shards: the same bytes whoever writes them, whatever interrupts, and read back as they were."""

import hashlib
import io
import json
import random
import tarfile

import numpy as np
import pytest
import torch
from crews import played
from PIL import Image as Picture
from safetensors.torch import load_file

import causalflow as cf
from causalflow.data.frame import Frame
from causalflow.data.shards import shards
from causalflow.errors import DataError
from causalflow.graph.graph import Graph
from causalflow.model.batches import batches_of, batches_of_draws
from causalflow.model.stream import Target, _stream, stream

GRAPH = Graph(
    nodes={
        "color": {"type": "class", "levels": ["green", "red"]},
        "size": {"type": "continuous"},
        "image": {"type": "image", "shape": [3, 4, 4]},
        "mark": {"type": "image", "shape": [1, 2, 2], "levels": 3},
    },
    edges=["color, size -> image", "color -> mark"],
)
ROWS = 53
RANDOM = torch.Generator().manual_seed(0)
EVIDENCE = {
    "color": torch.arange(ROWS) % 2,
    "size": torch.linspace(1, 2, ROWS, dtype=torch.float64),
    "image": torch.rand(ROWS, 3, 4, 4, generator=RANDOM),
    "mark": torch.randint(3, (ROWS, 1, 2, 2), generator=RANDOM).float(),
}


def flipped(batch, index=0):
    """Another colour, the negative of the picture: nothing that depends on the batch."""
    return {**batch, "color": 1 - batch["color"], "image": 1 - batch["image"]}


def run(out, kind="tar", evidence=EVIDENCE, answer=flipped, count=1, shard_batches=3, **identity):
    batches = list(batches_of(evidence, 5)[0]) if count > 1 else batches_of(evidence, 5)[0]
    target = Target(out=out, batch_size=5, shards=kind, shard_batches=shard_batches, progress=False)
    asked = {"do": "color", **target.identity, **identity}
    if count == 1:
        return stream(answer, batches, target, graph=GRAPH, identity=asked)
    return played(count, lambda crew: _stream(crew, answer, batches, target, GRAPH, asked, ROWS))[0]


def contents(path):
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


class Killed(BaseException):
    """The end of a process at a moment that it did not choose."""


def killed_at(moments):
    """An answer that ends with the whole crew when so many batches were answered by anyone."""
    left = [moments]

    def answer(batch, index):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return flipped(batch)

    return answer


KINDS = ["tar", "safetensors"]
WHOLE = [*KINDS, None]


@pytest.mark.parametrize("kind", WHOLE)
def test_any_number_of_processes_writes_the_bytes_of_one(tmp_path, kind):
    one = contents(run(tmp_path / "one", kind).path)
    for count in (2, 3, 5):
        report = run(tmp_path / f"of{count}", kind, count=count)
        assert contents(report.path) == one
        assert (report.rows, report.batches, report.processes) == (ROWS, 11, count)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kind", WHOLE)
def test_killed_at_random_and_gone_on_with_by_other_numbers_the_bytes_are_the_same(tmp_path, kind):
    one, chance = contents(run(tmp_path / "one", kind).path), random.Random(7)
    for trial in range(6):
        out, kills, report = tmp_path / f"killed{trial}", 0, None
        while report is None:
            answer = killed_at(chance.randint(0, 4)) if kills < 3 else flipped
            try:
                report = run(out, kind, answer=answer, count=chance.choice([1, 2, 3]))
            except Killed:
                kills += 1
        assert kills >= 2
        assert contents(out) == one
    assert not list(tmp_path.glob(".*"))


def test_shards_hold_whole_batches_and_the_index_describes_them(tmp_path):
    out = run(tmp_path / "out", "safetensors").path
    index = json.loads((out / "index.json").read_text())
    assert [shard["rows"] for shard in index["shards"]] == [15, 15, 15, 8]
    assert index["rows"] == ROWS
    assert index["asked"]["do"] == "color"
    for number, shard in enumerate(index["shards"]):
        content = (out / f"{number:06d}.safetensors").read_bytes()
        assert shard["file"] == f"{number:06d}.safetensors"
        assert (shard["bytes"], shard["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    parts = [load_file(out / shard["file"]) for shard in index["shards"]]
    expected = flipped(EVIDENCE)
    assert all(torch.equal(torch.cat([p[n] for p in parts]), expected[n]) for n in expected)


def test_a_tar_shard_is_read_by_the_standard_tarfile(tmp_path):
    out = run(tmp_path / "out").path
    with tarfile.open(out / "000001.tar") as file:
        members = {member.name: file.extractfile(member).read() for member in file}
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in file.getmembers()} == {(0, 0, 0, "")}
    keys = sorted({name.partition(".")[0] for name in members})
    assert keys == [f"{row:08d}" for row in range(15, 30)]
    assert json.loads(members["00000016.json"]) == {
        "color": "red" if EVIDENCE["color"][16] == 0 else "green",
        "size": float(EVIDENCE["size"][16]),
    }
    with Picture.open(io.BytesIO(members["00000016.image.png"])) as picture:
        pixels = torch.tensor(np.asarray(picture)).permute(2, 0, 1).long()
    assert torch.equal(pixels, ((1 - EVIDENCE["image"][16]) * 255).round().long())


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read_back_batch_by_batch_and_as_columns(tmp_path, kind):
    rows = shards(run(tmp_path / "out", kind).path)
    sizes = [len(batch["size"]) for batch in rows.batches()]
    assert sizes == [5] * 10 + [3]
    assert len(rows) == ROWS
    read, expected = Frame.read(rows, GRAPH), Frame.read(flipped(EVIDENCE), GRAPH)
    for name in ("color", "size", "mark"):
        assert torch.equal(read.columns[name].double(), expected.columns[name].double()), name
    step = 1 / 255 if kind == "tar" else 0
    indices = torch.arange(ROWS)
    difference = read.rows(indices)["image"] - expected.rows(indices)["image"]
    assert float(difference.abs().max()) <= step + 1e-6


def test_a_folder_that_is_done_is_done_again_at_once_and_answers_nothing_else(tmp_path):
    out = run(tmp_path / "out").path
    before = contents(out)

    def never(batch, index):
        raise AssertionError(index)

    for count in (1, 2):
        again = run(out, answer=never, count=count)
        assert (again.resumed_from, again.rows) == (11, ROWS)
    assert contents(out) == before
    with pytest.raises(DataError, match=r"begun with do='color', now do='size'; ask the same"):
        run(out, do="size")
    with pytest.raises(DataError, match="now shard_batches=4"):
        run(out, shard_batches=4)
    with pytest.raises(DataError, match="batch 0 is not the evidence"):
        run(out, evidence={**EVIDENCE, "size": EVIDENCE["size"] + 1})
    with pytest.raises(DataError, match="batch 10 is not the evidence"):
        run(out, evidence={n: torch.cat([v, v]) for n, v in EVIDENCE.items()})
    with pytest.raises(DataError, match="the evidence now has 2"):
        run(out, evidence={n: v[:30] for n, v in EVIDENCE.items()})


def test_another_question_does_not_go_on_with_shards_that_are_not_done(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        run(out, answer=killed_at(7))
    with pytest.raises(DataError, match=r"begun with seed=None, now seed=3; ask the same"):
        run(out, seed=3)
    with pytest.raises(DataError, match="batch 0 is not the evidence"):
        run(out, evidence={**EVIDENCE, "size": EVIDENCE["size"] + 1})
    with pytest.raises(DataError, match="that has not ended writes none yet"):
        shards(out)


def test_a_shard_that_is_lost_meanwhile_is_written_anew(tmp_path):
    one, out = contents(run(tmp_path / "one").path), tmp_path / "out"
    with pytest.raises(Killed):
        run(out, answer=killed_at(8))
    (out / "000001.tar").unlink()
    (out / "000000.tar").write_bytes(b"cut")
    run(out)
    assert contents(out) == one


def test_a_shard_that_was_altered_is_not_read(tmp_path):
    out = run(tmp_path / "out", "safetensors").path
    content = bytearray((out / "000001.safetensors").read_bytes())
    content[-1] ^= 1
    (out / "000001.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"not the file that index\.json describes"):
        list(shards(out).batches())
    (out / "index.json").write_text('{"format": "other"}')
    with pytest.raises(DataError, match="no index of shards that can be read"):
        shards(out)


def altered(shard):
    """An index whose first shard is described otherwise."""

    def alter(index):
        index["shards"][0].update(shard)
        return index

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        altered({"rows": "many"}),
        altered({"rows": 14}),
        altered({"batches": [[5, ""], [5, ""]]}),
        altered({"batches": [[16, ""], [-1, ""]]}),
        altered({"file": ".."}),
        lambda index: {**index, "shards": index["shards"][1:]},
        lambda index: {**index, "rows": 54},
        lambda index: "[" * 100_000,
    ],
)
def test_an_index_that_was_altered_is_refused(tmp_path, alter):
    run(tmp_path / "out")
    path = tmp_path / "out" / "index.json"
    found = alter(json.loads(path.read_text()))
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    for ask in (shards, run):
        with pytest.raises(DataError, match="no index of shards that can be read"):
            ask(tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_shard_with_other_rows_than_its_index_says_is_not_read(tmp_path, kind, more):
    run(tmp_path / "out", kind)
    path = tmp_path / "out" / "index.json"
    index = json.loads(path.read_text())
    index["rows"] += more
    index["shards"][0]["rows"] += more
    index["shards"][0]["batches"][-1][0] += more
    path.write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"other rows than index\.json describes"):
        list(shards(tmp_path / "out").batches())


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"batches": 3}'])
def test_a_damaged_note_of_a_shard_or_of_what_is_asked_is_named(tmp_path, text):
    out, parts = tmp_path / "out", tmp_path / ".out.parts"
    for name in ("000000.json", "identity.json"):
        with pytest.raises(Killed):
            run(out, answer=killed_at(5))
        kept = (parts / name).read_text()
        (parts / name).write_text(text)
        with pytest.raises(DataError):
            run(out)
        (parts / name).write_text(kept)


def test_a_stream_begun_in_shards_goes_on_in_shards_only(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "out", answer=killed_at(4))
    with pytest.raises(DataError, match="begun with shards='tar', now shards=None"):
        run(tmp_path / "out", None)
    run(tmp_path / "out")


@pytest.mark.parametrize("out", ["", ".", "/", "folder/.."])
def test_a_stream_is_written_to_what_has_a_name(out):
    with pytest.raises(DataError, match="expected a file or folder by its name"):
        Target(out=out)


def test_fewer_batches_than_were_written_are_told(tmp_path):
    run(tmp_path / "out")
    fewer = {name: column[:50] for name, column in EVIDENCE.items()}
    with pytest.raises(DataError, match="4 shards of 11 batches, and the evidence now has 4 of 10"):
        run(tmp_path / "out", evidence=fewer)


def test_processes_that_are_given_different_evidence_are_told(tmp_path):
    other = {**EVIDENCE, "size": EVIDENCE["size"] + 1}
    target = Target(out=tmp_path / "out", shards="tar", progress=False)

    def work(given):
        def member(crew):
            batches, _ = batches_of(given[crew.rank], 5)
            return _stream(crew, flipped, batches, target, GRAPH, {}, None)

        return member

    with pytest.raises(DataError, match="the processes were given different evidence"):
        played(2, work([EVIDENCE, other]))
    fewer = {name: value[:30] for name, value in EVIDENCE.items()}
    with pytest.raises(DataError, match="the processes were given different evidence"):
        played(2, work([EVIDENCE, fewer]))


def test_a_batch_of_another_process_is_not_cut(tmp_path):
    """Columns on disk cost nothing where another process reads them."""
    cuts = []

    class Column:
        def __len__(self):
            return ROWS

        def __getitem__(self, rows):
            cuts.append(rows.start)
            return EVIDENCE["size"][rows]

    def once(crew):
        batches, _ = batches_of({"size": Column()}, 5)
        target = Target(out=tmp_path / "out", shards="safetensors", progress=False)
        return _stream(crew, lambda batch, _: batch, batches, target, GRAPH, {}, ROWS)

    played(3, once)
    assert sorted(cuts) == sorted([0, 0, *range(0, ROWS, 5), 0])


def test_draws_are_numbered_and_cut_by_the_size_of_a_batch():
    assert list(batches_of_draws(7, 3)) == [
        {"draw": range(3)},
        {"draw": range(3, 6)},
        {"draw": range(6, 7)},
    ]


def test_a_model_draws_to_shards_under_any_intervention_and_a_seed(tmp_path):
    graph = """
graph: chain
nodes:
  color: {type: class, levels: [green, red], table: [0.3, 0.7]}
  size: {type: continuous, equation: 2 * color + n}
exogenous: {n: {type: normal, mean: 0, std: 1}}
"""
    model = cf.compile(cf.loads(graph))
    drawn = {
        seed: model.sample(
            90,
            {"color": "red"},
            generator=seed,
            out=tmp_path / str(seed),
            batch_size=20,
            shards="safetensors",
            shard_batches=2,
            progress=False,
        )
        for seed in (0, 1)
    }
    assert (drawn[0].rows, drawn[0].batches) == (90, 5)
    columns = [cf.data.shards(drawn[seed].path).columns for seed in (0, 1)]
    assert all(bool((each["color"] == 1).all()) for each in columns)
    assert not torch.equal(columns[0]["size"], columns[1]["size"])
    assert len(torch.unique(columns[0]["size"])) == 90  # no batch is drawn twice
    low = model.sample(
        9,
        lambda rows: {"color": [row % 2 for row in rows]},
        nodes=["color"],
        out=tmp_path / "rows",
        batch_size=4,
        shards="safetensors",
        progress=False,
    )
    assert cf.data.shards(low.path).columns["color"].tolist() == [row % 2 for row in range(9)]
    with pytest.raises(DataError, match="begun with seed=0, now seed=5"):
        model.sample(
            90,
            {"color": "red"},
            generator=5,
            out=drawn[0].path,
            batch_size=20,
            shards="safetensors",
            shard_batches=2,
            progress=False,
        )


def test_discrete_pictures_are_bright_in_files(tmp_path):
    """Levels 0, 1, 2 are black, grey and white, not black, white and white."""
    run(tmp_path / "out", None)
    with Picture.open(tmp_path / "out" / "mark" / "00000004.png") as picture:
        pixels = torch.tensor(np.asarray(picture)).long()
    assert torch.equal(pixels, (EVIDENCE["mark"][4, 0] * 127.5).round().long())
