"""Draw the regression figures of one data set."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from oddlens.results.figures.regression import draw_regression


def regression_figures(
    outputs: Mapping[str, str | Path], *, dataset: str, estimates: Iterable[str | Path], triage: str | Path
) -> None:
    """Draw the figures that `outputs` names.

    Args:
        outputs: the paths of the figures, by name.
        estimates: the files of estimates of all regression rows.
        triage: the result table `triage.csv`.
    """
    draw_regression(outputs, dataset=dataset, estimates=estimates, triage=triage)
