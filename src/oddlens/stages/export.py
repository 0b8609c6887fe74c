"""A data set for other tools: PNGs in the folders that libraries for anomaly detection read, and FITS files."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.files.io_errors import writing
from oddlens.files.progress import Progress, say
from oddlens.lensing import camera as cameras
from oddlens.lensing.simulation import Camera
from oddlens.observations import fits_files, noise_map

GOOD = "good"
"""What such libraries call the class of what is not odd."""
BRIGHTEST = 99.9
"""White is the value that so many per cent of the training images stay below everywhere."""


@dataclass(frozen=True)
class Greys:
    """One scale for all images of a data set, linear from black to white, electrons / s."""

    black: float
    white: float

    @property
    def step(self) -> float:
        """How much brighter the next grey is."""
        return (self.white - self.black) / 255

    def of(self, images: np.ndarray) -> np.ndarray:
        """Images as greys, uint8; what lies beyond black or white is that."""
        return np.clip(np.rint((images - self.black) / self.step), 0, 255).astype(np.uint8)


def greys(train_paths: Sequence[str | Path]) -> Greys:
    """The scale that suits the training images: the median of their lowest pixels, and almost all of their highest.

    No test image has a say in it, and no image one of its own: brightness stays what it is.
    """
    ends = [np.stack([i.min(axis=(1, 2)), i.max(axis=(1, 2))]) for i in (shards.read(p).images for p in train_paths)]
    lowest, highest = np.concatenate(ends, axis=1).astype(np.float64)
    return Greys(float(np.median(lowest)), float(np.percentile(highest, BRIGHTEST)))


def observation(shard: Shard, k: int, camera: Camera, psf: np.ndarray) -> fits_files.Observation:
    """Image k of a shard with its noise map, its point-spread function and all that is known of it."""
    about, scalars = shard.attributes, {name: float(value) for name, value in shard.one("truth", k).items()}
    identity = {name: about[name] for name in ("dataset", "pool", "class")}
    return fits_files.Observation(
        image=shard.images[k],
        pixel_scale_arcsec=about["pixel_scale_arcsec"],
        identity={**identity, "index": int(shard.arrays["index"][k]), "seed": about["seed"]},
        truth=scalars,
        maps={"NOISE": noise_map.noise_map(shard.images[k], scalars, camera, psf), "PSF": psf},
        tables={"SUBSTRUCTURE": shard.one("substructure", k), "CLUMPS": shard.one("source", k)},
        comments=noise_map.COMMENTS,
    )


def _export_shard(shard: Shard, folder: Path, scale: Greys, smooth: str) -> None:
    about = shard.attributes
    camera = Camera.model_validate(json.loads(about["simulation"])["camera"])
    psfs = cameras.psf_kernels(camera, shard.group("truth"))
    pngs = folder / "png" / about["pool"] / (GOOD if about["class"] == smooth else about["class"])
    files = folder / "fits" / about["pool"] / about["class"]
    for place in (pngs, files):
        place.mkdir(parents=True, exist_ok=True)
    for k, (index, grey) in enumerate(zip(shard.arrays["index"], scale.of(shard.images), strict=True)):
        Image.fromarray(grey).save(pngs / f"{index:06d}.png")
        fits_files.write(files / f"{index:06d}.fits", observation(shard, k, camera, psfs[k % len(psfs)]))


@contextmanager
def replacing_folder(folder: Path | str) -> Iterator[Path]:
    """A temporary folder beside `folder`; renamed to it, in place of what is there, if the block succeeds."""
    folder = Path(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left_behind in folder.parent.glob(f".{folder.name}.*.part"):
            if not psutil.pid_exists(int(left_behind.suffixes[-2][1:])):  # its writer was killed
                shutil.rmtree(left_behind, ignore_errors=True)
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
        train: the shards of the smooth training images, which set the scale of the PNGs.
        others: all other shards.
    """
    scale, paths = greys(train), [*train, *others]
    progress = Progress(len(paths))
    with replacing_folder(folder) as temporary:
        noise = []
        for path in paths:
            shard = shards.read(path)
            _export_shard(shard, temporary, scale, smooth)
            noise.append(_dark_noise(shard))
            progress.advance(1)
            pool, cls = shard.attributes["pool"], shard.attributes["class"]
            say(f"{dataset} {pool} {cls}: {len(shard.images)} images, shard {progress.done} of {progress.total}")
        (temporary / "README.txt").write_text(_readme(dataset, smooth, scale, float(np.median(noise))))


def _dark_noise(shard: Shard) -> float:
    """The noise where there is no light, electrons / s: the median over a shard's images."""
    camera = Camera.model_validate(json.loads(shard.attributes["simulation"])["camera"])
    q = shard.group("truth")
    read = q.get("read_noise_electrons", np.zeros(len(shard.images)))
    dark = np.zeros(len(shard.images))
    return float(np.median(cameras.noise_sigma(dark, q["exposure_s"], cameras.sky(camera, q), read)))


def _readme(dataset: str, smooth: str, scale: Greys, noise: float) -> str:
    return f"""{dataset}, exported by oddlens

png/    8-bit greyscale, in the folders that anomaly-detection libraries read (give them png/ as the data set's root):
        train/good          smooth training images, and nothing else
        test/good           smooth test images
        test/<class>        their odd twins: the same number is the same lens, source and noise
        validation/good     further smooth images
        contaminant/<class> odd images with which to contaminate the training images
fits/   <pool>/<class>: the images as they are (electrons / s / pixel), a file each; `{smooth}` is `good` above. Units:
        the image, with pixel scale, identity and truth in its header (HIERARCH cards, units in the names); NOISE,
        the standard deviation as estimated from the image; PSF; SUBSTRUCTURE and CLUMPS, tables, where there are any.
        FITS counts rows from the bottom; +y is up.

A file's number is the image's index: image 17 of test/vortex is {dataset}/test/vortex/17, and
`oddlens image {dataset}/test/vortex/17` draws it again, with what only a simulator knows (the image without noise, its
twin, the difference in convergence).

All PNGs have one scale, so that brightness means the same in all of them:

        electrons / s = {scale.black:.9g} + grey * {scale.step:.9g}

Black is the median over the training images of their lowest pixel; white is {scale.white:.6g}, which {BRIGHTEST} % of
them stay below everywhere. The noise without light is {noise:.3g}, {noise / scale.step:.2g} greys: what needs finer
steps, or what lies beyond white, is in the FITS files.
"""
