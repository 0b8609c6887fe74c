"""The meaning of the axes and numbers of an array of images.

Images are real numbers [n, h, w]. One image [h, w] and axes of length 1 are understood. Bands and flattened images are
not guessed: they are refused with what to do, unless a band is chosen.
"""

import math

import numpy as np

from oddlens.observations.reading.file_formats import MAX_SIDE_PIXELS, too_large

MIN_SIDE_PIXELS = 8
"""The shortest side of an image. A shorter last axis holds bands."""
SAMPLED_ROWS = 256
"""Rows in which flattened images are looked for."""
REPEAT_RATIO = 0.7
"""In a row with flattened images, neighbours in a column of an image differ by less than this fraction of pixels half
as far apart in the row. Simulated lenses have 0.1 to 0.4, frames 0.9 and more."""
NOT_NUMBERS = {
    "b": "truth values are no image: give the image itself",
    "c": "take its real part or its modulus",
    "V": "save one of its fields, array[name]",
    "O": "save the images as numbers",
    "U": "this is text",
    "S": "this is text",
    "T": "this is text",
    "M": "these are dates",
    "m": "these are durations",
}
"""What to do with arrays that are no real numbers, by the kind of their type."""


def as_stack(where: str, array: np.ndarray, channel: int | None = None) -> np.ndarray:
    """An array of images as [n, h, w].

    Accepted are [h, w], [n, h, w], [n, 1, h, w] and [n, h, w, 1], and any further axes before the axis of length 1.
    With a `channel` also [bands, h, w], [h, w, bands], [n, bands, h, w] and [n, h, w, bands].

    Args:
        where: the file, for messages.

    Raises:
        ValueError: if the axes have another meaning or are ambiguous, or if the pixels are no real numbers.
    """
    _check_numbers(where, array)
    chosen = channel is not None and array.ndim > 2
    stack = _band(where, array, channel or 0) if chosen else _without_bands(where, array)
    if channel and not chosen:
        raise ValueError(f"{where} has one band, shape {array.shape}: no --channel {channel}")
    if max(stack.shape[1:]) > MAX_SIDE_PIXELS:
        raise ValueError(too_large(where, max(stack.shape[1:])))
    if min(stack.shape[1:]) < MIN_SIDE_PIXELS:
        raise ValueError(
            f"{where} has shape {array.shape}, images of {stack.shape[1]} x {stack.shape[2]} pixels: images must have "
            f"at least {MIN_SIDE_PIXELS} pixels a side: save them as [n, h, w]"
        )
    return stack


def is_read_by_rows(where: str, shape: tuple[int, ...], dtype: np.dtype, channel: int | None) -> bool:
    """Whether images may be read one by one: they are the entries of the first axis, and `as_stack` needs no pixels.

    Raises:
        ValueError: as `as_stack`, if the axes have another meaning or are ambiguous.
    """
    if (
        len(shape) < 3
        or shape[0] < 2
        or 0 in shape
        or dtype.kind not in "iuf"
        or (dtype.itemsize < 4 and dtype.kind != "u")
    ):
        return False
    return len(as_stack(where, np.broadcast_to(np.zeros((), dtype), shape), channel)) == shape[0]


def band_of(rows: np.ndarray, channel: int | None) -> np.ndarray:
    """The band of entries [k, bands, h, w] or [k, h, w, bands] of an array that `is_read_by_rows`."""
    if channel is None or rows.ndim < 4 or (axis := _band_axis(rows.shape)) is None:
        return rows
    return rows[(slice(None),) * axis + (channel,)]


def as_image(where: str, array: np.ndarray) -> np.ndarray:
    """The one image [h, w] in an array, in which other axes have the length 1. Truth values become 0 and 1.

    Raises:
        ValueError: if there are several images, or the pixels are no real numbers.
    """
    array = array.astype(np.uint8) if array.dtype == bool else array
    _check_numbers(where, array)
    image = array.squeeze() if array.ndim > 2 else array
    if image.ndim != 2:
        raise ValueError(f"{where} has {array.dtype} of shape {array.shape}; one image [h, w] is expected")
    return image


def _without_bands(where: str, array: np.ndarray) -> np.ndarray:
    """Images without bands as [n, h, w]."""
    shape = array.shape
    if sum(side > 1 for side in shape) <= 2:
        image = array.squeeze() if array.ndim > 2 else array
        _check_not_flattened(where, image)
        return image[None]  # [h, w] -> [1, h, w]
    if shape[-1] == 1:
        core = array.squeeze(tuple(k for k in range(2, array.ndim) if set(shape[k:]) == {1}))  # [..., h, w]
        return core.reshape(-1, *core.shape[-2:])
    if array.ndim > 3 and shape[-3] == 1:
        return array.reshape(-1, *shape[-2:])  # [..., 1, h, w] -> [n, h, w]
    if array.ndim == 3 and _band_axis(shape) == 0:
        return array
    raise ValueError(_bands_message(where, shape))


