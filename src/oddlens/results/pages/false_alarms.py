"""False-alarm probabilities of single images: their calibration, and the most anomalous images."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oddlens.results.pages.detection import ranked_detectors
from oddlens.results.pages.formatting import html_table, p_column
from oddlens.results.tables.false_alarm_probabilities import ONE_IN
from oddlens.statistics.false_alarm import one_in

N_IMAGES = 10
"""How many of the most anomalous images are shown."""


def calibration(probabilities: pd.DataFrame, summary: pd.DataFrame) -> str | None:
    """Nominal and observed false-alarm probabilities, means over seeds, best detector first."""
    by_row = probabilities.dropna(subset="ks").groupby("detector")
    means, median, min_p = by_row.mean(numeric_only=True), by_row["anomalous_median"].median(), by_row["ks_p"].min()
    table = pd.DataFrame({f"observed for 1 in {n:,}": means[f"realised_{n}"].map(one_in) for n in ONE_IN})
    table = table.assign(**{"KS distance": means["ks"], "smallest KS p": p_column(min_p)})
    table["median of anomalous lenses"] = median.map(one_in)
    below = means[f"anomalous_below_{ONE_IN[-1]}"].map(lambda rate: f"{100 * rate:.0f} %")
    table[f"anomalous lenses below 1 in {ONE_IN[-1]:,}"] = below
    table = table.loc[[row for row in ranked_detectors(summary) if row in table.index]]
    return html_table(table.rename_axis("row").reset_index())


def most_anomalous(table: pd.DataFrame, best: Mapping[str, Any]) -> str | None:
    """The images of a data set with the lowest false-alarm probability by its best detector, and their classes."""
    images = table[(table["dataset"] == best["dataset"]) & (table["detector"] == best["detector"])].head(N_IMAGES)
    probability = images["false_alarm_probability"].map(one_in)
    if "object" in images and (images["object"].fillna("") != "").any():  # the user's own images have names
        columns = {"object": images["object"], "file": images["file"], "false-alarm probability": probability}
        return html_table(pd.DataFrame(columns | {"label": images["class"]}))
    shown = pd.DataFrame({"image": images["id"], "false-alarm probability": probability, "true class": images["class"]})
    return html_table(shown)
