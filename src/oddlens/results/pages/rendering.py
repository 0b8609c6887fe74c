"""What pages say of studies, an idea a file: numbers for sentences and tables as HTML, made of result tables."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from oddlens.files.artefacts import atomic_write


def page(path: str | Path, template: str, **facts: Any) -> None:
    """Write the page that a template of this folder makes of facts."""
    written = rendered(template, **facts)
    with atomic_write(path) as temporary:
        temporary.write_text(written)


def rendered(template: str, **facts: Any) -> str:
    """What a template of this folder makes of facts; one that is missing is an error."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(facts)
