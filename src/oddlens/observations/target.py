"""The typical image of a data set, which frames are matched to."""

import json
from collections.abc import Sequence
from typing import Self

import numpy as np

from oddlens.data.shards import Shard
from oddlens.lensing.camera import sky, with_psf
from oddlens.lensing.simulation import Camera, Simulation
from oddlens.schema.section import Section

BRIGHTNESS_PERCENTILE = 99.5
"""The brightness of an image is this percentile of its pixels."""


class Target(Section):
    """Camera, exposure, sky and brightness of the images of a data set."""

    dataset: str
    camera: Camera
    exposure_s: float
    sky: float  # electrons / s / pixel
    brightness: float  # median over smooth images of the `BRIGHTNESS_PERCENTILE`, electrons / s / pixel
    seed: int  # of the noise that is added

    @classmethod
    def from_shards(cls, smooth: Sequence[Shard]) -> Self:
        """The medians over smooth validation images."""
        about = smooth[0].attributes
        camera = Simulation.model_validate(json.loads(about["simulation"])).camera
        camera = with_psf(camera, smooth[0].arrays.get("psf"))
        names = ("exposure_s", "sky_per_arcsec2", "zero_point_mag")
        typical = {name: np.median(np.concatenate([shard.group("truth")[name] for shard in smooth])) for name in names}
        bright = [np.percentile(shard.images, BRIGHTNESS_PERCENTILE, axis=(1, 2)) for shard in smooth]
        return cls(
            dataset=about["dataset"],
            camera=camera,
            exposure_s=float(typical["exposure_s"]),
            sky=float(sky(camera, typical)),
            brightness=float(np.median(np.concatenate(bright))),
            seed=int(about["seed"]),
        )
