"""Simulate the images of one shard: draw, render, expose, and hold the first one against PyAutoLens."""

import importlib.metadata
import json
from dataclasses import dataclass

import numpy as np

from oddlens.data import shards
from oddlens.files.progress import Progress, say
from oddlens.lensing import camera as cameras
from oddlens.lensing import reference, render, scene
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Simulation

NOISE_FREE = ("validation", "test")
"""The pools whose images are kept without noise too, for ceilings and anomaly maps; nothing learns from them."""
BATCH, BATCH_PIXELS = 256, 2**22
"""Most images, and most pixels, rendered per call: the speed does not depend on it, memory and progress lines do."""


@dataclass(frozen=True)
class Pictures:
    """A batch of n images with what they were made of."""

    scenes: Scenes
    rendered: Columns  # see `render.renderer`
    images: np.ndarray  # float32 [n, pixels, pixels], as observed, sky-subtracted
    sigma: np.ndarray  # float64 [n, pixels, pixels], the standard deviation of the noise
    camera: Columns  # what an observer knows: noise variance per unit of brightness, without any, PSF; [n] each

    @property
    def noise_free(self) -> np.ndarray:
        """What the images would be without noise, [n, pixels, pixels]."""
        return self.rendered["image"] - self.rendered.get("subtracted", 0)


def picture(
    simulation: Simulation, rendered, seed: int, dataset: str, pool: str, cls: str, indices: np.ndarray
) -> Pictures:
    """The images `indices` [n] of a class in a pool; `rendered` is the renderer of camera and class."""
    scenes = scene.draw(simulation, seed, dataset, pool, cls, indices)
    seen, q, camera = rendered(scenes), scenes.lens, simulation.camera
    zero = np.zeros_like(q["exposure_s"])
    exposure, sky, read = q["exposure_s"], cameras.sky(camera, q), q.get("read_noise_electrons", zero)
    correlation = q.get("noise_correlation_pixels", zero)
    light = seen["image"].astype(np.float64)  # [n, pixels, pixels]
    sigma = cameras.noise_sigma(light, *(column[:, None, None] for column in (exposure, sky, read)))
    dark = cameras.noise_sigma(zero, exposure, sky, read) ** 2
    known = {
        "noise_gain": 1 / exposure if camera.noise == "poisson" else zero,
        "noise_background": dark if camera.noise == "poisson" else zero,
        "psf_fwhm_pixels": q["psf_fwhm_arcsec"] / camera.pixel_scale_arcsec,
    }
    images = np.empty_like(light)
    for k, index in enumerate(indices):
        name = scene.name(dataset, pool, cls, index)
        if not np.isfinite(light[k]).all():
            drawn = ", ".join(f"{column} {values[k]:.6g}" for column, values in q.items())
            raise ArithmeticError(f"{name} has pixels that are not finite. Drawn were: {drawn}")
        try:
            images[k] = light[k]
            if camera.noise == "poisson":
                images[k] = cameras.expose(
                    light[k],
                    scene.noise_stream(seed, dataset, pool, cls, index),
                    exposure_s=exposure[k],
                    sky=sky[k],
                    read_electrons=read[k],
                    correlation_pixels=correlation[k],
                )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return Pictures(scenes, seen, (images - seen.get("subtracted", 0)).astype(np.float32), sigma, known)


def simulate(
    simulation: Simulation, *, seed: int, dataset: str, pool: str, cls: str, first: int, count: int
) -> shards.Shard:
    """Images first ... first + count - 1 of a class in a pool, each a function of (seed, dataset, pool, cls, index)."""
    indices, rendered = np.arange(first, first + count), render.renderer(simulation.camera, cls)
    checked: dict[str, float] = {}
    arrays: Columns = {}
    size, progress = max(1, min(BATCH, BATCH_PIXELS // simulation.camera.pixels**2)), Progress(count)
    for start in range(0, count, size):
        batch = indices[start : start + size]
        # A short last batch is filled up, so that one compiled function serves all.
        made = picture(
            simulation, rendered, seed, dataset, pool, cls, np.pad(batch, (0, size - len(batch)), mode="edge")
        )
        if not checked:
            worst = reference.disagreement(simulation.camera, cls, made.scenes, 0, made.rendered["image"][0])
            checked = {"pyautolens_disagreement_sigma": worst}
            say(f"{dataset} {pool} {cls}: agrees with PyAutoLens within {worst:.3g} sigma of the noise")
        for name, part in {
            **arrays_of(made, batch),
            **(noise_free(made, len(batch)) if pool in NOISE_FREE else {}),
        }.items():
            whole = arrays.setdefault(name, np.empty((count, *part.shape[1:]), part.dtype))
            whole[start : start + len(batch)] = part
        progress.advance(len(batch))
        say(f"{dataset} {pool} {cls}: {progress.done}/{progress.total} images, {progress}")
    if len(kernels := cameras.psf_kernels(simulation.camera, made.scenes.lens)) == 1:
        arrays["psf"] = kernels[0]
    packages = ("numpy", "scipy", "astropy", "autolens", "jax")
    attributes: dict[str, str | int | float] = {
        "dataset": dataset,
        "pool": pool,
        "class": cls,
        "seed": seed,
        "pixel_scale_arcsec": simulation.camera.pixel_scale_arcsec,
        "simulation": json.dumps(simulation.plain(), sort_keys=True),
        "versions": json.dumps({p: importlib.metadata.version(p) for p in packages}),
        **checked,
    }
    return shards.Shard(arrays, attributes)


def arrays_of(made: Pictures, indices: np.ndarray) -> Columns:
    """What a shard keeps of a batch, whose images after the given ones only fill it up."""
    count, scenes = len(indices), made.scenes
    truth = {
        **scenes.lens,
        **scenes.truth,
        "peak_signal_to_noise": (made.noise_free / made.sigma).max(axis=(1, 2)),
        "flux": made.noise_free.sum(axis=(1, 2), dtype=np.float64),
        **made.camera,
        "rays_per_pixel": np.mean(made.rendered["rays"].astype(np.float64) ** 2, axis=(1, 2)),
    }
    return {
        "images": made.images[:count],
        "index": indices.astype(np.int64),
        **{f"truth/{name}": np.asarray(column[:count], np.float64) for name, column in truth.items()},
        **{f"source/{name}": column[:count] for name, column in scenes.clumps.items()},
        **{f"substructure/{name}": column[:count] for name, column in scenes.substructure.items()},
    }


def noise_free(made: Pictures, count: int) -> Columns:
    """What only the simulator knows of each pixel."""
    return {"noise_free": made.noise_free[:count].astype(np.float32), "sigma": made.sigma[:count].astype(np.float32)}
