"""Detected fractions at fixed false-alarm rates: tables of classes, of bins of mass, of decoys, and of positions."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import by_dataset, html_table, pivoted
from oddlens.results.tables.columns import ALL
from oddlens.results.tables.decoys import COLUMNS as DECOY_COLUMNS
from oddlens.results.tables.detection import ANOMALY, CONCENTRATION, DECOY, NORMAL, PROPERTIES, preferred_masses
from oddlens.results.tables.detection import COLUMNS as DETECTION_COLUMNS
from oddlens.results.tables.localisation import ANNULUS
from oddlens.results.tables.localisation import COLUMNS as LOCALISATION_COLUMNS
from oddlens.results.tables.row_scores import fewest_images

KIND_ENDS = {ANOMALY: "", DECOY: " (decoy)", NORMAL: " (validation)"}
"""What follows the name of a class in a table."""


def fixed_rates_section(
    tables: Mapping[str, pd.DataFrame | None], rows: Mapping[str, Sequence[str]]
) -> dict[str, Any] | None:
    """The facts about detected fractions; None without lines.

    Args:
        tables: the tables `detection`, `decoys` and `localisation`; None for a missing table.
        rows: for each data set the rows that are shown; the first is the best detector.
    """
    empty = {"detection": DETECTION_COLUMNS, "decoys": DECOY_COLUMNS, "localisation": LOCALISATION_COLUMNS}
    known = {
        name: pd.DataFrame(columns=columns) if (t := tables[name]) is None else t for name, columns in empty.items()
    }
    shown = {name: _shown(table, rows) for name, table in known.items()}
    detection, localisation = shown["detection"], shown["localisation"]
    if not len(detection):
        return None
    whole = detection[detection["truth"].fillna("") == ""]
    return {
        "unknown": _unknown_rates(whole),
        "unscored": whole.loc[whole["unscored"] > 0, ["dataset", "detector"]].drop_duplicates().to_dict("records"),
        "classes": by_dataset(rows, whole, lambda table: html_table(_by_class(table))),
        "bins": dict(_bins(detection, rows)),
        "decoys": by_dataset(rows, shown["decoys"], lambda table: html_table(_lost(table))),
        "localisation": by_dataset(rows, localisation, lambda table: html_table(_positions(table))),
        "annulus": ANNULUS,
        "near_arcsec": localisation["near_arcsec"].max() if len(localisation) else None,
    }


def _shown(table: pd.DataFrame, rows: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The lines of the rows that are shown, in their order."""
    order = {(dataset, row): k for dataset, of in rows.items() for k, row in enumerate(of)}
    place = pd.Series([order.get(key) for key in zip(table["dataset"], table["detector"], strict=True)], table.index)
    return table.loc[place.dropna().sort_values(kind="stable").index]


def _unknown_rates(whole: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The data sets and rates without values, the number of smooth images there, and the number needed."""
    unknown = whole[whole["detected"].isna()]
    first = unknown.groupby(["dataset", "false_alarm_rate"], sort=False)["n_reference"].min().reset_index()
    return first.assign(needed=first["false_alarm_rate"].map(fewest_images)).to_dict("records")


def percent(rate: float) -> str:
    """A false-alarm rate as text: `0.1 %`."""
    return f"{100 * rate:g} %"


def fraction_column(table: pd.DataFrame, name: str) -> list[str]:
    """Fractions with their intervals as text, `83.0 % (80.1 to 85.6)`; empty where unknown."""
    ends = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
    return [f"{100 * a:.1f} % ({100 * b:.1f} to {100 * c:.1f})" if a == a else "–" for a, b, c in ends]


def _by_class(table: pd.DataFrame) -> pd.DataFrame:
    """A line for each row and class, a column for each false-alarm rate."""
    names = table["class"] + table["kind"].map(KIND_ENDS)
    cells = table.assign(row=table["detector"], rate=table["false_alarm_rate"].map(percent))
    cells["class"], cells["cell"] = names, fraction_column(table, "detected")
    return pivoted(cells, ["row", "class", "images"], "rate", "cell")


def _bins(detection: pd.DataFrame, rows: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """For each data set and property a table of the best detector: a line for each class and rate, columns of bins."""
    best = [row == next(iter(rows[d])) for d, row in zip(detection["dataset"], detection["detector"], strict=True)]
    own = detection[pd.Series(best, detection.index, dtype=bool) & detection["detected"].notna()]
    shown = pd.concat([preferred_masses(own), own[own["truth"] == CONCENTRATION]])
    tables = []
    for (dataset, name), table in shown.groupby(["dataset", "truth"], sort=False):
        table = table.sort_values("bin_low", kind="stable")
        cells = table.assign(rate=table["false_alarm_rate"].map(percent), cell=fraction_column(table, "detected"))
        cells["bin"] = [
            _bin(low, high, str(name)) for low, high in zip(table["bin_low"], table["bin_high"], strict=True)
        ]
        wide = pivoted(cells, ["class", "false_alarm_rate", "rate"], "bin", "cell")
        wide = wide.sort_values(["class", "false_alarm_rate"], ascending=[True, False]).drop(columns="false_alarm_rate")
        html = html_table(wide.rename(columns={"rate": "false alarms"}))
        tables.append((f"{dataset}, {table['detector'].iloc[0]}: {PROPERTIES[str(name)]}", html or ""))
    return tables


def _bin(low: float, high: float, name: str) -> str:
    """A bin as text, or the single value of its images."""
    digits = 2 if name.endswith("_msun") else 3
    return f"{low:.6g}" if low == high else f"{low:.{digits}g} to {high:.{digits}g}"


def _lost(table: pd.DataFrame) -> pd.DataFrame:
    """A line for each row and decoy, a column for each false-alarm rate: what is lost of the completeness."""
    one = table["decoy"].nunique() == 2  # that decoy, and all
    own = table[(table["anomaly"] == ALL) & ((table["decoy"] != ALL) | (not one))]
    cells = own.assign(row=own["detector"], cell=fraction_column(own, "lost"))
    cells["rate"] = own["false_alarm_rate"].map(percent)
    return pivoted(cells, ["row", "decoy"], "rate", "cell")


def _percentages(values: pd.Series) -> list[str]:
    return [f"{100 * value:.1f} %" if value == value else "–" for value in values]


def _positions(table: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, class and false-alarm rate: how many are localised, and how right the masses are."""
    columns: dict[str, Any] = {"row": table["detector"], "class": table["class"]}
    columns |= {"false alarms": table["false_alarm_rate"].map(percent)}
    columns |= {"found": [f"{found:.0f} of {of:.0f}" for found, of in table[["found", "images"]].to_numpy()]}
    near = f"within {table['near_arcsec'].iloc[0]:g}″"
    for title, name in ((near, "localised"), ("within 2 pixels", "localised_pixels")):
        columns |= {
            title: fraction_column(table, name),
            f"{title}, by chance": _percentages(table[f"{name}_by_chance"]),
        }
    for title, name in (("mass [dex]", "mass"), ("mass if localised [dex]", "localised")):
        values = zip(table[f"{name}_bias_dex"], table[f"{name}_scatter_dex"], strict=True)
        columns[title] = [_dex(bias, scatter) for bias, scatter in values]
    return pd.DataFrame(columns)


def _dex(bias: float, scatter: float) -> str:
    """A bias with its scatter as text; `+0.12` without scatter, of a single image."""
    if bias != bias:
        return "–"
    return f"{bias:+.2f}".replace("-", "−") + (f" ± {scatter:.2f}" if scatter == scatter else "")
