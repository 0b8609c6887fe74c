"""Pages about fits of real lenses: a summary of all, and a page for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.figures import style
from oddlens.results.figures.lens_twins import lens_twins_figure
from oddlens.results.pages.formatting import embedded_image
from oddlens.results.pages.rendering import write_page
from oddlens.results.tables.lens_fits import STRONG, LensTwins, above_control, planted_errors, rank_correlation

GOOD_RADIUS = 0.05
"""An Einstein radius agrees with the published one within this part of it."""


def write_lens_page(path: Path, line: Mapping[str, Any], lens: LensTwins, figure: Path) -> None:
    """Write the page of a lens.

    Args:
        line: that of the table of fits.
        figure: of the fit.
    """
    twins = None
    if lens.fit.scan is not None and (len(lens.smooth) or len(lens.planted)):
        twins = path.with_suffix(".twins.png")
        with style.plt.rc_context(style.STYLE):
            style.save(lens_twins_figure(lens), twins)
    write_page(
        path,
        "lens_fit.html.j2",
        line=line,
        fit=lens.fit.numbers,
        figure=embedded_image(figure) if figure.exists() else None,
        twins=embedded_image(twins) if twins else None,
    )
    if twins:
        twins.unlink()


def write_summary(
    path: str | Path, study: str, table: pd.DataFrame, lenses: Mapping[tuple[str, str], LensTwins], pages: Mapping
) -> None:
    """Write the summary of all lenses.

    Args:
        table: of fits (`lens_fits_table`), whose lines are in the order of `lenses`.
        pages: the page of each lens, relative to the summary.
    """
    fitted = table[table["problem"].isna()]
    known = fitted.dropna(subset="published_einstein_radius")
    ratio = known["einstein_radius"] / known["published_einstein_radius"]
    correlation, compared = rank_correlation(fitted)
    errors = pd.concat([planted_errors(lens) for lens in lenses.values()]) if lenses else pd.DataFrame()
    strong = errors[errors["predicted"] >= STRONG] if len(errors) else errors
    explained = fitted[fitted["explains_frame"].astype(bool)]
    rows = [dict(line) | {"page": pages[key]} for key, (_, line) in zip(lenses, table.iterrows(), strict=True)]
    write_page(
        path,
        "lens_fits.html.j2",
        study=study,
        rows=sorted(rows, key=_order),
        lenses=len(table),
        fitted=len(fitted),
        explained=len(explained),
        above=above_control(explained),
        known=len(known),
        agree=int((abs(ratio - 1) < GOOD_RADIUS).sum()),
        correlation=correlation,
        compared=compared,
        strong=len(strong),
        offset=float(strong["offset"].median()) if len(strong) else None,
        mass_error=float(strong["mass_error"].median()) if len(strong) else None,
        smallest=float(table["false_alarm_probability"].min()),
    )


def _order(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    """The lowest false-alarm probabilities first, then the largest evidence; lenses whose fits explain nothing last."""
    probability, gain = row["false_alarm_probability"], row["log_evidence_gain"]
    explained = pd.notna(row["explains_frame"]) and bool(row["explains_frame"])
    return not explained, 2.0 if pd.isna(probability) else probability, 0.0 if pd.isna(gain) else -gain
