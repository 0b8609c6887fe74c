"""Images sampled from generative models."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import IMAGE_CMAP, message_figure, plt


def sample_panels(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Test images of all classes, then samples of each row: during its training, if known, and after it.

    Args:
        examples: the file of examples of each row, best first. Rows without samples are left out.
        title: of the figure.
    """
    loaded = {row: read_arrays(path)[0] for row, path in examples.items()}
    lines: dict[str, np.ndarray] = {}
    for row, arrays in loaded.items():
        if "training_snapshots" in arrays:
            lines |= {f"{row}\nstage {k}": stage for k, stage in enumerate(arrays["training_snapshots"], 1)}
        if "samples" in arrays:
            lines[row] = arrays["samples"]
    if not lines:
        return message_figure("No row of this study can sample images.")
    first = next(iter(loaded.values()))
    images = first["images"]  # [class, example, pixels, pixels]
    known = images.reshape(-1, *images.shape[2:])
    lines = {"simulated" if "truth" in first else "test images": known[np.isfinite(known).all(axis=(1, 2))]} | lines
    columns = max(map(len, lines.values()))
    size = (0.9 * columns + 0.9, 0.92 * len(lines) + 0.4)
    figure, axes = plt.subplots(len(lines), columns, figsize=size, squeeze=False)
    peak = float(np.nanmax(images[0]))
    for axis in axes.flat:
        axis.set_axis_off()
    for line, (name, panels) in zip(axes, lines.items(), strict=True):
        for axis, image in zip(line, panels, strict=False):
            axis.imshow(image, cmap=IMAGE_CMAP, vmin=0, vmax=peak)
        line[0].text(-0.15, 0.5, name, ha="right", va="center", fontsize=7, transform=line[0].transAxes)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.2, rect=(0.04, 0, 1, 0.98))
    return figure
