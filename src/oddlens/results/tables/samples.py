"""Whether the images that models draw of themselves are like real ones."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from oddlens.data.training_sets import parse_training_set
from oddlens.results.tables.conventions import MODEL, read_samples
from oddlens.statistics.sample_quality import LEAST_VARIETY, MEASURES

COLUMNS = ["dataset", *MODEL, *MEASURES, "collapsed"]


def samples_table(paths: Iterable[Path | str]) -> pd.DataFrame:
    """`samples.csv`: for each model that can draw images its distances from real ones
    (`oddlens.statistics.sample_quality.compared`)."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table, about in map(read_samples, paths):
        if len(table):
            names = pd.DataFrame(
                [parse_training_set(training_set) for training_set in table["training_set"]],
                columns=MODEL[:2],
                index=table.index,
            )
            table = table.assign(**names, collapsed=table["variety"] < LEAST_VARIETY)
            parts.append(table.assign(dataset=about["dataset"], detector=about["detector"])[COLUMNS])
    return pd.concat(parts[1:] or parts)
