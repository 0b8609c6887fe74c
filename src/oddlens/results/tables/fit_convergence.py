"""How often fits without knowledge of the truth reach the optimum that fits from the truth reach."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from oddlens.files.artefacts import read_table

COLUMNS = ["dataset", "detector", "initial_parameters", "class", "images", "converged", "reached", "missed", "steps"]


def fit_convergence_table(paths: Iterable[Path | str]) -> pd.DataFrame:
    """`fit_convergence.csv`: the counts of `oddlens.stages.fit_convergence` for each row that fits lenses, data set and
    class."""
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table, about in (read_table(path, "fit_convergence") for path in paths):
        parts.append(table.assign(dataset=about["dataset"], detector=about["detector"])[COLUMNS])
    return pd.concat(parts[1:] or parts, ignore_index=True)
