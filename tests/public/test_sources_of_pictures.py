"""The same rows from every source are the same bytes; what a source cannot say is one line."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

import causalflow as cf

GRAPH = """
nodes:
  color: {type: class, levels: [green, red]}
  image: {type: image, shape: [3, 8, 8], diffusion: {width: 8, multipliers: [1], steps: 2}}
edges: [color -> image]
"""
SIZED = GRAPH.replace("  image:", "  size: {type: continuous, unit: cm}\n  image:")
N = 6
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 3, 8, 8), dtype=np.uint8)
COLORS = ["green", "red", "red", "green", "red", "green"]
SIZES = [1.5, 2.0, -0.25, 4.0, 5.5, 6.0]


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(content, "PNG")
    return content.getvalue()


def as_folder(place):
    (place / "img").mkdir(parents=True)
    for row in range(N):
        (place / "img" / f"{row}.png").write_bytes(png(PIXELS[row]))
    rows = [f"img/{row}.png,{COLORS[row]},{SIZES[row]}" for row in range(N)]
    (place / "labels.csv").write_text("\n".join(["path,color,size", *rows]) + "\n")
    return place, {}


def as_table(place):
    as_folder(place)
    (place / "labels.csv").rename(place.parent / "rows.csv")
    return place.parent / "rows.csv", {"images": place}


def as_parquet(place):
    pytest.importorskip("pyarrow")
    import pandas as pd

    as_folder(place)
    frame = pd.DataFrame({"color": COLORS, "size": SIZES})
    frame["path"] = [f"img/{row}.png" for row in range(N)]
    frame.to_parquet(place.parent / "rows.parquet")
    return place.parent / "rows.parquet", {"images": place}


def member(archive, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def as_tar(place):
    place.mkdir()
    for part in range(2):
        with tarfile.open(place / f"rows-{part:02d}.tar", "w") as archive:
            for row in range(part * 3, part * 3 + 3):
                labels = {"color": COLORS[row], "size": SIZES[row], "unused": [1]}
                member(archive, f"a/{row:04d}.json", json.dumps(labels).encode())
                member(archive, f"a/{row:04d}.png", png(PIXELS[row]))
    return f"{place}/rows-{{00..01}}.tar", {}


def as_tar_of_texts(place):
    place.mkdir()
    with tarfile.open(place / "rows.tar", "w") as archive:
        for row in range(N):
            member(archive, f"{row}.image.png", png(PIXELS[row]))
            member(archive, f"{row}.cls", str(["green", "red"].index(COLORS[row])).encode())
            member(archive, f"{row}.size.txt", f"{SIZES[row]}\n".encode())
    return place, {}


def as_npz(place):
    place.mkdir()
    np.savez(place / "rows.npz", color=np.array(COLORS), size=SIZES, image=PIXELS)
    return place / "rows.npz", {}


def as_npz_channels_last(place):
    place.mkdir()
    images = np.moveaxis(PIXELS, 1, -1)
    np.savez(place / "rows.npz", color=np.array(COLORS), size=SIZES, image=images)
    return place / "rows.npz", {}


def as_hdf5(place):
    h5py = pytest.importorskip("h5py")
    place.mkdir()
    with h5py.File(place / "rows.h5", "w") as file:
        file["color"], file["size"] = COLORS, SIZES
        file.create_dataset("image", data=np.moveaxis(PIXELS, 1, -1), chunks=(2, 8, 8, 3))
    return place / "rows.h5", {}


def as_saved(place):
    datasets = pytest.importorskip("datasets")
    features = {
        "color": datasets.ClassLabel(names=["red", "green"]),  # another order than the graph's
        "size": datasets.Value("float64"),
        "image": datasets.Image(),
    }
    rows = datasets.Dataset.from_dict(
        {
            "color": [["red", "green"].index(color) for color in COLORS],
            "size": SIZES,
            "image": [{"bytes": png(pixels), "path": None} for pixels in PIXELS],
        },
        features=datasets.Features(features),
    )
    rows.save_to_disk(str(place))
    return place, {}


SOURCES = {
    function.__name__: function
    for function in (
        *(as_folder, as_table, as_parquet, as_tar, as_tar_of_texts),
        *(as_npz, as_npz_channels_last, as_hdf5, as_saved),
    )
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("given", [{}, {"memory": 0, "workers": 0}, {"memory": 0, "workers": 3}])
def test_every_source_gives_the_same_bytes_in_memory_and_on_disk(tmp_path, source, given):
    place, further = SOURCES[source](tmp_path / "rows")
    rows = cf.data.read(place, cf.loads(SIZED), **further, **given)
    frame = cf.data.Frame.read(rows, cf.loads(SIZED))
    assert frame.columns["color"].tolist() == [["green", "red"].index(c) for c in COLORS]
    assert frame.columns["size"].tolist() == SIZES
    images = frame.columns["image"][torch.tensor([4, 0, 5, 1, 2, 3])]
    assert images.dtype == torch.uint8
    assert torch.equal(images, torch.from_numpy(PIXELS[[4, 0, 5, 1, 2, 3]]))


def test_a_folder_a_level_gives_the_class_and_the_pictures(tmp_path):
    for row in range(N):
        folder = tmp_path / "tree" / COLORS[row] / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row}.png").write_bytes(png(PIXELS[row]))
        (folder / "notes.txt").write_text("no picture")
        (folder / ".hidden.png").write_text("no picture")
    rows = cf.data.read(tmp_path / "tree", cf.loads(GRAPH))
    assert rows.columns["color"] == ["green"] * 3 + ["red"] * 3
    order = [0, 3, 5, 1, 2, 4]
    assert torch.equal(rows.columns["image"], torch.from_numpy(PIXELS[order]))


def test_a_tree_with_a_folder_that_is_no_level_is_refused(tmp_path):
    (tmp_path / "tree" / "grean").mkdir(parents=True)
    (tmp_path / "tree" / "grean" / "a.png").write_bytes(png(PIXELS[0]))
    with pytest.raises(
        cf.DataError, match=r"grean: no level of node 'color'.*did you mean 'green'"
    ):
        cf.data.read(tmp_path / "tree", cf.loads(GRAPH))
    (tmp_path / "tree" / "grean").rename(tmp_path / "tree" / "green")
    with pytest.raises(cf.DataError, match=r"no such column in the data"):
        cf.compile(cf.loads(SIZED)).fit(cf.data.read(tmp_path / "tree", cf.loads(SIZED)))


def test_what_a_model_wrote_as_shards_is_read_back(tmp_path):
    graph = cf.loads(GRAPH)
    model = cf.compile(graph)
    rows = {"color": COLORS, "image": PIXELS}
    model.fit(rows, steps=1, batch_size=2, progress=False)
    for kind in ("tar", "safetensors"):
        model.sample(4, out=tmp_path / kind, shards=kind, generator=0, progress=False)
        back = cf.data.Frame.read(cf.data.read(tmp_path / kind, graph), graph)
        assert len(back) == 4
    assert back.columns["image"].dtype == torch.float32


def hostile(place, members):
    with tarfile.open(place, "w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))


def info(name, size=0, kind=tarfile.REGTYPE, link=""):
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, link
    return made


BAD = {
    "a path outside": ([(info("../0.png", 3), b"abc")], "lies outside of the archive"),
    "an absolute path": ([(info("/etc/0.png", 3), b"abc")], "lies outside of the archive"),
    "a symbolic link": ([(info("0.png", 0, tarfile.SYMTYPE, "/etc/passwd"), b"")], "no plain file"),
    "a hard link": ([(info("0.png", 0, tarfile.LNKTYPE, "a.png"), b"")], "no plain file"),
    "a device": ([(info("0.png", 0, tarfile.CHRTYPE), b"")], "no plain file"),
    "no picture": (
        [(info("0.json", 17), b'{"color": "red"} '), (info("0.png", 3), b"abc")],
        "rows.tar: 0.png: not an image file",
    ),
    "no JSON": ([(info("0.json", 3), b"{a:")], "0.json: no JSON that can be read"),
    "a list of labels": ([(info("0.json", 2), b"[]")], "expected a JSON object"),
    "deep JSON": ([(info("0.json", 200_000), b"[" * 200_000)], "no JSON that can be read"),
    "long labels": ([(info("0.json", 2 << 20), bytes(2 << 20))], "bytes of labels"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_hostile_archive_is_one_line(tmp_path, case):
    members, message = BAD[case]
    hostile(tmp_path / "rows.tar", members)
    with pytest.raises(cf.DataError, match=message) as caught:
        cf.data.read(tmp_path / "rows.tar", cf.loads(GRAPH))
    assert "\n" not in str(caught.value)


def test_an_archive_that_claims_more_than_it_has_is_one_line(tmp_path):
    hostile(tmp_path / "rows.tar", [(info("0.png", 3), b"abc")])
    content = bytearray((tmp_path / "rows.tar").read_bytes())
    content[124:136] = b"77777777777\0"  # eight gigabytes
    content[148:156] = b"        "
    content[148:156] = b"%06o\0 " % sum(content[:512])
    (tmp_path / "rows.tar").write_bytes(content)
    with pytest.raises(cf.DataError, match=r"claims 8,589,934,591 bytes"):
        cf.data.read(tmp_path / "rows.tar", cf.loads(GRAPH))
    (tmp_path / "rows.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(cf.DataError, match="no tar archive that can be read"):
        cf.data.read(tmp_path / "rows.tar", cf.loads(GRAPH))
    with pytest.raises(cf.DataError, match=r"names 1,000,000 files"):
        cf.data.read(tmp_path / "rows-{000000..999999}.tar", cf.loads(GRAPH))


def test_a_packed_archive_is_one_line(tmp_path):
    with tarfile.open(tmp_path / "rows.tar", "w:gz") as archive:
        member(archive, "0.png", png(PIXELS[0]))
    with pytest.raises(cf.DataError, match="no tar archive that can be read"):
        cf.data.read(tmp_path / "rows.tar", cf.loads(GRAPH))


def linked(h5py, file):
    file["image"] = h5py.ExternalLink("other.h5", "/image")


def soft(h5py, file):
    file["image"] = h5py.SoftLink("/elsewhere")


def external(h5py, file):
    file.create_dataset("image", (2, 3, 8, 8), "u1", external=[("/etc/hostname", 0, 400)])


def virtual(h5py, file):
    layout = h5py.VirtualLayout((2, 3, 8, 8), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "image", (2, 3, 8, 8))
    file.create_virtual_dataset("image", layout)


def group(h5py, file):
    file.create_group("image")


def references(h5py, file):
    file.create_dataset("image", (2, 8, 8), h5py.ref_dtype)


def huge(h5py, file):
    file.create_dataset("image", (2, 1 << 20, 1 << 20), "u1", chunks=(1, 8, 8))


@pytest.mark.parametrize("put", [linked, soft, external, virtual, group, references, huge])
def test_a_hostile_hdf5_file_is_one_line(tmp_path, put):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["color"] = [0, 1]
        put(h5py, file)
    with pytest.raises(cf.DataError, match="data set 'image'") as caught:
        cf.data.read(tmp_path / "rows.h5", cf.loads(GRAPH))
    assert "\n" not in str(caught.value)


def test_an_hdf5_file_that_is_none_is_one_line(tmp_path):
    pytest.importorskip("h5py")
    (tmp_path / "rows.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(cf.DataError, match=r"rows\.h5: no HDF5 file"):
        cf.data.read(tmp_path / "rows.h5", cf.loads(GRAPH))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_saved_data_set_of_splits_or_damaged_is_one_line(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"color": COLORS})
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(str(tmp_path / "both"))
    with pytest.raises(cf.DataError, match=r"several splits; name one: \['test', 'train'\]"):
        cf.data.read(tmp_path / "both", cf.loads(GRAPH))
    (tmp_path / "both" / "test" / "state.json").write_text("{")
    with pytest.raises(cf.DataError, match="no saved data set that can be read"):
        cf.data.read(tmp_path / "both" / "test", cf.loads(GRAPH))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resize": "crop"}, "resize='crop'; expected one of"),
        ({"window": "3,1"}, r"window='3,1'; expected LOW,HIGH"),
        ({"window": "1%,300%"}, "expected LOW,HIGH"),
        ({"window": (1, 2, 3)}, "expected LOW,HIGH"),
        ({"slice": "w=3"}, "slice='w=3'; expected z=50%"),
        ({"on_error": "ignore"}, "on_error='ignore'; expected one of"),
        ({"workers": -1}, "workers=-1"),
        ({"worker": 1}, "unknown option 'worker'"),
    ],
)
def test_an_option_that_is_none_is_one_line(tmp_path, given, message):
    place, _ = as_folder(tmp_path / "rows")
    with pytest.raises(cf.DataError, match=message):
        cf.data.read(place, cf.loads(SIZED), **given)


def test_a_place_where_nothing_is_is_one_line(tmp_path):
    with pytest.raises(cf.DataError, match="no such file or folder"):
        cf.data.read(tmp_path / "nix", cf.loads(GRAPH))
    (tmp_path / "empty").mkdir()
    with pytest.raises(cf.DataError, match="no source of rows that is known"):
        cf.data.read(tmp_path / "empty", cf.loads(GRAPH))
