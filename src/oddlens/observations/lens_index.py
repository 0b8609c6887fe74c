"""Which real lenses there are: a frame, a folder with one, or a CSV that describes many, a row an image.

The CSV's columns, of which `name`, `pixel_scale_arcsec` and `data` are needed: `band`; `data`, `noise`, `psf`, `mask`
and `lens_light`, paths relative to the CSV, where `path#NAME` means an extension of a FITS file or a data set of an
HDF5 file; `claim` (or `claimed`), which marks a lens in which somebody claims substructure. Others are passed over.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oddlens.schema.config_errors import nearest

INDEX = "index.csv"
"""The index of a folder."""
NEEDED = ("name", "pixel_scale_arcsec", "data")
FILES = ("data", "noise", "psf", "mask", "lens_light")
CLAIM = ("claim", "claimed")
NO_CLAIM = ("", "0", "false", "no", "none", "n")
MOST_BYTES = 1_000_000
"""An index has at most so many."""


@dataclass(frozen=True)
class Lens:
    """An image of a real lens."""

    object: str
    """What it shows; images of one object are not independent."""
    paths: Mapping[str, str]
    """By the names of `FILES`, `path` or `path#NAME`; of a lens that no index describes, its frame or folder alone."""
    band: str = ""
    label: str = ""
    """The object, and the band where there are several of it; no other image has it."""
    pixel_scale_arcsec: float | None = None
    claimed: bool = False
    indexed: bool = True
    annulus_arcsec: tuple[float, float] | None = None
    """If given, what lies nearer to the lens or farther off is left out, and no lens light is fitted."""
    problem: str = ""

    @property
    def slug(self) -> str:
        """The label as a file's name."""
        return re.sub(r"[^A-Za-z0-9+-]+", "_", self.label).strip("_") or "lens"


def lenses(
    path: Path,
    name: str,
    *,
    claimed: Sequence[str] = (),
    annulus_arcsec: tuple[float, float] | None = None,
    pixel_scale_arcsec: float | None = None,
) -> list[Lens]:
    """The images of lenses at a path: those of an index, or one; not yet told apart.

    Args:
        name: of a lens that no index names.
        claimed: names of objects with a claimed substructure, beside those that the index marks.
        pixel_scale_arcsec: of a lens that no index describes.

    Raises:
        FileNotFoundError, ValueError: if an index cannot be read, or `claimed` names what is not there. What is wrong
            with a row is its `problem`.
    """
    index = _index(path)
    alone = Lens(name, {"data": str(path)}, pixel_scale_arcsec=pixel_scale_arcsec, indexed=False)
    found = list(_rows(index)) if index else [alone]
    known = sorted({lens.object for lens in found})
    for claim in claimed:
        if claim not in known:
            raise ValueError(
                f"{path}: '{claim}' is said to be claimed, but no lens has that name. {nearest(claim, known)}"
            )
    return [
        replace(lens, claimed=lens.claimed or lens.object in claimed, annulus_arcsec=annulus_arcsec) for lens in found
    ]


def files(path: Path) -> list[Path]:
    """The files behind the lenses at a path, as far as they are there; the path itself in any case."""
    index = _index(path)
    if index is None:
        return [path / "data.fits" if path.is_dir() else path]
    try:
        named = [file_of(reference) for lens in _rows(index) for reference in lens.paths.values()]
    except (OSError, ValueError):  # the job tells
        named = []
    return [index, *dict.fromkeys(file for file in named if file.is_file())]


def file_of(reference: str) -> Path:
    """The file of `path` or `path#NAME`."""
    return Path(reference if Path(reference).is_file() else reference.rpartition("#")[0] or reference)


def told_apart(found: Iterable[Lens]) -> list[Lens]:
    """The same with labels, and so names of files, that differ: by the band, and if that is not enough by a number."""
    found = list(found)
    counts = Counter(lens.object for lens in found)
    found = [replace(e, label=f"{e.object} {e.band}".strip() if counts[e.object] > 1 else e.object) for e in found]
    seen: set[str] = set()
    for k, lens in enumerate(found):
        numbered = (replace(lens, label=f"{lens.label} ({number})") for number in itertools.count(2))
        found[k] = next(e for e in itertools.chain([lens], numbered) if e.slug.lower() not in seen)
        seen.add(found[k].slug.lower())
    return found


def _index(path: Path) -> Path | None:
    """The index that a path is, or that is in it."""
    if path.suffix.lower() == ".csv":
        return path
    return path / INDEX if (path / INDEX).is_file() else None


def _rows(index: Path) -> Iterator[Lens]:
    if not index.is_file():
        raise FileNotFoundError(f"there is no file {index}")
    if index.stat().st_size > MOST_BYTES:
        raise ValueError(f"{index} has more than {MOST_BYTES:,} bytes: an index has a short line for each image")
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="")
            columns, rows = list(reader.fieldnames or []), list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{index} cannot be read as CSV ({error})") from error
    if missing := [column for column in NEEDED if column not in columns]:
        raise ValueError(f"{index} has no column '{missing[0]}'. {nearest(missing[0], columns)}")
    if not rows:
        raise ValueError(f"{index} describes no lens: it has a header and no row")
    for number, row in enumerate(rows, 2):
        cells = {column: (row[column] or "").strip() for column in columns}
        name = " ".join("".join(c if c.isprintable() else " " for c in cells["name"]).split())
        band = "".join(c for c in cells.get("band", "") if c.isprintable())
        scale, problem = _scale(cells["pixel_scale_arcsec"]), ""
        if not name or not cells["data"]:
            problem = f"{index}, line {number}: '{NEEDED[0] if not name else NEEDED[2]}' is empty"
        elif scale is None:
            problem = (
                f"{index}, line {number}: pixel_scale_arcsec is '{cells['pixel_scale_arcsec'][:40]}': it must be a "
                "number above 0 and below 10 arcsec"
            )
        yield Lens(
            object=name or f"line {number}",
            paths={kind: str(index.parent / cells[kind]) for kind in FILES if cells.get(kind)},
            band=band,
            pixel_scale_arcsec=scale,
            claimed=any(cells.get(column, "").lower() not in NO_CLAIM for column in CLAIM),
            problem=problem,
        )


def _scale(text: str) -> float | None:
    try:
        scale = float(text)
    except ValueError:
        return None
    return scale if 0 < scale < 10 else None
