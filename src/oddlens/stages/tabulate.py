"""Compute the tables of the regression from estimates and score files. Imports no torch."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from oddlens.regression.estimates import Estimates
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.fractions import fractions_table
from oddlens.results.tables.regression import regression_table
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.triage import triage_table


def tabulate(
    outputs: Mapping[str, str | Path],
    *,
    estimates: Mapping[str, Iterable[str | Path]],
    scores: Mapping[str, Iterable[str | Path]],
    rows: Mapping[str, Mapping],
    smooth: str,
) -> None:
    """Write the tables `regression`, `fractions` and `triage` of `oddlens.results.tables`.

    Args:
        outputs: the paths of the tables, by name.
        estimates: for each data set the files of all rows of the regression.
        scores: for each data set the score files of all detectors.
        rows: for each detector row its `role`.
        smooth: the normal class.
    """
    by_dataset = {dataset: [Estimates.read(path) for path in paths] for dataset, paths in estimates.items()}
    every = [of_row for of_dataset in by_dataset.values() for of_row in of_dataset]
    triage = []
    for dataset, of_dataset in by_dataset.items():
        dataset_scores = DatasetScores.read(scores[dataset], smooth)
        triage += [triage_table(of_row, dataset_scores, rows) for of_row in of_dataset]
    tables = {
        "regression": regression_table(every),
        "fractions": fractions_table(every),
        "triage": pd.concat(triage, ignore_index=True),
    }
    for name, path in outputs.items():
        write_result(path, tables[name])
