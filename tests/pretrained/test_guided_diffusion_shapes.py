"""Names, shapes and configurations of guided diffusion: the published ones, and random ones."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from causalflow.errors import CheckpointError
from causalflow.pretrained.adm_file import configuration_of, shapes_of
from causalflow.pretrained.adm_layers import Configuration

UNCONDITIONAL = Configuration(
    inputs=3,
    outputs=6,
    width=256,
    widths=(256, 256, 512, 512, 1024, 1024),
    blocks=2,
    attention=(False, False, False, True, True, True),
)
CLASSIFIER = replace(
    UNCONDITIONAL, outputs=1000, width=128, widths=(128, 128, 256, 256, 512, 512), grid=8
)
# Tensors, numbers in them, and the sha256 of the sorted lines "name<TAB>shape" of lists that were
# derived from the publisher's constructor, independently of this package.
PUBLISHED = {
    "uncond": (
        UNCONDITIONAL,
        566,
        552_814_086,
        "e83f97edf0711e2e76ab754b65cd145187de3baba528976d0abe1efc975a7049",
    ),
    "cond": (
        replace(UNCONDITIONAL, classes=1000),
        567,
        553_838_086,
        "e37c87650e0fceb3d1d73c5f07385246056c1a084fdb6d41b59cf41439d0c275",
    ),
    "classifier": (
        CLASSIFIER,
        249,
        54_096_360,
        "0c05d5996aeb7d29b759fe949e3670a35a168fc1742c01417c3cb4cf6d349e07",
    ),
}
SMALL = Configuration(
    inputs=3,
    outputs=6,
    width=32,
    widths=(32, 64),
    blocks=1,
    attention=(False, True),
    heads=1,
)
POOLED = replace(SMALL, outputs=10, grid=4)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_configuration_gives_the_published_names_and_shapes(name):
    sizes, tensors, numbers, digest = PUBLISHED[name]
    shapes = shapes_of(sizes)
    assert len(shapes) == tensors
    assert sum(map(math.prod, shapes.values())) == numbers
    lines = sorted(f"{tensor}\t{list(shape)}" for tensor, shape in shapes.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_recognised_by_names_and_shapes_alone(name):
    sizes = PUBLISHED[name][0]
    assert configuration_of(shapes_of(sizes)) == replace(sizes, heads=1)


@st.composite
def configurations(draw):
    levels = draw(st.integers(1, 4))
    pooled = draw(st.booleans())
    inputs = draw(st.integers(1, 4))
    return Configuration(
        inputs=inputs,
        outputs=draw(st.integers(2, 12)) if pooled else draw(st.sampled_from([inputs, 2 * inputs])),
        width=draw(st.sampled_from([31, 32, 64])),
        widths=tuple(draw(st.sampled_from([32, 64, 96])) for _ in range(levels)),
        blocks=draw(st.integers(1, 3)),
        attention=tuple(draw(st.booleans()) for _ in range(levels)),
        block_resampling=levels == 1 or draw(st.booleans()),
        scale_shift=draw(st.booleans()),
        classes=None if pooled else draw(st.sampled_from([None, 1, 10])),
        grid=draw(st.integers(1, 8)) if pooled else None,
        heads=1,
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configurations())
def test_a_configuration_is_found_again_in_its_names_and_shapes(sizes):
    shapes = shapes_of(sizes)
    try:
        found = configuration_of(shapes)
    except CheckpointError as error:
        # Only a way down without a way up leaves room for doubt, and then it is said.
        assert sizes.grid is not None
        assert "fit networks of" in str(error)
        found = configuration_of(shapes, levels=len(sizes.widths))
    assert found == sizes


def test_shapes_that_fit_several_ladders_are_not_guessed():
    even = replace(POOLED, widths=(32, 32, 32, 32), attention=(False,) * 4, blocks=2)
    with pytest.raises(
        CheckpointError, match=r"fit networks of \[1, 2, 3, 4, 6\] levels; give lev"
    ):
        configuration_of(shapes_of(even))
    assert configuration_of(shapes_of(even), levels=4) == even
    with pytest.raises(CheckpointError, match="are no way of 5 levels"):
        configuration_of(shapes_of(even), levels=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_one_tensor_too_few_too_many_or_misshapen_is_named(data):
    sizes = data.draw(st.sampled_from([SMALL, POOLED, replace(SMALL, classes=10)]))
    shapes = dict(shapes_of(sizes))
    name = data.draw(st.sampled_from(sorted(shapes)))
    # A label's vectors may be there or not, of any number: those are other networks, and whole.
    assume(name != "label_emb.weight")
    kind = data.draw(st.sampled_from(["missing", "misshapen", "unexpected"]))
    if kind == "missing":
        del shapes[name]
    elif kind == "misshapen":
        shapes[name] = (*shapes[name][:-1], shapes[name][-1] + 1)
    else:
        shapes[f"{name}.extra"] = (3,)
    with pytest.raises(CheckpointError) as caught:
        configuration_of(shapes)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_wrong_is_said_with_what_is_expected():
    shapes = dict(shapes_of(SMALL))
    del shapes["middle_block.1.qkv.bias"]
    shapes["out.0.weight"] = (64,)
    shapes["output_blocks.9.0.conv.weight"] = (1,)
    expected = (
        r"'middle_block.1.qkv.bias' \(192,\) is missing; "
        r"'out.0.weight' has shape \(64,\), expected \(32,\); "
        r"'output_blocks.9.0.conv.weight' \(1,\) is unexpected$"
    )
    with pytest.raises(CheckpointError, match=expected):
        configuration_of(shapes)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["class_embed.0.weight"], "the U-Net that the Diff-SCM code modified"),
        (["input_blocks.4.1.encoder_kv.weight"], "the U-Net that the Diff-SCM code modified"),
    ],
)
def test_the_unet_of_the_diff_scm_code_is_refused_with_the_reason(names, reason):
    shapes = shapes_of(SMALL) | {"label_emb.weight": (10, 32)} | dict.fromkeys(names, (128, 32))
    with pytest.raises(CheckpointError, match=reason):
        configuration_of(shapes)


def test_a_label_of_another_width_is_refused():
    with pytest.raises(CheckpointError, match=r"\(10, 32\), expected \(10, 128\)"):
        configuration_of(shapes_of(SMALL) | {"label_emb.weight": (10, 32)})


def test_a_classifier_with_another_pool_is_refused():
    shapes = {n: s for n, s in shapes_of(POOLED).items() if not n.startswith("out.2")}
    with pytest.raises(CheckpointError, match="only classifiers that pool by attention are read"):
        configuration_of(shapes | {"out.3.weight": (10, 64, 1, 1)})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"heads": None}, "over 64 channels cannot have heads of 48; .*give head_channels="),
        ({"heads": 5}, "over 64 channels cannot have 5 heads"),
        ({"widths": (48, 64)}, "48 channels at a level; group norm expects a multiple of 32"),
    ],
)
def test_sizes_that_no_network_has_are_one_line_errors(options, reason):
    with pytest.raises(CheckpointError, match=reason):
        replace(SMALL, **{"head_channels": 48, **options})
