"""Add the change that masses would make to test images: shards to one file of injected images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from oddlens.data import shards
from oddlens.data.randomness import stream
from oddlens.data.shards import Shard
from oddlens.detectors.evaluation.smooth_models import Observation, SmoothModels
from oddlens.files.artefacts import write_arrays
from oddlens.files.progress import Progress, say
from oddlens.lensing import injection
from oddlens.lensing.convolution import gaussian_psf
from oddlens.lensing.cosmology import planes
from oddlens.lensing.injection import Perturber

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
    path: str | Path,
    shard_paths: Sequence[str],
    *,
    masses: Masses,
    model: Literal["auto", "lensfit", "ring"],
    simulation: Mapping[str, Any] | None,
    images: int,
    dataset: str,
    seed: int,
) -> None:
    """Write the first images of some shards without and with each mass.

    An image whose light no smooth model explains is left out and counted.

    The file (kind `injected`) has

        images             float32 [1 + masses, n, pixels, pixels]; the first of each image is the image itself
        mass_msun, area    [1 + masses], from 0, in solar masses and as Einstein radius squared (arcsec^2)
        index, lens        [n], the number of the image and of its lens
        y_arcsec, x_arcsec [n], the position of the mass, the same for all masses
        significance       [1 + masses, n], the change in units of the noise, the root of the sum over pixels
        model/*            [n], the smooth model: kind (`lensfit` or `ring`), einstein_radius_arcsec, chi_square,
                           unexplained
        left_out           the numbers of the images that were left out

    Args:
        model: the kind of the smooth models, see `SmoothModels`.
        simulation: what lenses are assumed to be (`Simulation.plain`), if anything is.
        images: the largest number of images.
        dataset: determines the positions, with the seed, the pool, the class and the index of an image.
        seed: the master seed.
    """
    areas, left_out = np.concatenate([[0.0], masses.areas]), []
    changed: list[dict[str, np.ndarray]] = []
    torch.set_num_threads(1)
    progress, about = Progress(images), {"pool": "", "class": ""}
    with threadpool_limits(1):
        models = SmoothModels(model, simulation, seed)
        for shard, k in islice(_images(shard_paths, dataset), images):
            about = {name: shard.attributes[name] for name in about}
            index = int(shard.arrays["index"][k])
            random = stream(seed, "inject", dataset, about["pool"], about["class"], index)
            try:
                found = _injected(observation(shard, k), models, areas, masses.truncation_arcsec, random)
                lens = np.array(int(shard.arrays.get("truth/lens", shard.arrays["index"])[k]))
                changed.append({"index": np.array(index), "lens": lens} | found)
            except ValueError as error:
                left_out.append(index)
                say(f"{dataset} {about['pool']} {about['class']} {index} is left out: {error}")
            progress.advance(1)
            if progress.done % PROGRESS_IMAGES == 0:
                say(f"{dataset}: {progress.done}/{progress.total} images, {progress}")
    if not changed:
        raise ValueError(f"{dataset}: no smooth model explains any of its first {len(left_out)} test images")
    arrays = {"mass_msun": np.array([0.0, *masses.masses_msun]), "area": areas, "left_out": np.array(left_out, int)}
    arrays |= _stacked(changed)
    rings = np.count_nonzero(arrays["model/kind"] == b"ring")
    say(f"{dataset}: {len(changed)} images ({rings} with ring models), {len(left_out)} left out")
    write_arrays(path, arrays, kind="injected", dataset=dataset, seed=seed, **about)


def _stacked(images: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of single images as arrays of all images, the masses first."""
    arrays = {name: np.stack([image[name] for image in images]) for name in images[0]}
    return arrays | {name: np.swapaxes(arrays[name], 0, 1) for name in ("images", "significance")}


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
    observed: Observation,
    models: SmoothModels,
    areas: np.ndarray,
    truncation_arcsec: float,
    random: np.random.Generator,
) -> dict[str, np.ndarray]:
    """An image with each of the masses, and what is known of the model and the changes.

    Raises:
        ValueError: no smooth model explains the image.
    """
    lens, psf = models(observed)
    pixels, scale = len(observed.image), observed.pixel_scale_arcsec
    light = injection.model_image(lens, pixels, scale, psf)
    y, x = injection.draw_position(light, scale, random)
    perturbers = [Perturber(y, x, area, truncation_arcsec) for area in areas[1:]]
    changes = np.stack([injection.change(lens, each, pixels, scale, psf) for each in perturbers])
    changes = np.concatenate([np.zeros((1, pixels, pixels)), changes])
    described = ("einstein_radius_arcsec", "chi_square", "unexplained")
    return {
        "images": (observed.image + changes).astype(np.float32),
        "significance": np.sqrt(np.square(changes / observed.sigma).sum(axis=(1, 2))),
        "y_arcsec": np.array(y),
        "x_arcsec": np.array(x),
        "model/kind": np.array(lens.kind.encode(), "S7"),
        **{f"model/{name}": np.array(getattr(lens, name)) for name in described},
    }


def observation(shard: Shard, k: int) -> Observation:
    """Image k of a shard, and what is known of its camera.

    The point-spread function is that of the shard, or a Gaussian of the known width. The noise is that of the camera;
    if it is unknown, it is measured from the pixels.
    """
    image, truth = shard.images[k].astype(float), shard.one("truth", k)
    psf = shard.arrays.get("psf")
    if psf is None:
        psf = gaussian_psf(float(truth.get("psf_fwhm_pixels", 0.0)))
    gain, background = (float(truth.get(f"noise_{name}", 0.0)) for name in ("gain", "background"))
    if not background > 0:
        gain, background = 0.0, _measured_variance(image)
    return Observation(image, max(gain, 0.0), background, float(shard.attributes["pixel_scale_arcsec"]), psf)


def _measured_variance(image: np.ndarray) -> float:
    """The noise variance of an image [p, p], from its pixels.

    Differences of neighbouring pixels along both axes cancel smooth light, and have twice the noise of a pixel.

    Raises:
        ValueError: there is no noise.
    """
    differences = np.diff(np.diff(image, axis=0), axis=1)
    scatter = 1.4826 * float(np.nanmedian(np.abs(differences))) / 2
    if not scatter > 0:
        raise ValueError("its noise is unknown, and it shows none")
    return scatter**2
