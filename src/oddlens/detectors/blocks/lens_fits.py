"""The fit of smooth lenses to images from several initial parameters, in stages where that fails, and its memory.

Several questions are asked about one image: its score, its map, its residual, its lens. A fit depends on nothing but
the image and the model. So a kept fit is the same as a new one.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from oddlens.detectors.blocks.heavy_tails import HeavyTails
from oddlens.detectors.blocks.lagged_columns import LaggedColumns
from oddlens.detectors.blocks.levenberg_marquardt import Fit, fit
from oddlens.detectors.blocks.linearised_model import NormalPrior
from oddlens.detectors.blocks.noise_model import NoiseModel
from oddlens.lensing.model import LensModel

LARGE_CHI_SQUARE, CORRELATED = 1.3, 0.1
"""A fit may have ended in a wrong optimum if its chi-square per pixel exceeds the first, and the correlation of
neighbouring residuals the second. Where chi-square is large because the noise is larger than was assumed, as behind a
bright lens galaxy, residuals are not correlated: of 256 images of model C, 33 have a large chi-square, and one of these
has correlated residuals."""
STAGES = ((1000.0, True), (1.0, True), (1.0, False))
"""Stages of a second fit: the factor on the variance of the noise, and whether multipoles are held at their mean.
Multipoles are what leads fits astray while the rest of the lens is still wrong, and noise widens the valley around the
right lens. Of 768 smooth lenses of `config/stress.yaml`, with a signal-to-noise of hundreds, a first fit ends in a
wrong optimum for 11; the second is right for 8 of them."""
HELD_PRECISION = 1e8
"""Precision of the prior of parameters that are held."""


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
    """The best fits of images [n, pixels^2], of those from all initial parameters [n, p]; see `fit`.

    If the model has multipoles, images whose residuals show structure are fitted a second time, in stages.
    """

    def run(images: Tensor, noise: NoiseModel, prior: NormalPrior, start: Tensor, **how: Any) -> Fit:
        lagged = LaggedColumns(model) if model.parametrisation.source_pixels else None
        image = partial(model.image_and_derivatives, source_pixels=lagged is None)
        return fit(image, images, noise, prior, start, steps, lagged=lagged, **how)

    best = reduce(Fit.or_better, (run(data, noise, prior, each, slots=slots, tails=tails) for each in initial))
    if not model.parametrisation.multipoles:
        return best
    bad = ~best.converged | _has_structure(model, data, noise, best.parameters, slots)
    if not bad.any():
        return best
    lenses = bad.nonzero()[:, 0]
    images, own, parameters = data[lenses], noise.of(lenses), initial[0][lenses]
    slots = 1 if data.device.type == "cpu" else slots  # they are few, and idle slots take as long
    held = prior.with_precision_of(model.parametrisation.multipole_components, HELD_PRECISION)
    for factor, holds in STAGES:
        problem = images, own.times(factor), held if holds else prior, parameters
        again = run(*problem, slots=slots, tails=None if holds else tails)
        parameters = again.parameters
    return best.with_lenses(lenses, best.of(lenses).or_better(again))


def _has_structure(model: LensModel, data: Tensor, noise: NoiseModel, parameters: Tensor, slots: int) -> Tensor:
    """Whether residuals are larger than the noise and correlated, [n]."""
    images = torch.cat([model(part) for part in parameters.split(slots)])
    residuals = noise.whiten((data - images) * noise.variance(images).rsqrt())
    power, square = residuals.square().sum(dim=1), residuals.view(-1, model.pixels, model.pixels)
    below, beside = square[:, 1:] * square[:, :-1], square[:, :, 1:] * square[:, :, :-1]
    correlation = (below.sum(dim=(1, 2)) + beside.sum(dim=(1, 2))) / (2 * power)
    return (power > LARGE_CHI_SQUARE * noise.count_observed(data)) & (correlation > CORRELATED)


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
