"""Join the fits of real lenses with those of their twins: the table, a page for each lens, and the summary."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.observations.modelling.planted import TWIN_COLUMNS
from oddlens.observations.modelling.result_files import read_fit
from oddlens.results.pages.lens_fit_pages import write_lens_page, write_summary
from oddlens.results.tables.lens_fits import LensTwins, lens_fits_table
from oddlens.results.tables.result_files import read_result, write_result
from oddlens.stages.fit_frames import FIGURE_FILE


def lens_fit_tables(outputs: Mapping[str, str | Path], study: str, lenses: Iterable[Mapping[str, Any]]) -> None:
    """Write the table, the summary and the pages.

    Args:
        outputs: the paths of `table` and `summary`, and the folder `pages`.
        lenses: of each lens its `set`, `label`, `slug`, the folder of its `fit`, and the tables of its twins, `smooth`
            and `planted`.
    """
    lenses = list(lenses)
    found = {
        (lens["set"], lens["label"]): LensTwins(
            read_fit(Path(lens["fit"])), _joined(lens["smooth"]), _joined(lens["planted"])
        )
        for lens in lenses
    }
    table = lens_fits_table(found)
    write_result(outputs["table"], table)
    folder, summary = Path(outputs["pages"]), Path(outputs["summary"])
    pages = {}
    for lens, (key, twins), (_, line) in zip(lenses, found.items(), table.iterrows(), strict=True):
        page = folder / lens["set"] / f"{lens['slug']}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        back = {"summary": f"../../{summary.name}"}
        write_lens_page(page, dict(line) | back, twins, Path(lens["fit"]) / FIGURE_FILE)
        pages[key] = page.relative_to(summary.parent).as_posix()
    write_summary(summary, study, table, found, pages)


def _joined(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The tables of twins as one."""
    tables = [read_result(path) for path in paths]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=TWIN_COLUMNS)
