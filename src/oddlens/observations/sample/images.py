"""The images of a sample: read from their files, fitted to the data set, with the facts of their containers."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.config.files_dataset import Files
from oddlens.observations.reading import image_files
from oddlens.observations.reading.array_files import DEFAULT_DATASET
from oddlens.observations.reading.image_files import Reading
from oddlens.observations.reading.references import Reference
from oddlens.observations.sample.columns import COMPANIONS
from oddlens.observations.sample.fitting import fitted, normalised

SCALE_TOLERANCE = 0.01
"""A stated pixel scale may differ from that of a file by this fraction."""


@dataclass(frozen=True)
class SampleImage:
    """One image of a sample, [pixels, pixels] in its own unit; or the problem with it."""

    file: str
    pixels: np.ndarray | None = None
    pixel_scale_arcsec: float | None = None
    """None if it is unknown."""
    container: dict[str, Any] = field(default_factory=dict)
    """Facts of its file, which must not tell the classes apart."""
    problem: str = ""


def read_images(table: pd.DataFrame, files: Files, *, neighbours: bool) -> Iterator[SampleImage]:
    """The images of some lines of the table of a sample, in their order.

    Args:
        neighbours: whether files next to an image belong to it, as in folders without a sheet.
    """
    for row in table.to_dict("records"):
        try:
            yield _read({str(column): value for column, value in row.items()}, files, neighbours)
        except (OSError, ValueError) as error:
            yield SampleImage(row["file"], problem=" ".join(str(error).split()))


def _read(row: dict[str, Any], files: Files, neighbours: bool) -> SampleImage:
    file, path = row["file"], Reference.parse(row["file"]).path
    if row["sha256"]:
        _check_sum(path, row["sha256"])
    companions = {kind: Path(row[kind]) for kind in COMPANIONS if row[kind]}
    reading = Reading(
        dataset=files.part or DEFAULT_DATASET, channel=files.channel, companions=companions, neighbours=neighbours
    )
    stack = image_files.read_single(file, reading)
    image = stack.images[0].astype(np.float64)
    scale = _scale(file, [row["pixel_scale_arcsec"], files.pixel_scale_arcsec, stack.pixel_scale_arcsec])
    container = {"height": image.shape[0], "width": image.shape[1], "nan_fraction": float(np.isnan(image).mean())}
    try:
        square, factor = fitted(image, files.pixels, files.fit)
        if not np.isfinite(square).all():
            raise ValueError(f"{np.sum(~np.isfinite(square))} of its pixels are not finite")
        pixels = normalised(square, files.normalise).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    about = path.stat()
    container |= {"bytes": about.st_size, "modified": about.st_mtime, "suffix": path.suffix.lower()}
    container |= {"dtype": str(stack.images.dtype), "cards": 0, "header": ""}
    return SampleImage(file, pixels, scale and scale * factor, container)


def _scale(file: str, stated: list[float | None]) -> float | None:
    """The pixel scale of a file, which its row, the config and the file itself may state; None if none does.

    Raises:
        ValueError: if they disagree.
    """
    known = [scale for scale in stated if scale is not None and not np.isnan(scale)]
    if known and max(known) > (1 + SCALE_TOLERANCE) * min(known):
        raise ValueError(
            f"{file}: its pixel scale is {' and '.join(f'{scale:g}' for scale in known)} arcsec by sheet, config and "
            "file: correct what is wrong"
        )
    return known[0] if known else None


def _check_sum(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise ValueError(f"{path} has SHA-256 {found[:12]}..., not {expected[:12]}... as in the sheet: get it again")
