"""Pieces of a report: tables and pictures as HTML that needs no other file."""

import base64
from pathlib import Path

import pandas as pd


def embedded(path: str | Path) -> str:
    """A PNG as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def html(table: pd.DataFrame) -> str | None:
    """A table; None if it is empty."""
    if not len(table):
        return None
    return table.to_html(index=False, border=0, na_rep="–", escape=True, float_format="{:.3f}".format)
