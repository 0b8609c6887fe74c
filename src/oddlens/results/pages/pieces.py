"""Pieces of a report: tables and pictures as HTML that needs no other file."""

import base64
from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def embedded(path: str | Path) -> str:
    """A PNG as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def html(table: pd.DataFrame) -> str | None:
    """A table; None if it is empty."""
    if not len(table):
        return None
    return table.to_html(index=False, border=0, na_rep="–", escape=True, float_format="{:.3f}".format)


def prior_words(plain: float | dict[str, list[float]]) -> str:
    """A prior as the config writes it, in words: `0.5`, `uniform 0.4, 0.6`."""
    if not isinstance(plain, dict):
        return f"{plain:g}"
    ((kind, parameters),) = plain.items()
    return f"{kind} {', '.join(f'{p:g}' for p in parameters)}"


def each(datasets: Iterable[str], table: pd.DataFrame, make) -> dict[str, str]:
    """What `make` makes of the part of each data set, where it makes anything."""
    parts = {dataset: table[table["dataset"] == dataset] for dataset in datasets}
    made = {dataset: make(part) for dataset, part in parts.items() if len(part)}
    return {dataset: html for dataset, html in made.items() if html}


def change(value: float) -> str:
    """A change with its sign: `+0.012`, `−0.003`."""
    return f"{value:+.3f}".replace("-", "−")


def signed(values: pd.Series) -> pd.Series:
    """Changes with their signs."""
    return values.map(change)


def interval(rows: pd.DataFrame, low: str, high: str, write=change) -> pd.Series:
    """Intervals in words; a dash where there is none."""
    spans = [f"{write(a)} to {write(b)}" for a, b in zip(rows[low], rows[high], strict=True)]
    return pd.Series(spans, rows.index).where(rows[low].notna(), "–")


def uncertain(values: pd.Series, rows: pd.DataFrame, *spans: tuple[str, str]) -> pd.Series:
    """Values with half the width of each interval: `+0.012 ± 0.004 ± 0.009`; without those that there are not."""
    words = signed(values)
    for low, high in spans:
        half = (rows[high] - rows[low]) / 2
        words = (words + half.map(" ± {:.3f}".format)).where(half.notna(), words)
    return words


def p_words(values: pd.Series) -> pd.Series:
    """Probabilities as text; a dash where there is none."""
    return values.map(lambda p: "–" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")


def pivoted(table: pd.DataFrame, index: list[str], column: str, value: str) -> pd.DataFrame:
    """A pivot that keeps the order in which lines and columns come."""
    wide = table.pivot(index=index, columns=column, values=value)
    lines = pd.MultiIndex.from_frame(table[index].drop_duplicates()) if len(index) > 1 else table[index[0]].unique()
    return wide.loc[lines, list(table[column].unique())].reset_index().rename_axis(columns=None)
