"""Simulate one shard: the images of a class in a pool. PyAutoLens renders the first image again, as a check."""

import importlib.metadata
import json

import numpy as np

from oddlens.data import shards
from oddlens.files.progress import Progress, say
from oddlens.lensing import camera as cameras
from oddlens.lensing import psf_files, reference, render
from oddlens.lensing.scene import Columns
from oddlens.lensing.simulated_images import simulate_images
from oddlens.lensing.simulation import Simulation

POOLS_WITH_NOISE_FREE_IMAGES = ("validation", "test")
"""Pools that also keep the images without noise, for upper bounds and anomaly maps. No detector is trained on them."""
MAX_BATCH_IMAGES, MAX_BATCH_PIXELS = 256, 2**22
"""The largest number of images and of pixels rendered per call. They set the memory and how often progress is logged;
the speed does not depend on them."""
PACKAGES = ("numpy", "scipy", "astropy", "autolens", "jax")
"""Packages whose versions a shard records."""


def simulate(
    simulation: Simulation,
    *,
    seed: int,
    dataset: str,
    pool: str,
    cls: str,
    first: int,
    count: int,
    variant: shards.VariantClass | None = None,
) -> shards.Shard:
    """Images first ... first + count - 1 of a class in a pool, each a function of (seed, dataset, pool, cls, index).

    Args:
        cls: the class whose substructure the images have.
        variant: the class that they are, if it is another one.

    Raises:
        ArithmeticError: the first image disagrees with PyAutoLens, or an image has pixels that are not finite.
        ValueError: the priors give a scene that is impossible, or too bright for the camera.
    """
    indices, rendered = np.arange(first, first + count), render.renderer(simulation.camera, cls)
    checked: dict[str, float] = {}
    arrays: Columns = {}
    size = max(1, min(MAX_BATCH_IMAGES, MAX_BATCH_PIXELS // simulation.camera.pixels**2))
    progress = Progress(count)
    for start in range(0, count, size):
        batch = indices[start : start + size]
        # A short last batch is filled up with copies of its last image, so that one compiled function serves all.
        filled = np.pad(batch, (0, size - len(batch)), mode="edge")
        simulated = simulate_images(simulation, rendered, seed, dataset, pool, cls, filled)
        if not checked:
            worst = reference.disagreement(simulation.camera, cls, simulated.scenes, 0, simulated.rendered["image"][0])
            checked = {"pyautolens_disagreement_sigma": worst}
            say(f"{dataset} {pool} {cls}: agrees with PyAutoLens within {worst:.3g} sigma of the noise")
        parts = simulated.arrays(batch)
        if pool in POOLS_WITH_NOISE_FREE_IMAGES:
            parts |= simulated.noise_free_arrays(len(batch))
        for name, part in parts.items():
            array = arrays.setdefault(name, np.empty((count, *part.shape[1:]), part.dtype))
            array[start : start + len(batch)] = part
        progress.advance(len(batch))
        say(f"{dataset} {pool} {cls}: {progress.done}/{progress.total} images, {progress}")
    if len(kernels := cameras.psf_kernels(simulation.camera, simulated.scenes.lens)) == 1:
        arrays["psf"] = kernels[0]
    attributes: dict[str, str | int | float] = {
        "dataset": dataset,
        "pool": pool,
        "class": cls,
        **(variant.attributes if variant else {}),
        "seed": seed,
        "pixel_scale_arcsec": simulation.camera.pixel_scale_arcsec,
        "simulation": json.dumps(simulation.plain(), sort_keys=True),
        "versions": json.dumps({p: importlib.metadata.version(p) for p in PACKAGES}),
        **({"psf_sha256": psf_files.digest(simulation.camera.psf.file)} if simulation.camera.psf.file else {}),
        **checked,
    }
    return shards.Shard(arrays, attributes)
