"""Lists of images of large files, kept on disk: 100,000 data sets take a minute to look into, and their list a second.

A list counts only if the file is the same (its place, size, inode and times), is read in the same way, and the code has
the same meaning. A list that is damaged, or cannot be written, is made anew each time.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from oddlens.files.artefacts import atomic_write
from oddlens.observations.reading import listing
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.reading.listing import ListedImages
from oddlens.observations.reading.references import Reference
from oddlens.provenance.fingerprint import fingerprint

FOLDER = Path(".snakemake/oddlens/lists")
"""Where the workflow keeps lists. It belongs to Snakemake's own folder, which `make clean` deletes."""
MIN_IMAGES = 1000
"""Shorter lists are not kept."""
SETTLED_S = 2.0
"""A file that changed less than this ago may change again without another time, so its list is not kept."""


def list_images(reference: str | Path | Reference, reading: Reading, folder: Path | None) -> list[ListedImages]:
    """As `listing.list_images`; a long list is kept in a folder, if there is one.

    Raises:
        FileNotFoundError, ValueError: as `listing.list_images`.
    """
    chosen = Reference.parse(reference).whole
    if folder is None or not chosen.path.is_file():
        return list(listing.list_images(chosen, reading))
    about = repr((os.path.realpath(chosen.path), chosen.unit, reading))
    place = folder / f"{hashlib.sha256(about.encode('utf-8', 'surrogateescape')).hexdigest()[:20]}.json"
    state, settled = _state(chosen.path)
    if (known := _read(place, state, chosen)) is not None:
        return known
    images = list(listing.list_images(chosen, reading))
    if (
        len(images) >= MIN_IMAGES
        and not any(one.note for one in images)
        and settled
        and _state(chosen.path)[0] == state
    ):
        with suppress(OSError, ValueError):
            _write(place, state, images)
    return images


def _state(path: Path) -> tuple[str, bool]:
    """What changes with a file or with the code that reads it, and whether the file has not changed for a while."""
    about = path.stat()
    code = fingerprint("oddlens.observations.reading.listing", "oddlens.observations.reading.kept_lists")
    state = f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino} {code}"
    return state, time.time() - max(about.st_mtime, about.st_ctime) > SETTLED_S


def _write(place: Path, state: str, images: Sequence[ListedImages]) -> None:
    """Two lines: the state with a checksum, and the list. Tables of FITS files are not kept."""
    rows = ((i.reference.unit, i.count, i.object, i.band, i.label, i.pixel_scale_arcsec) for i in images)
    text = json.dumps(list(zip(*rows, strict=True)))
    with atomic_write(place) as temporary:
        temporary.write_text(f"{state} {_checksum(text)}\n{text}", encoding="ascii")


def _read(place: Path, state: str, chosen: Reference) -> list[ListedImages] | None:
    """A list that was kept for this state; None if there is none."""
    try:
        first, _, text = place.read_text(encoding="ascii").partition("\n")
    except (OSError, ValueError):
        return None
    if first != f"{state} {_checksum(text)}":
        return None
    units, *columns = json.loads(text)
    references = (replace(chosen, unit=unit) for unit in units)
    return [ListedImages(*row) for row in zip(references, *columns, strict=True)]


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()
