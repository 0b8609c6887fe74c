"""Add the change that masses would make to test images: shards to one file of injected images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from scipy import ndimage
from threadpoolctl import threadpool_limits

from oddlens.data import shards
from oddlens.data.randomness import stream
from oddlens.data.shards import Shard
from oddlens.files.artefacts import write_arrays
from oddlens.files.progress import Progress, say
from oddlens.lensing import injection
from oddlens.lensing.convolution import gaussian_psf
from oddlens.lensing.cosmology import planes
from oddlens.lensing.injection import Perturber
from oddlens.lensing.ring_model import RingModel, fit_ring

MAX_UNEXPLAINED = 0.1
"""Images whose model leaves a larger part of the light unexplained are left out."""
MIN_BLUR_PIXELS = 1.0
"""The light that determines the noise of pixels is smoothed by this."""
PROGRESS_IMAGES = 20


@dataclass(frozen=True)
class Masses:
    """The injected masses.

    Attributes:
        masses_msun: in solar masses.
        truncation_arcsec: radius at which their density steepens; 0: point masses.
        lens_redshift: of the lens; `source_redshift` likewise.
    """

    masses_msun: Sequence[float]
    truncation_arcsec: float
    lens_redshift: float
    source_redshift: float

    @property
    def areas(self) -> np.ndarray:
        """Einstein radii squared of the masses as points, arcsec^2."""
        scale = planes(np.array([self.lens_redshift]), np.array([self.source_redshift]))["area_per_msun"][0]
        return np.array(self.masses_msun) * scale


def inject(
    path: str | Path, shard_paths: Sequence[str], *, masses: Masses, images: int, dataset: str, seed: int
) -> None:
    """Write the first images of some shards without and with each mass.

    An image whose light no smooth model explains (`MAX_UNEXPLAINED`) is left out and counted.

    The file (kind `injected`) has

        images             float32 [1 + masses, n, pixels, pixels]; the first of each image is the image itself
        mass_msun, area    [1 + masses], from 0, in solar masses and as Einstein radius squared (arcsec^2)
        index, lens        [n], the number of the image and of its lens
        y_arcsec, x_arcsec [n], the position of the mass, the same for all masses
        significance       [1 + masses, n], the change in units of the noise, the root of the sum over pixels
        model/*            [n], the smooth model: einstein_radius_arcsec, chi_square, unexplained
        left_out           the numbers of the images that were left out

    Args:
        images: the largest number of images.
        dataset: determines the positions, with the seed, the pool, the class and the index of an image.
        seed: the master seed.
    """
    areas = np.concatenate([[0.0], masses.areas])
    found: list[dict[str, np.ndarray]] = []
    left_out: list[int] = []
    progress, about = Progress(images), {"pool": "", "class": ""}
    with threadpool_limits(1):
        for shard, k in islice(_images(shard_paths, dataset), images):
            about = {name: shard.attributes[name] for name in about}
            index = int(shard.arrays["index"][k])
            random = stream(seed, "inject", dataset, about["pool"], about["class"], index)
            try:
                found.append({"index": np.array(index)} | _injected(shard, k, areas, masses.truncation_arcsec, random))
            except ValueError as error:
                left_out.append(index)
                say(f"{dataset} {about['pool']} {about['class']} {index} is left out: {error}")
            progress.advance(1)
            if progress.done % PROGRESS_IMAGES == 0:
                say(f"{dataset}: {progress.done}/{progress.total} images, {progress}")
    if not found:
        raise ValueError(f"{dataset}: no smooth model explains any of its first {len(left_out)} test images")
    arrays = {name: np.stack([image[name] for image in found]) for name in found[0]}
    for name in ("images", "significance"):
        arrays[name] = np.swapaxes(arrays[name], 0, 1)
    arrays |= {"mass_msun": np.array([0.0, *masses.masses_msun]), "area": areas, "left_out": np.array(left_out, int)}
    say(f"{dataset}: {len(found)} images with {len(masses.masses_msun)} masses each, {len(left_out)} left out")
    write_arrays(path, arrays, kind="injected", dataset=dataset, seed=seed, **about)


def _images(shard_paths: Sequence[str], dataset: str) -> Iterator[tuple[Shard, int]]:
    """All images: their shard, and their position in it.

    Raises:
        ValueError: their pixel scale is unknown.
    """
    for path in shard_paths:
        shard = shards.read(path)
        if not float(shard.attributes["pixel_scale_arcsec"]) > 0:
            raise ValueError(
                f"{dataset}: its pixel scale is unknown, so masses cannot be injected: give files.pixel_scale_arcsec"
            )
        yield from ((shard, k) for k in range(len(shard.images)))


def _injected(
    shard: Shard, k: int, areas: np.ndarray, truncation_arcsec: float, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Image k of a shard with each of the masses, and what is known of the model and the changes.

    Raises:
        ValueError: no smooth model explains the image.
    """
    image, scale = shard.images[k].astype(float), float(shard.attributes["pixel_scale_arcsec"])
    psf, sigma = point_spread_function(shard, k), noise(image, shard.one("truth", k))
    lens = fit_ring(image, sigma, scale, psf)
    if not lens.unexplained <= MAX_UNEXPLAINED:
        raise ValueError(f"the smooth model leaves {100 * lens.unexplained:.0f} % of its light unexplained")
    light = injection.model_image(lens, len(image), scale, psf)
    y, x = injection.draw_position(light, scale, random)
    perturbers = [Perturber(y, x, area, truncation_arcsec) for area in areas[1:]]
    changes = np.stack([injection.change(lens, each, len(image), scale, psf) for each in perturbers])
    changes = np.concatenate([np.zeros((1, *image.shape)), changes])
    lens_number = shard.arrays.get("truth/lens", shard.arrays["index"])[k]
    return {
        "images": (image + changes).astype(np.float32),
        "significance": np.sqrt(np.square(changes / sigma).sum(axis=(1, 2))),
        "lens": np.array(int(lens_number)),
        "y_arcsec": np.array(y),
        "x_arcsec": np.array(x),
        **_description(lens),
    }


def _description(lens: RingModel) -> dict[str, np.ndarray]:
    names = ("einstein_radius_arcsec", "chi_square", "unexplained")
    return {f"model/{name}": np.array(getattr(lens, name)) for name in names}


def point_spread_function(shard: Shard, k: int) -> np.ndarray:
    """The point-spread function of image k: that of the shard, or a Gaussian of the known width."""
    if "psf" in shard.arrays:
        return shard.arrays["psf"]
    return gaussian_psf(float(shard.one("truth", k).get("psf_fwhm_pixels", 0.0)))


def noise(image: np.ndarray, truth: dict[str, np.ndarray]) -> np.ndarray:
    """The standard deviation of the noise of an image [p, p]: from what is known of the camera, or from its pixels.

    Differences of neighbouring pixels along both axes cancel smooth light, and have twice the noise of a pixel.
    """
    gain, background = (float(truth.get(f"noise_{name}", 0.0)) for name in ("gain", "background"))
    if background > 0:
        light = ndimage.gaussian_filter(np.nan_to_num(image), MIN_BLUR_PIXELS, mode="constant").clip(min=0)
        return np.sqrt(background + max(gain, 0.0) * light)
    differences = np.diff(np.diff(image, axis=0), axis=1)
    scatter = 1.4826 * np.nanmedian(np.abs(differences)) / 2
    if not scatter > 0:
        raise ValueError("its noise is unknown, and it shows none")
    return np.full(image.shape, scatter)
