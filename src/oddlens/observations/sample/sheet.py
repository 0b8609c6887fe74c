"""A sample sheet: a table (CSV or TSV) with one row for each image.

It needs the column `file`, whose paths count from the folder of the sheet. `file[17]` is one image of several,
`file#NAME` a part of a file (`oddlens.observations.reading.references`), and `file[0:5000]` stands for that many rows.
Optional columns are `role`, `label`, `object`, `band`, `noise`, `psf`, `mask`, `pixel_scale_arcsec`, `sha256`, and what
is known of the camera (`columns.CAMERA`). Other columns are kept. Lines that begin with # are comments.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.files.names import printable
from oddlens.observations.index_table import Row, read_table
from oddlens.observations.reading.file_formats import URLS
from oddlens.observations.reading.listing import list_images
from oddlens.observations.reading.references import Reference
from oddlens.observations.sample.columns import COMPANIONS, KNOWN, ROLES, SYNONYMS, TEXT, role_of
from oddlens.observations.sample.mistakes import Mistakes
from oddlens.schema.config_errors import nearest

MAX_BYTES = 100_000_000
"""The largest sheet that is read."""
MAX_IMAGES = 1_000_000
"""The largest number of images of a sample."""
FITS_SUFFIXES = (".fits", ".fits.gz", ".fits.fz", ".fits.bz2", ".fit", ".fts")
EXACT_DIGITS = 15
"""Numbers with more digits are names, such as the identifiers of surveys: as floats they would lose digits."""


def read_sheet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The images of a sheet, one line each: the columns `line` and `KNOWN`, as text, and those of the sheet's own.

    Returns:
        The table, and notes on how the sheet was read.

    Raises:
        FileNotFoundError, ValueError: with all mistakes, one line each.
    """
    words = {*KNOWN, *(word for names in SYNONYMS.values() for word in names)}
    read = read_table(path, (), words, max_bytes=MAX_BYTES, comments=True, others=True)
    columns, notes = _named(path, list(read.rows[0].values))
    notes = [note for note in (read.reading, *notes) if note]
    mistakes = Mistakes()
    more: dict[str, None] = {}
    entries = [entry for row in read.rows for entry in _entries(path, row, columns, mistakes, more)]
    mistakes.raise_all()
    if len(entries) > MAX_IMAGES:
        raise ValueError(f"{path} has {len(entries):,} images; at most {MAX_IMAGES:,} are read: divide it")
    table = pd.DataFrame(entries).reindex(columns=["line", *KNOWN, *(c for c in columns.values() if c not in KNOWN)])
    return _with_numbers(path, table, mistakes), [*notes, *more]


def _named(path: Path, written: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Our names of the columns by those of the sheet, and notes on the synonyms among them."""
    columns = {name: name for name in written if name}
    notes = []
    for name, words in SYNONYMS.items():
        found = [word for word in words if word in columns]
        if name not in columns and found:
            columns[found[0]] = name
            notes.append(f"column {found[0]} is read as {name}")
    if "file" not in columns.values():
        shown = [printable(column) for column in columns]
        raise ValueError(f"{path} has no column 'file' in its first line. {nearest('file', shown)}")
    reserved = [name for name in columns if name in ("pool", "index", "line", "lens")]
    if reserved := [name for name in reserved if columns[name] == name]:
        raise ValueError(f"{path} has the column '{reserved[0]}', which is our own: rename it")
    return columns, notes


def _entries(
    path: Path, row: Row, columns: dict[str, str], mistakes: Mistakes, notes: dict[str, None]
) -> Iterator[dict]:
    """The images of a row: one, or as many as its range."""
    where = f"{path}, line {row.line}"
    if row.problem:
        mistakes.add(f"{where}: {row.problem}")
        return
    values = {ours: row.values[name] for name, ours in columns.items()}
    values["role"] = _role(where, values.get("role", ""), mistakes)
    for kind in COMPANIONS:
        if written := values.get(kind, ""):
            values[kind] = str(_existing(where, path.parent, kind, written, mistakes))
    found = _existing(where, path.parent, "file", values["file"], mistakes)
    if found.stop is None:
        yield {"line": row.line, **values, "file": str(found)}
        return
    try:
        count = len(found.indices or ())
    except ValueError as error:
        mistakes.add(f"{where}: {error}")
        return
    if count > MAX_IMAGES:
        mistakes.add(f"{where}: {found} has {count:,} images; at most {MAX_IMAGES:,} are read: divide it")
        return
    known = () if values.get("object") else _objects(found, notes)
    for image in found.each():
        own = {"object": f"{values['object']}[{image.index}]"} if values.get("object") else {}
        own |= {"object": known[image.index]} if known and image.index is not None and image.index < len(known) else {}
        yield {"line": row.line, **values, **own, "file": str(image)}


def _objects(found: Reference, notes: dict[str, None]) -> tuple[str, ...]:
    """The objects of a FITS table that a range is in, one for each row; empty if they are not known."""
    if not found.path.name.lower().endswith(FITS_SUFFIXES):
        return ()
    try:
        listed = list(list_images(found))
    except (OSError, ValueError):  # rule `ingest` reports it
        return ()
    notes |= dict.fromkeys(images.note for images in listed if images.note)
    return listed[0].objects if len(listed) == 1 else ()


def _role(where: str, written: str, mistakes: Mistakes) -> str:
    role = role_of(written) if written else ""
    if role is None:
        names = [name for words in ROLES.values() for name in words]
        close = nearest(written.lower(), names).partition(" Did ")[2]
        hint = f" Did {close}" if close else ""
        mistakes.add(f"{where}: role is '{printable(written)}': must be {', '.join(ROLES)} or empty.{hint}")
        return ""
    return role


def _existing(where: str, folder: Path, kind: str, written: str, mistakes: Mistakes) -> Reference:
    """A reference whose path counts from a folder, as one from the working directory."""
    if written.startswith(URLS):
        mistakes.add(f"{where}: {kind} {printable(written)} is an address: download it first")
        return Reference(Path(written))
    if not written:
        mistakes.add(f"{where}: '{kind}' is empty")
        return Reference(Path())
    place = os.path.join(folder, written)
    if os.path.exists(place):
        return Reference(Path(place))
    found = Reference.parse(place)
    if not os.path.exists(found.path):
        mistakes.add(f"{where}: there is no file {printable(written)} (relative to the sheet)")
    return found


def _with_numbers(path: Path, table: pd.DataFrame, mistakes: Mistakes) -> pd.DataFrame:
    """The table with columns of numbers as numbers, NaN where empty; empty cells of text as ''."""
    for column in table.columns.difference(["line"]):
        text = table[column].fillna("").astype(str)
        if column in TEXT:
            table[column] = text
            continue
        numbers = text.map(_number)
        wrong = text[((text != "") & numbers.isna()) | np.isinf(numbers)]
        must = column in KNOWN
        if must:
            for k, value in wrong.items():
                where = f"{path}, line {table['line'].iloc[k]}"
                mistakes.add(f"{where}: {column} is '{printable(value)}': must be a number, with a decimal point")
        is_name = text.str.fullmatch(rf"[+-]?\d{{{EXACT_DIGITS + 1},}}").any() or numbers.isna().all()
        is_text = not must and (len(wrong) > 0 or is_name)
        table[column] = text if is_text else numbers
    mistakes.raise_all()
    return table


def _number(text: str) -> float:
    """A number with all its digits; NaN if the text is none, or empty."""
    try:
        return np.nan if "_" in text else float(text)
    except ValueError:
        return np.nan
