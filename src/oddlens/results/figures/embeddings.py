"""Embeddings of normal and anomalous images."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from oddlens.files.artefacts import read_arrays
from oddlens.results.figures.style import message_figure, palette, plt

MAX_ROWS = 6
"""The rows shown, best first."""


def embedding_panels(examples: Mapping[str, Path | str], title: str) -> Figure:
    """For each row the two leading principal components of the embeddings of test images, and the embedding norms.

    Args:
        examples: the file of examples of each row, best first. Rows without embeddings are left out.
        title: of the figure.
    """
    loaded = {row: read_arrays(path) for row, path in examples.items()}
    able = {row: (a, about["classes"].split(",")) for row, (a, about) in loaded.items() if "embeddings" in a}
    able = dict(list(able.items())[:MAX_ROWS])
    if not able:
        return message_figure("No row of this study has embeddings.")
    figure, axes = plt.subplots(2, len(able), figsize=(2.7 * len(able), 4.6), squeeze=False, height_ratios=[1.6, 1])
    colours = list(palette("tab10")) * 9
    for (positions, norms), (row, (arrays, classes)) in zip(axes.T, able.items(), strict=True):
        low, high = np.nanquantile(arrays["embedding_norms"], [0.002, 0.998])
        edges = np.linspace(low, high, 25)
        for k, cls in reversed(list(enumerate(classes))):
            positions.plot(*arrays["embeddings"][k].T, ".", ms=2.5, color=colours[k], alpha=0.6, label=cls)
            known = arrays["embedding_norms"][k][np.isfinite(arrays["embedding_norms"][k])]
            norms.hist(known, edges, histtype="step", color=colours[k])
        positions.set(title=row, xticks=[], yticks=[], xlabel="component 1")
        norms.set(xlabel="embedding norm", yticks=[])
    axes[0][0].set_ylabel("component 2")
    axes[1][0].set_ylabel("images")
    axes[0][0].legend(markerscale=3, loc="best", reverse=True)
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    return figure
