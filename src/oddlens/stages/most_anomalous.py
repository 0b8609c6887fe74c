"""Draw the most anomalous of the user's own images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oddlens.data import shards
from oddlens.results.figures import style
from oddlens.results.figures.most_anomalous import N_IMAGES, most_anomalous_sheet
from oddlens.results.tables.result_files import read_result


def most_anomalous(path: str | Path, ranking_path: str | Path, shard_paths: Sequence[str | Path], dataset: str) -> None:
    """Draw the first `N_IMAGES` images of a data set in `ranking.csv`.

    Args:
        ranking_path: the table `ranking`.
        shard_paths: the shards of the test pool of the data set.
    """
    table = read_result(ranking_path)
    first = table[table["dataset"] == dataset].head(N_IMAGES)
    wanted = {(cls, index): k for k, (cls, index) in enumerate(zip(first["class"], first["index"], strict=True))}
    images: dict[int, np.ndarray] = {}
    for shard in map(shards.read, shard_paths):
        for image, index in zip(shard.images, shard.arrays["index"], strict=True):
            if (k := wanted.get((shard.attributes["class"], int(index)))) is not None:
                images[k] = image
    title = f"{dataset}: most anomalous images, and how many normal images are as anomalous"
    with style.plt.rc_context(style.STYLE):
        figure = (
            most_anomalous_sheet(first, [images[k] for k in range(len(first))], title)
            if len(first)
            else style.message_figure("No model converged.")
        )
        style.save(figure, path)
