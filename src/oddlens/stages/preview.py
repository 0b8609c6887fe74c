"""A sheet of test images of one data set.

Simulated ones are twins: smooth lenses, then each anomalous class and its difference from smooth. The user's own images
are shown class by class.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.results.figures import style
from oddlens.results.figures.image_sheet import blank, draw_image, draw_own_image, remove_ticks, short
from oddlens.results.figures.style import plt

N_COLUMNS = 8
MIN_RELATIVE_MASS = 0.05
"""Substructures lighter than this fraction of the heaviest of an image are not marked."""
DIFFERENCE_RANGE = 0.1
"""The range of the colour scale of differences, as a fraction of the smooth twin's peak."""


def label(shard: Shard, k: int, smooth: str) -> str:
    """The label of image k: Einstein radius and signal-to-noise ratio of a smooth lens, substructure of another."""
    truth = shard.one("truth", k)
    if shard.attributes["class"] == smooth:
        return f"{truth['einstein_radius_arcsec']:.2f}″, S/N {truth['peak_signal_to_noise']:.0f}"
    if not truth["substructure_fraction"]:
        return "no substructure"
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
            draw_image(axis, shard.images[k], twins[0].images[k].max())
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


def _difference(axis: Axes, image: np.ndarray, span: float) -> None:
    axis.imshow(image, cmap=style.DIFFERENCE_CMAP, vmin=-span, vmax=span)
    remove_ticks(axis)


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


def own_sheet(classes: Sequence[Shard], title: str) -> Figure:
    """The sheet of the user's own images, a line per class; `classes` are test shards, one per class."""
    n_columns = max(len(shard.images[:N_COLUMNS]) for shard in classes)
    size = (1.3 * n_columns + 0.3, 1.42 * len(classes) + 0.4)
    figure, axes = plt.subplots(len(classes), n_columns, figsize=size, squeeze=False, layout="constrained")
    for line, shard in zip(axes, classes, strict=True):
        line[0].set_ylabel(shard.attributes["class"], fontsize=10, fontweight="bold")
        names = shard.table["object"]
        for axis, image, name in zip(line, shard.images, names, strict=False):
            draw_own_image(axis, image, short(name))
        blank(line[len(shard.images) :])
    figure.suptitle(title, fontsize=11)
    return figure


def preview(path: str | Path, shard_paths: Sequence[str | Path], *, dataset: str, smooth: str) -> None:
    """Draw the first test images of each class from their shards, smooth first."""
    beginnings = [_beginning(shard) for shard in shard_paths]
    simulated = all("noise_free" in shard.arrays for shard in beginnings)
    with plt.rc_context(style.STYLE):
        figure = (
            sheet(beginnings, smooth, f"{dataset}: twins") if simulated else own_sheet(beginnings, f"{dataset}: images")
        )
        style.save(figure, path)


def _beginning(path: str | Path) -> Shard:
    """The first images of a shard."""
    shard = shards.read(path)
    return Shard({name: array[:N_COLUMNS].copy() for name, array in shard.arrays.items()}, shard.attributes)
