"""The report of a study: one HTML file that holds its tables and figures and needs nothing else."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import oddlens
from oddlens.results.pages import contamination, detection, images, published, training
from oddlens.results.pages.follow_up import looked_at
from oddlens.results.pages.pieces import change, each, embedded, prior_words
from oddlens.results.pages.real import real_lenses
from oddlens.results.pages.regression import regressed
from oddlens.results.pages.rendering import page
from oddlens.results.tables.columns import UNCONTAMINATED
from oddlens.results.tables.findings import flagged_counts
from oddlens.results.tables.thresholds import CHANCE_MARGIN
from oddlens.statistics.false_alarm import EXTRAPOLATION


def report(
    path: str | Path,
    *,
    tables: Mapping[str, str | Path],
    figures: Mapping[str, Mapping[str, str | Path]],
    ranks: str | Path,
    noise: str | Path,
    real: Mapping[str, str | Path],
    real_pictures: Mapping[str, str | Path],
    followed: Iterable[tuple[str | Path, str | Path]],
    captions: Mapping[str, str | Path],
    study: dict[str, Any],
    rows: Mapping[str, Mapping],
    descriptions: Mapping[str, str],
    classes: Mapping[str, str],
    made: Mapping[str, Iterable[str]],
    devices: Iterable[str],
) -> None:
    """Write the report.

    Args:
        tables: paths of the result tables, by name.
        figures: for each data set the paths of its figures, by name.
        ranks: the path of the critical-difference diagram.
        noise: the path of the AUC against noise.
        real: paths of the tables of real lenses, by name; empty if there are none.
        real_pictures: folders of the pictures of real lenses, by data set.
        followed: of each image that was fitted again the paths of its table and its picture.
        captions: paths of what is said under each figure, plain text by its name; `ranks`, `noise`, `real`, `follow_up`.
        study: the validated config as plain data.
        rows: of each detector row its `role`, the row it `ablates`, its `sweep`, what is `varied` in it.
        descriptions: the description of each row.
        classes: what each class is.
        made: the `commits`, `versions` and `machines` of all jobs behind the report.
        devices: what the models were trained on.
    """
    read = {name: pd.read_csv(file) for name, file in tables.items() if name != "comparison"}
    page(
        path,
        "report.html.j2",
        study=study,
        prior=prior_words,
        change=change,
        blind=CHANCE_MARGIN,
        floor=EXTRAPOLATION,
        version=oddlens.__version__,
        made=made,
        devices=list(devices),
        config=yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
        described=detection.described(rows, descriptions),
        classes=classes,
        seeds=len(study["contamination"]["seeds"]),
        figures={name: {kind: embedded(file) for kind, file in files.items()} for name, files in figures.items()},
        ranks=embedded(ranks),
        noise=embedded(noise) if len(read["noise"]) else None,
        real=real_lenses(real, real_pictures),
        followed=looked_at(followed),
        captions={figure: Path(file).read_text().strip() for figure, file in captions.items()},
        **facts(read, rows, study),
    )


def facts(read: Mapping[str, pd.DataFrame], rows: Mapping[str, Mapping], study: dict[str, Any]) -> dict[str, Any]:
    """All that the template says of the results: numbers for its sentences, and tables as HTML (None where empty)."""
    summary, datasets = read["summary"], list(read["summary"]["dataset"].unique())
    judged = summary[summary["contaminant"].isin(UNCONTAMINATED)]
    best = [detection.best_of(judged[judged["dataset"] == d], read["pairs"], read["published"]) for d in datasets]
    duels = {
        b["dataset"]: detection.duels(read["pairs"][read["pairs"]["dataset"] == b["dataset"]], b["detector"])
        for b in best
    }
    own = read["false_alarms"][read["false_alarms"]["calibration"] == "own"]
    return {
        "best": best,
        "told": [
            row for row, e in study["detectors"].items() if e.get("labels") and rows[row]["role"] != "upper_bound"
        ],
        "scoreboards": each(datasets, judged, lambda t: detection.scoreboard(t, ["upper_bound", "detector"])),
        "others": each(datasets, judged, lambda t: detection.scoreboard(t, ["reference", "control"])),
        "controls": detection.controls(judged),
        "contaminated": each(datasets, summary, contamination.contaminated),
        "slopes": each(datasets, read["contamination"], lambda t: contamination.slopes(t, rows)),
        "examples": [e for d in datasets if (e := contamination.example(summary[summary["dataset"] == d]))],
        "remedies": each(
            datasets, read["pairs"], lambda t: contamination.remedied(t, study, summary["training"].unique())
        ),
        "false_alarms": each(
            datasets, read["false_alarms"], lambda t: contamination.alarms(t, summary, ("carried", "own"))
        ),
        "own_alarms": each(datasets, own, lambda t: contamination.alarms(t, summary, ("own",))),
        "false_alarm_probabilities": each(
            datasets, read["false_alarm_probabilities"], lambda t: images.calibration(t, summary)
        ),
        "most_anomalous": {
            f"{b['dataset']}, {b['detector']}": html for b in best if (html := images.oddest(read["most_anomalous"], b))
        },
        "duels": {dataset: html for dataset, html in duels.items() if html},
        "friedman": detection.friedman(read["ranks"]),
        "population": [p for b in best if (p := images.population(read["population"], b))],
        "pixels": images.pixels(read["pixels"]),
        "findings": each(datasets, read["findings"], images.findings),
        "flagged": flagged_counts(read["findings"]),
        "fit_convergence": each(datasets, read["fit_convergence"], images.starts),
        "ablations": each(datasets, read["ablations"], detection.ablations),
        "samples": each(datasets, read["samples"], training.samples),
        "collapsed": training.collapsed(read["samples"]),
        "selections": each(datasets, read["selection"], lambda t: training.selection(t, rows)),
        "agreement": training.agreement(read["selection"]),
        "regression": regressed(datasets, read) if "regression" in read else None,
        "published": each(datasets, read["published"], published.published_table),
        "reproductions": published.reproductions(read["published"], study),
        "diverged": training.diverged(read["auc"]),
    }
