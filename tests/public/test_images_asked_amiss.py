"""What is said to a picture's node and means nothing there is refused, or told, in one line."""

import numpy as np
import pytest
from PIL import Image

import causalflow as cf

GRAPH = """
nodes:
  bright: {type: class, levels: 2}
  image: {type: image, shape: [1, 8, 8], diffusion: {width: 4, steps: 4}}
edges: [bright -> image]
"""


def rows(n=16):
    random = np.random.default_rng(0)
    bright = random.integers(0, 2, n)
    image = 0.3 * random.random((n, 1, 8, 8)) + 0.6 * bright[:, None, None, None]
    return {"bright": bright, "image": image.astype(np.float32)}


@pytest.fixture(scope="module")
def model():
    fitted = cf.compile(cf.loads(GRAPH))
    fitted.fit(rows(), steps=4, batch_size=8, device="cpu", progress=False)
    return fitted


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"steps": 6}, "abducted with steps=4 and is predicted with steps=6"),
        ({"solver": "ddim"}, "abducted with solver='alf' and is predicted with solver='ddim'"),
    ],
)
def test_a_noise_is_not_drawn_by_another_solver_than_read_it(model, option, said):
    noise = model.abduct(rows())
    with pytest.raises(cf.EvidenceError, match=said) as caught:
        model.predict(noise, {"bright": 1}, **option)
    assert "\n" not in str(caught.value)
    own = model.abduct(rows(), **option)
    back = model.predict(own, {}, **option)["image"]
    assert np.abs(back.numpy() - rows()["image"]).max() < 1e-6


def test_a_drawn_picture_has_the_steps_that_its_call_says(model):
    assert model.sample(2, steps=6, generator=0)["image"].shape == (2, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "option", "owners"),
    [
        ("backbone: dit, attention: [2]", "attention", "'unet' or 'patch_unet'"),
        ("backbone: unet, patch: 4", "patch", "'patch_unet' or 'dit'"),
        ("backbone: residual, heads: 2", "heads", "'unet' or 'patch_unet' or 'dit'"),
        ("backbone: unet, rank: 8", "rank", "'diffusers'"),
    ],
)
def test_an_option_of_one_backbone_beside_another_is_refused(options, option, owners):
    graph = cf.loads(f"nodes: {{i: {{type: image, shape: [3, 32, 32], diffusion: {{{options}}}}}}}")
    with pytest.raises(cf.CompileError, match=f"'{option}' is an option of backbone {owners}"):
        cf.compile(graph)
    kept = cf.loads("nodes: {i: {type: image, shape: [1, 8, 8], diffusion: {depth: 2, width: 4}}}")
    assert cf.compile(kept)


def test_channels_that_come_last_are_told_and_rows_name_pictures_of_another_folder(
    cli, model, tmp_path
):
    last = tmp_path / "last.yaml"
    last.write_text("nodes: {i: {type: image, shape: [64, 64, 3]}}")
    told = cli("check", last)
    assert told.code == 0
    assert "channels come first: a picture of 64 x 64 pixels is [3, 64, 64]" in told.out
    first = tmp_path / "first.yaml"
    first.write_text("nodes: {i: {type: image, shape: [3, 64, 64]}}")
    assert "channels come first" not in cli("check", first).out

    model.save(tmp_path / "model.safetensors")
    (tmp_path / "elsewhere").mkdir()
    for row, picture in enumerate(rows(3)["image"][:, 0]):
        shown = Image.fromarray((255 * picture).astype(np.uint8))
        shown.save(tmp_path / "elsewhere" / f"{row}.png")
    table = tmp_path / "rows.csv"
    table.write_text("file,bright\n" + "".join(f"{row}.png,{row % 2}\n" for row in range(3)))
    asked = ("counterfactual", tmp_path / "model.safetensors", "--data", table, "--do", "bright=1")
    without = cli(*asked)
    assert without.code == 2
    assert "give the folder of the pictures as --images" in without.err
    picture = tmp_path / "out.png"
    named = ("--images", tmp_path / "elsewhere", "--path-column", "file")
    done = cli(*asked, *named, "--json", "-o", picture)
    assert done.code == 0, done.err
    assert picture.exists()
