"""The site: the Markdown files where they lie, and the docstrings. `make docs` builds it, without network.

Its source is the root of the repository, so that links between pages are the same here and on a forge.
"""

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

PAGES = {
    "Use": ["docs/tutorial", "config/README", "docs/simulation", "docs/detectors"],
    "Run": ["docs/environments", "docs/cluster", "docs/scaling", "docs/module"],
    "Extend": ["docs/adding", "CONTRIBUTING", "docs/api"],
    "Project": ["SECURITY", "CHANGELOG"],
}
"""The order of the pages behind README.md; a page of docs/ that it does not name comes with the first."""
NAMED = [page for pages in PAGES.values() for page in pages]
PAGES["Use"] += sorted({f"docs/{path.stem}" for path in ROOT.glob("docs/*.md")} - set(NAMED))

project = "oddlens"
author = "The oddlens authors"
copyright = author
root_doc = "README"
include_patterns = ["*.md", "config/*.md", "docs/*.md", "docs/api/*.rst"]
exclude_patterns = [".*", "benchmarks", "envs", "profiles", "results", "slurm", "src", "tests", "workflow", "docs/_*"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
templates_path = [str(ROOT / "docs/_templates")]

html_theme = "furo"
html_title = "oddlens"
html_show_sphinx = html_show_copyright = html_copy_source = False
highlight_language = "none"  # most blocks are commands and formulas
myst_heading_anchors = 3

default_role = "literal"  # `code` in docstrings is what it is in Markdown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False

MARKUP = re.compile(r"(`[^`]*`)|([*|\\]|(?<=\w)_\b)")
"""Code, or what reStructuredText would take for markup: docstrings are plain text, with formulas."""


def add_contents(app, docname, source):
    """Put the table of contents, which a forge would not understand, under README.md."""
    if docname == root_doc:
        for caption, pages in PAGES.items():
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *pages, "```", ""])


def as_plain_text(app, what, name, obj, options, lines):
    """Leave indented blocks as they are, as Markdown does, and escape what is no markup elsewhere."""
    plain, block = [], False
    for line in lines:
        if line.startswith("    ") and not block and not (plain and plain[-1]):
            plain += ["::", ""]
            block = True
        elif line and not line.startswith("    "):
            block = False
        plain.append(line if block else MARKUP.sub(lambda found: found[1] or "\\" + found[2], line))
    lines[:] = plain


def begin_with_readme(app, exception):
    """A site begins with index.html."""
    if not exception:
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app):
    """What Sphinx asks of an extension."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", as_plain_text, priority=400)  # before napoleon
    app.connect("build-finished", begin_with_readme)
