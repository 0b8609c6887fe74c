"""What a report says of images that were fitted again, from their tables: a table as HTML, and pictures."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.pages.pieces import embedded, html

SHOWN = {
    "image": ("{}", "id"),
    "truly": ("{}", "class"),
    "ln B": ("{:.1f} ± {:.1f}", "log_bayes", "log_bayes_error"),
    "ln odds of the scan": ("{:.1f}", "scan_log_odds"),
    "χ², smooth → with a mass": ("{:.0f} → {:.0f}", "chi_square_smooth", "chi_square_with_mass"),
    "mass [M☉]": ("{:.2g} ({:.2g} to {:.2g})", "mass_msun", "mass_msun_low", "mass_msun_high"),
    "of the scan": ("{:.2g}", "scan_mass_msun"),
    "of the heaviest": ("{:.2g}", "true_mass_msun"),
    "place y, x [″]": ("{:.2f}, {:.2f}", "y_arcsec", "x_arcsec"),
    "place of the scan": ("{:.2f}, {:.2f}", "scan_y_arcsec", "scan_x_arcsec"),
    "place of the heaviest": ("{:.2f}, {:.2f}", "true_y_arcsec", "true_x_arcsec"),
    "likelihoods": ("{:,}", "calls"),
    "seconds": ("{:.0f}", "seconds"),
}
"""Titles of columns, how a cell is written, and the numbers in it."""


def looked_at(files: Iterable[tuple[str | Path, str | Path]]) -> dict[str, Any] | None:
    """All that the template says of them; None if there are none.

    Args:
        files: of each image the paths of its table and its picture.
    """
    found = list(files)
    lines = pd.concat([pd.read_csv(table) for table, _ in found]) if found else pd.DataFrame()
    if not len(lines):
        return None
    shown = {
        title: ["–" if pd.isna(v[0]) else words.format(*v) for v in zip(*(lines[n] for n in names), strict=True)]
        for title, (words, *names) in SHOWN.items()
    }
    return {"table": html(pd.DataFrame(shown)), "pictures": [embedded(picture) for _, picture in found]}
