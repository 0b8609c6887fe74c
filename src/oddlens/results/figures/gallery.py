"""Images of twins, with reconstructions, residuals and anomaly maps of the best detectors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import DIFFERENCE_CMAP, IMAGE_CMAP, MAP_CMAP, plt

MAX_ROWS = 3
"""The rows whose reconstructions and anomaly maps are shown."""


def gallery(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Smooth images, their anomalous twins and the true difference, then the output of the best rows for the twins.

    The user's own images have no twins: images of all classes, and the output of the best rows for them.

    Args:
        examples: the file of examples of each row, best first. Rows with neither reconstructions nor anomaly maps are
            left out.
        title: of the figure.
    """
    loaded = {row: read_arrays(path) for row, path in examples.items()}
    arrays, about = next(iter(loaded.values()))
    images, classes = arrays["images"], about["classes"].split(",")  # [class, example, pixels, pixels]
    able = {row: a for row, (a, _) in loaded.items() if {"reconstructions", "anomaly_maps"} & set(a)}
    able = dict(list(able.items())[:MAX_ROWS])
    truth = arrays.get("truth")
    known = np.isfinite(images).all(axis=(2, 3))
    first = 0 if truth is None else 1
    examples_shown = [(c, k) for k in range(images.shape[1]) for c in range(first, len(classes)) if known[c, k]]
    panels = [_panels(images, truth, able, c, k) for c, k in examples_shown]
    columns = list(panels[0])
    size = (1.3 * len(columns), 1.38 * len(examples_shown) + 0.5)
    figure, axes = plt.subplots(len(examples_shown), len(columns), figsize=size, squeeze=False)
    for line, (c, k), of_line in zip(axes, examples_shown, panels, strict=True):
        for axis, (panel, look) in zip(line, of_line.values(), strict=True):
            axis.imshow(panel, **look)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(f"{classes[c]}, {k}")
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.3, rect=(0, 0, 1, 0.97))
    return figure


def _panels(
    images: np.ndarray, truth: np.ndarray | None, able: Mapping[str, Mapping], c: int, k: int
) -> dict[str, tuple]:
    """The panels of example k of class c by their titles: pixels, and keywords of `imshow`."""
    anomalous, peak = images[c, k], float(images[c if truth is None else 0, k].max())
    plain = {"cmap": IMAGE_CMAP, "vmin": 0, "vmax": peak}
    panels: dict[str, tuple] = {"image": (anomalous, plain)}
    if truth is not None:
        panels = {"smooth": (images[0, k], plain), "anomalous\ntwin": (anomalous, plain)}
        panels["true\ndifference"] = (truth[c, k], _signed(float(np.abs(truth[c, k]).max())))
    for row, arrays in able.items():
        if "anomaly_maps" in arrays:
            low, high = np.quantile(arrays["anomaly_maps"][c, k], [0.01, 0.995])
            panels[f"{row}\nanomaly map"] = (
                arrays["anomaly_maps"][c, k],
                {"cmap": MAP_CMAP, "vmin": low, "vmax": high},
            )
        if "reconstructions" in arrays:
            panels[f"{row}\nreconstruction"] = (arrays["reconstructions"][c, k], plain)
            panels[f"{row}\nresidual"] = (anomalous - arrays["reconstructions"][c, k], _signed(peak / 4))
    return panels


def _signed(span: float) -> dict[str, Any]:
    return {"cmap": DIFFERENCE_CMAP, "vmin": -span, "vmax": span}
