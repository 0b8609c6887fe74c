"""Draw the figures of all data sets together."""

from collections.abc import Mapping
from pathlib import Path

from oddlens.results.figures.noise import draw_noise
from oddlens.results.figures.ranks import draw_ranks


def study_figures(
    outputs: Mapping[str, str | Path],
    *,
    ranks: str | Path,
    wilcoxon: str | Path,
    noise: str | Path,
    rows: Mapping[str, Mapping],
) -> None:
    """Draw the critical-difference diagram (`ranks`) and the AUC against noise (`noise`).

    Args:
        outputs: the paths of the two figures, by name.
        ranks: the result table `ranks.csv`; `wilcoxon` and `noise` likewise.
        rows: of each detector row its `role`.
    """
    draw_ranks(outputs["ranks"], ranks=ranks, wilcoxon=wilcoxon)
    draw_noise(outputs["noise"], noise=noise, rows=rows)
