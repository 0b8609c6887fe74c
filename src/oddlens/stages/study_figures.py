"""Draw the figures of all data sets together."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from oddlens.results.figures.noise import noise_curves
from oddlens.results.figures.ranks import critical_differences
from oddlens.results.figures.style import save_figures


def study_figures(
    outputs: Mapping[str, str | Path],
    *,
    ranks: str | Path,
    wilcoxon: str | Path,
    noise: str | Path,
    rows: Mapping[str, Mapping],
) -> None:
    """Draw those figures that `outputs` names: the critical-difference diagram `ranks`, the AUC against `noise`.

    Args:
        outputs: the paths of the figures, by name.
        ranks: the result table `ranks.csv`; `wilcoxon` and `noise` likewise.
        wilcoxon: see `ranks`.
        noise: see `ranks`.
        rows: for each detector row its `role`.
    """
    makers = {
        "ranks": lambda: critical_differences(pd.read_csv(ranks), pd.read_csv(wilcoxon)),
        "noise": lambda: noise_curves(pd.read_csv(noise), rows),
    }
    save_figures(outputs, makers)
