"""Sheets of images with labels."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from oddlens.files.names import printable
from oddlens.results.figures.style import IMAGE_CMAP

STRETCH_KNEE = 0.1
"""Where the arcsinh stretch of images turns from linear to logarithmic, as a fraction of the peak."""
MAX_LABEL = 24
"""Longer names of objects are cut in the middle, so that labels do not overlap."""


def stretched(image: np.ndarray, peak: float) -> np.ndarray:
    """The arcsinh stretch of an image, 1 at `peak`: linear for faint pixels, logarithmic for bright ones."""
    return np.arcsinh(image / (STRETCH_KNEE * peak)) / np.arcsinh(1 / STRETCH_KNEE)


def draw_image(axis: Axes, image: np.ndarray, peak: float) -> None:
    """An image with an arcsinh stretch."""
    axis.imshow(stretched(image, peak), cmap=IMAGE_CMAP, vmin=0, vmax=1)
    remove_ticks(axis)


def draw_own_image(axis: Axes, image: np.ndarray, label: str) -> None:
    """One of the user's own images: faintest pixels black, its peak white, stretched, with a label below.

    Images that are not sky-subtracted have a pedestal, which takes nothing of the stretch.
    """
    low, high = float(np.quantile(image, 0.02)), float(image.max())
    draw_image(axis, image - low, high - low if high > low else 1.0)
    axis.set_xlabel(label, fontsize=7, labelpad=2, parse_math=False)


def remove_ticks(axis: Axes) -> None:
    """A thin frame without ticks."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="0.7", linewidth=0.6)


def short(name: str) -> str:
    """A name of an object, which may be a path, as a label: printable, and cut in the middle if it is long."""
    name = printable(name)
    half = MAX_LABEL // 2
    return name if len(name) <= MAX_LABEL else f"{name[: half - 1]}…{name[-half:]}"


def blank(axes: Iterable[Axes]) -> None:
    """Hide panels without an image."""
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
