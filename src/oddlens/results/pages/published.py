"""Comparison with published AUCs, and the differences between data sets that are compared with the same one."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import html_table, interval_column, pivoted, prior_text, signed_column


def published_aucs(published: pd.DataFrame) -> str | None:
    """The lines of `published.csv` of one data set for which there is a row of the same detector."""
    known = published[published["detector"].notna() & published["auc"].notna()]
    if not len(known):
        return None
    table = known[["published", "anomaly", "published_auc", "detector", "auc"]].rename(
        columns={"published_auc": "published AUC", "detector": "our row", "auc": "our AUC"}
    )
    table["95 % over test images"] = interval_column(known, "auc_low", "auc_high", "{:.3f}".format)
    table["95 % over seeds"] = interval_column(known, "seed_low", "seed_high", "{:.3f}".format)
    table["our AUC − published"] = signed_column(known["difference"])
    for whose, names in (("published", "published_tpr_{}"), ("ours", "tpr_at_fpr_{}")):
        one, five = (known[names.format(rate)].map("{:.3f}".format) for rate in ("01", "05"))
        both = known[names.format("01")].notna() & known["published_tpr_01"].notna()
        table[f"TPR at 1 % / 5 % FPR, {whose}"] = (one + " / " + five).where(both, "–")
    return html_table(table.assign(source=known["source"]))


def reproductions(published: pd.DataFrame, study: dict[str, Any]) -> list[dict[str, Any]]:
    """Published data sets that are compared with several of ours: AUCs of these, and how their settings differ.

    Args:
        published: the table `published`.
        study: the config as plain data.
    """
    reproduced = []
    for name, lines in published.dropna(subset="auc").groupby("reproduces", sort=False):
        datasets = list(lines["dataset"].unique())
        if len(datasets) < 2:
            continue
        first = name if name in datasets else datasets[0]
        keys = ["detector", "anomaly", "published_auc"]
        wide = pivoted(lines.sort_values("detector", kind="stable"), keys, "dataset", "auc")
        differences = {
            d: differing_settings(study["datasets"][first], study["datasets"][d]) for d in datasets if d != first
        }
        table = html_table(wide.rename(columns={"detector": "our row", "published_auc": "published AUC"}))
        reproduced.append({"name": name, "first": first, "table": table, "differences": differences})
    return reproduced


def differing_settings(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The settings of the simulation that differ between two data sets: `camera.noise: poisson → none`."""
    before, after = simulation_settings(one), simulation_settings(other)
    changes = {key: (before.get(key, "–"), after.get(key, "–")) for key in before | after}
    return [f"{key}: {old} → {new}" for key, (old, new) in changes.items() if old != new]


def simulation_settings(dataset: dict[str, Any]) -> dict[str, str]:
    """The settings of the simulation of a data set as text, by their keys in the config."""
    sections = ("lens", "source", "substructure", "camera")
    leaves = ((f"{section}.{key}", leaf) for section in sections for key, leaf in _flat(dataset[section]))
    return {key: "–" if leaf is None else str(leaf) for key, leaf in leaves}


def _flat(section: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of a section of the config, priors as text."""
    for key, value in section.items():
        if isinstance(value, dict) and not any(isinstance(v, list) for v in value.values()):
            yield from ((f"{key}.{inner}", leaf) for inner, leaf in _flat(value))
        else:
            yield key, prior_text(value) if isinstance(value, dict | float) else value
