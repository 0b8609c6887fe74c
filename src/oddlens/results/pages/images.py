"""What is said of single images and of populations: how odd, where, and how many lenses tell."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oddlens.results.pages.detection import ranked
from oddlens.results.pages.pieces import html, p_words, pivoted
from oddlens.results.tables.columns import UNCONTAMINATED
from oddlens.results.tables.false_alarm_probabilities import ONE_IN
from oddlens.results.tables.false_alarms import LENSES
from oddlens.results.tables.findings import FLAGS, SCORES
from oddlens.statistics.false_alarm import one_in

SHOWN = 10
"""So many of the oddest images are shown."""


def calibration(chances: pd.DataFrame, summary: pd.DataFrame) -> str | None:
    """What became of claimed false-alarm probabilities, means over seeds; the detectors, best first."""
    found = chances.dropna(subset="ks").groupby("detector")
    means, odd, least_p = found.mean(numeric_only=True), found["anomalous_median"].median(), found["ks_p"].min()
    shown = pd.DataFrame({f"1 in {claim:,} is": means[f"realised_{claim}"].map(one_in) for claim in ONE_IN})
    shown = shown.assign(**{"distance (KS)": means["ks"], "least p": p_words(least_p)})
    shown["median odd lens"] = odd.map(one_in)
    shown[f"odd lenses beyond 1 in {ONE_IN[-1]:,}"] = means["anomalous_below_1000"].map("{:.0%}".format)
    shown = shown.loc[[row for row in ranked(summary) if row in shown.index]]
    return html(shown.rename_axis("row").reset_index())


def oddest(table: pd.DataFrame, best: Mapping[str, Any]) -> str | None:
    """The oddest images of a data set by its best detector, and what they are."""
    found = table[(table["dataset"] == best["dataset"]) & (table["detector"] == best["detector"])].head(SHOWN)
    shown = pd.DataFrame({"image": found["id"], "smooth lenses as odd": found["false_alarm_probability"].map(one_in)})
    return html(shown.assign(truly=found["class"]))


def population(table: pd.DataFrame, best: dict) -> dict | None:
    """How many lenses the best row of a data set needs of each anomaly, of the least and of the most substructure."""
    ours = table[(table["dataset"] == best["dataset"]) & (table["detector"] == best["detector"])]
    needs = [
        f"{lenses_words(n, low, high)} with {100 * part:.2g} % of the mass in {anomaly}"
        for anomaly, part, n, low, high in ours.groupby("anomaly", sort=False)
        .nth([0, -1])[["anomaly", "median", "lenses", "lenses_low", "lenses_high"]]
        .itertuples(index=False)
    ]
    return {"dataset": best["dataset"], "detector": best["detector"], "needs": needs} if needs else None


def lenses_words(count: float, low: float, high: float) -> str:
    """A number of lenses and its interval in words: `40 (30 to more than 100,000) lenses`."""
    words, least, most = map(many, (count, low, high))
    span = "" if least == most else f" ({least} to {most})"
    return f"{words}{span} {'lens' if words == '1' else 'lenses'}"


def many(lenses: float) -> str:
    """A number of lenses as people say it."""
    return f"more than {LENSES:,}" if lenses > LENSES else f"{lenses:.2g}" if lenses < 10 else f"{lenses:,.0f}"


def pixels(table: pd.DataFrame) -> str | None:
    """Pixel AUCs after clean training, means over seeds: a line per row, a column per data set and anomaly."""
    clean = table[table["contaminant"].isin(UNCONTAMINATED)].dropna(subset="pixel_auc")
    keys = ["dataset", "detector", "anomaly"]
    means = clean.groupby(keys, sort=False)[["pixel_auc", "pixel_auc_low", "pixel_auc_high"]].mean().reset_index()
    if not len(means):
        return None
    means["column"] = means["dataset"] + ": " + means["anomaly"]
    span = [f"{x:.3f} ({a:.3f}–{b:.3f})" for x, a, b in means[["pixel_auc", "pixel_auc_low", "pixel_auc_high"]].values]
    order = means.groupby("detector")["pixel_auc"].transform("mean").sort_values(ascending=False, kind="stable").index
    shown = means.assign(cell=span, row=means["detector"]).loc[order]
    return html(pivoted(shown, ["row"], "column", "cell")[["row", *means["column"].unique()]])


def findings(table: pd.DataFrame) -> str | None:
    """What is found in test images after clean training, means over seeds."""
    clean = table[table["contaminant"].isin(UNCONTAMINATED) & (table["pool"] == "test")]
    means = clean.groupby(["detector", "class"], sort=False).mean(numeric_only=True).reset_index()
    counted = ["images", *FLAGS, "detections"]
    counts = {name: [f"{n:.0f}" if n == n else "" for n in means[name]] for name in counted}
    least = [f"{mass:.1e}" if mass == mass else "" for mass in means["min_detectable_msun"]]
    shown = means.assign(**counts, least=least)
    aucs = {f"AUC {name.replace('_', '-')}": means[f"auc_{name}"] for name in SCORES}
    shown = shown.assign(**{name: [f"{a:.3f}" if a == a else "" for a in auc] for name, auc in aucs.items()})
    shown = shown[["detector", "class", "images", *FLAGS, "chi_square", *aucs, "least", "detections"]].assign(
        offset=[f"{offset:.2f}″" if offset == offset else "" for offset in means["offset_arcsec"]],
        mass=[
            f"{mid:.2g} ({low:.2g}–{high:.2g})" if mid == mid else ""
            for mid, low, high in means[["mass_ratio", "mass_ratio_low", "mass_ratio_high"]].values
        ],
    )
    names = {"detector": "row", "at_bounds": "at bounds", "chi_square": "χ² per pixel", "least": "least mass [M☉]"}
    names |= {"detections": "5 σ", "offset": "from the heaviest", "mass": "mass over the heaviest’s"}
    return html(shown.rename(columns=names))


def starts(table: pd.DataFrame) -> str | None:
    """How many fits without the truth end where those from the truth do."""
    shown = table[["detector", "initial_parameters", "class", "images", "converged", "reached", "missed", "steps"]]
    return html(shown.rename(columns={"detector": "row", "steps": "steps (median)"}))
