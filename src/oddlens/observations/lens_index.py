"""The real lenses at a path: one image, a folder with one image, or a CSV index with one row for each image.

The index needs the columns `name`, `pixel_scale_arcsec` and `data`. Optional columns are

band                             distinguishes images of one object
noise, psf, mask, lens_light     images that belong to `data`
claim (or claimed)               marks a lens for which somebody claims substructure

Paths are relative to the index. `path#NAME` is an extension of a FITS file or a data set of an HDF5 file. Other columns
are ignored.
"""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from oddlens.observations.references import Reference
from oddlens.observations.wcs_scale import MAX_PIXEL_SCALE_ARCSEC
from oddlens.schema.config_errors import nearest

INDEX_NAME = "index.csv"
"""The name of the index of a folder."""
REQUIRED_COLUMNS = ("name", "pixel_scale_arcsec", "data")
FILE_COLUMNS = ("data", "noise", "psf", "mask", "lens_light")
CLAIM_COLUMNS = ("claim", "claimed")
NO_CLAIM = ("", "0", "false", "no", "none", "n")
"""Values of the claim columns, in lower case, that claim nothing."""
MAX_BYTES = 1_000_000
"""The largest index that is read."""


@dataclass(frozen=True)
class LensEntry:
    """One image of a real lens."""

    object: str
    """The lens. Images of one lens are not independent."""
    paths: Mapping[str, str]
    """`path` or `path#NAME` by the names of `FILE_COLUMNS`. Without an index: the image or its folder, as `data`."""
    band: str = ""
    label: str = ""
    """A unique name of the image: the object, and the band if there are several images of the object."""
    pixel_scale_arcsec: float | None = None
    claimed: bool = False
    """Whether somebody claims substructure in this lens."""
    indexed: bool = True
    annulus_arcsec: tuple[float, float] | None = None
    """Inner and outer radius. If given, pixels outside this annulus are ignored, and no lens light is fitted."""
    problem: str = ""
    """The error in its row of the index."""

    @property
    def slug(self) -> str:
        """The label as the name of a file."""
        return re.sub(r"[^A-Za-z0-9+-]+", "_", self.label).strip("_") or "lens"


def read_lenses(
    path: Path,
    name: str,
    *,
    claimed: Sequence[str] = (),
    annulus_arcsec: tuple[float, float] | None = None,
    pixel_scale_arcsec: float | None = None,
) -> list[LensEntry]:
    """The images of lenses at a path: all images of an index, or a single image. Their labels are not unique yet.

    Args:
        name: of the object, if there is no index.
        claimed: objects with a claimed substructure, in addition to those that the index marks.
        annulus_arcsec: see `LensEntry`.
        pixel_scale_arcsec: of the image, if there is no index.

    Raises:
        FileNotFoundError, ValueError: if the index cannot be read, or if no object has a name in `claimed`. An error in
            one row of the index is the `problem` of its entry instead.
    """
    index = _index(path)
    single = LensEntry(name, {"data": str(path)}, pixel_scale_arcsec=pixel_scale_arcsec, indexed=False)
    entries = list(_rows(index)) if index else [single]
    known = sorted({entry.object for entry in entries})
    for claim in claimed:
        if claim not in known:
            raise ValueError(f"{path}: no lens has the claimed name '{claim}'. {nearest(claim, known)}")
    return [
        replace(entry, claimed=entry.claimed or entry.object in claimed, annulus_arcsec=annulus_arcsec)
        for entry in entries
    ]


def input_files(path: Path) -> list[Path]:
    """The index or the image at a path, and the existing files that the index names."""
    index = _index(path)
    if index is None:
        return [path / "data.fits" if path.is_dir() else path]
    try:
        named = [Reference.parse(reference).path for entry in _rows(index) for reference in entry.paths.values()]
    except (OSError, ValueError):  # the job that reads the index reports the error
        named = []
    return [index, *dict.fromkeys(file for file in named if file.is_file())]


def with_unique_labels(entries: Iterable[LensEntry]) -> list[LensEntry]:
    """The entries with labels whose slugs differ: the object, the band if needed, and a number if still needed."""
    entries = list(entries)
    counts = Counter(entry.object for entry in entries)
    labelled = [replace(e, label=f"{e.object} {e.band}".strip() if counts[e.object] > 1 else e.object) for e in entries]
    used: set[str] = set()
    for k, entry in enumerate(labelled):
        numbered = (replace(entry, label=f"{entry.label} ({number})") for number in itertools.count(2))
        labelled[k] = next(e for e in itertools.chain([entry], numbered) if e.slug.lower() not in used)
        used.add(labelled[k].slug.lower())
    return labelled


def _index(path: Path) -> Path | None:
    """The index at a path: the file itself or the index of a folder; None if there is none."""
    if path.suffix.lower() == ".csv":
        return path
    return path / INDEX_NAME if (path / INDEX_NAME).is_file() else None


def _rows(index: Path) -> Iterator[LensEntry]:
    columns, rows = _read_csv(index)
    for number, row in enumerate(rows, 2):
        yield _entry(index, number, {column: (row[column] or "").strip() for column in columns})


def _read_csv(index: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not index.is_file():
        raise FileNotFoundError(f"there is no file {index}")
    if index.stat().st_size > MAX_BYTES:
        raise ValueError(f"{index} has more than {MAX_BYTES:,} bytes: an index has one short line for each image")
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="")
            columns, rows = list(reader.fieldnames or []), list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{index} cannot be read as CSV ({error})") from error
    if missing := [column for column in REQUIRED_COLUMNS if column not in columns]:
        raise ValueError(f"{index} has no column '{missing[0]}'. {nearest(missing[0], columns)}")
    if not rows:
        raise ValueError(f"{index} has a header but no rows: add one row for each image")
    return columns, rows


def _entry(index: Path, number: int, values: Mapping[str, str]) -> LensEntry:
    """The entry of one line of an index."""
    name = " ".join("".join(c if c.isprintable() else " " for c in values["name"]).split())
    band = "".join(c for c in values.get("band", "") if c.isprintable())
    scale, problem = _scale(values["pixel_scale_arcsec"]), ""
    if not name or not values["data"]:
        problem = f"{index}, line {number}: '{REQUIRED_COLUMNS[0] if not name else REQUIRED_COLUMNS[2]}' is empty"
    elif scale is None:
        problem = (
            f"{index}, line {number}: pixel_scale_arcsec is '{values['pixel_scale_arcsec'][:40]}': it must be a number "
            f"above 0 and below {MAX_PIXEL_SCALE_ARCSEC} arcsec"
        )
    return LensEntry(
        object=name or f"line {number}",
        paths={kind: str(index.parent / values[kind]) for kind in FILE_COLUMNS if values.get(kind)},
        band=band,
        pixel_scale_arcsec=scale,
        claimed=any(values.get(column, "").lower() not in NO_CLAIM for column in CLAIM_COLUMNS),
        problem=problem,
    )


def _scale(text: str) -> float | None:
    try:
        scale = float(text)
    except ValueError:
        return None
    return scale if 0 < scale < MAX_PIXEL_SCALE_ARCSEC else None
