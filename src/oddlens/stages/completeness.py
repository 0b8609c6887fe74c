"""Compute and draw the completeness of all rows from their scores of injected images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from oddlens.results.figures.completeness import completeness_curves
from oddlens.results.figures.style import save_figures
from oddlens.results.tables.completeness import completeness_tables
from oddlens.results.tables.result_files import write_result


def completeness(
    outputs: Mapping[str, str | Path],
    *,
    injected: Sequence[str | Path],
    scores: Sequence[str | Path],
    rows: Mapping[str, Mapping],
) -> None:
    """Write `completeness`, `completeness_masses` and the `figure`.

    Args:
        outputs: the paths of the two tables and of the figure, by name.
        injected: of each row and data set the scores of injected images; `scores`: those of other images, likewise.
        rows: for each detector row its `role`.
    """
    table, masses = completeness_tables(zip(injected, scores, strict=True))
    write_result(outputs["completeness"], table)
    write_result(outputs["completeness_masses"], masses)
    save_figures({"figure": outputs["figure"]}, {"figure": lambda: completeness_curves(table, rows)})
