"""Replace images by what the best smooth lens leaves over of them: shards to shards, for rows with another `input`.

Who learns from what is left has nothing to learn about lenses, sources and cameras.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import INPUTS
from oddlens.files.progress import say
from oddlens.training.loop import pick_device

NOISE = {"truth/noise_gain": 0.0, "truth/noise_background": 1.0}
"""What an observer knows of the noise of such images."""
SHARP = {"truth/psf_fwhm_pixels": 0.0}
"""And of maps, which have no point-spread function of their own."""


def residual_inputs(
    model_path: str, shard_path: str, outputs: Mapping[str, str | Path], *, device: str = "auto", threads: int = 1
) -> None:
    """Write the shard once for each of `INPUTS`, with other images and the same truth.

    Raises:
        ValueError: the model explains nothing.
    """
    torch.set_num_threads(threads)
    model, about = loading.load(model_path)
    shard = shards.read(shard_path)
    left = model.to(pick_device(device)).leftovers(shard.images)
    if left is None:
        raise ValueError(f"{model_path} is of {about['row']}, which cannot say what it leaves over")
    say(f"{len(left)} images of {shard_path} explained by {about['row']}")
    count = len(shard.images)
    for k, name in enumerate(INPUTS):
        known = NOISE | (SHARP if name == "scan" else {})
        arrays = {"images": left[:, k], **{key: np.full(count, value) for key, value in known.items()}}
        shards.write(outputs[name], Shard({**shard.arrays, **arrays}, {**shard.attributes, "units": "of the noise"}))
