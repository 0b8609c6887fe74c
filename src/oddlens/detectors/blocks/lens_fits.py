"""The fit of smooth lenses to images from several initial parameters, in stages where that fails, and its memory.

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

LARGE_CHI_SQUARE = 1.3
"""A fit whose objective per pixel exceeds this may have ended in a wrong optimum."""
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

    If the model has multipoles, images that are fitted badly are fitted a second time, in stages.
    """
    lagged = LaggedColumns(model) if model.parametrisation.source_pixels else None
    image = partial(model.image_and_derivatives, source_pixels=lagged is None)
    run = partial(fit, image, steps=steps, slots=slots, lagged=lagged)
    best = reduce(Fit.or_better, (run(data, noise, prior, each, tails=tails) for each in initial))
    bad = ~best.converged | (best.objective > LARGE_CHI_SQUARE * noise.count_observed(data))
    if not model.parametrisation.multipoles or not bad.any():
        return best
    lenses, slots = bad.nonzero()[:, 0], min(slots, len(data))
    padded = lenses.repeat(slots)[: max(slots, len(lenses))]  # a batch always has the same size
    images, own, parameters = data[padded], noise.of(padded), initial[0][padded]
    held = prior.with_precision_of(model.parametrisation.multipole_components, HELD_PRECISION)
    for factor, holds in STAGES:
        with_tails = None if holds else tails
        again = run(images, own.times(factor), held if holds else prior, parameters, tails=with_tails)
        parameters = again.parameters
    return best.with_lenses(lenses, best.of(lenses).or_better(again.of(slice(len(lenses)))))


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
