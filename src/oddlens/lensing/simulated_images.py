"""Simulated images: scenes, their noise-free images, and noise from the random stream of each image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from oddlens.lensing import camera as cameras
from oddlens.lensing import scene
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Simulation


@dataclass(frozen=True)
class SimulatedImages:
    """A batch of n images with the scenes that they show.

    Attributes:
        rendered: the arrays of `render.renderer`.
        images: as observed, sky-subtracted, float32 [n, pixels, pixels], electrons / s / pixel.
        sigma: standard deviation of the noise, float64 [n, pixels, pixels], electrons / s / pixel.
        camera: what an observer knows of the camera, [n] each: the noise variance per unit of brightness, the noise
            variance without light, and the width of the PSF.
    """

    scenes: Scenes
    rendered: Columns
    images: np.ndarray
    sigma: np.ndarray
    camera: Columns

    @property
    def noise_free(self) -> np.ndarray:
        """The images without noise, [n, pixels, pixels]."""
        return self.rendered["image"] - self.rendered.get("subtracted", 0)

    def arrays(self, indices: np.ndarray) -> Columns:
        """The arrays that a shard keeps of the first images, whose `indices` in their pool are given."""
        count, scenes = len(indices), self.scenes
        truth = {
            **scenes.lens,
            **scenes.truth,
            "peak_signal_to_noise": (self.noise_free / self.sigma).max(axis=(1, 2)),
            "flux": self.noise_free.sum(axis=(1, 2), dtype=np.float64),
            **self.camera,
            "rays_per_pixel": np.mean(self.rendered["rays"].astype(np.float64) ** 2, axis=(1, 2)),
        }
        return {
            "images": self.images[:count],
            "index": indices.astype(np.int64),
            **{f"truth/{name}": np.asarray(column[:count], np.float64) for name, column in truth.items()},
            **{f"source/{name}": column[:count] for name, column in scenes.clumps.items()},
            **{f"substructure/{name}": column[:count] for name, column in scenes.substructure.items()},
        }

    def noise_free_arrays(self, count: int) -> Columns:
        """What only the simulation knows of the pixels of the first images: their expectation and noise, float32."""
        return {
            "noise_free": self.noise_free[:count].astype(np.float32),
            "sigma": self.sigma[:count].astype(np.float32),
        }


def simulate_images(
    simulation: Simulation,
    render: Callable[[Scenes], Columns],
    seed: int,
    dataset: str,
    pool: str,
    cls: str,
    indices: np.ndarray,
) -> SimulatedImages:
    """The images `indices` [n] of a class in a pool, each a function of (seed, dataset, pool, cls, index).

    Args:
        render: the renderer of camera and class (`render.renderer`).

    Raises:
        ArithmeticError: an image has pixels that are not finite.
        ValueError: a pixel collects more electrons than an image can hold, or the scene is impossible.
    """
    scenes = scene.draw_scenes(simulation, seed, dataset, pool, cls, indices)
    rendered, q, camera = render(scenes), scenes.lens, simulation.camera
    zero = np.zeros_like(q["exposure_s"])
    exposure, sky, read = q["exposure_s"], cameras.sky(camera, q), q.get("read_noise_electrons", zero)
    correlation = q.get("noise_correlation_pixels", zero)
    light = rendered["image"].astype(np.float64)  # [n, pixels, pixels]
    sigma = cameras.noise_sigma(light, *(column[:, None, None] for column in (exposure, sky, read)))
    dark_variance = cameras.dark_sigma(camera, q) ** 2
    known = {
        "noise_gain": 1 / exposure if camera.noise == "poisson" else zero,
        "noise_background": dark_variance if camera.noise == "poisson" else zero,
        "psf_fwhm_pixels": cameras.psf_fwhm_arcsec(camera, q) / camera.pixel_scale_arcsec,
    }
    images = np.empty_like(light)
    for k, index in enumerate(indices):
        name = scene.name(dataset, pool, cls, index)
        if not np.isfinite(light[k]).all():
            sampled = ", ".join(f"{column} {values[k]:.6g}" for column, values in q.items())
            raise ArithmeticError(f"{name} has pixels that are not finite. Its parameters: {sampled}")
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
    observed = (images - rendered.get("subtracted", 0)).astype(np.float32)
    return SimulatedImages(scenes, rendered, observed, sigma, known)
