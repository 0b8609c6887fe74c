"""A folder of images, whose folders say their roles and labels; or one file with many images.

train/good, test/cdm      roles, then labels: as MVTec AD, anomalib and `make export` have them
no_sub, cdm               labels: as torchvision's ImageFolder and DeepLense have them
a.fits, b.fits            neither
lens_1/data.fits          folders with the image of one object, as PyAutoLens has them, at any of these places

An NPY, NPZ or HDF5 file with several images stands for all of them. What such a file says of the label, the object and
the band of an image counts.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pandas as pd

from oddlens.files.names import printable
from oddlens.observations.reading import kept_lists, neighbours
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.sample.columns import KNOWN, TEXT, role_of

IMAGE_SUFFIXES = (*neighbours.SUFFIXES, ".npz", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Endings of the files that are taken for images, unless they belong to one."""
CONTAINER_SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
"""Endings of files that may have several images."""
MAX_OPENED = 500
"""If a folder has more such files, each is taken for one image: to look into all of them would take too long."""
GROUND_TRUTH = "ground_truth"
"""MVTec AD's folder of pictures that mark where an image is anomalous: they are neither images nor masks."""
MAX_NAMED = 3
"""Files that a note names."""
SHEETS = ("samples.csv", "samples.tsv", "metadata.csv", "index.csv")
"""The names of a sheet that is used instead of the folder in which it lies."""


def sheet_in(folder: Path) -> Path | None:
    """The sheet of a folder; None if it has none."""
    return next((folder / name for name in SHEETS if (folder / name).is_file()), None)


def read_folder(folder: Path, reading: Reading, lists: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The images of a folder or a file, with the columns of a sheet; `line` is their number, by their names.

    Args:
        lists: a folder in which the lists of images of large files are kept.

    Raises:
        FileNotFoundError, ValueError: if there is none.
    """
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    unused: Counter[str] = Counter()
    masks: list[str] = []
    files = list(_rows(folder, unused, masks)) if folder.is_dir() else [{"file": str(folder), "object": ""}]
    notes: dict[str, None] = {}
    alone = not folder.is_dir()
    opened = Counter(os.path.dirname(of_file["file"]) for of_file in files if _may_hold_several(of_file["file"]))
    entries = [
        entry
        for of_file in files
        for entry in (
            _inside(of_file, reading, lists, notes)
            if alone or (_may_hold_several(of_file["file"]) and opened[os.path.dirname(of_file["file"])] <= MAX_OPENED)
            else [of_file]
        )
    ]
    if not entries:
        found = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in unused.most_common(5))
        raise ValueError(f"{folder} has no images ({' '.join(IMAGE_SUFFIXES)}). It has: {found or 'nothing'}")
    table = (
        pd.DataFrame(entries, columns=TEXT)
        .fillna("")
        .assign(line=range(1, len(entries) + 1))
        .reindex(columns=["line", *KNOWN])
    )
    numbers = [name for name in KNOWN if name not in TEXT]
    table[numbers] = table[numbers].astype(float)
    remarks = [*notes, *(f"not used as images: {count} files {suffix}" for suffix, count in unused.most_common())]
    return table, [*remarks, *([_masks_note(masks)] if masks else [])]


def _may_hold_several(file: str) -> bool:
    return file.lower().endswith(CONTAINER_SUFFIXES)


def _inside(
    of_file: dict[str, str], reading: Reading, lists: Path | None, notes: dict[str, None]
) -> Iterator[dict[str, str]]:
    """A row for each image in a file; the row of the file itself if it has one image or cannot be read."""
    try:
        listed = kept_lists.list_images(of_file["file"], reading, lists)
    except (OSError, ValueError):  # rule `ingest` reports it
        listed = []
    if sum(images.count for images in listed) < 2:
        yield of_file
        return
    for images in listed:
        notes |= dict.fromkeys(filter(None, [images.note]))
        for k, reference in enumerate(images.each()):
            known = images.objects[k] if images.objects else images.object
            name = known or str(reference).removeprefix(of_file["file"])
            own = {"file": str(reference), "object": printable(f"{of_file['object']} {name}".strip())}
            yield {**of_file, **own, "band": images.band, "label": of_file.get("label") or images.label}


def _masks_note(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return (
        f"not used: {', '.join(names[:MAX_NAMED])}{more}, as 0 may mean a good or a bad pixel in them: to mask "
        "pixels, save FITS or NPY files with 1 for bad ones"
    )


def _rows(folder: Path, unused: Counter, masks: list[str], above: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """The rows of the images of a folder and those below it, in the order of their names.

    Args:
        unused: counts files that are no images.
        masks: gets the names of pictures and archives that belong to images, which are not used.
        above: the names of the folders from the first one to this.
    """
    with os.scandir(folder) as found:
        inside = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    if any(entry.name == neighbours.DATA_FILE for entry in inside):
        object_name = os.path.join(*above) if above else neighbours.DATA_FILE
        yield _row(os.path.join(folder, neighbours.DATA_FILE), above[:-1], object_name)
        return
    for entry in inside:
        if not entry.is_file():
            continue
        suffix = os.path.splitext(entry.name)[1]
        if not entry.name.lower().endswith(IMAGE_SUFFIXES):
            unused[suffix] += 1
        elif _is_companion(re.sub(r"\d", "0", entry.name)):
            if entry.name.lower().endswith(neighbours.SUFFIXES):
                unused[f"that belong to images ({suffix})"] += 1
            else:
                masks.append(os.path.join(*above, entry.name))
        else:
            yield _row(entry.path, above, os.path.join(*above, entry.name))
    for entry in inside:
        if not above and entry.name == GROUND_TRUTH and entry.is_dir():
            unused[f"in {GROUND_TRUTH}, which mark anomalies and not bad pixels"] += sum(
                len(names) for _, _, names in os.walk(entry.path)
            )
        elif entry.is_dir() and not _is_loop(folder, entry):
            yield from _rows(Path(entry.path), unused, masks, (*above, entry.name))


@cache
def _is_companion(name: str) -> bool:
    """Whether files of a name, in which every digit is a zero, belong to images."""
    return neighbours.is_companion(Path(name))


def _is_loop(folder: Path, entry: os.DirEntry) -> bool:
    """Whether an entry is a link to the folder that it is in, or to one above."""
    return entry.is_symlink() and Path(entry.path).resolve() in (folder.resolve(), *folder.resolve().parents)


def _row(file: str, above: tuple[str, ...], name: str) -> dict[str, str]:
    """The row of an image, by the folders in which it lies."""
    role = role_of(above[0]) if above else None
    labels = above[1:] if role else above
    return {"file": file, "role": role or "", "label": labels[0] if labels else "", "object": printable(name)}
