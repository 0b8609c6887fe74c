"""The most anomalous of the user's own images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from oddlens.results.figures.image_sheet import blank, draw_own_image, short
from oddlens.results.figures.style import plt
from oddlens.results.tables.ranking import CONSENSUS
from oddlens.statistics.false_alarm import one_in

N_IMAGES = 24
N_COLUMNS = 6


def most_anomalous_sheet(ranking: pd.DataFrame, images: Sequence[np.ndarray], title: str) -> Figure:
    """Images in the order of `ranking.csv`, with the name of the object, its band, and the consensus of all rows.

    Args:
        ranking: the first lines of a data set.
        images: of these lines, each [pixels, pixels].
    """
    lines = -(-len(images) // N_COLUMNS)
    size = (1.55 * N_COLUMNS + 0.2, 1.85 * lines + 0.4)
    figure, axes = plt.subplots(lines, N_COLUMNS, figsize=size, squeeze=False, layout="constrained")
    for axis, image, line in zip(axes.flat, images, ranking.to_dict("records"), strict=False):
        band = f", {line['band']}" if line["band"] else ""
        draw_own_image(axis, image, f"{short(line['object'])}{band}\n{one_in(line[CONSENSUS])}")
        axis.set_title(line["rank"], fontsize=8, pad=2)
    blank(axes.flat[len(images) :])
    figure.suptitle(title, fontsize=11)
    return figure
