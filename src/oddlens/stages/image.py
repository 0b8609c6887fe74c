"""Simulate one image of a study again: `oddlens image model_a/test/vortex/17`.

An image is a function of its name and the config, so the result equals the image in the shard bit for bit. The file
also holds what shards do not keep: the image without noise, its noise map, its smooth twin, and the difference in
convergence from the twin.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from oddlens.config.study import Study, read_study
from oddlens.data.pools import POOLS
from oddlens.data.shards import Shard
from oddlens.files.artefacts import atomic_write
from oddlens.lensing import camera as cameras
from oddlens.lensing import convergence, render, scene
from oddlens.lensing.simulated_images import SimulatedImages, simulate_images
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import fits_files
from oddlens.observations.fits_files import Observation
from oddlens.schema.config_errors import nearest

NAME_FORM = "an image is named dataset/pool/class/index, as in model_a/test/vortex/17"
ImageName = tuple[str, str, str, int]
"""Data set, pool, class and index."""


def parse_image_name(name: str, study: Study) -> ImageName:
    """The data set, pool, class and index of an image's name.

    Raises:
        ValueError: if the study has no such image.
    """
    parts = name.strip("/").split("/")
    if len(parts) != 4:
        raise ValueError(f"'{name}' has {len(list(filter(None, parts)))} parts: {NAME_FORM}")
    dataset, pool, cls, number = parts
    if dataset in study.of_files:
        raise ValueError(f"{dataset} is not simulated: tables/ranking.csv has the file of each of its images")
    if dataset not in study.simulated:
        raise ValueError(f"unknown data set '{dataset}'. {nearest(dataset, study.simulated)}")
    pools = study.simulated[dataset].pools
    classes = {pool: pools.classes(pool) for pool in POOLS if pools.classes(pool)}
    if pool not in classes:
        raise ValueError(f"unknown pool '{pool}' of {dataset}. {nearest(pool, classes)}")
    if cls not in classes[pool]:
        raise ValueError(f"unknown class '{cls}' in {dataset}/{pool}. {nearest(cls, classes[pool])}")
    count = pools.count(pool, cls)
    if not (number.isascii() and number.isdigit() and int(number) < count):
        raise ValueError(f"{dataset}/{pool}/{cls} holds {count} images: the index is 0 to {count - 1}, not '{number}'")
    return dataset, pool, cls, int(number)


def simulate_image(study: Study, dataset: str, pool: str, cls: str, index: int) -> SimulatedImages:
    """The image as a batch of one."""
    settings = study.simulated[dataset]
    simulation, made_of = settings.simulation_of(cls), settings.made_of(cls)
    rendered = render.renderer(simulation.camera, made_of)
    return simulate_images(simulation, rendered, study.seed, dataset, pool, made_of, np.array([index]))


def observation(study: Study, dataset: str, pool: str, cls: str, index: int) -> Observation:
    """The image with its truth and the maps that shards do not keep."""
    settings, simulated = study.simulated[dataset], simulate_image(study, dataset, pool, cls, index)
    camera, made_of = settings.simulation_of(cls).camera, settings.made_of(cls)
    maps = {
        "NOISE": simulated.sigma[0].astype(np.float32),
        "PSF": cameras.psf_kernels(camera, simulated.scenes.lens)[0],
        "NOISEFREE": simulated.noise_free[0],
    }
    if made_of != SMOOTH:
        maps["KAPPADIF"] = convergence.difference(camera, made_of, simulated.scenes, 0)
    if made_of != SMOOTH and pool == "test":
        maps["TWIN"] = simulate_image(study, dataset, pool, settings.twin_of(cls), index).images[0]
    kept = Shard(simulated.arrays(np.array([index])), {})
    return Observation(
        image=simulated.images[0],
        pixel_scale_arcsec=camera.pixel_scale_arcsec,
        identity={"dataset": dataset, "pool": pool, "class": cls, "index": index, "seed": study.seed},
        truth={name: float(value) for name, value in kept.one("truth", 0).items()},
        maps=maps,
        tables={"SUBSTRUCTURE": kept.one("substructure", 0), "CLUMPS": kept.one("source", 0)},
        comments=("NOISE is the standard deviation of this image's noise, computed from its light without noise.",),
    )


def describe_truth(name: str, truth: Mapping[str, float]) -> str:
    """The truth of an image as a table of two columns."""
    width = max(len(column) for column in truth)
    return "\n".join([name, *(f"  {column:<{width}}  {value:.6g}" for column, value in truth.items())])


def write_image(name: str, config_files: Sequence[Path], out: Path | None = None) -> str:
    """Simulate one image again and write it as FITS; returns a text with its truth and the path.

    Args:
        name: dataset/pool/class/index.
        config_files: each is merged over those before it.
        out: by default `results/<study>/images/<name, with dashes>.fits`.

    Raises:
        OSError, ValueError: if the config or the name is wrong, or the file cannot be written.
    """
    study = read_study(config_files)
    identity = parse_image_name(name, study)
    name = scene.name(*identity)
    out = out or Path("results", study.study, "images", f"{name.replace('/', '-')}.fits")
    image = observation(study, *identity)
    with atomic_write(out) as temporary:
        fits_files.write(temporary, image)
    return f"{describe_truth(name, image.truth)}\n\nWritten: {out}"
