"""A sheet of twins of one data set: smooth lenses in the first row, then each odd class and how it differs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.results.figures import style
from oddlens.results.figures.style import plt

COLUMNS = 8
LIGHTEST = 0.05
"""Pieces of substructure lighter than this part of the heaviest are not marked."""
KNEE, SPAN = 0.1, 0.1
"""Parts of the smooth twin's peak: where the stretch of images (an arcsinh) bends, and what differences span."""


def stretched(image: np.ndarray, peak: float) -> np.ndarray:
    """An image on a scale where the twin's peak is 1: linear where it is faint, logarithmic where it is bright."""
    return np.arcsinh(image / (KNEE * peak)) / np.arcsinh(1 / KNEE)


def words(shard: Shard, k: int, smooth: str) -> str:
    """The truth about image k that says most, for a line beneath it."""
    value = shard.one("truth", k)
    if shard.attributes["class"] == smooth:
        return f"{value['einstein_radius_arcsec']:.2f}″, S/N {value['peak_signal_to_noise']:.0f}"
    part = f"{100 * value['substructure_fraction']:.1f} %"
    heaviest = value.get("heaviest_mass_msun", 0)
    return f"{part}, $10^{{{np.log10(heaviest):.1f}}}$ M$_\\odot$" if heaviest > 0 else part


def sheet(found: Sequence[Shard], smooth: str, title: str) -> Figure:
    """The sheet; `found` are shards of the test pool that begin with the same index, one a class, smooth first."""
    columns = min(COLUMNS, *(len(shard.images) for shard in found))
    count = 2 * len(found) - 1  # rows
    figure, axes = plt.subplots(
        count, columns, figsize=(1.3 * columns + 0.3, 1.42 * count + 0.4), squeeze=False, layout="constrained"
    )
    rows = iter(axes)
    for shard in found:
        cls, line = shard.attributes["class"], next(rows)
        line[0].set_ylabel(cls, fontsize=10, fontweight="bold")
        for k, axis in enumerate(line):
            _image(axis, shard.images[k], found[0].images[k].max())
            axis.set_xlabel(words(shard, k, smooth), fontsize=7.5, labelpad=2)
        if cls == smooth:
            for k, axis in enumerate(line):
                axis.set_title(f"{shard.arrays['index'][k]}", fontsize=9)
            continue
        line = next(rows)
        line[0].set_ylabel(f"{cls} − {smooth}", fontsize=8)
        for k, axis in enumerate(line):
            _difference(axis, shard.images[k] - found[0].images[k], SPAN * found[0].images[k].max())
            _pieces(axis, shard, k)
    figure.suptitle(title, fontsize=11)
    return figure


def _image(axis: Axes, image: np.ndarray, peak: float) -> None:
    axis.imshow(stretched(image, peak), cmap=style.IMAGES, vmin=0, vmax=1)
    _bare(axis)


def _difference(axis: Axes, image: np.ndarray, span: float) -> None:
    axis.imshow(image, cmap=style.DIFFERENCES, vmin=-span, vmax=span)
    _bare(axis)


def _bare(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="0.7", linewidth=0.6)


def _pieces(axis: Axes, shard: Shard, k: int) -> None:
    """Where the substructure is, as far as its columns tell: heavier pieces as rings, those with a length as lines."""
    own = {name: np.atleast_1d(value) for name, value in shard.one("substructure", k).items()}
    half, scale = (shard.images.shape[-1] - 1) / 2, shard.attributes["pixel_scale_arcsec"]
    for piece in [name.removesuffix("_area") for name in own if name.endswith("_area")]:
        if not {f"{piece}_x_arcsec", f"{piece}_y_arcsec"} <= own.keys():
            continue
        area = own[f"{piece}_area"]
        column, row = half + own[f"{piece}_x_arcsec"] / scale, half - own[f"{piece}_y_arcsec"] / scale
        if {f"{piece}_length_arcsec", f"{piece}_angle_deg"} <= own.keys():
            reach, angle = own[f"{piece}_length_arcsec"] / 2 / scale, np.deg2rad(own[f"{piece}_angle_deg"])
            dx, dy = reach * np.cos(angle), -reach * np.sin(angle)
            axis.plot([column - dx, column + dx], [row - dy, row + dy], color="k", lw=0.8, scalex=False, scaley=False)
        else:
            seen = (area > LIGHTEST * area.max()) & (np.hypot(column - half, row - half) < 1.5 * half)
            size = 60 * area[seen] / area.max()
            axis.scatter(column[seen], row[seen], s=size, facecolor="none", edgecolor="k", linewidth=0.7)
            axis.set(xlim=(-0.5, 2 * half + 0.5), ylim=(2 * half + 0.5, -0.5))


def preview(path: str | Path, shard_paths: Sequence[str | Path], *, dataset: str, smooth: str) -> None:
    """Draw the first test images of each class; `shard_paths` hold them, smooth first."""
    with plt.rc_context(style.STYLE):
        style.save(sheet([_beginning(p) for p in shard_paths], smooth, f"{dataset}: twins"), path)


def _beginning(path: str | Path) -> Shard:
    """The first images of a shard."""
    whole = shards.read(path)
    return Shard({name: array[:COLUMNS].copy() for name, array in whole.arrays.items()}, whole.attributes)
