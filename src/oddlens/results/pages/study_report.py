"""The facts of the report of a study."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from oddlens.config.detector_registry import takes_simulation
from oddlens.results.pages import detection, false_alarms, localisation, own_images, paired_differences, training
from oddlens.results.pages.contamination import contamination_example, contamination_section
from oddlens.results.pages.contamination import false_alarms as false_alarm_counts
from oddlens.results.pages.fixed_rates import fixed_rates_section
from oddlens.results.pages.formatting import by_dataset
from oddlens.results.pages.leaks import leaks_section
from oddlens.results.pages.population import lenses_needed
from oddlens.results.pages.published import published_aucs, reproductions
from oddlens.results.pages.regression import regression_section
from oddlens.results.pages.selection import rank_agreement, selected_candidates
from oddlens.results.tables.columns import UNCONTAMINATED
from oddlens.results.tables.findings import flagged_counts
from oddlens.results.tables.ranking import VOTING
from oddlens.results.tables.selection import PSEUDO_AUC


def study_report_facts(
    tables: Mapping[str, pd.DataFrame], rows: Mapping[str, Mapping], study: dict[str, Any]
) -> dict[str, Any]:
    """The facts of the template on results: numbers, and tables as HTML or None where empty.

    Args:
        tables: the result tables, by name.
        rows: the properties of each row.
        study: the config as plain data.
    """
    summary, pairs = tables["summary"], tables["pairs"]
    datasets = list(dict.fromkeys([*summary["dataset"], *tables["auc"]["dataset"]]))
    of_files = [name for name, dataset in study["datasets"].items() if "files" in dataset]
    judged = summary[summary["contaminant"].isin(UNCONTAMINATED)]
    best = [detection.best_detector(d, judged[judged["dataset"] == d], pairs, tables["published"]) for d in datasets]
    examples = (contamination_example(summary[summary["dataset"] == d]) for d in datasets)
    own = tables["false_alarms"][tables["false_alarms"]["calibration"] == "own"]
    fits = [row for row, entry in study["detectors"].items() if takes_simulation(entry["detector"])]
    return {
        "best": best,
        "leaders": by_dataset(datasets, judged, lambda table: detection.leaders(table, fits)),
        "labelled_detectors": [
            row for row, e in study["detectors"].items() if e.get("labels") and rows[row]["role"] != "upper_bound"
        ],
        "scoreboards": by_dataset(
            datasets, judged, lambda t: detection.scoreboard(t, ["upper_bound", "detector", "external"])
        ),
        "reference_scoreboards": by_dataset(
            datasets, judged, lambda t: detection.scoreboard(t, ["reference", "control"])
        ),
        "fixed_rates": fixed_rates_section(tables, _leading_rows(judged, best, fits)),
        "controls": detection.controls(judged),
        "inverted": detection.inverted(judged),
        "contaminated": contamination_section(tables, study, rows),
        "examples": [example for example in examples if example],
        "own_false_alarms": by_dataset(datasets, own, lambda t: false_alarm_counts(t, summary, ("own",))),
        "published": by_dataset(datasets, tables["published"], published_aucs),
        "reproductions": reproductions(tables["published"], study),
        "friedman": paired_differences.friedman(tables["ranks"]),
        "ablations": by_dataset(datasets, tables["ablations"], paired_differences.ablations),
        "selections": by_dataset(datasets, tables["selection"], lambda t: selected_candidates(t, rows, of_files)),
        "rank_agreement": rank_agreement(tables["selection"]),
        "regression": regression_section(datasets, tables) if "regression" in tables else None,
        "samples": by_dataset(datasets, tables["samples"], lambda t: training.sample_quality(t, of_files)),
        "collapsed": training.collapsed_models(tables["samples"], of_files),
        "diverged": training.diverged_models(tables["auc"], of_files),
        "own": of_files,
        "simulated": [name for name in study["datasets"] if name not in of_files],
        **_best_row_facts(tables, best),
        **_image_facts(tables, datasets),
        **_own_image_facts(tables, of_files, rows),
    }


def _leading_rows(judged: pd.DataFrame, best: list[dict[str, Any]], fits: list[str]) -> dict[str, list[str]]:
    """The leading rows of each data set that has AUCs, the best detector first."""
    found = {}
    for b in best:
        if b["detector"] is not None:
            lines = detection.leading_lines(judged[judged["dataset"] == b["dataset"]], fits)
            found[b["dataset"]] = list(dict.fromkeys([b["detector"], *lines["detector"]]))
    return found


def _best_row_facts(tables: Mapping[str, pd.DataFrame], best: list[dict[str, Any]]) -> dict[str, Any]:
    """Facts about the best detector of each data set."""
    pairs = {b["dataset"]: tables["pairs"][tables["pairs"]["dataset"] == b["dataset"]] for b in best}
    differences = {b["dataset"]: paired_differences.differences_to(pairs[b["dataset"]], b["detector"]) for b in best}
    images = {
        f"{b['dataset']}, {b['detector']}": false_alarms.most_anomalous(tables["most_anomalous"], b) for b in best
    }
    return {
        "differences": {dataset: html for dataset, html in differences.items() if html},
        "most_anomalous": {name: html for name, html in images.items() if html},
        "population": [needed for b in best if (needed := lenses_needed(tables["population"], b))],
    }


def _image_facts(tables: Mapping[str, pd.DataFrame], datasets: list[str]) -> dict[str, Any]:
    """Facts about single images: false-alarm probabilities, anomaly maps and findings."""
    probabilities, summary = tables["false_alarm_probabilities"], tables["summary"]
    return {
        "false_alarm_probabilities": by_dataset(
            datasets, probabilities, lambda table: false_alarms.calibration(table, summary)
        ),
        "pixel_aucs": localisation.pixel_aucs(tables["anomaly_maps"]),
        "findings": by_dataset(datasets, tables["findings"], localisation.findings),
        "flagged": flagged_counts(tables["findings"]),
        "fit_convergence": by_dataset(datasets, tables["fit_convergence"], localisation.fit_convergence),
    }


def _own_image_facts(tables: Mapping[str, pd.DataFrame], own: list[str], rows: Mapping[str, Mapping]) -> dict[str, Any]:
    """Facts about the data sets of the user's own images."""
    if not own:
        return {"ranked": {}, "agreement": {}, "leaks": {}, "correlations": {}, "pseudo_anomalies": {}}
    agreement = tables["agreement"]
    return {
        "ranked": by_dataset(own, tables["ranking"], own_images.most_anomalous),
        "agreement": by_dataset(own, agreement, own_images.agreement),
        "leaks": leaks_section(tables["leaks"]),
        "pseudo_anomalies": {name: _best_without_labels(tables["selection"], name, rows) for name in own},
        "correlations": own_images.correlation_range(agreement[agreement["dataset"] == name] for name in own),
    }


def _best_without_labels(
    selection: pd.DataFrame, dataset: str, rows: Mapping[str, Mapping]
) -> dict[Hashable, Any] | None:
    """The line of the detector or reference with the highest AUC of pseudo-anomalies on a data set."""
    voting = selection["detector"].map(lambda row: rows[row]["role"] in VOTING).astype(bool)
    own = selection[(selection["dataset"] == dataset) & voting & selection["contaminant"].isin(UNCONTAMINATED)]
    own = own.sort_values(PSEUDO_AUC[0], ascending=False, kind="stable")
    return own.iloc[0].to_dict() if len(own) else None
