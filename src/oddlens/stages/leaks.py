"""Look for leaks in a data set of the user's own images: in its shards, before anything is trained on them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from oddlens.data import shards
from oddlens.data.pools import POOLS
from oddlens.data.severity import NONE, WARNING
from oddlens.files.artefacts import write_table
from oddlens.files.progress import say
from oddlens.observations.camera_estimate import estimate_camera
from oddlens.observations.image_scaling import common_extreme, grey_step
from oddlens.observations.photon_transfer import block_factor
from oddlens.results.tables.leaks import findings_table
from oddlens.statistics.duplicate_checks import duplicate_findings
from oddlens.statistics.duplicates import BLOCKS, digests
from oddlens.statistics.image_statistics import image_statistics
from oddlens.statistics.leak_findings import Finding, PoolImages
from oddlens.statistics.separation_checks import separation_findings

CHUNK = 1000
"""Images that are in memory at once."""
CAMERA_IMAGES = 500
"""Training images from which the correlation of the noise is measured."""


def leaks(
    path: str | Path, shard_paths: Sequence[str | Path], *, dataset: str, smooth: str, nuisance: Sequence[str]
) -> None:
    """Write the table of the leaks of a data set.

    Args:
        shard_paths: all shards of the data set.
        smooth: the normal class.
        nuisance: columns of the sheet that must not tell the classes apart.

    Raises:
        ValueError: if there is no such column.
    """
    with TemporaryDirectory(dir=Path(path).parent) as scratch:
        pools = _read(shard_paths, Path(scratch))
        _check_nuisance(pools, nuisance)
        findings = [
            *duplicate_findings(pools, smooth, _noise_factor(pools["train"].images)),
            *separation_findings(pools, smooth, nuisance),
            *_scalings(pools),
        ]
    for finding in findings:
        if finding.severity != NONE:
            say(f"{dataset}: {finding.severity}: {finding.check}, {finding.compared}: {finding.example}")
    write_table(path, findings_table(dataset, findings), kind="leaks", dataset=dataset)


def _read(paths: Sequence[str | Path], scratch: Path) -> dict[str, PoolImages]:
    """The pools of a data set, with the pixels on the disk."""
    by_pool: dict[str, list[str | Path]] = {}
    for path in paths:
        by_pool.setdefault(Path(path).parts[-3], []).append(path)
    pools = {}
    for name in POOLS:
        if name in by_pool:
            folder = scratch / name
            folder.mkdir()
            pools[name] = _pool_images(shards.read_all(by_pool[name], folder, container=True))
    return pools


def _pool_images(pool: shards.Pool) -> PoolImages:
    parts = [pool.images[start : start + CHUNK] for start in range(0, len(pool.images), CHUNK)]
    return PoolImages(
        pool.table,
        pool.images,
        np.concatenate([digests(part) for part in parts]),
        pd.concat([pd.DataFrame(image_statistics(p)) for p in parts], ignore_index=True).add_prefix("pixels/"),
    )


def _check_nuisance(pools: Mapping[str, PoolImages], nuisance: Sequence[str]) -> None:
    columns = [str(name) for name in pools["train"].table if not str(name).startswith("container/")]
    missing = [name for name in nuisance if name not in columns]
    if missing:
        raise ValueError(
            f"files.nuisance: there is no column {missing[0]!r} in the sheet. Columns: {', '.join(columns)}"
        )


def _noise_factor(images: np.ndarray) -> float:
    """The variance of noise in blocks, in units of that in differences of pixels, as the training images have it."""
    camera = estimate_camera(images[:: -(-len(images) // CAMERA_IMAGES)])
    if not camera.correction > 1:
        return 1.0
    return block_factor(camera.lag1_correlation, images.shape[1] / min(BLOCKS, images.shape[1]))


def _scalings(pools: Mapping[str, PoolImages]) -> Iterator[Finding]:
    """Whether the images of a pool were scaled one by one, or have grey steps that are coarser than their noise."""
    for name, pool in pools.items():
        for extreme, word in ((np.fmax, "brightest"), (np.fmin, "faintest")):
            value = common_extreme(pool.images, extreme)
            example = "" if value is None else f"the {word} pixel of most images is {value:.4g}"
            remedy = "their brightness, gain and noise are lost: take images from before they were scaled one by one"
            yield _scaling(f"equal {word} pixels", name, example, remedy)
        step, noise = grey_step(pool.images), float(np.median(pool.statistics["pixels/border_scatter"]))
        example = f"steps of {step:.3g}, noise of {noise:.3g}" if step > noise else ""
        yield _scaling("grey steps", name, example, "the noise is lost: take images with more bits")


def _scaling(check: str, compared: str, example: str, remedy: str) -> Finding:
    if not example:
        return Finding("scaling", check, compared)
    return Finding("scaling", check, compared, WARNING, example=example, remedy=remedy)
