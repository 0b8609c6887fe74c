"""Leaks of the user's own data sets: what was found, and how much was looked at."""

import pandas as pd

from oddlens.data.severity import NONE
from oddlens.results.pages.formatting import html_table

HEADINGS = {"severity": "", "kind": "kind", "check": "what", "compared": "of", "count": "pairs", "auc": "AUC alone"}
HEADINGS |= {"example": "for example", "remedy": "what to do"}


def leaks_section(table: pd.DataFrame) -> dict[str, dict[str, str | int | None]]:
    """For each data set the number of `checks`, and the leaks and warnings among them as a table, None without any."""
    return {
        str(dataset): {"checks": len(lines), "found": html_table(_found(lines))}
        for dataset, lines in table.groupby("dataset", sort=False)
    }


def _found(lines: pd.DataFrame) -> pd.DataFrame:
    """Leaks first, then the most significant warnings."""
    found = lines[lines["severity"] != NONE].sort_values("z", ascending=False, kind="stable", na_position="first")
    found = found.sort_values("severity", kind="stable")
    found["count"] = [f"{count:,.0f}" if pd.notna(count) else "–" for count in found["count"]]
    found["auc"] = [_auc(*values) for values in found[["auc", "error"]].to_numpy(float)]
    return found[list(HEADINGS)].fillna("–").rename(columns=HEADINGS)


def _auc(auc: float, error: float) -> str:
    """An AUC and its deviation from 1/2 by chance; a dash for duplicates."""
    return "–" if pd.isna(auc) else f"{auc:.2f} (0.50 ± {error:.2f} if alike)"
