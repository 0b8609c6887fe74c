"""Export a data set for other tools: PNGs in the folder layout of anomaly-detection libraries, and FITS files."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from PIL import Image

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.files.io_errors import explain_io_errors
from oddlens.files.progress import Progress, say
from oddlens.lensing import camera as cameras
from oddlens.lensing.simulation import Camera
from oddlens.observations import fits_files, noise_map

GOOD = "good"
"""The name of the normal class in these libraries."""
METADATA = "metadata.csv"
"""The table of all images of a folder. Hugging Face's `imagefolder` and paltas call it so."""
QUANTISATION = 1 / 12
"""The variance of rounding to whole numbers."""
WHITE_PERCENTILE = 99.9
"""White is this percentile of the maxima of the training images."""


@dataclass(frozen=True)
class Greys:
    """A linear grey scale from black to white, electrons / s, common to all images of a data set."""

    black: float
    white: float

    @property
    def step(self) -> float:
        """The difference between adjacent grey levels, electrons / s."""
        return (self.white - self.black) / 255

    def of(self, images: np.ndarray) -> np.ndarray:
        """Images as grey levels, uint8. Values below black or above white are clipped."""
        return np.clip(np.rint((images - self.black) / self.step), 0, 255).astype(np.uint8)


def greys(train_paths: Sequence[str | Path]) -> Greys:
    """The grey scale of the training images: black is the median of their minima, white a percentile of their maxima.

    Test images do not affect the scale, and no image is scaled on its own, so brightnesses remain comparable.
    """
    images = (shards.read(path).images for path in train_paths)
    extremes = [np.stack([i.min(axis=(1, 2)), i.max(axis=(1, 2))]) for i in images]
    minima, maxima = np.concatenate(extremes, axis=1).astype(np.float64)
    return Greys(float(np.median(minima)), float(np.percentile(maxima, WHITE_PERCENTILE)))


def observation(shard: Shard, k: int, camera: Camera, psf: np.ndarray) -> fits_files.Observation:
    """Image k of a shard with its noise map, its point-spread function and its simulation parameters."""
    attributes, truth = shard.attributes, {name: float(value) for name, value in shard.one("truth", k).items()}
    identity = {name: attributes[name] for name in ("dataset", "pool", "class")}
    return fits_files.Observation(
        image=shard.images[k],
        pixel_scale_arcsec=attributes["pixel_scale_arcsec"],
        identity={**identity, "index": int(shard.arrays["index"][k]), "seed": attributes["seed"]} | shard.names(k),
        truth=truth,
        maps={"NOISE": noise_map.noise_map(shard.images[k], truth, camera, psf), "PSF": psf},
        tables={"SUBSTRUCTURE": shard.one("substructure", k), "CLUMPS": shard.one("source", k)},
        comments=noise_map.COMMENTS,
    )


def metadata(shard: Shard, paths: Sequence[str]) -> pd.DataFrame:
    """The lines of some images in `METADATA`, a sample sheet of the user's own images.

    `object` names the lens; test images of different classes and equal numbers show one lens. The simulation parameters
    follow.

    Args:
        paths: of the images, relative to the table.
    """
    pool, cls, index = shard.attributes["pool"], shard.attributes["class"], shard.arrays["index"]
    lenses = pool if pool == "test" else f"{pool}/{cls}"
    return pd.DataFrame(
        {
            "file_name": paths,
            "role": pool,
            "label": cls,
            "object": [f"{lenses}/{k}" for k in index],
            "pixel_scale_arcsec": shard.attributes["pixel_scale_arcsec"],
            **shard.group("truth"),
            **{name: np.char.decode(array, "utf-8") for name, array in shard.group("names").items()},
        }
    )


def in_greys(table: pd.DataFrame, scale: Greys) -> pd.DataFrame:
    """The metadata with the noise of a camera whose unit is a grey level, which adds that of the steps themselves."""
    gain, background = table["noise_gain"], table["noise_background"]
    return table.assign(
        noise_gain=gain / scale.step,
        noise_background=(gain * scale.black + background) / scale.step**2 + QUANTISATION,
    )


def _export_shard(shard: Shard, folder: Path, scale: Greys, smooth: str) -> dict[str, pd.DataFrame]:
    """Write the images of a shard. Returns their metadata by kind of file."""
    pool, cls, camera = shard.attributes["pool"], shard.attributes["class"], _camera(shard)
    psfs = cameras.psf_kernels(camera, shard.group("truth"))
    named = {"png": f"{pool}/{GOOD if cls == smooth else cls}", "fits": f"{pool}/{cls}"}
    paths = {
        kind: [f"{subfolder}/{index:06d}.{kind}" for index in shard.arrays["index"]]
        for kind, subfolder in named.items()
    }
    for kind, subfolder in named.items():
        (folder / kind / subfolder).mkdir(parents=True, exist_ok=True)
    for k, grey in enumerate(scale.of(shard.images)):
        Image.fromarray(grey).save(folder / "png" / paths["png"][k])
        fits_files.write(folder / "fits" / paths["fits"][k], observation(shard, k, camera, psfs[k % len(psfs)]))
    return {
        "png": in_greys(metadata(shard, paths["png"]), scale),
        "fits": metadata(shard, paths["fits"]),
    }


