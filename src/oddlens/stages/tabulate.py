"""From estimates and score tables to the tables of the regression. Reads no model and no pixel, imports no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from oddlens.regression.estimates import Estimates
from oddlens.results.tables import conventions
from oddlens.results.tables.fractions import fractions_table
from oddlens.results.tables.regression import regression_table
from oddlens.results.tables.scored import Scored
from oddlens.results.tables.triage import triage_table


def tabulate(
    outputs: Mapping[str, str | Path],
    *,
    estimates: Mapping[str, Sequence[str | Path]],
    scores: Mapping[str, Sequence[str | Path]],
    rows: Mapping[str, Mapping],
    smooth: str,
) -> None:
    """Write `regression`, `fractions` and `triage`; each is described where it is made, in `oddlens.tables`.

    Args:
        estimates: of each data set the files of all rows of the regression.
        scores: of each data set the score tables of all detectors.
        rows: of each detector row its `role`.
    """
    found = {dataset: [Estimates.read(path) for path in paths] for dataset, paths in estimates.items()}
    every = [one for several in found.values() for one in several]
    triage = [
        triage_table(one, scored, rows)
        for dataset, several in found.items()
        for scored in [Scored.read(scores[dataset], smooth)]
        for one in several
    ]
    made = {
        "regression": regression_table(every),
        "fractions": fractions_table(every),
        "triage": pd.concat(triage, ignore_index=True),
    }
    for name, path in outputs.items():
        conventions.write(path, made[name])
