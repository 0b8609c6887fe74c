"""Write the page: the template with its styles, scripts and libraries inside."""

import base64
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import itables
from markupsafe import Markup

from oddlens.results.pages.explore.packing import as_json, compressed
from oddlens.results.pages.rendering import write_page

FOLDER = Path(__file__).parent
SCRIPTS = [
    *("elements", "unpacking", "data", "state", "scores", "models", "plot", "dots", "scatter", "thumbnails"),
    *("detail", "gallery", "looks", "pair", "rates", "curves", "contamination", "mass", "tables"),
]
"""The modules that `main.js` imports, directly or not, each as `explore/<name>`."""


def write_explore_page(
    path: str | Path, *, study: Mapping[str, Any], datasets: list[dict[str, Any]], tables: list[dict[str, Any]]
) -> None:
    """Write the page.

    Args:
        path: of the page.
        study: the facts of the study as a whole.
        datasets: those of each data set, by `dataset_facts`.
        tables: by `interactive_tables`.
    """
    library = files(itables) / "html"
    write_page(
        path,
        "explore/explore.html.j2",
        study=study,
        study_json=as_json(study),
        datasets=[(facts["name"], as_json(facts)) for facts in datasets],
        tables=[{**table, "html": Markup(table["html"])} for table in tables],
        styles=[_inside("style", text) for text in (library / "dt_bundle.css", FOLDER / "explore.css")],
        imports=_imports(),
        itables=compressed((library / "dt_bundle.js").read_bytes()),
        main=_inside("script", FOLDER / "main.js"),
    )


def _inside(element: str, file: Any) -> Markup:
    """The text of a file inside an element.

    Raises:
        ValueError: if it would end the element.
    """
    text = file.read_text(encoding="utf-8")
    if f"</{element}" in text:
        raise ValueError(f"{file} contains </{element}")
    return Markup(text)


def _imports() -> Markup:
    """The import map of the page: each module as a data URL, so that scripts in files of their own need no build."""
    modules = {f"explore/{name}": (FOLDER / f"{name}.js").read_bytes() for name in SCRIPTS}
    urls = {name: "data:text/javascript;base64," + base64.b64encode(code).decode() for name, code in modules.items()}
    return Markup(json.dumps({"imports": urls}))
