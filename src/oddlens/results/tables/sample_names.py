"""The names of the user's own images: their files, objects and bands."""

import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.dataset_scores import DatasetScores

SHEET = ["file", "object", "band"]
"""The columns that name one of the user's own images."""


def sample_names(scores: DatasetScores, truth: pd.DataFrame) -> pd.DataFrame | None:
    """The columns `SHEET` of the images of a data set, [images]; None if they are simulated.

    Args:
        truth: of the images, by `read_truth`.
    """
    if scores.simulated:
        return None
    return scores.images.merge(truth[[*IDENTITY, *SHEET]], how="left", on=IDENTITY)[SHEET]
