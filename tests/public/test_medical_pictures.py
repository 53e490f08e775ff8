"""DICOM and NIfTI against numpy: slope, inversion, orientation, slices, windows."""

import gzip
import io

import numpy as np
import pytest

import causalflow as cf

LABELS = "nodes: {image: {type: image, shape: [1, %d, %d]}}"


def read(place, height, width, **given):
    graph = cf.loads(LABELS % (height, width))
    return cf.data.read(place, graph, **given).columns["image"][:, 0].numpy()


def listed(place, *files):
    (place / "labels.csv").write_text("path\n" + "\n".join(files) + "\n")
    return place


def dicom(values, **tags):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID
    made.Rows, made.Columns = values.shape[:2]
    made.SamplesPerPixel = 1 if values.ndim == 2 else 3
    made.PhotometricInterpretation = "MONOCHROME2" if values.ndim == 2 else "RGB"
    bits = 8 * values.dtype.itemsize
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = int(values.dtype.kind == "i")
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    made.PixelData = values.tobytes()
    for name, value in tags.items():
        target = made.file_meta if name == "TransferSyntaxUID" else made
        setattr(target, name, value)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


RAMP = np.arange(48, dtype=np.int16).reshape(6, 8) * 40 - 600


def test_dicom_numbers_are_slope_times_stored_plus_intercept_in_the_window(tmp_path):
    (tmp_path / "a.dcm").write_bytes(dicom(RAMP, RescaleSlope="0.5", RescaleIntercept="-100"))
    place = listed(tmp_path, "a.dcm")
    with pytest.raises(cf.DataError, match=r"pixels from -400 to 540; say which numbers are black"):
        read(place, 6, 8)
    found = read(place, 6, 8, window=(-160, 240))[0]
    wanted = ((0.5 * RAMP - 100 + 160) / 400).clip(0, 1)
    assert np.array_equal(found, wanted.astype(np.float32))
    percent = read(place, 6, 8, window="5%,95%")[0]
    low, high = np.percentile(0.5 * RAMP - 100, [5, 95])
    assert np.allclose(percent, ((0.5 * RAMP - 100 - low) / (high - low)).clip(0, 1), atol=1e-7)


def test_a_slice_of_a_dicom_file_of_frames_is_its_frame(tmp_path):
    frames = np.random.default_rng(1).integers(0, 256, (5, 6, 8), dtype=np.uint8)
    whole = dicom(frames[0], NumberOfFrames=5, PixelData=frames.tobytes())
    (tmp_path / "a.dcm").write_bytes(whole)
    for cut, frame in {"z=0": 0, "z=3": 3, "z=50%": 2, "z=100%": 4}.items():
        assert np.array_equal(read(listed(tmp_path, "a.dcm"), 6, 8, slice=cut)[0], frames[frame])
    with pytest.raises(cf.DataError, match="5 frames; say which slice is the picture"):
        read(listed(tmp_path, "a.dcm"), 6, 8, slice="x=1")
    with pytest.raises(cf.DataError, match="slice z=5; the volume has 5 along z"):
        read(listed(tmp_path, "a.dcm"), 6, 8, slice="z=5")


def test_dicom_in_which_large_is_dark_is_inverted(tmp_path):
    stored = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80
    kind = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    (tmp_path / "a.dcm").write_bytes(dicom(stored, **kind))
    eight = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    (tmp_path / "b.dcm").write_bytes(dicom(eight, PhotometricInterpretation="MONOCHROME1"))
    deep = read(listed(tmp_path, "a.dcm"), 6, 8)[0]
    assert np.array_equal(deep, (1 - stored / 4095).astype(np.float32))
    cut = read(listed(tmp_path, "a.dcm"), 6, 8, window=(800, 1600))[0]
    assert np.array_equal(cut, (1 - ((stored - 800.0) / 800).clip(0, 1)).astype(np.float32))
    assert np.array_equal(read(listed(tmp_path, "b.dcm"), 6, 8)[0], 255 - eight)


