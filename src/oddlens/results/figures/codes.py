"""Where detectors put images: the codes of normal and odd ones, and how long they are."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import plt, said

SHOWN = 6
"""Rows that are shown, the best first."""


def code_panels(examples: Mapping[str, Path | str], title: str) -> Figure:
    """Each row's codes of test images in their two leading components, by class; below, how long codes are.

    `examples` are by row, best first; those without codes are left out.
    """
    loaded = {row: read_arrays(path) for row, path in examples.items()}
    able = {row: (a, about["classes"].split(",")) for row, (a, about) in loaded.items() if "codes" in a}
    able = dict(list(able.items())[:SHOWN])
    if not able:
        return said("No row of this study has codes.")
    figure, axes = plt.subplots(2, len(able), figsize=(2.7 * len(able), 4.6), squeeze=False, height_ratios=[1.6, 1])
    colours = plt.get_cmap("tab10").colors  # type: ignore[attr-defined]
    for (places, lengths), (row, (arrays, classes)) in zip(axes.T, able.items(), strict=True):
        low, high = np.quantile(arrays["norms"], [0.002, 0.998])
        edges = np.linspace(low, high, 25)
        for k, cls in reversed(list(enumerate(classes))):
            places.plot(*arrays["codes"][k].T, ".", ms=2.5, color=colours[k], alpha=0.6, label=cls)
            lengths.hist(arrays["norms"][k], edges, histtype="step", color=colours[k])
        places.set(title=row, xticks=[], yticks=[])
        lengths.set(xlabel="length of the code", yticks=[])
    axes[0][0].legend(markerscale=3, loc="best", reverse=True)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
