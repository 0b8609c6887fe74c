"""Numbers, tables and images as text and HTML. A page embeds them and needs no other file."""

import base64
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd


def embedded_image(path: str | Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def html_table(table: pd.DataFrame, table_id: str | None = None) -> str | None:
    """A table as HTML; None if it is empty."""
    if not len(table):
        return None
    return table.to_html(
        index=False, border=0, na_rep="–", escape=True, float_format="{:.3f}".format, table_id=table_id
    )


def by_dataset(
    datasets: Iterable[str], table: pd.DataFrame, make: Callable[[pd.DataFrame], str | None]
) -> dict[str, str]:
    """The result of `make` for the lines of each data set, without empty results."""
    parts = {dataset: table[table["dataset"] == dataset] for dataset in datasets}
    results = {dataset: make(part) for dataset, part in parts.items() if len(part)}
    return {dataset: result for dataset, result in results.items() if result}


def prior_text(plain: float | dict[str, list[float]]) -> str:
    """A prior of the config as text: `0.5`, `uniform 0.4, 0.6`."""
    if not isinstance(plain, dict):
        return f"{plain:g}"
    ((kind, parameters),) = plain.items()
    return f"{kind} {', '.join(f'{p:g}' for p in parameters)}"


def signed(value: float) -> str:
    """A number with its sign: `+0.012`, `−0.003`."""
    return f"{value:+.3f}".replace("-", "−")


def signed_column(values: pd.Series) -> pd.Series:
    """Numbers with their signs."""
    return values.map(signed)


def interval_column(rows: pd.DataFrame, low: str, high: str, write: Callable[[float], str] = signed) -> pd.Series:
    """Intervals as text, `<low> to <high>`; a dash where there is none."""
    spans = [f"{write(a)} to {write(b)}" for a, b in zip(rows[low], rows[high], strict=True)]
    return pd.Series(spans, rows.index).where(rows[low].notna(), "–")


def uncertain_column(values: pd.Series, rows: pd.DataFrame, *spans: tuple[str, str]) -> pd.Series:
    """Signed values with half the width of each interval that exists: `+0.012 ± 0.004 ± 0.009`."""
    text = signed_column(values)
    for low, high in spans:
        half = (rows[high] - rows[low]) / 2
        text = (text + half.map(" ± {:.3f}".format)).where(half.notna(), text)
    return text


def p_column(values: pd.Series) -> pd.Series:
    """p-values as text; a dash where there is none."""
    return values.map(lambda p: "–" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")


def pivoted(table: pd.DataFrame, index: list[str], column: str, value: str) -> pd.DataFrame:
    """A pivot table that keeps the order of lines and columns."""
    wide = table.pivot(index=index, columns=column, values=value)
    lines = pd.MultiIndex.from_frame(table[index].drop_duplicates()) if len(index) > 1 else table[index[0]].unique()
    return wide.loc[lines, list(table[column].unique())].reset_index().rename_axis(columns=None)
