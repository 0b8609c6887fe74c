"""How closely images sampled from generative models resemble simulated ones."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from oddlens.results.tables.columns import MODEL
from oddlens.results.tables.score_files import by_model, read_samples
from oddlens.statistics.sample_quality import MEASURES, MIN_VARIETY

COLUMNS = ["dataset", *MODEL, *MEASURES, "collapsed"]


def samples_table(paths: Iterable[Path | str]) -> pd.DataFrame:
    """`samples.csv`: for each generative model the distances between its samples and smooth images.

    The measures are those of `oddlens.statistics.sample_quality`.
    """
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table in by_model(map(read_samples, paths)):
        parts.append(table.assign(collapsed=table["variety"] < MIN_VARIETY)[COLUMNS])
    return pd.concat(parts[1:] or parts)
