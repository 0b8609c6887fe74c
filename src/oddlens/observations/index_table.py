"""The rows of an index file as people and spreadsheets write CSV.

Commas, semicolons, tabs or bars are between columns, with or without blanks around them. Columns are named in any case.
The encoding is UTF-8, or UTF-16 or UTF-32 with a byte-order mark. Others are refused, because the same bytes are
different letters in them.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from oddlens.files.names import printable, shown_name
from oddlens.schema.config_errors import nearest

MAX_BYTES = 1_000_000
"""The largest index of lenses that is read."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is its beginning
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by their byte-order marks."""
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of XLSX and ODS, and of XLS."""


@dataclass(frozen=True)
class Row:
    """A row of an index."""

    line: int
    values: dict[str, str]
    """By column, without blanks around them."""
    problem: str = ""
    """Why its cells cannot be told apart."""
    doubt: str = ""
    """What may explain other errors: it has more cells than the first line, though the last ones are empty."""


@dataclass(frozen=True)
class IndexTable:
    """The rows of an index."""

    rows: list[Row]
    reading: str
    """How the file was read, if it is not plain CSV in UTF-8."""


def read_table(
    path: Path,
    required: Sequence[str],
    known: Collection[str],
    *,
    max_bytes: int = MAX_BYTES,
    comments: bool = False,
    others: bool = False,
) -> IndexTable:
    """The rows of an index.

    Args:
        required: columns that it must have.
        known: all columns that have a meaning.
        comments: whether lines that begin with # are left out.
        others: whether other columns are used, too.

    Raises:
        FileNotFoundError, ValueError: if it cannot be read, lacks a column or has one twice, or has no row.
    """
    encoding, text = _text(path, max_bytes)
    if comments:
        text = re.sub(r"(?m)^#.*$", "", text)  # the numbers of the lines stay
    separator, text, skipped = _separator(text, known)
    lines = _lines(path, text, separator, skipped)
    _, header = next(lines, (0, []))
    columns = [cell.strip().lower() for cell in header]
    _check_columns(path, columns, separator, required, known)
    rows = [_row(columns, line, cells) for line, cells in lines]
    if not rows:
        raise ValueError(f"{path} has a header but no rows: add one row for each image")
    return IndexTable(rows, _reading(encoding, separator, columns, columns if others else known))


def _text(path: Path, max_bytes: int) -> tuple[str, str]:
    """The encoding and the text of a file."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    if path.stat().st_size > max_bytes:
        raise ValueError(f"{path} has more than {max_bytes:,} bytes: an index has one short line for each image")
    content = path.read_bytes()
    if content.startswith(SPREADSHEETS):
        raise ValueError(f"{path} is a spreadsheet, not CSV: save it as 'CSV UTF-8' there")
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line, found = content[: error.start].count(b"\n") + 1, content[error.start : error.end]
        raise ValueError(
            f"{path}, line {line}: {found!r} is not {encoding.upper()}: save the file as 'CSV UTF-8', or convert it, "
            f"for example by iconv -f LATIN1 -t UTF-8 {shown_name(path.name)}"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path} has null bytes: save it as 'CSV UTF-8' (UTF-16 is read if it has a byte-order mark)")
    return encoding, text


def _separator(text: str, known: Collection[str]) -> tuple[str, str, int]:
    """The separator under which the header has most known columns, the text from its header on, and lines before it.

    A line `sep=;` before the header, which spreadsheets write, names it.
    """
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and (named := first.strip()[4:]) in (*SEPARATORS, "\\t", ""):
        return {"\\t": "\t", "": "\t"}.get(named, named), rest, 1
    header = text.lstrip().splitlines()[:1]

    def columns_found(separator: str) -> int:
        cells = next(csv.reader(header, delimiter=separator, skipinitialspace=True), [])
        return sum(cell.strip().lower() in known for cell in cells)

    return max(SEPARATORS, key=columns_found), text, 0


def _lines(path: Path, text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with its number in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    line = skipped + 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, cells
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {line}: cannot be read as CSV ({error}): check its quotation marks") from None


def _check_columns(
    path: Path, columns: Sequence[str], separator: str, required: Sequence[str], known: Collection[str]
) -> None:
    if missing := [column for column in required if column not in columns]:
        found = [printable(column) for column in columns if column]
        raise ValueError(
            f"{path} has no column {' and no column '.join(map(repr, missing))} in its first line, read with "
            f"{SEPARATORS[separator]} between columns. {nearest(missing[0], found)}"
        )
    if twice := [column for column, count in Counter(columns).items() if count > 1 and column in known]:
        raise ValueError(f"{path} has the column '{twice[0]}' twice: remove one, or rename it")


def _row(columns: Sequence[str], line: int, cells: list[str]) -> Row:
    values = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    extra, doubt, problem = cells[len(columns) :], "", ""
    if extra:
        doubt = (
            f"it has {len(cells)} cells, and the first line {len(columns)}: put cells that hold the separator in "
            "quotation marks, and write decimal points, not commas"
        )
    if any("\n" in cell or "\r" in cell for cell in cells):
        problem = "a cell goes on in the next line: close its quotation mark"
    elif any(map(str.strip, extra)):
        problem, doubt = doubt, ""
    return Row(line, {column: values.get(column, "") for column in columns}, problem, doubt)


def _reading(encoding: str, separator: str, columns: Sequence[str], known: Collection[str]) -> str:
    notes = [f"{SEPARATORS[separator]} between columns"] if separator != "," else []
    notes += [encoding.upper().removesuffix("-SIG")] if encoding not in ("utf-8", "utf-8-sig") else []
    if unused := [printable(column) for column in columns if column and column not in known]:
        notes.append(f"not used: {', '.join(unused)}")
    return "; ".join(notes)
