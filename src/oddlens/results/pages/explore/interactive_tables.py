"""Tables of the page: HTML that can be read without JavaScript, and that itables makes sortable."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import pivoted
from oddlens.results.tables.detection import preferred_masses

TITLES = {
    "summary": "Summary",
    "auc": "AUC",
    "pairs": "Pairs of rows",
    "false_alarms": "False alarms",
    "completeness_by_mass": "Completeness by mass",
    "most_anomalous": "Most anomalous images of each row",
    "ranking": "Most anomalous images",
    "completeness": "Completeness by injected mass",
    "real": "Real lenses",
    "real_claims": "Claimed lenses",
}
"""The tables in the order of the page, with their titles; a study has some of them."""


def interactive_tables(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The tables of a study that have lines, each with its `name`, `title`, number of `lines`, and `html`."""
    known = {**tables, "completeness_by_mass": completeness_by_mass(tables["detection"])}
    shown = {name: known[name] for name in TITLES if name in known and len(known[name])}
    return [
        {"name": name, "title": TITLES[name], "lines": len(table), "html": _html(table, TITLES[name])}
        for name, table in shown.items()
    ]


def completeness_by_mass(detection: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, class and false-alarm rate, and a column for each bin of mass, with the detected fraction.

    Args:
        detection: the table `detection`.
    """
    lines = preferred_masses(detection).dropna(subset="detected").sort_values(["bin_low", "bin_high"], kind="stable")
    if not len(lines):
        return lines
    bins = [f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}" for low, high in _edges(lines)]
    lines = lines.assign(bin=bins)
    index = ["dataset", "detector", "class", "false_alarm_rate"]
    return pivoted(lines, index, "bin", "detected").sort_values(index, kind="stable", ignore_index=True)


def _edges(lines: pd.DataFrame) -> zip:
    return zip(lines["bin_low"], lines["bin_high"], strict=True)


def _html(table: pd.DataFrame, caption: str) -> str:
    """A table as HTML with a caption, headings of columns, and plain numbers, which scripts can sort."""
    table = table.rename(columns=lambda name: str(name).replace("_", " "))
    html = table.to_html(index=False, border=0, na_rep="", escape=True, float_format="{:.6g}".format)
    html = re.sub(r">\s+<", "><", html).replace("<th>", '<th scope="col">').replace(' style="text-align: right;"', "")
    return html.replace("<thead>", f"<caption>{caption}</caption><thead>", 1)
