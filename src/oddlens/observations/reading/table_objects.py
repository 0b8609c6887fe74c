"""The objects of a FITS table with an image in each row: its column of identifiers, as tables of surveys have it."""

import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

from oddlens.observations.reading.stored_arrays import read_errors

NAMES = ("id", "objectid", "diaobjectid", "sourceid", "objid", "lensid", "name")
"""Names of such columns, in lower case and without `_`."""


def objects(path: Path, position: int) -> tuple[tuple[str, ...], str]:
    """The object of each row of a table, and a note; no objects if no column has them, or if it is not clear which.

    Only whole numbers and texts identify: numbers with a fraction have lost the digits of long identifiers.

    Args:
        position: of the HDU.

    Raises:
        ValueError: if the table is damaged.
    """
    with (
        read_errors(path, "FITS"),
        warnings.catch_warnings(action="ignore"),
        fits.open(path, memmap=True) as file,
    ):
        table = file[position]
        names = [name for name in table.columns.names if name.lower().replace("_", "") in NAMES]
        columns = {name: _identifiers(np.asarray(table.data[name])) for name in names}
    found = {name: values for name, values in columns.items() if values is not None}
    if len({_grouping(values) for values in found.values()}) > 1:
        return (), f"{path}: {' and '.join(found)} may both be the object, so neither is read: name one in a sheet"
    unfit = [name for name in names if name not in found]
    if not found:
        reason = "has empty values, fractions or several values a row"
        return (), f"{path}: column {unfit[0]} {reason}, so it is not read as the object" if unfit else ""
    name = next(iter(found))
    return found[name], f"{path}: column {name} is read as object"


def _identifiers(values: np.ndarray) -> tuple[str, ...] | None:
    """The values as text; None if they do not identify."""
    if values.ndim != 1 or values.dtype.kind not in "iuUS":
        return None
    texts = tuple((value.decode() if isinstance(value, bytes) else str(value)).strip() for value in values.tolist())
    return texts if all(texts) else None


def _grouping(values: tuple[str, ...]) -> tuple[int, ...]:
    """Which rows have equal values: two columns that agree in this identify the same objects."""
    first: dict[str, int] = {}
    return tuple(first.setdefault(value, k) for k, value in enumerate(values))
