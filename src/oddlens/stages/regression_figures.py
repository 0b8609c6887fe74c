"""Draw the regression figures of one data set."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from oddlens.regression.estimates import Estimates
from oddlens.results.figures.calibration import calibration_curves
from oddlens.results.figures.estimates import estimate_panels
from oddlens.results.figures.fractions import fraction_panels
from oddlens.results.figures.style import save_figures
from oddlens.results.figures.triage import triage_curves


def regression_figures(
    outputs: Mapping[str, str | Path], *, dataset: str, estimates: Iterable[str | Path], triage: str | Path
) -> None:
    """Draw the figures that `outputs` names.

    Args:
        outputs: the paths of the figures, by name.
        dataset: the name of the data set.
        estimates: the files of estimates of all regression rows.
        triage: the result table `triage.csv`.
    """
    read = [Estimates.read(path) for path in estimates]
    table = pd.read_csv(triage)
    makers = {
        "estimates": lambda: estimate_panels(read, f"{dataset}: estimated parameters"),
        "calibration": lambda: calibration_curves(read, f"{dataset}: calibration of intervals"),
        "fractions": lambda: fraction_panels(read, f"{dataset}: mean substructure fraction of populations"),
        "triage": lambda: triage_curves(table[table["dataset"] == dataset], f"{dataset}: purity and completeness"),
    }
    save_figures(outputs, makers)
