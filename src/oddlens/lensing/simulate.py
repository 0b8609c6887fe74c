"""Simulate the images of one shard: draw, render, expose."""

import importlib.metadata
import json

import numpy as np

from oddlens import shards
from oddlens.lensing import render, scene
from oddlens.lensing.camera import expose, noise_sigma
from oddlens.lensing.world import World
from oddlens.progress import Progress, say

BATCH = 256
"""Images rendered per call: the speed does not depend on it, the memory hardly, the progress lines do."""


def simulate(world: World, *, seed: int, dataset: str, pool: str, cls: str, first: int, count: int) -> shards.Shard:
    """Images first ... first + count - 1 of a class in a pool, each a function of (seed, dataset, pool, cls, index)."""
    indices = np.arange(first, first + count)
    rendered = render.renderer(world.camera, cls)
    parts, progress = [], Progress(len(indices))
    for start in range(0, len(indices), BATCH):
        batch = indices[start : start + BATCH]
        parts.append(_batch(world, rendered, seed, dataset, pool, cls, batch))
        progress.advance(len(batch))
        say(f"{dataset} {pool} {cls}: {progress.done}/{progress.total} images, {progress}")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    arrays["psf"] = render.psf_kernel(world.camera)
    packages = ("numpy", "scipy", "astropy", "autolens", "jax")
    attributes: dict[str, str | int | float] = {
        "dataset": dataset,
        "pool": pool,
        "class": cls,
        "seed": seed,
        "pixel_scale_arcsec": world.camera.pixel_scale_arcsec,
        "world": json.dumps(world.plain(), sort_keys=True),
        "versions": json.dumps({p: importlib.metadata.version(p) for p in packages}),
    }
    return shards.Shard(arrays, attributes)


def _batch(world: World, rendered, seed: int, dataset: str, pool: str, cls: str, indices: np.ndarray) -> dict:
    # A short last batch is filled up, so that one compiled function serves all.
    padded = np.pad(indices, (0, BATCH - len(indices)), mode="edge")
    scenes = scene.draw(world, seed, dataset, pool, cls, padded)
    clean = rendered(scenes).astype(np.float64)  # [BATCH, pixels, pixels]
    exposure = scenes.lens["exposure_s"][:, None, None]
    sky = scenes.lens["sky_per_arcsec2"][:, None, None] * world.camera.pixel_scale_arcsec**2
    signal_to_noise = (clean / noise_sigma(clean, exposure, sky)).max(axis=(1, 2))
    images = [
        expose(clean[k], exposure[k, 0, 0], sky[k, 0, 0], scene.noise_stream(seed, dataset, pool, cls, index))
        for k, index in enumerate(indices)
    ]
    count = len(indices)
    truth = {**scenes.lens, **scenes.truth, "peak_signal_to_noise": signal_to_noise}
    return {
        "images": np.asarray(images, dtype=np.float32),
        "index": indices.astype(np.int64),
        **{f"truth/{name}": np.asarray(column[:count], np.float64) for name, column in truth.items()},
        **{f"substructure/{name}": column[:count] for name, column in scenes.substructure.items()},
    }
