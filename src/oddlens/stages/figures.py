"""All figures of one data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from oddlens.results.figures.ablations import ablation_dots
from oddlens.results.figures.codes import code_panels
from oddlens.results.figures.curves import bin_curves, contamination_curves, loss_curves, population_curves, roc_curves
from oddlens.results.figures.drawn import drawn_images
from oddlens.results.figures.gallery import gallery
from oddlens.results.figures.masses import mass_panels
from oddlens.results.figures.selection import selection_dots
from oddlens.results.figures.style import STYLE, families, plt, save
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.scored import Scored


def draw(
    outputs: Mapping[str, str | Path],
    *,
    dataset: str,
    smooth: str,
    rows: Mapping[str, Mapping],
    tables: Mapping[str, str | Path],
    scores: Mapping[str, str | Path],
    examples: Mapping[str, str | Path],
    losses: Mapping[str, Sequence[str | Path]],
) -> None:
    """Draw those figures that `outputs` names.

    Args:
        rows: of each detector row its `role`.
        tables: the result tables `auc`, `summary`, `bins`, `population`, `ablations` and `selection`.
        scores: by row, as are `examples`, and `losses` where a row has models of its own.
    """
    read = {name: pd.read_csv(path) for name, path in tables.items()}
    auc, summary, bins, population, ablations, selection = (
        read[name][read[name]["dataset"] == dataset]
        for name in ("auc", "summary", "bins", "population", "ablations", "selection")
    )
    best = leaders(summary, rows)
    shown = {row: examples[row] for row in best}
    figures = {
        "roc": lambda: roc_curves(Scored.read(scores.values(), smooth), summary, rows, f"{dataset}: clean training"),
        "contamination": lambda: contamination_curves(auc, summary, rows, f"{dataset}: contaminated training"),
        "bins": lambda: bin_curves(bins, best, rows, f"{dataset}: what makes a lens easy"),
        "population": lambda: population_curves(population, best, rows, f"{dataset}: how many lenses tell"),
        "ablations": lambda: ablation_dots(ablations, f"{dataset}: what each idea is worth"),
        "selection": lambda: selection_dots(selection, rows, f"{dataset}: choosing without labels"),
        "gallery": lambda: gallery(shown, f"{dataset}: where detectors look"),
        "masses": lambda: mass_panels(shown, f"{dataset}: where masses are, and where they would be seen"),
        "codes": lambda: code_panels(shown, f"{dataset}: codes of test images"),
        "drawn": lambda: drawn_images(shown, f"{dataset}: what models draw of themselves"),
        "losses": lambda: loss_curves(losses, f"{dataset}: training"),
    }
    with plt.rc_context(STYLE):
        for name, path in outputs.items():
            save(figures[name](), path)


def leaders(summary: pd.DataFrame, rows: Mapping[str, Mapping]) -> list[str]:
    """The best row of each family of detectors, best first; of other rows, if the study has no detectors."""
    order = ranking(summary)
    known = [row for row in order if rows[row]["role"] == "detector"] or order
    return [members[0] for members in families(known).values()]
