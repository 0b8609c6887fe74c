"""The images of a sample: read from their files, fitted to the data set, with the facts of their containers."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.config.files_dataset import Files
from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.reading import bulk
from oddlens.observations.reading.bulk import BulkImage
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.reading.references import Reference
from oddlens.observations.sample.columns import COMPANIONS
from oddlens.observations.sample.fitting import fitted, normalised


@dataclass(frozen=True)
class SampleImage:
    """One image of a sample, [pixels, pixels] in its own unit; or the problem with it."""

    file: str
    pixels: np.ndarray | None = None
    pixel_scale_arcsec: float | None = None
    """None if it is unknown."""
    has_unit: bool = True
    """Whether its numbers may be a flux; those of pictures are not."""
    container: dict[str, Any] = field(default_factory=dict)
    """Facts of its file, which must not tell the classes apart."""
    problem: str = ""


def read_images(table: pd.DataFrame, files: Files, *, neighbours: bool) -> Iterator[SampleImage]:
    """The images of some lines of the table of a sample, in their order.

    Args:
        neighbours: whether files next to an image belong to it, as in folders without a sheet.
    """
    references: list[str | Path | Reference] = [_with_part(file, files) for file in table["file"]]
    companions = ({kind: Path(row[k]) for k, kind in enumerate(COMPANIONS) if row[k]} for row in _cells(table))
    readings = [
        Reading(channel=files.channel, companions=named, neighbours=neighbours, pictures=True) for named in companions
    ]
    images = bulk.read_images(references, readings, single=True)
    rows = (table[column] for column in ("file", "pixel_scale_arcsec", "sha256"))
    for file, scale, checksum, image in zip(*rows, images, strict=True):
        try:
            if checksum:
                _check_sum(Reference.parse(file).path, checksum)
            yield _fitted(file, image, files, scale)
        except (OSError, ValueError) as error:
            yield SampleImage(file, problem=" ".join(str(error).split()))


def _with_part(file: str, files: Files) -> Reference:
    """A reference to an image, in the part of its file that the config names unless its own row names one."""
    reference = Reference.parse(file)
    return replace(reference, unit=reference.unit or files.part or "")


def _cells(table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    return table[list(COMPANIONS)].itertuples(index=False, name=None)


def _fitted(file: str, image: BulkImage, files: Files, stated_scale: float) -> SampleImage:
    """The image of a file as one of the data set.

    Raises:
        ValueError: if that is not possible.
    """
    if image.image is None or image.container is None:
        raise ValueError(image.problem)
    scale = _scale(file, [stated_scale, files.pixel_scale_arcsec, image.pixel_scale_arcsec])
    try:
        square, factor = fitted(image.image, files.pixels, files.fit)
        if not np.isfinite(square).all():
            raise ValueError(f"{np.sum(~np.isfinite(square))} of its pixels are masked or not finite")
        pixels = normalised(square, files.normalise).astype(np.float32)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return SampleImage(file, pixels, scale and scale * factor, image.has_unit, asdict(image.container))


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
