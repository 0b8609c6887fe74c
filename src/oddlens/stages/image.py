"""Simulate one image again, alone, by its name: `oddlens image model_a/test/vortex/17`.

An image is a function of its name and the config, so this is bit for bit the one in the shard, and what no shard keeps
comes with it: the image without noise, the noise that it has, its smooth twin, and the difference in convergence.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oddlens.config.study import Study, read_study
from oddlens.data.shards import Shard
from oddlens.files.artefacts import atomic_write
from oddlens.lensing import camera as cameras
from oddlens.lensing import convergence, render, scene
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import fits_files
from oddlens.observations.fits_files import Observation
from oddlens.schema.config_errors import nearest
from oddlens.stages.simulate import Pictures, arrays_of, picture

FORM = "an image is named dataset/pool/class/index, as in model_a/test/vortex/17"
Name = tuple[str, str, str, int]


def parsed(written: str, study: Study) -> Name:
    """The data set, pool, class and index that a name holds.

    Raises:
        ValueError: if the study has no such image.
    """
    parts = written.strip("/").split("/")
    if len(parts) != 4:
        raise ValueError(f"'{written}' has {len(list(filter(None, parts)))} parts: {FORM}")
    dataset, pool, cls, number = parts
    if dataset not in study.datasets:
        raise ValueError(f"unknown data set '{dataset}'. {nearest(dataset, study.datasets)}")
    classes = {pool: classes for pool, classes in study.datasets[dataset].pools().items() if classes}
    if pool not in classes:
        raise ValueError(f"unknown pool '{pool}' of {dataset}. {nearest(pool, classes)}")
    if cls not in classes[pool]:
        raise ValueError(f"unknown class '{cls}' in {dataset}/{pool}. {nearest(cls, classes[pool])}")
    count = getattr(study.datasets[dataset].images, pool)
    if not (number.isascii() and number.isdigit() and int(number) < count):
        raise ValueError(f"{dataset}/{pool}/{cls} holds {count} images: the index is 0 to {count - 1}, not '{number}'")
    return dataset, pool, cls, int(number)


def draw(study: Study, dataset: str, pool: str, cls: str, index: int) -> Pictures:
    """The image as a batch of one."""
    simulation = study.datasets[dataset]
    rendered = render.renderer(simulation.camera, cls)
    return picture(simulation, rendered, study.seed, dataset, pool, cls, np.array([index]))


def observation(study: Study, dataset: str, pool: str, cls: str, index: int) -> Observation:
    """The image with all that is known of it."""
    camera, made = study.datasets[dataset].camera, draw(study, dataset, pool, cls, index)
    maps = {
        "NOISE": made.sigma[0].astype(np.float32),
        "PSF": cameras.psf_kernels(camera, made.scenes.lens)[0],
        "NOISEFREE": made.noise_free[0],
    }
    if cls != SMOOTH:
        maps["KAPPADIF"] = convergence.difference(camera, cls, made.scenes, 0)
    if cls != SMOOTH and pool == "test":
        maps["TWIN"] = draw(study, dataset, pool, SMOOTH, index).images[0]
    kept = Shard(arrays_of(made, np.array([index])), {})
    return Observation(
        image=made.images[0],
        pixel_scale_arcsec=camera.pixel_scale_arcsec,
        identity={"dataset": dataset, "pool": pool, "class": cls, "index": index, "seed": study.seed},
        truth={name: float(value) for name, value in kept.one("truth", 0).items()},
        maps=maps,
        tables={"SUBSTRUCTURE": kept.one("substructure", 0), "CLUMPS": kept.one("source", 0)},
        comments=("NOISE is the standard deviation of the noise that this image was given, from its light.",),
    )


def told(name: str, seen: Observation) -> str:
    """The truth as a table of two columns."""
    width = max(len(column) for column in seen.truth)
    return "\n".join([name, *(f"  {column:<{width}}  {value:.6g}" for column, value in seen.truth.items())])


def write_image(name: str, config_files: Sequence[Path], out: Path | None = None) -> str:
    """Simulate one image again and write it as FITS; returns its truth and the path, to print.

    Args:
        config_files: each laid over those before it.
        out: default `results/<study>/images/<name, with dashes>.fits`.

    Raises:
        OSError, ValueError: if the config or the name is wrong, or the file cannot be written.
    """
    study = read_study(config_files)
    identity = parsed(name, study)
    name = scene.name(*identity)
    out = out or Path("results", study.study, "images", f"{name.replace('/', '-')}.fits")
    seen = observation(study, *identity)
    with atomic_write(out) as temporary:
        fits_files.write(temporary, seen)
    return f"{told(name, seen)}\n\nWritten: {out}"