@contextmanager
def atomic_write_folder(folder: Path | str) -> Iterator[Path]:
    """A temporary folder that replaces `folder` if the block succeeds, and is removed if it fails."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    with explain_io_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.parent.glob(f".{folder.name}.*.part"):
            if not psutil.pid_exists(int(unfinished.suffixes[-2][1:])):  # its writer was killed
                shutil.rmtree(unfinished, ignore_errors=True)
        try:
            temporary.mkdir()
            yield temporary
            if folder.exists():
                shutil.rmtree(folder)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def export(
    folder: str | Path, *, dataset: str, smooth: str, train: Sequence[str | Path], others: Sequence[str | Path]
) -> None:
    """Write the shards of a data set as PNG and FITS files.

    Args:
        train: the shards of the smooth training images, which determine the grey scale of the PNGs.
        others: all other shards.
    """
    scale, paths = greys(train), [*train, *others]
    progress = Progress(len(paths))
    with atomic_write_folder(folder) as temporary:
        noise = []
        tables: dict[str, list[pd.DataFrame]] = {"png": [], "fits": []}
        for path in paths:
            shard = shards.read(path)
            for kind, table in _export_shard(shard, temporary, scale, smooth).items():
                tables[kind].append(table)
            noise.append(_sky_noise(shard))
            progress.advance(1)
            pool, cls = shard.attributes["pool"], shard.attributes["class"]
            say(f"{dataset} {pool} {cls}: {len(shard.images)} images, shard {progress.done} of {progress.total}")
        for kind, parts in tables.items():
            pd.concat(parts).to_csv(temporary / kind / METADATA, index=False, lineterminator="\n")
        (temporary / "README.txt").write_text(_readme(dataset, smooth, scale, float(np.median(noise))))


def _camera(shard: Shard) -> Camera:
    camera = Camera.model_validate(json.loads(shard.attributes["simulation"])["camera"])
    return cameras.with_psf(camera, shard.arrays.get("psf"))


def _sky_noise(shard: Shard) -> float:
    """The standard deviation of the noise of empty sky, electrons / s: the median over the images of a shard."""
    camera, truth = _camera(shard), shard.group("truth")
    no_light = np.zeros(len(shard.images))
    read_noise = truth.get("read_noise_electrons", np.zeros(len(shard.images)))
    return float(np.median(cameras.noise_sigma(no_light, truth["exposure_s"], cameras.sky(camera, truth), read_noise)))


def _readme(dataset: str, smooth: str, scale: Greys, noise: float) -> str:
    return f"""{dataset}, exported by oddlens

png/    8-bit greyscale images in the folder layout of anomaly-detection libraries (png/ is the root of the data set):
        train/good          smooth training images
        test/good           smooth test images
        test/<class>        their anomalous twins: equal numbers have equal lenses, sources and noise
        validation/good     further smooth images
        contaminant/<class> anomalous images with which to contaminate the training images
fits/   <pool>/<class>: the images in electrons / s / pixel, one file each; `{smooth}` is `good` above. Units: the
        image, with pixel scale, identity and simulation parameters in its header (HIERARCH cards, units in the names);
        NOISE, the standard deviation estimated from the image; PSF; SUBSTRUCTURE and CLUMPS, tables, where there are
        any.
        Rows are counted from the bottom; +y is up.

Both folders have a metadata.csv with a line for each image: file_name, role (its pool), label (its class), object (the
name of its lens; twins share one), pixel_scale_arcsec, and the simulation parameters, with units in their names. It is
a sample sheet for `datasets.<name>.files.sheet` of a config.

The number of a file is the index of the image: image 17 of test/vortex is {dataset}/test/vortex/17.
`oddlens image {dataset}/test/vortex/17` simulates it again, with the image without noise, its twin and the difference
in convergence.

All PNGs have the same scale, so that their brightnesses can be compared:

        electrons / s = {scale.black:.9g} + grey * {scale.step:.9g}

Black is the median of the minima of the training images. White is {scale.white:.6g}, the {WHITE_PERCENTILE}th
percentile of their maxima. The noise of empty sky is {noise:.3g}, or {noise / scale.step:.2g} grey levels. Use the
FITS files for finer steps or for brighter pixels.
"""