def _band(where: str, array: np.ndarray, channel: int) -> np.ndarray:
    """The band `channel` of images as [n, h, w]."""
    shape = array.shape
    axis = _band_axis(shape)
    if axis is None:
        raise ValueError(_bands_message(where, shape))
    bands = shape[axis]
    if not 0 <= channel < bands:
        raise ValueError(f"{where} has {bands} band{'s' if bands > 1 else ''}, shape {shape}: no --channel {channel}")
    image = array[(slice(None),) * axis + (channel,)]
    return image[None] if image.ndim == 2 else image


def _band_axis(shape: tuple[int, ...]) -> int | None:
    """The axis of the bands in [bands, h, w], [h, w, bands], [n, bands, h, w] or [n, h, w, bands]; None if unclear.

    Bands are few, or the other two axes are equal. Three axes are [bands, h, w] unless this holds for the last.
    """
    if len(shape) not in (3, 4):
        return None
    first, last = len(shape) - 3, len(shape) - 1

    def remaining_is_image(bands: int, height: int, width: int) -> bool:
        return min(height, width) >= MIN_SIDE_PIXELS and (height == width or bands < MIN_SIDE_PIXELS)

    bands, height, width = shape[-3:]
    is_last = remaining_is_image(width, bands, height) and not bands == height == width
    if len(shape) == 3:
        return last if is_last else first
    is_first = remaining_is_image(bands, height, width) and not bands == height == width
    return first if is_first > is_last else last if is_last > is_first else None


def _bands_message(where: str, shape: tuple[int, ...]) -> str:
    """Why images with bands, or with axes of unknown meaning, are not read."""
    axis = _band_axis(shape)
    if axis is None:
        return f"{where} has shape {shape}, whose axes are ambiguous: save the images as [n, h, w]"
    names = ["n"] * (len(shape) == 4) + ["h", "w"]
    names.insert(axis, "bands")
    return (
        f"{where} has shape {shape}, probably [{', '.join(names)}]: choose a band by --channel (0 to "
        f"{shape[axis] - 1}); images without bands must be [n, h, w] or [n, 1, h, w]"
    )


def _check_not_flattened(where: str, image: np.ndarray) -> None:
    """Raise a ValueError if an array [n, p * p], perhaps with a label in each row, holds flattened images."""
    length = image.shape[-1] if image.ndim else 0
    side = math.isqrt(length)
    square = side >= MIN_SIDE_PIXELS and length - side**2 in (0, 1)
    if image.ndim == 2 and not (square and (len(image) < MIN_SIDE_PIXELS or _repeats(image, side))):
        return
    label = " and a label" if length > side**2 else ""
    rows = "a[:-1]" if label and image.ndim < 2 else "a[:, :-1]" if label else "a"
    hint = f"images of {side} x {side} pixels{label}, flattened: save {rows}.reshape(-1, {side}, {side})"
    raise ValueError(
        f"{where} has shape {image.shape}, {f'probably {hint}' if square else 'and an image has two axes [h, w]'}"
    )


def _repeats(image: np.ndarray, side: int) -> bool:
    """Whether pixels `side` apart in a row are more alike than those half as far apart, as in flattened images."""
    rows = np.asarray(image[:SAMPLED_ROWS, : side**2], np.float64)
    near, far = (np.abs(rows[:, lag:] - rows[:, :-lag]) for lag in (side // 2, side))
    near, far = (difference[np.isfinite(difference)] for difference in (near, far))
    return bool(near.size and far.size and far.mean() < REPEAT_RATIO * near.mean())


def _check_numbers(where: str, array: np.ndarray) -> None:
    """Raise a ValueError if an array is empty, or holds no real numbers or numbers that overflowed."""
    if array.dtype.kind not in "iuf" or not array.size:
        advice = NOT_NUMBERS.get(array.dtype.kind, "it is empty")
        kind = array.dtype if array.dtype.names is None else f"the fields {', '.join(array.dtype.names)}"
        raise ValueError(f"{where} has {kind} of shape {array.shape}; images must be real numbers [n, h, w]: {advice}")
    if array.dtype == np.float16 and np.isinf(array).any():
        raise ValueError(
            f"{where} is float16, in which numbers above 65504 become infinite, as {np.isinf(array).sum()} pixels are: "
            "save it as float32"
        )
    if array.dtype.kind == "i" and array.dtype.itemsize < 4:
        limits = np.iinfo(array.dtype)
        if array.min() < limits.min / 4 and array.max() > limits.max / 2:
            raise ValueError(
                f"{where} is {array.dtype} from {array.min()} to {array.max()}: values above {limits.max} were "
                "probably wrapped to negative ones when it was saved: save it as float32"
            )
