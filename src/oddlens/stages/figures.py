"""Draw all figures of one data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from oddlens.results.figures.ablations import ablation_dots
from oddlens.results.figures.bins import bin_curves
from oddlens.results.figures.contamination import contamination_curves
from oddlens.results.figures.detected_fractions import detection_curves
from oddlens.results.figures.embeddings import embedding_panels
from oddlens.results.figures.gallery import gallery
from oddlens.results.figures.losses import loss_curves
from oddlens.results.figures.mass_sensitivity import mass_sensitivity_panels
from oddlens.results.figures.population import no_population_figure, population_curves
from oddlens.results.figures.roc import roc_curves
from oddlens.results.figures.samples import sample_panels
from oddlens.results.figures.selection import selection_dots
from oddlens.results.figures.style import families, no_auc_figure, rows_to_show, save_figures
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.result_files import read_result
from oddlens.results.tables.selection import ranking_without_labels

TABLES = ("auc", "summary", "bins", "population", "ablations", "selection", "detection")


def draw_figures(
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
        outputs: the paths of the figures, by name.
        dataset: the name of the data set.
        smooth: the normal class.
        rows: for each detector row its `role`.
        tables: the result tables, among them `TABLES`.
        scores: the score file of each row.
        examples: the file of examples of each row that has one.
        losses: the loss files of each row that has models of its own.
    """
    every = {name: read_result(tables[name]) for name in TABLES}
    read = {name: table[table["dataset"] == dataset] for name, table in every.items()}
    summary, of_dataset = read["summary"], DatasetScores.read(scores.values(), smooth)
    best = best_of_families(ranking(summary) or ranking_without_labels(read["selection"]) or list(examples), rows)
    shown = {row: examples[row] for row in best if row in examples}
    training = "clean training" if of_dataset.simulated else "training as given"
    makers = {
        "roc": lambda: roc_curves(of_dataset, summary, rows, f"{dataset}: ROC curves after {training}"),
        "contamination": lambda: contamination_curves(
            read["auc"], summary, rows, f"{dataset}: AUC after contaminated training"
        ),
        "bins": lambda: (
            bin_curves(read["bins"], best, rows, f"{dataset}: AUC by properties of lens and substructure")
            if of_dataset.judged
            else no_auc_figure()
        ),
        "detection": lambda: detection_curves(
            read["detection"], rows_to_show(best, rows), rows, f"{dataset}: completeness at fixed false-alarm rates"
        ),
        "population": lambda: (
            population_curves(read["population"], best, rows, f"{dataset}: lenses needed to detect a population")
            if of_dataset.simulated
            else no_population_figure()
        ),
        "ablations": lambda: ablation_dots(read["ablations"], f"{dataset}: ablations"),
        "selection": lambda: selection_dots(read["selection"], rows, f"{dataset}: model selection without labels"),
        "gallery": lambda: gallery(shown, f"{dataset}: reconstructions and anomaly maps"),
        "mass_sensitivity": lambda: mass_sensitivity_panels(shown, f"{dataset}: residuals and mass sensitivity"),
        "embeddings": lambda: embedding_panels(shown, f"{dataset}: embeddings of test images"),
        "samples": lambda: sample_panels(shown, f"{dataset}: images sampled from generative models"),
        "losses": lambda: loss_curves(losses, f"{dataset}: training losses"),
    }
    save_figures(outputs, makers)


def best_of_families(order: Sequence[str], rows: Mapping[str, Mapping]) -> list[str]:
    """The best row of each family of detectors, best first; of all rows, if the study has no detectors.

    Args:
        order: the rows, best first.
    """
    detectors = [row for row in order if rows[row]["role"] == "detector"] or order
    return [members[0] for members in families(detectors).values()]
