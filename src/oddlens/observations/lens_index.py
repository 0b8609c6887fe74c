"""The real lenses at a path: one image, a folder with one image, or a CSV index with one row for each image.

The index needs the columns `name`, `pixel_scale_arcsec` and `data`. Optional columns are

band                             distinguishes images of one object
noise, psf, mask, lens_light     images that belong to `data`
claim (or claimed)               marks a lens for which somebody claims substructure
z_lens, z_source                 redshifts of the lens and of its source

Paths are relative to the index. `path#NAME` is an extension of a FITS file or a data set of an HDF5 file. Other columns
are ignored. `oddlens.observations.index_table` says which files are read.
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from oddlens.files.names import printable
from oddlens.files.progress import say
from oddlens.observations.index_table import Row, read_table
from oddlens.observations.reading import image_files, neighbours
from oddlens.observations.reading.image_stacks import DEFAULT_READING, Reading
from oddlens.observations.reading.pixel_scale import INFO_FILE
from oddlens.observations.reading.references import Reference
from oddlens.observations.reading.wcs_scale import MAX_PIXEL_SCALE_ARCSEC
from oddlens.schema.config_errors import nearest

INDEX_NAME = "index.csv"
"""The name of the index of a folder."""
COMMON_NAMES = ("data", "index")
"""Names of files that say nothing about the lens."""
INDEX_SUFFIXES = (".csv", ".tsv")
REQUIRED_COLUMNS = ("name", "pixel_scale_arcsec", "data")
FILE_COLUMNS = ("data", "noise", "psf", "mask", "lens_light")
CLAIM_COLUMNS = ("claim", "claimed")
NO_CLAIM = ("", "0", "false", "no", "none", "n")
"""Values of the claim columns, in lower case, that claim nothing."""
REDSHIFT_COLUMNS = ("z_lens", "z_source")
COLUMNS = {*REQUIRED_COLUMNS, "band", *FILE_COLUMNS, *CLAIM_COLUMNS, *REDSHIFT_COLUMNS}
MAX_SLUG = 100
"""Characters of a name of a file, which with a suffix has at most 255."""


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
    redshifts: tuple[float, float] | None = None
    """Of the lens and of its source."""
    problem: str = ""
    """The errors in its row of the index."""
    reading: Reading = DEFAULT_READING
    """How its files are read. The pixel scale and the files above count more."""

    @property
    def slug(self) -> str:
        """The label as the name of a file."""
        return slug(self.label)


def slug(text: str) -> str:
    """A text as the name of a file."""
    name = re.sub(r"[^A-Za-z0-9+-]+", "_", text).strip("_")
    half = MAX_SLUG // 2
    return (name if len(name) <= MAX_SLUG else f"{name[:half]}_{name[-half:]}") or "lens"


def read_lenses(
    path: Path,
    name: str,
    *,
    claimed: Sequence[str] = (),
    annulus_arcsec: tuple[float, float] | None = None,
    pixel_scale_arcsec: float | None = None,
    companions: Mapping[str, str] | None = None,
) -> list[LensEntry]:
    """The images of lenses at a path: all images of an index, or a single image. Their labels are not unique yet.

    Args:
        name: of the object, if there is no index.
        claimed: objects with a claimed substructure, in addition to those that the index marks.
        annulus_arcsec: see `LensEntry`.
        pixel_scale_arcsec: of the image. An index has a column for it.
        companions: files that belong to the image, by the names of `FILE_COLUMNS`. An index has columns for them.

    Raises:
        FileNotFoundError, ValueError: if the index cannot be read, if it gets a pixel scale or companions, or if no
            object has a name in `claimed`. Errors in one row of the index are the `problem` of its entry instead.
    """
    index = index_at(path)
    refuse_second_scale(path, pixel_scale_arcsec)
    if index and companions:
        raise ValueError(f"{index} has columns for {', '.join(companions)}: do not give other files")
    files = {"data": str(path), **(companions or {})}
    single = LensEntry(printable(name), files, pixel_scale_arcsec=pixel_scale_arcsec, indexed=False)
    entries = _entries(index) if index else [single]
    known = sorted({entry.object for entry in entries})
    for claim in claimed:
        if claim not in known:
            raise ValueError(f"{path}: no lens has the claimed name '{claim}'. {nearest(claim, known)}")
    return [
        replace(entry, claimed=entry.claimed or entry.object in claimed, annulus_arcsec=annulus_arcsec)
        for entry in entries
    ]


def image_entries(path: str | Path, reading: Reading) -> list[LensEntry]:
    """An entry for each image of a file or a folder without an index, named by its reference.

    Raises:
        FileNotFoundError, ValueError: see `image_files.read`.
    """
    companions = {kind: str(file) for kind, file in reading.companions.items() if file is not None}
    return [
        LensEntry(
            printable(own_name(Path(label))),
            {"data": label, **companions},
            pixel_scale_arcsec=reading.pixel_scale_arcsec,
            indexed=False,
            reading=reading,
        )
        for stack in image_files.read(path, reading)
        for label in stack.labels or [stack.label]
    ]


def own_name(path: Path) -> str:
    """The name of an image or index: that of its file, or of its folder if all such files are named alike."""
    file = Reference.parse(path).path
    name = file.resolve().name if file.is_dir() else file.stem
    return (file.resolve().parent.name if name in COMMON_NAMES else name) + part_of(path)


def part_of(path: Path) -> str:
    """The part of its file that a reference names: `#SCI[2]`."""
    reference = Reference.parse(path)
    return str(reference).removeprefix(str(reference.path))


def refuse_second_scale(path: Path, pixel_scale_arcsec: float | None) -> None:
    """Refuse a pixel scale for an index.

    Raises:
        ValueError: if there is an index and a pixel scale.
    """
    if (index := index_at(path)) and pixel_scale_arcsec is not None:
        raise ValueError(f"{index} has a column of pixel scales: do not give another one ({pixel_scale_arcsec:g})")


def input_files(path: Path) -> list[Path]:
    """The index or the image at a path, and the existing files that belong to it.

    Raises:
        ValueError: if the index exists and cannot be read.
    """
    index = index_at(path)
    if index is None:
        return _image_files(path)
    try:
        rows = read_table(index, REQUIRED_COLUMNS, COLUMNS).rows
        named = [Reference.parse(reference).path for row in rows for reference in _paths(index, row).values()]
    except FileNotFoundError:  # another job may make it
        named = []
    beside = [file.with_name(INFO_FILE) for file in named]
    return [index, *dict.fromkeys(file for file in (*named, *beside) if os.path.isfile(file))]


def _image_files(path: Path) -> list[Path]:
    """The image at a path, and the files next to it that belong to it."""
    path = Reference.parse(path).path
    try:
        image = neighbours.images_of(path)[0] if path.is_dir() else path
        belonging, _ = neighbours.companions_of(image)
    except (OSError, ValueError):  # the job that reads the image reports the error
        return [path / neighbours.DATA_FILE if path.is_dir() else path]
    info = image.with_name(INFO_FILE)
    return [image, *(file for files in belonging.values() for file in files), *([info] if info.is_file() else [])]


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


def labelled_lens(slug: str, path: str | Path, name: str, **reading: Any) -> LensEntry:
    """The lens with a slug among those at a path; for `reading` see `read_lenses`."""
    entries = with_unique_labels(read_lenses(Path(path), name, **reading))
    return next(entry for entry in entries if entry.slug == slug)


def index_at(path: Path) -> Path | None:
    """The index at a path: the file itself or the index of a folder; None if there is none."""
    if path.suffix.lower() in INDEX_SUFFIXES:
        return path
    return path / INDEX_NAME if (path / INDEX_NAME).is_file() else None


def _entries(index: Path) -> list[LensEntry]:
    table = read_table(index, REQUIRED_COLUMNS, COLUMNS)
    if table.reading:
        say(f"{printable(str(index))}: {table.reading}")
    return [_entry(index, row) for row in table.rows]


def _paths(index: Path, row: Row) -> dict[str, str]:
    return {kind: str(index.parent / row.values[kind]) for kind in FILE_COLUMNS if row.values.get(kind)}


def _entry(index: Path, row: Row) -> LensEntry:
    """The entry of one row of an index."""
    values, paths = row.values, _paths(index, row)
    name = " ".join("".join(c if c.isprintable() else " " for c in values["name"]).split())
    problems = [row.problem] if row.problem else list(_problems(name, values, paths))
    problems += [row.doubt] if row.doubt and problems else []
    return LensEntry(
        object=name or f"line {row.line}",
        paths=paths,
        band="".join(c for c in values.get("band", "") if c.isprintable()),
        pixel_scale_arcsec=_scale(values["pixel_scale_arcsec"]),
        claimed=any(values.get(column, "").lower() not in NO_CLAIM for column in CLAIM_COLUMNS),
        redshifts=_redshifts(values),
        problem=f"{index}, line {row.line}: {'; '.join(problems)}" if problems else "",
    )


def _problems(name: str, values: Mapping[str, str], paths: Mapping[str, str]) -> Iterator[str]:
    """All that is wrong with a row."""
    if not name:
        yield "'name' is empty"
    written = values["pixel_scale_arcsec"]
    if _scale(written) is None:
        point = written.replace(",", ".")
        decimal = f": write a decimal point, {point}" if point != written and _scale(point) else ""
        yield (
            f"pixel_scale_arcsec is '{written[:40]}': it must be a number above 0 and below {MAX_PIXEL_SCALE_ARCSEC} "
            f"arcsec{decimal}"
        )
    redshifts = {column: values[column] for column in REDSHIFT_COLUMNS if values.get(column)}
    if redshifts and _redshifts(values) is None:
        given = " and ".join(f"{column} is '{value[:40]}'" for column, value in redshifts.items())
        yield f"{given}: both redshifts are needed, and 0 < z_lens < z_source"
    if "data" not in paths:
        yield "'data' is empty"
    # `isfile` is also false for names that no file can have.
    missing = [
        f"{kind} {values[kind]}" for kind, path in paths.items() if not os.path.isfile(Reference.parse(path).path)
    ]
    if missing:
        yield f"there is no file: {', '.join(missing)} (relative to the index)"


def _scale(text: str) -> float | None:
    try:
        scale = float(text)
    except ValueError:
        return None
    return scale if 0 < scale < MAX_PIXEL_SCALE_ARCSEC and "_" not in text else None


def _redshifts(values: Mapping[str, str]) -> tuple[float, float] | None:
    """The redshifts of a row; None if it has none, or impossible ones."""
    try:
        lens, source = (float(values.get(column) or "nan") for column in REDSHIFT_COLUMNS)
    except ValueError:
        return None
    return (lens, source) if 0 < lens < source < np.inf else None
