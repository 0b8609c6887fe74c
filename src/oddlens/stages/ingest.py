"""Write one shard of the user's own images: files to a shard as simulated images have it, without a truth."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.config.files_dataset import Files
from oddlens.data import shards
from oddlens.files.progress import Progress, say
from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.sample.columns import CAMERA, KNOWN
from oddlens.observations.sample.images import SampleImage, read_images
from oddlens.observations.sample.mistakes import Mistakes
from oddlens.observations.sample.sample import Sample

SHEET_COLUMNS = ("file", "object", "band", "label")
"""Columns of text that every shard has."""
CONTAINER = {"bytes": 0.0, "modified": 0.0, "height": 0.0, "width": 0.0, "cards": 0.0, "nan_fraction": 0.0}
"""Facts of a file that are numbers."""
CONTAINER_TEXT = ("suffix", "dtype", "header")
"""Facts of a file that are text."""
REPORT_EVERY = 1000
"""Images between two lines of the log."""


def ingest(
    path: str | Path,
    sample: Sample,
    *,
    files: Files,
    camera: Mapping[str, float],
    dataset: str,
    pool: str,
    cls: str,
    shard: int,
    seed: int,
) -> None:
    """Write one shard.

    Args:
        camera: what is known of the camera, for images whose rows do not say it: `columns.CAMERA`.

    Raises:
        ValueError: with all images that cannot be used, if they are not to be skipped; if the pixel scales differ.
    """
    rows = sample.shard(pool, cls, shard)
    images, problems, mistakes = list[SampleImage](), dict[str, str](), Mistakes()
    progress = Progress(len(rows))
    for image in read_images(rows, files, neighbours=sample.sheet is None):
        progress.advance(1)
        if image.problem:
            problems[image.file] = image.problem
            mistakes.add(image.problem)
        images.append(image)
        if progress.done % REPORT_EVERY == 0:
            say(f"{dataset} {pool} {cls}: {progress.done}/{progress.total} images, {progress}")
    if files.bad == "refuse":
        mistakes.raise_all()
    for problem in problems.values():
        say(f"left out: {problem}")
    usable = [k for k, image in enumerate(images) if not image.problem]
    if not usable:
        raise ValueError(f"{dataset} {pool} {cls}: none of {len(rows)} images can be used. The first: {problem}")
    kept, rows = [images[k] for k in usable], rows.iloc[usable]
    attributes: dict[str, str | int | float] = {
        "dataset": dataset,
        "pool": pool,
        "class": cls,
        "seed": seed,
        "pixel_scale_arcsec": _common_scale(kept),
        "units": shards.UNITS if all(image.has_unit for image in kept) else "of pictures, none",
        "files": json.dumps(files.plain(), sort_keys=True),
        "skipped": json.dumps(problems),
    }
    shards.write(path, shards.Shard(_arrays(rows, kept, camera), attributes))
    say(f"{dataset} {pool} {cls}: {len(kept)} images, {len(problems)} left out")


def _common_scale(images: list[SampleImage]) -> float:
    """The pixel scale of images, arcsec; NaN if it is unknown.

    Raises:
        ValueError: if they have several.
    """
    scales = {image.pixel_scale_arcsec: image.file for image in images if image.pixel_scale_arcsec is not None}
    if not scales:
        return float("nan")
    low, high = min(scales), max(scales)
    if high > (1 + SCALE_TOLERANCE) * low:
        raise ValueError(
            f"{scales[low]} has pixels of {low:g} arcsec, {scales[high]} of {high:g}: a data set has one pixel scale, "
            "use a data set for each"
        )
    return low


def _arrays(rows: pd.DataFrame, images: list[SampleImage], camera: Mapping[str, float]) -> dict[str, np.ndarray]:
    """The arrays of a shard; see `oddlens.data.shards`."""
    others = [column for column in rows if column not in (*KNOWN, "pool", "class", "index", "line", "lens")]
    numbers = [column for column in others if pd.api.types.is_numeric_dtype(rows[column])]
    text = [*SHEET_COLUMNS, *(column for column in others if column not in numbers)]
    known = {name: rows[name].fillna(camera[name]) for name in CAMERA}
    return {
        "images": np.stack([image.pixels for image in images if image.pixels is not None]).astype(np.float32),
        "index": rows["index"].to_numpy(np.int64),
        "truth/lens": rows["lens"].to_numpy(np.float64),
        **{f"truth/{name}": column.to_numpy(np.float64) for name, column in known.items()},
        **{f"truth/{name}": rows[name].to_numpy(np.float64) for name in numbers},
        **{f"sheet/{name}": _bytes(rows[name]) for name in text},
        **{
            f"container/{name}": np.array([image.container.get(name, default) for image in images], np.float64)
            for name, default in CONTAINER.items()
        },
        **{f"container/{name}": _bytes([image.container.get(name, "") for image in images]) for name in CONTAINER_TEXT},
    }


def _bytes(texts: pd.Series | list[str]) -> np.ndarray:
    """Text as UTF-8 of fixed length, as HDF5 stores it."""
    return np.array([str(text).encode("utf-8", "backslashreplace") for text in texts], np.bytes_)
