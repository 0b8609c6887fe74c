"""How many lenses are needed to detect substructure in a population."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from oddlens.results.tables.false_alarms import LENSES


def lenses_needed(table: pd.DataFrame, best: Mapping[str, Any]) -> dict[str, Any] | None:
    """The lenses that the best row of a data set needs for each anomaly, at the lowest and highest mass fraction."""
    own = table[(table["dataset"] == best["dataset"]) & (table["detector"] == best["detector"])]
    ends = own.groupby("anomaly", sort=False).nth([0, -1])
    columns = ["anomaly", "median", "lenses", "lenses_low", "lenses_high"]
    needs = [
        f"{lens_count(n, low, high)} with {100 * fraction:.2g} % of the mass in {anomaly}"
        for anomaly, fraction, n, low, high in ends[columns].itertuples(index=False)
    ]
    return {"dataset": best["dataset"], "detector": best["detector"], "needs": needs} if needs else None


def lens_count(count: float, low: float, high: float) -> str:
    """A number of lenses with its interval as text: `40 (30 to more than 100,000) lenses`."""
    text, lowest, highest = map(rounded_count, (count, low, high))
    span = "" if lowest == highest else f" ({lowest} to {highest})"
    return f"{text}{span} {'lens' if text == '1' else 'lenses'}"


def rounded_count(lenses: float) -> str:
    """A number of lenses as text, with two digits or as an integer, up to that of a survey (`LENSES`)."""
    return f"more than {LENSES:,}" if lenses > LENSES else f"{lenses:.2g}" if lenses < 10 else f"{lenses:,.0f}"
