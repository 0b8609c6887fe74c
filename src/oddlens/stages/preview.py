"""A sheet of twins of one data set: smooth lenses, then each anomalous class and its difference from smooth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.results.figures import style
from oddlens.results.figures.style import plt

N_COLUMNS = 8
MIN_RELATIVE_MASS = 0.05
"""Substructures lighter than this fraction of the heaviest of an image are not marked."""
STRETCH_KNEE = 0.1
"""Where the arcsinh stretch of images turns from linear to logarithmic, as a fraction of the smooth twin's peak."""
DIFFERENCE_RANGE = 0.1
"""The range of the colour scale of differences, as a fraction of the smooth twin's peak."""


def stretched(image: np.ndarray, peak: float) -> np.ndarray:
    """The arcsinh stretch of an image, 1 at `peak`: linear for faint pixels, logarithmic for bright ones."""
    return np.arcsinh(image / (STRETCH_KNEE * peak)) / np.arcsinh(1 / STRETCH_KNEE)


def label(shard: Shard, k: int, smooth: str) -> str:
    """The label of image k: Einstein radius and signal-to-noise ratio of a smooth lens, substructure of the others."""
    truth = shard.one("truth", k)
    if shard.attributes["class"] == smooth:
        return f"{truth['einstein_radius_arcsec']:.2f}″, S/N {truth['peak_signal_to_noise']:.0f}"
    fraction = f"{100 * truth['substructure_fraction']:.1f} %"
    heaviest = truth.get("heaviest_mass_msun", 0)
    return f"{fraction}, $10^{{{np.log10(heaviest):.1f}}}$ M$_\\odot$" if heaviest > 0 else fraction


def sheet(twins: Sequence[Shard], smooth: str, title: str) -> Figure:
    """The sheet; `twins` are test shards that begin with the same index, one per class, smooth first."""
    n_columns = min(N_COLUMNS, *(len(shard.images) for shard in twins))
    n_rows = 2 * len(twins) - 1
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(1.3 * n_columns + 0.3, 1.42 * n_rows + 0.4), squeeze=False, layout="constrained"
    )
    rows = iter(axes)
    for shard in twins:
        cls, line = shard.attributes["class"], next(rows)
        line[0].set_ylabel(cls, fontsize=10, fontweight="bold")
        for k, axis in enumerate(line):
            _image(axis, shard.images[k], twins[0].images[k].max())
            axis.set_xlabel(label(shard, k, smooth), fontsize=7.5, labelpad=2)
        if cls == smooth:
            for k, axis in enumerate(line):
                axis.set_title(f"{shard.arrays['index'][k]}", fontsize=9)
            continue
        line = next(rows)
        line[0].set_ylabel(f"{cls} − {smooth}", fontsize=8)
        for k, axis in enumerate(line):
            _difference(axis, shard.images[k] - twins[0].images[k], DIFFERENCE_RANGE * twins[0].images[k].max())
            _mark_substructure(axis, shard, k)
    figure.suptitle(title, fontsize=11)
    return figure


def _image(axis: Axes, image: np.ndarray, peak: float) -> None:
    axis.imshow(stretched(image, peak), cmap=style.IMAGE_CMAP, vmin=0, vmax=1)
    _remove_ticks(axis)


def _difference(axis: Axes, image: np.ndarray, span: float) -> None:
    axis.imshow(image, cmap=style.DIFFERENCE_CMAP, vmin=-span, vmax=span)
    _remove_ticks(axis)


def _remove_ticks(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="0.7", linewidth=0.6)


def _mark_substructure(axis: Axes, shard: Shard, k: int) -> None:
    """Mark substructures at their positions: those with a length as lines, the others as rings.

    The area of a ring is proportional to the mass. Kinds of substructure without positions are not marked.
    """
    own = {name: np.atleast_1d(value) for name, value in shard.one("substructure", k).items()}
    half, scale = (shard.images.shape[-1] - 1) / 2, shard.attributes["pixel_scale_arcsec"]
    for kind in [name.removesuffix("_area") for name in own if name.endswith("_area")]:
        if not {f"{kind}_x_arcsec", f"{kind}_y_arcsec"} <= own.keys():
            continue
        area = own[f"{kind}_area"]  # proportional to the mass
        column, row = half + own[f"{kind}_x_arcsec"] / scale, half - own[f"{kind}_y_arcsec"] / scale
        if {f"{kind}_length_arcsec", f"{kind}_angle_deg"} <= own.keys():
            half_length, angle = own[f"{kind}_length_arcsec"] / 2 / scale, np.deg2rad(own[f"{kind}_angle_deg"])
            dx, dy = half_length * np.cos(angle), -half_length * np.sin(angle)
            axis.plot([column - dx, column + dx], [row - dy, row + dy], color="k", lw=0.8, scalex=False, scaley=False)
        else:
            shown = (area > MIN_RELATIVE_MASS * area.max()) & (np.hypot(column - half, row - half) < 1.5 * half)
            size = 60 * area[shown] / area.max()
            axis.scatter(column[shown], row[shown], s=size, facecolor="none", edgecolor="k", linewidth=0.7)
            axis.set(xlim=(-0.5, 2 * half + 0.5), ylim=(2 * half + 0.5, -0.5))


def preview(path: str | Path, shard_paths: Sequence[str | Path], *, dataset: str, smooth: str) -> None:
    """Draw the first test images of each class from their shards, smooth first."""
    with plt.rc_context(style.STYLE):
        style.save(sheet([_beginning(p) for p in shard_paths], smooth, f"{dataset}: twins"), path)


def _beginning(path: str | Path) -> Shard:
    """The first images of a shard."""
    shard = shards.read(path)
    return Shard({name: array[:N_COLUMNS].copy() for name, array in shard.arrays.items()}, shard.attributes)
