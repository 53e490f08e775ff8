"""Medical: pictures as scanners write them, DICOM and NIfTI, by the packages of an extra.

DICOM: one picture a file, or frames, of which the slice "z=12" or "z=50%" is the picture, counted
as the file has them; of a series in several files each is a picture of its own. Its numbers are
slope * stored + intercept (Hounsfield units, say) where the file gives them; MONOCHROME1, in which
large is dark, is inverted. Stored whole numbers without slope and sign have their ends, 0 and
2^bits - 1; all else wants a window. The file's own display window is not used, as it differs
between pictures. A compressed file is read where pydicom finds a decoder.

NIfTI: a volume, turned so that x grows to the right of the patient, y to the front, z to the head
(RAS+, from the file's affine), its slope and intercept applied. A *slice* of it is the picture,
"z=12" or "z=50%" (of the axis, from its lower end), seen so that up in the picture is

    z   the front; right is the patient's right
    y   the head;  right is the patient's right
    x   the head;  right is the front

A volume of one slice along an axis needs no choice. The size of voxels is not used: a pixel is a
voxel, also where voxels are no cubes.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalflow.errors import DataError, one_line
from causalflow.limits import PICTURE_PIXELS, VOLUME_BYTES

__all__ = ["SLICE", "Raw", "extra", "is_dicom", "is_nifti", "read_dicom", "read_nifti"]

SLICE = re.compile(r"([xyz])=(\d{1,6})(%?)")
_GZIP = b"\x1f\x8b"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_GRAY = ("MONOCHROME1", "MONOCHROME2")
_AXES = "xyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """The numbers of a picture as its file has them.

    Attributes:
        values: shape (height, width, channels).
        ends: the numbers that are black and white; None: only a window can say.
        inverted: whether large numbers are dark.
    """

    values: NDArray[Any]
    ends: tuple[float, float] | None
    inverted: bool = False


def extra(package: str, name: str, kind: str) -> DataError:
    """The error of a package that is not installed: the extra that brings it is named."""
    return DataError(
        f'{kind} needs the package {package}: pip install -c constraints.txt ".[{name}]"'
    )


def is_dicom(content: bytes) -> bool:
    """Whether the bytes are a DICOM file, by its mark."""
    return content[128:132] == b"DICM"


def is_nifti(content: bytes) -> bool:
    """Whether the bytes are a NIfTI file, packed by gzip or not, by its mark."""
    head = content[:352]
    if content.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(content[:4096], 352)
        except zlib.error:
            return False
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def read_dicom(content: bytes, name: object, cut: str) -> Raw:
    """The numbers of a DICOM picture.

    Args:
        content: the bytes of the file.
        name: the picture in messages.
        cut: the slice of several frames, as the module says; "": the file has only one.

    Raises:
        DataError: pydicom is not installed, no slice named, a palette, a compression without a
            decoder, or a damaged file.
    """
    try:
        import pydicom
        from pydicom.filereader import _read_file_meta_info
        from pydicom.pixels import apply_rescale, pixel_array
    except ImportError:
        raise extra("pydicom", "medical", f"{name}: DICOM") from None
    try:
        stream = io.BytesIO(content)
        stream.seek(132)
        if _read_file_meta_info(stream).get("TransferSyntaxUID") == _DEFLATED:
            raise DataError(f"{name}: a deflated DICOM file; save it uncompressed")
        found = pydicom.dcmread(io.BytesIO(content))
        _check_dicom(found, name)
        stored = pixel_array(found, index=_frame(found, name, cut))
        values = np.asarray(apply_rescale(stored, found))
    except DataError:
        raise
    except Exception as mistake:  # pydicom raises what it meets: KeyError, struct.error, ...
        raise DataError(one_line(f"{name}: no DICOM picture that can be read: {mistake}")) from None
    line = float(found.get("RescaleSlope") or 1), float(found.get("RescaleIntercept") or 0)
    rescaled = line != (1.0, 0.0) or "ModalityLUTSequence" in found
    plain = not rescaled and found.PixelRepresentation == 0
    deep = values if values.ndim == 3 else values[:, :, None]
    if plain and found.BitsStored == 8 and deep.dtype == np.uint8:
        ends: tuple[float, float] | None = (0.0, 255.0)
    else:
        ends = (0.0, 2.0**found.BitsStored - 1) if plain else None
        deep = deep.astype(np.float64)
    inverted = found.PhotometricInterpretation == "MONOCHROME1"
    return Raw(values=deep, ends=ends, inverted=inverted)


def _check_dicom(found: Any, name: object) -> None:
    """One picture, gray or of three colours, of a size that is decoded."""
    if "PixelData" not in found:
        raise DataError(f"{name}: a DICOM file without a picture")
    if (pixels := int(found.Rows) * int(found.Columns)) > PICTURE_PIXELS:
        raise DataError(f"{name}: {pixels:,} pixels; at most {PICTURE_PIXELS:,} are decoded")
    kind = str(found.PhotometricInterpretation)
    if int(found.SamplesPerPixel) not in (1, 3) or "PALETTE" in kind:
        raise DataError(f"{name}: a DICOM picture of {kind}; expected gray or red, green and blue")
    if int(found.SamplesPerPixel) == 1 and kind not in _GRAY:
        raise DataError(f"{name}: a DICOM picture of {kind}; expected one of {list(_GRAY)}")


def _frame(found: Any, name: object, cut: str) -> int:
    """The place of the frame that is the picture."""
    frames = int(found.get("NumberOfFrames") or 1)
    if frames == 1:
        return 0
    if SLICE.fullmatch(cut) is None or not cut.startswith("z"):
        raise DataError(
            f"{name}: a DICOM file of {frames:,} frames; say which slice is the picture: "
            "slice=z=50%, or z=12"
        )
    return _place((1, 1, frames), name, cut)[1]


def read_nifti(content: bytes, name: object, cut: str) -> Raw:
    """The numbers of a slice of a NIfTI volume.

    Args:
        content: the bytes of the file.
        name: the picture in messages.
        cut: the slice, as the module says; "": the volume has only one.

    Raises:
        DataError: nibabel is not installed, no volume, no slice named, or a damaged file.
    """
    try:
        import nibabel
    except ImportError:
        raise extra("nibabel", "medical", f"{name}: NIfTI") from None
    plain = _unpacked(content, name) if content.startswith(_GZIP) else content
    kind = nibabel.Nifti2Image if plain[4:8] == b"n+2\0" else nibabel.Nifti1Image
    try:
        found = kind.from_bytes(plain)
        shape = found.shape
        if len(shape) not in (2, 3) or np.prod(shape, dtype=float) > PICTURE_PIXELS:
            text = " x ".join(map(str, shape))
            raise DataError(
                f"{name}: a volume of {text}; expected 2 or 3 axes, at most {PICTURE_PIXELS:,}"
            )
        values = np.asarray(found.dataobj).reshape(shape if len(shape) == 3 else (*shape, 1))
        turn = nibabel.io_orientation(found.affine)
        canonical = nibabel.apply_orientation(values, turn)
    except DataError:
        raise
    except Exception as mistake:  # nibabel raises what it meets
        raise DataError(one_line(f"{name}: no NIfTI volume that can be read: {mistake}")) from None
    if canonical.dtype.kind not in "biuf":
        raise DataError(f"{name}: voxels of type {canonical.dtype}; expected numbers")
    return Raw(values=_slice(canonical, name, cut)[:, :, None].astype(np.float64), ends=None)


def _unpacked(content: bytes, name: object) -> bytes:
    unpacker = zlib.decompressobj(31)
    try:
        plain = unpacker.decompress(content, VOLUME_BYTES)
    except zlib.error as mistake:
        raise DataError(f"{name}: damaged: {mistake}") from None
    if unpacker.unconsumed_tail:
        raise DataError(f"{name}: unpacks to more than {VOLUME_BYTES:,} bytes")
    if not unpacker.eof:
        raise DataError(f"{name}: damaged: it ends too soon")
    return plain


def _slice(volume: NDArray[Any], name: object, cut: str) -> NDArray[Any]:
    """The picture, rows from above."""
    axis, place = _place(volume.shape, name, cut)
    plane = np.take(volume, place, axis=axis)
    return np.flip(plane.T, axis=0)


def _place(shape: tuple[int, ...], name: object, cut: str) -> tuple[int, int]:
    """The axis of the slice, and its place on it."""
    parts = SLICE.fullmatch(cut)
    if parts is None:
        single = [axis for axis in (2, 1, 0) if shape[axis] == 1]
        if not single:
            text = " x ".join(map(str, shape))
            raise DataError(f"{name}: a volume of {text}; say which slice: slice=z=50%, or z=12")
        return single[0], 0
    axis, number = _AXES.index(parts[1]), int(parts[2])
    place = min(shape[axis] - 1, shape[axis] * number // 100) if parts[3] else number
    if place >= shape[axis] or (parts[3] and number > 100):
        raise DataError(f"{name}: slice {cut}; the volume has {shape[axis]:,} along {parts[1]}")
    return axis, place
