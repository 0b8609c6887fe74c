"""The fit of smooth lenses to images from several initial parameters, and its memory.

Several questions are asked about one image: its score, its map, its residual, its lens. A fit depends on nothing but
the image and the model. So a kept fit is the same as a new one.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial, reduce

from torch import Tensor

from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.lagged_columns import LaggedColumns
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import NormalPrior
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing.model import LensModel


def best_fits(
    model: LensModel,
    data: Tensor,
    noise: NoiseModel,
    prior: NormalPrior,
    initial: Sequence[Tensor],
    steps: int,
    slots: int,
    tails: HeavyTails | None,
) -> Fit:
    """The best fits of images [n, pixels^2], of those from all initial parameters [n, p]; see `fit`."""
    lagged = LaggedColumns(model) if model.parametrisation.source_pixels else None
    image = partial(model.image_and_derivatives, source_pixels=lagged is None)
    fits = (
        fit(image, data, noise, prior, parameters, steps, slots=slots, tails=tails, lagged=lagged)
        for parameters in initial
    )
    return reduce(Fit.or_better, fits)


class FitMemory:
    """The fits of images by one model, by the content of the images, once it is told to keep them."""

    def __init__(self) -> None:
        self.keeps = False
        self._fits: dict[bytes, Fit] = {}

    def fits(self, images: Tensor, fit: Callable[[Tensor], Fit]) -> Fit:
        """The fits of images [n, ...], of which those that are not known are made by `fit`."""
        if not self.keeps:
            return fit(images)
        names = [hashlib.sha256(image.cpu().numpy().tobytes()).digest() for image in images]
        unknown = [k for k, name in enumerate(names) if name not in self._fits]
        if unknown:
            new = fit(images[unknown])
            self._fits |= {names[k]: new.of(slice(j, j + 1)) for j, k in enumerate(unknown)}
        return Fit.concatenate([self._fits[name] for name in names])
