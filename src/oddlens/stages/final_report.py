"""Write the final report: the results of several studies on one page, and a PDF of it.

Each section shows the first study that has its results. Studies with several seeds come first, then those with most
training images (`StudyResults.precedence`). Sections without results are left out, and the page lists the commands that
compute them.
"""

from collections.abc import Sequence
from pathlib import Path

from oddlens.results.pages.final_report import final_report_facts
from oddlens.results.pages.numbering import Numbers
from oddlens.results.pages.pdf import print_pdf
from oddlens.results.pages.rendering import render, write_page
from oddlens.results.pages.study_results import StudyResults, find_studies

FILE_NAME = "final_report.html"
TEMPLATE = "final_report.html.j2"


def final_report(results: Path, names: Sequence[str] = (), path: Path | None = None) -> list[str]:
    """Write the final report and, if there is a browser, a PDF of it; return lines to print.

    Args:
        results: the folder of the studies.
        names: studies in order of precedence; by default all that are not trials.
        path: of the page; by default `final_report.html` in `results`.

    Raises:
        ValueError: if there is no study with results, or a config or table is damaged.
        OSError: if a file cannot be read or written.
    """
    path = path or results / FILE_NAME
    studies, own = find_studies(results, names)
    write_final_report(path, studies, own)
    named = dict.fromkeys(study.name for study in (*studies, *own))
    return [f"{path}: of {', '.join(named)}", print_pdf(path, path.with_suffix(".pdf"))]


def write_final_report(path: str | Path, studies: Sequence[StudyResults], own: Sequence[StudyResults] = ()) -> None:
    """Write the page of some studies in order of precedence, with a section on those of the user's own images.

    Raises:
        DamagedFile: if a table is damaged.
    """
    facts, numbers = final_report_facts(studies, own), Numbers()
    render(TEMPLATE, **facts, numbers=numbers)
    write_page(path, TEMPLATE, **facts, numbers=Numbers(numbers.assigned))
