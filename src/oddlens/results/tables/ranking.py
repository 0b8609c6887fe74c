"""The user's own test images, most anomalous first, by all rows together and by each of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.sample_names import SHEET

CONSENSUS = "consensus"
"""The column with the median over rows of the false-alarm probability."""
OF_ROW = "p_"
"""The beginning of the names of columns with the false-alarm probabilities of a row."""
COLUMNS = ["dataset", "rank", *IDENTITY, *SHEET, CONSENSUS]
VOTING = ("detector", "external", "reference")
"""The roles of the rows that have a vote. Controls measure trivial properties, and variants would count a row twice."""


def row_values(scores: DatasetScores, values: np.ndarray) -> pd.DataFrame:
    """The median over seeds of `values` [models, images] in test images: a line per image, a column per row.

    Rows are those after clean (or labelled) training of which a model converged. Lines have their position among the
    images of the data set.
    """
    test = np.flatnonzero(scores.images["pool"] == "test")
    models = scores.models[scores.uncontaminated & scores.converged]
    medians = {
        str(row): np.median(values[np.ix_(seeds.index.to_numpy(), test)], axis=0)
        for row, seeds in models.groupby("detector", sort=False)
    }
    return pd.DataFrame(medians, index=test)


def voters(table: pd.DataFrame, rows: Mapping[str, Mapping]) -> list[str]:
    """The rows of a table of `row_values` that have a vote; all rows if none has a role of `VOTING`."""
    names = [str(row) for row in table]
    return [row for row in names if rows[row]["role"] in VOTING] or names


def ranking_table(
    scores: DatasetScores, probabilities: np.ndarray, names: pd.DataFrame, rows: Mapping[str, Mapping]
) -> pd.DataFrame:
    """`ranking.csv`: all test images of a data set of the user's own files, most anomalous first.

    There is a column `p_<row>` for each row with its false-alarm probability, the median over seeds. `consensus` is the
    median of these over the rows that have a vote (`voters`): half of them find at most this fraction of normal images
    as anomalous as the image. It is no probability of its own, because rows agree for good and for bad reasons. Equal
    values are sorted by the median rank of the scores.

    Args:
        scores: of all models of the data set.
        probabilities: [models, images], from `false_alarm_probabilities`.
        names: from `sample_names`.
        rows: the `role` of each row.
    """
    by_row = row_values(scores, probabilities)
    if not len(by_row.columns):
        return pd.DataFrame(columns=COLUMNS)
    chosen = voters(by_row, rows)
    consensus = by_row[chosen].median(axis=1).to_numpy()
    ranks = row_values(scores, stats.rankdata(scores.values, axis=1))[chosen].median(axis=1).to_numpy()
    order = np.lexsort((-ranks, consensus))
    images = scores.images.loc[by_row.index].join(names)
    table = images.assign(dataset=scores.dataset, consensus=consensus).iloc[order]
    table = table.assign(rank=np.arange(1, len(table) + 1))[COLUMNS]
    return table.join(by_row.add_prefix(OF_ROW)).reset_index(drop=True)
