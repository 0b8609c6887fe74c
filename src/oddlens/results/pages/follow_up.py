"""Follow-up fits of the most anomalous images: a table and the figures."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import embedded_image, html_table

COLUMNS = {
    "image": ("{}", "id"),
    "true class": ("{}", "class"),
    "ln B": ("{:.1f} ± {:.1f}", "log_bayes", "log_bayes_error"),
    "ln odds, scan": ("{:.1f}", "scan_log_odds"),
    "χ², smooth → with mass": ("{:.0f} → {:.0f}", "chi_square_smooth", "chi_square_with_mass"),
    "mass [M☉]": ("{:.2g} ({:.2g} to {:.2g})", "mass_msun", "mass_msun_low", "mass_msun_high"),
    "mass, scan": ("{:.2g}", "scan_mass_msun"),
    "mass, truth": ("{:.2g}", "true_mass_msun"),
    "y, x [″]": ("{:.2f}, {:.2f}", "y_arcsec", "x_arcsec"),
    "y, x, scan": ("{:.2f}, {:.2f}", "scan_y_arcsec", "scan_x_arcsec"),
    "y, x, truth": ("{:.2f}, {:.2f}", "true_y_arcsec", "true_x_arcsec"),
    "likelihoods": ("{:,}", "calls"),
    "seconds": ("{:.0f}", "seconds"),
}
"""For each column of the table its title, the format of a cell, and the numbers in it."""


def follow_up_section(files: Iterable[tuple[str | Path, str | Path]]) -> dict[str, Any] | None:
    """The `table` and the `images` of all follow-up fits; None if there are none.

    Args:
        files: for each image the paths of its table and its figure.
    """
    paths = list(files)
    lines = pd.concat([pd.read_csv(table) for table, _ in paths]) if paths else pd.DataFrame()
    if not len(lines):
        return None
    cells = {
        title: ["–" if pd.isna(v[0]) else form.format(*v) for v in zip(*(lines[n] for n in names), strict=True)]
        for title, (form, *names) in COLUMNS.items()
    }
    return {"table": html_table(pd.DataFrame(cells)), "images": [embedded_image(image) for _, image in paths]}
