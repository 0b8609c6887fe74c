"""Write and read result tables."""

from pathlib import Path

import pandas as pd

from oddlens.files.artefacts import atomic_write

NAMES = ("file", "object", "band", "id", "class", "anomaly")
"""Columns of text that may look like numbers."""


def write_result(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as plain CSV with six significant digits. Unknown values are empty."""
    floats = table.select_dtypes("float")
    table = table.assign(**(floats.round(9) + 0.0))  # removes rounding errors below 1e-9, and -0
    with atomic_write(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def read_result(path: Path | str) -> pd.DataFrame:
    """Read a table that `write_result` wrote. Names stay text: an object may be called 007, and a class 7."""
    return pd.read_csv(path, converters=dict.fromkeys(NAMES, str))
