"""PNG, JPEG and TIFF pictures of one image: grey as they are, RGB by a channel. Row 0 is the top.

Pictures have no unit, and many were stretched one by one, so their flux is lost. Transparency and palettes, as colour
maps leave them, do not say which grey a pixel had: they are refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddlens.observations.reading.array_axes import MIN_SIDE_PIXELS
from oddlens.observations.reading.file_formats import MAX_SIDE_PIXELS, too_large

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF")
LUMINANCE = "luminance"
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue: ITU-R BT.601, as Pillow, OpenCV and GIMP have it."""
GREY_MODES = ("L", "I;16", "I;16L", "I;16B", "I", "F")
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262
"""Tags of TIFF."""
NO_UNIT = "a picture has no unit and may have its own stretch, so its flux means nothing."
LOSSY = "JPEG is lossy: its noise is not that of the image, and differs between 8 x 8 blocks."
AS_GREY = (
    "save the numbers from which it was made as NPY or FITS, or, if it is grey, Image.open(p).convert('L') of Pillow"
)


@dataclass(frozen=True)
class Picture:
    """A picture of one image."""

    image: np.ndarray
    """[h, w], numbers of the type in the file; the luminance is float64."""
    notes: tuple[str, ...]
    names: tuple[str, ...]
    """What the file says beside the pixels: names of entries, and the quality of a JPEG."""


def read(path: Path, file_format: str, channel: int | str | None = None) -> Picture:
    """The image of a picture.

    Args:
        file_format: one of `FORMATS`.
        channel: 0, 1, 2 for red, green, blue, or `LUMINANCE`; needed for RGB.

    Raises:
        ValueError: if the picture is damaged, too large, or neither grey nor RGB with a channel.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=(file_format,)) as picture:
            _check(path, picture, file_format)
            pixels, names = _upright(picture), _names(picture)
    except OSError as error:
        reason = " ".join(str(error).replace(repr(str(path)), "").split())
        raise ValueError(
            f"{path} cannot be read as {file_format} ({reason}): get it again, or save its numbers as NPY"
        ) from error
    notes = (f"{file_format}: {NO_UNIT}", *((LOSSY,) if file_format == "JPEG" else ()))
    return Picture(_chosen(path, pixels, channel), notes, names)


def _check(path: Path, picture: "Image", file_format: str) -> None:
    """Raise a ValueError if the pixels can be read in two ways, or not at all; they are not decoded yet."""
    if max(picture.size) > MAX_SIDE_PIXELS:
        raise ValueError(too_large(path, max(picture.size)))
    if min(picture.size) < MIN_SIDE_PIXELS:
        raise ValueError(f"{path} has {picture.size[0]} x {picture.size[1]} pixels: at least {MIN_SIDE_PIXELS} a side")
    if (pages := getattr(picture, "n_frames", 1)) > 1:
        raise ValueError(f"{path} has {pages} pages: save each as a file of its own, or all as NPY [n, h, w]")
    if picture.mode == "P":
        raise ValueError(f"{path} has a palette, whose colours have no order: {AS_GREY}")
    if picture.mode in ("LA", "RGBA", "RGBX", "RGBa", "La", "PA") or "transparency" in picture.info:
        raise ValueError(f"{path} is {picture.mode} with transparency, as colour maps leave it: {AS_GREY}")
    if picture.mode not in (*GREY_MODES, "RGB"):
        raise ValueError(f"{path} has the pixels {picture.mode}, neither grey nor RGB: {AS_GREY}")
    bits = _bits(path, picture, file_format)
    if bits < 8 or (picture.mode == "RGB" and bits > 8):
        raise ValueError(
            f"{path} has {bits} bits per channel; grey of 8, 16 or 32 and RGB of 8 are read: save its numbers as NPY"
        )
    if file_format == "TIFF" and bits > 8 and picture.tag_v2.get(PHOTOMETRIC) == 0:  # type: ignore[attr-defined]
        raise ValueError(f"{path} is a TIFF in which 0 is white: save it with 0 as black, or as NPY")


def _bits(path: Path, picture: "Image", file_format: str) -> int:
    """Bits per channel in the file, which Pillow cuts to 8 in colour."""
    if file_format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    bits = picture.tag_v2.get(BITS_PER_SAMPLE, (8,)) if file_format == "TIFF" else (8,)  # type: ignore[attr-defined]
    return int(max(bits)) if picture.mode == "RGB" else int(np.ravel(bits)[0])


def _upright(picture: "Image") -> np.ndarray:
    """The pixels [h, w] or [h, w, 3], turned as the file says."""
    from PIL import ImageOps

    return np.asarray(ImageOps.exif_transpose(picture) if "exif" in picture.info else picture)


def _names(picture: "Image") -> tuple[str, ...]:
    quality = [f"quantization {table}" for table in getattr(picture, "quantization", {}).values()]
    return (picture.mode, *(name for name in map(str, picture.info)), *quality)


def _chosen(path: Path, pixels: np.ndarray, channel: int | str | None) -> np.ndarray:
    """The grey image, or the channel of an RGB image."""
    if pixels.ndim == 2:
        if channel not in (None, 0, LUMINANCE):
            raise ValueError(f"{path} is grey, with one channel: no --channel {channel}")
        return pixels
    if channel == LUMINANCE:
        return pixels @ LUMINANCE_WEIGHTS
    if channel is None:
        raise ValueError(f"{path} is RGB: choose --channel 0 (red), 1 (green), 2 (blue) or {LUMINANCE}")
    if not isinstance(channel, int) or not 0 <= channel < 3:
        raise ValueError(f"{path} is RGB: --channel is {channel}; it must be 0, 1, 2 or {LUMINANCE}")
    return pixels[..., channel]
