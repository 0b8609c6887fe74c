"""Folders that lie beside the code in a checkout, and inside the package if it is installed by pip."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
CHECKOUT = _PACKAGE.parents[1]
"""The checkout; of a package that is installed by pip, some other folder."""


def packaged(folder: str, installed: str) -> Path:
    """A folder of the checkout, or its copy `installed` in the package (pyproject.toml says what is copied)."""
    copy = _PACKAGE / installed
    return copy if copy.is_dir() else CHECKOUT / folder
