"""Render the templates of this folder."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from oddlens.files.artefacts import atomic_write


def write_page(path: str | Path, template: str, **facts: Any) -> None:
    """Write a page."""
    text = render(template, **facts)
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def render(template: str, **facts: Any) -> str:
    """Render a template. A fact that the template uses and that is missing is an error."""
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(facts)
