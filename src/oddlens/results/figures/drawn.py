"""What models draw of themselves, beside real images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import IMAGES, plt, said


def drawn_images(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Lines of images: real smooth and odd ones, then what each row draws in the end, and stage by stage where it grew.

    `examples` are by row; those that draw nothing are left out.
    """
    loaded = {row: read_arrays(path)[0] for row, path in examples.items()}
    lines: dict[str, np.ndarray] = {}
    for row, arrays in loaded.items():
        if "album" in arrays:
            lines |= {f"{row}\nstage {k}": stage for k, stage in enumerate(arrays["album"], 1)}
        if "drawn" in arrays:
            lines[row] = arrays["drawn"]
    if not lines:
        return said("No row of this study draws images of itself.")
    images = next(iter(loaded.values()))["images"]  # [class, example, pixels, pixels]
    lines = {"real": images.reshape(-1, *images.shape[2:])} | lines
    columns = max(map(len, lines.values()))
    size = (0.9 * columns + 0.9, 0.92 * len(lines) + 0.4)
    figure, axes = plt.subplots(len(lines), columns, figsize=size, squeeze=False)
    peak = float(images[0].max())
    for axis in axes.flat:
        axis.set_axis_off()
    for line, (name, found) in zip(axes, lines.items(), strict=True):
        for axis, image in zip(line, found, strict=False):
            axis.imshow(image, cmap=IMAGES, vmin=0, vmax=peak)
        line[0].text(-0.15, 0.5, name, ha="right", va="center", fontsize=7, transform=line[0].transAxes)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.2, rect=(0.04, 0, 1, 0.98))
    return figure
