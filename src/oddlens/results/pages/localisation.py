"""Where detectors find anomalies: pixel AUCs of anomaly maps, findings of perturbers, and convergence of lens fits."""

import pandas as pd

from oddlens.results.pages.formatting import html_table, pivoted
from oddlens.results.tables.columns import UNCONTAMINATED
from oddlens.results.tables.findings import FLAGS, SCORES


def pixel_aucs(table: pd.DataFrame) -> str | None:
    """Pixel AUCs after clean training, means over seeds: a line per row, a column per data set and anomaly."""
    clean = table[table["contaminant"].isin(UNCONTAMINATED)].dropna(subset="pixel_auc")
    keys, values = ["dataset", "detector", "anomaly"], ["pixel_auc", "pixel_auc_low", "pixel_auc_high"]
    means = clean.groupby(keys, sort=False)[values].mean().reset_index()
    if not len(means):
        return None
    means["column"] = means["dataset"] + ": " + means["anomaly"]
    cells = [f"{x:.3f} ({low:.3f}–{high:.3f})" for x, low, high in means[values].to_numpy()]
    order = means.groupby("detector")["pixel_auc"].transform("mean").sort_values(ascending=False, kind="stable").index
    shown = means.assign(cell=cells, row=means["detector"]).loc[order]
    return html_table(pivoted(shown, ["row"], "column", "cell")[["row", *means["column"].unique()]])


def findings(table: pd.DataFrame) -> str | None:
    """Findings in test images after clean training, means over seeds."""
    clean = table[table["contaminant"].isin(UNCONTAMINATED) & (table["pool"] == "test")]
    means = clean.groupby(["detector", "class"], sort=False).mean(numeric_only=True).reset_index()
    columns = {"row": means["detector"], "class": means["class"], "images": _written(means["images"], ".0f")}
    columns |= {flag.replace("_", " "): _written(means[flag], ".0f") for flag in FLAGS}
    columns["χ² per pixel"] = means["chi_square"]
    columns |= {f"AUC {name.replace('_', '-')}": _written(means[f"auc_{name}"], ".3f") for name in SCORES}
    columns["smallest detectable mass [M☉]"] = _written(means["min_detectable_msun"], ".1e")
    columns["detections (5 σ)"] = _written(means["detections"], ".0f")
    columns["offset [″]"] = _written(means["offset_arcsec"], ".2f")
    ratios = zip(*(means[name] for name in ("mass_ratio", "mass_ratio_low", "mass_ratio_high")), strict=True)
    columns["mass ratio"] = [f"{mid:.2g} ({low:.2g}–{high:.2g})" if mid == mid else "" for mid, low, high in ratios]
    return html_table(pd.DataFrame(columns))


def _written(values: pd.Series, number: str) -> list[str]:
    """Numbers as text; empty where unknown."""
    return [f"{value:{number}}" if value == value else "" for value in values]


def fit_convergence(table: pd.DataFrame) -> str | None:
    """How many fits without the truth reach the optimum of fits from the truth."""
    shown = table[["detector", "initial_parameters", "class", "images", "converged", "reached", "missed", "steps"]]
    names = {"detector": "row", "initial_parameters": "initial parameters", "steps": "steps (median)"}
    return html_table(shown.rename(columns=names))
