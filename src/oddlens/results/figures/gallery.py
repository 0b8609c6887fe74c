"""Where detectors look: images, what is rebuilt of them, and anomaly maps beside the true difference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import DIFFERENCES, IMAGES, MAPS, plt

SHOWN = 3
"""Detectors whose reconstructions and maps are shown."""


def gallery(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Odd twins and how they truly differ from the smooth ones, beside what the first few detectors make of them.

    `examples` are by row, best first; of those without reconstructions and maps nothing can be shown.
    """
    loaded = {row: read_arrays(path) for row, path in examples.items()}
    arrays, about = next(iter(loaded.values()))
    images, classes = arrays["images"], about["classes"].split(",")  # [class, example, pixels, pixels]
    truth = arrays["truth"]
    able = {row: a for row, (a, _) in loaded.items() if {"reconstructions", "maps"} & set(a)}
    able = dict(list(able.items())[:SHOWN])
    pairs = [(c, k) for k in range(images.shape[1]) for c in range(1, len(classes))]
    panels = [_panels(images, truth, able, c, k) for c, k in pairs]
    columns = list(panels[0])
    size = (1.3 * len(columns), 1.38 * len(pairs) + 0.5)
    figure, axes = plt.subplots(len(pairs), len(columns), figsize=size, squeeze=False)
    for line, (c, k), found in zip(axes, pairs, panels, strict=True):
        for axis, (panel, look) in zip(line, found.values(), strict=True):
            axis.imshow(panel, **look)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(f"{classes[c]}, {k}")
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(name, fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout(pad=0.3, rect=(0, 0, 1, 0.97))
    return figure


def _panels(images: np.ndarray, truth: np.ndarray, able: Mapping[str, Mapping], c: int, k: int) -> dict[str, tuple]:
    """The panels of example k of class c by their titles: pixels, and how they are shown."""
    odd, peak = images[c, k], float(images[0, k].max())
    plain = {"cmap": IMAGES, "vmin": 0, "vmax": peak}
    found: dict[str, tuple] = {"smooth": (images[0, k], plain), "odd twin": (odd, plain)}
    found["true\ndifference"] = (truth[c, k], _signed(float(np.abs(truth[c, k]).max())))
    for row, arrays in able.items():
        if "maps" in arrays:
            low, high = np.quantile(arrays["maps"][c, k], [0.01, 0.995])
            found[f"{row}\nanomaly map"] = (arrays["maps"][c, k], {"cmap": MAPS, "vmin": low, "vmax": high})
        if "reconstructions" in arrays:
            found[f"{row}\nrebuilt"] = (arrays["reconstructions"][c, k], plain)
            found[f"{row}\nleft over"] = (odd - arrays["reconstructions"][c, k], _signed(peak / 4))
    return found


def _signed(span: float) -> dict[str, Any]:
    return {"cmap": DIFFERENCES, "vmin": -span, "vmax": span}
