"""Our figures beside published ones, and what differs between data sets that are held against the same."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from oddlens.results.pages.pieces import html, interval, pivoted, prior_words, signed


def published_table(published: pd.DataFrame) -> str | None:
    """One data set of `published.csv`, where we have rows of that detector."""
    found = published[published["detector"].notna() & published["auc"].notna()]
    if not len(found):
        return None
    shown = found[["published", "anomaly", "published_auc", "detector", "auc"]].rename(
        columns={"published_auc": "published AUC", "detector": "our row", "auc": "our AUC"}
    )
    shown["95 % over test images"] = interval(found, "auc_low", "auc_high", "{:.3f}".format)
    shown["95 % over seeds"] = interval(found, "seed_low", "seed_high", "{:.3f}".format)
    shown["ours less published"] = signed(found["difference"])
    for whose, names in (("published", "published_tpr_{}"), ("ours", "tpr_at_fpr_{}")):
        one, five = (found[names.format(rate)].map("{:.3f}".format) for rate in ("01", "05"))
        known = found[names.format("01")].notna() & found["published_tpr_01"].notna()
        shown[f"found at 1 % / 5 %, {whose}"] = (one + " / " + five).where(known, "–")
    return html(shown.assign(source=found["source"]))


def reproductions(published: pd.DataFrame, study: dict[str, Any]) -> list[dict]:
    """Where several data sets are held against one published: their AUCs side by side, and how they differ."""
    found = []
    for name, lines in published.dropna(subset="auc").groupby("reproduces", sort=False):
        datasets = list(lines["dataset"].unique())
        if len(datasets) < 2:
            continue
        first = name if name in datasets else datasets[0]
        keys = ["detector", "anomaly", "published_auc"]
        wide = pivoted(lines.sort_values("detector", kind="stable"), keys, "dataset", "auc")
        differences = {d: departures(study["datasets"][first], study["datasets"][d]) for d in datasets if d != first}
        table = html(wide.rename(columns={"detector": "our row", "published_auc": "published AUC"}))
        found.append({"name": name, "first": first, "table": table, "differences": differences})
    return found


def departures(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys in which the simulation of a data set differs from another's: `camera.noise: poisson → none`."""
    before, after = priors(one), priors(other)
    said = {key: (before.get(key, "–"), after.get(key, "–")) for key in before | after}
    return [f"{key}: {old} → {new}" for key, (old, new) in said.items() if old != new]


def priors(dataset: dict[str, Any]) -> dict[str, str]:
    """All that the simulation of a data set is drawn from, by keys of the config, in words."""
    sections = ("lens", "source", "substructure", "camera")
    leaves = ((f"{section}.{key}", leaf) for section in sections for key, leaf in _flat(dataset[section]))
    return {key: "–" if leaf is None else str(leaf) for key, leaf in leaves}


def _flat(section: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of a section of the config, priors as words."""
    for key, value in section.items():
        if isinstance(value, dict) and not any(isinstance(v, list) for v in value.values()):
            yield from ((f"{key}.{inner}", leaf) for inner, leaf in _flat(value))
        else:
            yield key, prior_words(value) if isinstance(value, dict | float) else value
