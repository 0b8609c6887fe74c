"""The site: the Markdown files where they lie, and the docstrings. `make docs` builds it, without network.

Its source is the root of the repository, so that links between pages are the same here and on a forge.
"""

import os
import re
import shutil
import sys
from pathlib import Path
from textwrap import indent

from sphinx.ext.napoleon import Config, GoogleDocstring

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

PAGES = {
    "Tutorial": ["docs/tutorial"],
    "How to": [
        *(
            "docs/studies",
            "docs/explore",
            "docs/own_images",
            "docs/leaks",
            "docs/images",
            "docs/real",
            "docs/lens_fits",
            "docs/follow_up",
        ),
        *("docs/injection", "docs/stress", "docs/sky", "docs/pretrained", "docs/outside_detectors", "docs/adding"),
        *("docs/environments", "docs/cluster", "docs/module"),
    ],
    "Explanation": [
        *("docs/simulation", "docs/detectors", "docs/detectors-lensfit", "docs/detectors-autoencoders"),
        *("docs/detectors-rbm", "docs/detectors-gan", "docs/detectors-information", "docs/detectors-density"),
        "docs/upper-bounds",
        *("docs/contamination", "docs/model-selection", "docs/reproduction", "docs/statistics", "docs/regression"),
    ],
    "Reference": ["config/README", "docs/glossary", "docs/speed", "docs/scaling", "docs/api"],
    "Project": ["CONTRIBUTING", "SECURITY", "CHANGELOG"],
}
"""The order of the pages after README.md. A page of docs/ that is not named here is listed last under Reference."""
NAMED = [page for pages in PAGES.values() for page in pages]
PAGES["Reference"] += sorted({f"docs/{path.stem}" for path in ROOT.glob("docs/*.md")} - set(NAMED))

project = "oddlens"
author = "The oddlens authors"
copyright = author
root_doc = "README"
include_patterns = ["*.md", "config/*.md", "docs/*.md", "docs/api/*.rst"]
exclude_patterns = [".*", "benchmarks", "envs", "profiles", "results", "slurm", "src", "tests", "workflow", "docs/_*"]
extensions = ["myst_parser", "sphinx.ext.autodoc"]

html_theme = "furo"
html_title = "oddlens"
smartquotes = False  # quotes are part of what one types
html_show_sphinx = html_show_copyright = html_copy_source = False
highlight_language = "none"  # most blocks are commands and formulas
myst_heading_anchors = 3

default_role = "literal"  # `code` in docstrings is what it is in Markdown
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_mock_imports = ["autoarray", "autogalaxy", "autolens", "torchvision"]  # seconds, for nothing that is shown
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False

MARKUP = re.compile(r"(?P<keep>`[^`]*`|^\* )|(?P<escape>[*|\\]|(?<=\w)_\b)", re.MULTILINE)
"""Code and items, which are markup; and what only reStructuredText takes for it."""
ITEM = re.compile(r"\n\* ")
ALIGNED = re.compile(r".*\S {3,}\S")


def write_api(app, config):
    """A page for each package, of all its modules, into docs/api/."""
    pages = ROOT / "docs/api"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    for package in (ROOT / "src").rglob("__init__.py"):
        name = ".".join(package.parent.relative_to(ROOT / "src").parts)
        modules = [f"{name}.{path.stem}" for path in sorted(package.parent.glob("[!_]*.py"))]
        text = [name, "=" * len(name), f".. automodule:: {name}"]
        for module in modules:
            text += [module, "-" * len(module), f".. automodule:: {module}"]
        (pages / f"{name}.rst").write_text("\n".join(f"{line}\n" if line.startswith("..") else line for line in text))


def add_contents(app, docname, source):
    """Append the table of contents to README.md; a forge would not understand it."""
    if docname == root_doc:
        for caption, pages in PAGES.items():
            source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", *pages, "```", ""])


def as_plain_text(app, what, name, obj, options, lines):
    """Convert docstrings from plain text with Markdown's marks to reStructuredText; aligned tables stay as they are."""
    text = "\n\n".join(map(paragraph, "\n".join(lines).split("\n\n")))
    if what in ("attribute", "data"):  # Google's style takes what is before their first colon for a type
        lines[:] = [] if text.startswith("Alias for field") else text.splitlines()
    else:
        lines[:] = GoogleDocstring(text, Config(napoleon_use_ivar=True), what=what).lines()


def paragraph(text):
    """A table or an indented block as it is; in other text, what is no markup escaped."""
    if text.startswith("    ") or ALIGNED.match(text):
        return "::\n\n" + indent(text, "    ") + "\n"
    return MARKUP.sub(lambda found: found["keep"] or "\\" + found["escape"], ITEM.sub("\n\n* ", text))


def begin_with_readme(app, exception):
    """A site begins with index.html."""
    if not exception:
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app):
    """What Sphinx asks of an extension."""
    app.connect("config-inited", write_api)
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", as_plain_text)
    app.connect("build-finished", begin_with_readme)
