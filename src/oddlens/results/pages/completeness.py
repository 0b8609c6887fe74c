"""Completeness for injected masses: tables and the figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import by_dataset, embedded_image, html_table


def completeness_section(files: Mapping[str, str | Path]) -> dict[str, Any] | None:
    """The facts about injected masses; None if none are injected.

    Args:
        files: the paths of the tables `completeness` and `completeness_masses` and of the `figure`, by name.
    """
    if not files:
        return None
    completeness, masses = (pd.read_csv(files[name]) for name in ("completeness", "completeness_masses"))
    datasets = list(completeness["dataset"].unique())
    rate = float(completeness["false_alarm_rate"].min()) if len(completeness) else 0.0
    chosen = completeness[completeness["false_alarm_rate"] == rate]
    halves = masses[masses["false_alarm_rate"] == rate].set_index(["dataset", "detector"])
    images = chosen.groupby("dataset", sort=False)[["images", "ring_models", "left_out"]].first()
    return {
        "rate": rate,
        "images": {name: {key: int(n) for key, n in line.items()} for name, line in images.iterrows()},
        "tables": by_dataset(datasets, chosen, lambda table: html_table(_by_row(table, halves))),
        "figure": embedded_image(files["figure"]),
    }


def _by_row(table: pd.DataFrame, halves: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, highest completeness at the largest mass first; a column for each mass."""
    ends = zip(table["completeness"], table["completeness_low"], table["completeness_high"], strict=True)
    cells = table.assign(cell=[f"{100 * a:.1f} % ({100 * b:.1f} to {100 * c:.1f})" for a, b, c in ends])
    wide = cells.pivot(index="detector", columns="mass_msun", values="cell")
    largest = table[table["mass_msun"] == table["mass_msun"].max()].sort_values("completeness", ascending=False)
    wide = wide.loc[largest["detector"]]
    dataset = table["dataset"].iloc[0]
    wide["half is detected at"] = [_half(halves.loc[(dataset, row)]) for row in wide.index]
    titles = {mass: "no mass" if mass == 0 else f"{mass:.2g} M☉" for mass in table["mass_msun"].unique()}
    return wide.rename(columns=titles).rename_axis(columns=None).rename_axis("row").reset_index()


def _half(line: pd.Series) -> str:
    """A mass with its interval as text."""
    if pd.isna(line["mass_msun"]):
        return "–"
    low, high = ("?" if pd.isna(line[name]) else f"{line[name]:.2g}" for name in ("mass_low", "mass_high"))
    return f"{line['mass_msun']:.2g} M☉ ({low} to {high})"