def test_dicom_of_eight_bits_is_the_same_bytes_as_a_png(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    (tmp_path / "a.dcm").write_bytes(dicom(colour))
    graph = cf.loads("nodes: {image: {type: image, shape: [3, 6, 8]}}")
    found = cf.data.read(listed(tmp_path, "a.dcm"), graph).columns["image"]
    assert np.array_equal(found[0].permute(1, 2, 0), colour)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "a DICOM file of 3 frames; say which slice is the picture"),
        ({"Rows": 65535, "Columns": 65535}, "pixels; at most"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a DICOM picture of PALETTE COLOR"),
        ({"TransferSyntaxUID": "1.2.840.10008.1.2.4.80"}, "no DICOM picture that can be read"),
        ({"TransferSyntaxUID": "1.2.840.10008.1.2.1.99"}, "a deflated DICOM file"),
        ({"PixelData": b"1234"}, "no DICOM picture that can be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_dicom_file_that_is_no_single_plain_picture_is_one_line(tmp_path, tags, message):
    pydicom = pytest.importorskip("pydicom")
    syntax = tags.get("TransferSyntaxUID")
    content = dicom(np.zeros((6, 8), np.uint8), **{k: v for k, v in tags.items() if v != syntax})
    if syntax:
        found = pydicom.dcmread(io.BytesIO(content))
        found.file_meta.TransferSyntaxUID = syntax
        if syntax.endswith("80"):
            found.PixelData = pydicom.encaps.encapsulate([b"1234"])
            found["PixelData"].VR = "OB"
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, found)
        content = stream.getvalue()
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(cf.DataError, match=message) as caught:
        read(listed(tmp_path, "a.dcm"), 6, 8)
    assert "\n" not in str(caught.value)


def nifti(values, affine, slope=1.0, intercept=0.0):
    nibabel = pytest.importorskip("nibabel")
    made = nibabel.Nifti1Image(values, affine)
    made.header.set_slope_inter(slope, intercept)
    return made.to_bytes()


VOLUME = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # x, y, z
SCALED = (0.0, 60.0)


def unit(values):
    return (np.asarray(values, float) / 60).astype(np.float32)


@pytest.mark.parametrize(
    ("cut", "height", "width", "wanted"),
    [
        ("z=1", 3, 2, lambda v: v[:, ::-1, 1].T),
        ("z=50%", 3, 2, lambda v: v[:, ::-1, 2].T),
        ("y=0", 4, 2, lambda v: v[:, 0, ::-1].T),
        ("x=1", 4, 3, lambda v: v[1, :, ::-1].T),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_slice_of_a_volume_is_seen_from_its_canonical_side(
    tmp_path, cut, height, width, wanted, packed
):
    content = nifti(VOLUME, np.diag([1.0, 2, 3, 1]), slope=2.0, intercept=4.0)
    file = "a.nii.gz" if packed else "a.nii"
    (tmp_path / file).write_bytes(gzip.compress(content) if packed else content)
    found = read(listed(tmp_path, file), height, width, slice=cut, window=SCALED)[0]
    assert np.array_equal(found, unit(wanted(2 * VOLUME + 4)))


def test_a_volume_stored_the_other_way_round_gives_the_same_slice(tmp_path):
    """The same body, its array in the axes z, -x, y, as the affine says: the same pictures."""
    turned = np.moveaxis(VOLUME[::-1], (2, 0, 1), (0, 1, 2)).copy()
    affine = np.array([[0, -1.0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    (tmp_path / "a.nii").write_bytes(nifti(VOLUME, np.eye(4)))
    (tmp_path / "b.nii").write_bytes(nifti(turned, affine))
    place = listed(tmp_path, "a.nii", "b.nii")
    for cut, height, width in (("z=3", 3, 2), ("y=1", 4, 2), ("x=0", 4, 3)):
        first, second = read(place, height, width, slice=cut, window=SCALED)
        assert np.array_equal(first, second)


def test_a_volume_wants_a_slice_and_a_window_and_says_so(tmp_path):
    (tmp_path / "a.nii").write_bytes(nifti(VOLUME, np.eye(4)))
    (tmp_path / "b.nii").write_bytes(nifti(VOLUME[:, :, :1], np.eye(4)))
    with pytest.raises(cf.DataError, match="a volume of 2 x 3 x 4; say which slice"):
        read(listed(tmp_path, "a.nii"), 3, 2, window=SCALED)
    with pytest.raises(cf.DataError, match="slice z=4; the volume has 4 along z"):
        read(listed(tmp_path, "a.nii"), 3, 2, window=SCALED, slice="z=4")
    with pytest.raises(cf.DataError, match="say which numbers are black and white"):
        read(listed(tmp_path, "a.nii"), 3, 2, slice="z=1")
    found = read(listed(tmp_path, "b.nii"), 3, 2, window=SCALED)[0]
    assert np.array_equal(found, unit(VOLUME[:, ::-1, 0].T))


def test_a_damaged_or_swelling_volume_is_one_line(tmp_path):
    content = nifti(VOLUME, np.eye(4))
    (tmp_path / "a.nii").write_bytes(content[:-10])
    large = bytearray(content)
    large[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    (tmp_path / "b.nii").write_bytes(large)
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(content)[:-30])
    for file, message in {
        "a.nii": "no NIfTI volume that can be read",
        "b.nii": "a volume of 30000 x 30000 x 30000",
        "c.nii.gz": "damaged: it ends too soon",
    }.items():
        with pytest.raises(cf.DataError, match=message) as caught:
            read(listed(tmp_path, file), 3, 2, slice="z=0", window=SCALED)
        assert "\n" not in str(caught.value)


def test_arrays_in_files_are_pictures_and_their_bombs_are_refused(tmp_path):
    values = np.random.default_rng(1).random((6, 8)).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "b.npz", picture=(values * 255).astype(np.uint8))
    place = listed(tmp_path, "a.npy")
    assert np.array_equal(read(place, 6, 8)[0], values)
    assert np.array_equal(read(listed(tmp_path, "b.npz"), 6, 8)[0], (values * 255).astype(np.uint8))
    np.savez_compressed(tmp_path / "c.npz", picture=np.zeros(1 << 28, np.uint8))
    np.save(tmp_path / "d.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "e.npz", one=values, two=values)
    for file, message in {
        "c.npz": "times its size",
        "d.npy": "an array of Python objects",
        "e.npz": "2 arrays",
    }.items():
        with pytest.raises(cf.DataError, match=message):
            read(listed(tmp_path, file), 6, 8)


def test_tiff_of_floats_and_of_sixteen_bits(tmp_path):
    from PIL import Image

    floats = np.linspace(-5, 5, 48, dtype=np.float32).reshape(6, 8)
    Image.fromarray(floats).save(tmp_path / "a.tif")
    ramp = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
    Image.fromarray(ramp).save(tmp_path / "b.tif")
    with pytest.raises(cf.DataError, match="pixels from -5 to 5 beyond 0 to 1; say which"):
        read(listed(tmp_path, "a.tif"), 6, 8)
    found = read(listed(tmp_path, "a.tif"), 6, 8, window=(-5, 5))[0]
    assert np.array_equal(found, ((floats.astype(float) + 5) / 10).astype(np.float32))
    assert np.array_equal(
        read(listed(tmp_path, "b.tif"), 6, 8)[0], (ramp / 65535).astype(np.float32)
    )
