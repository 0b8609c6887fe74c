"""Replace images by the residuals of the best smooth lens: shards to shards, for rows with another `input`.

A detector that is trained on residuals does not have to learn about lenses, sources and cameras.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.capabilities import RESIDUAL_INPUTS, ProvidesResiduals
from oddlens.files.progress import say
from oddlens.training.devices import pick_device

NOISE = {"truth/noise_gain": 0.0, "truth/noise_background": 1.0}
"""What an observer knows of the noise of residual inputs."""
NO_PSF = {"truth/psf_fwhm_pixels": 0.0}
"""A significance map has no point-spread function of its own."""


def residual_inputs(
    model_path: str, shard_path: str, outputs: Mapping[str, str | Path], *, device: str = "auto", threads: int = 1
) -> None:
    """Write the shard once for each of `RESIDUAL_INPUTS`, with other images and the same truth.

    Raises:
        ValueError: the model provides no residuals.
    """
    torch.set_num_threads(threads)
    model, about = loading.load(model_path)
    if not isinstance(model, ProvidesResiduals):
        raise ValueError(
            f"{model_path} is a model of {about['row']}, which provides no residuals: use one that fits lenses"
        )
    shard = shards.read(shard_path)
    inputs = model.to(pick_device(device)).residual_inputs(shard.images)
    say(f"{len(inputs)} images of {shard_path} fitted by {about['row']}")
    for k, name in enumerate(RESIDUAL_INPUTS):
        known = NOISE | (NO_PSF if name == "scan" else {})
        arrays = {"images": inputs[:, k], **{key: np.full(len(inputs), value) for key, value in known.items()}}
        shards.write(outputs[name], Shard({**shard.arrays, **arrays}, {**shard.attributes, "units": "of the noise"}))
