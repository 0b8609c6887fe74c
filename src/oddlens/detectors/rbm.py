"""Restricted Boltzmann machine: the free energy of an image under a learned energy.

After Alexander et al. 2020 (arXiv:2008.12731): visible units v, hidden units h, and weights W between the two layers
only. With a_j = c_j + (v W)_j, the sum of exp(-energy) over the hidden units gives the free energy

    F(v) = sum_i l_i (v_i - b_i)^2 / 2 - sum_j phi(a_j)       `visible: gaussian`, with precision l_i
    F(v) = -sum_i b_i v_i              - sum_j phi(a_j)       `visible: bernoulli`, pixels over the brightest

    phi(a) = log(1 + e^a)       `units: binary`
    phi(a) = max(a, 0)^2 / 2    `units: rectified`: h >= 0 with the energy h^2 / 2 - a h, at its most probable value

`loss: contrastive_divergence` is F of an image minus F of a sample some Gibbs steps away (Hinton 2002). If weights
start from N(0, 1), as in the paper, hidden units end up saturated and equal for all images. Small initial weights avoid
this, but pixels that are sampled as 0 or 1 do not resolve the noise. `loss: score_matching` needs no samples: the
gradient of F has to lead from an image with added noise back to the image. The loss is |v + s e - grad F(v + s e) -
v|^2 with e from N(0, 1), and its minimum is F = -s^2 log p (Vincent 2011; Swersky et al. 2011). s falls from
`first_noise` to `last_noise`, so that large structures are learned before details.

Gaussian units are principal components of images whose noise is the same in all pixels (`stabilised`, Anscombe 1948)
and which are smoothed with the point-spread function (`matched`), as sharper features are noise.

One step down, r(v) = v - grad F(v), is the mean-field reconstruction if all l_i = 1. The score is F(v) - F(r(v)), the
decrease of the free energy in this step (`descent`); |v - r(v)|^2 (`error`); or F(v) (`energy`). The last is worse:
lenses differ by hundreds of standard deviations of the noise, and small errors of F along these directions exceed the
differences in all others. `relative` compares the descent with the one expected for such visible units
(`blocks/expectation.py`).
"""

from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from oddlens.detectors.blocks.boltzmann_machine import BoltzmannMachine
from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.coordinates import UpToOne
from oddlens.detectors.blocks.expectation import SCORES, expectation_for
from oddlens.detectors.blocks.residuals import smoothed
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies, Reconstructs
from oddlens.training.images import TrainingImages
from oddlens.training.objectives import Batch, Objective
from oddlens.training.schedules import SCHEDULES
from oddlens.training.symmetries import orientations, symmetric_mean

EXPECTATION_SHARE = 0.25
"""The epochs of the expectation in units of those of the machine, which learns more slowly."""
MIN_DESCENT = 1e-3
"""Smaller decreases of the free energy are raised to this before their logarithm is taken."""
MAX_DEVIATION = 300
"""The largest standard deviation of a visible unit. Below it, visible units are in units of the noise."""
MAX_CODE = 10
"""The standard deviation in the inputs of the expectation that corresponds to `MAX_DEVIATION`."""


class RBM(Detector, Reconstructs, MapsAnomalies):
    """One layer of hidden units over principal components or pixels.

    Args:
        hidden: the number of hidden units.
        units, visible: the kinds of hidden and of visible units.
        precision: of Gaussian units: `learned`, starting from the best fit without hidden units, or `unit`.
        components: the number of principal components.
        stabilised, matched: see the module.
        initial_scale: the standard deviation of the initial weights and biases.
        loss: see the module.
        first_noise, last_noise: s of score matching at the beginning and at the end, in units of v.
        gibbs_steps: of contrastive divergence.
        expectation: also learn the expected descent of images with such visible units, with a network of `width` and
            `depth`.
        score: see the module.
        symmetric: average the free energy of an image over all eight orientations: a product of experts.
    """

    scoring = ("score",)
    unit: Tensor

    def __init__(
        self,
        pixels: int,
        *,
        hidden: PositiveInt = 2048,
        units: Literal["rectified", "binary"] = "rectified",
        visible: Literal["gaussian", "bernoulli"] = "gaussian",
        precision: Literal["learned", "unit"] = "learned",
        components: PositiveInt = 100,
        stabilised: bool = True,
        matched: bool = True,
        initial_scale: PositiveFloat = 0.03,
        loss: Literal["score_matching", "contrastive_divergence"] = "score_matching",
        first_noise: PositiveFloat = 8.0,
        last_noise: PositiveFloat = 0.5,
        gibbs_steps: PositiveInt = 1,
        expectation: bool = True,
        width: PositiveInt = 128,
        depth: PositiveInt = 4,
        score: Literal["relative", "expected", "descent", "error", "energy"] = "relative",
        symmetric: bool = True,
        learning_rate: PositiveFloat = 6e-3,
        schedule: Literal["cosine", "one_cycle"] = "cosine",
        weight_decay: NonNegativeFloat = 0.0,
    ):
        super().__init__(pixels)
        gaussian = visible == "gaussian"
        if not gaussian and loss == "score_matching":
            raise ValueError("loss: score_matching adds Gaussian noise to visible units: set visible: gaussian")
        if expectation and not gaussian:
            raise ValueError("expectation: true is implemented for visible: gaussian only: set expectation: false")
        self.principal = PrincipalComponents(pixels, components) if gaussian else None
        visible_units = self.principal.count if self.principal else pixels**2
        self.expectation = expectation_for(score, wanted=expectation, codes=visible_units, width=width, depth=depth)
        self.up_to_one = None if gaussian else UpToOne()
        self.register_buffer("unit", torch.ones(()))
        self.machine = BoltzmannMachine(
            visible_units,
            hidden,
            initial_scale,
            gaussian=gaussian,
            rectified=units == "rectified",
            learned=gaussian and precision == "learned",
        )
        self.stabilised, self.matched, self.symmetric, self.score_name = stabilised, matched, symmetric, score
        self.first_noise, self.last_noise, self.gibbs_steps = first_noise, last_noise, gibbs_steps
        self.score_matching = loss == "score_matching"
        self.learning_rate = SCHEDULES[schedule](learning_rate)
        self.weight_decay = weight_decay

    # --- training -----------------------------------------------------------------------------------------------------

    def training_images(self, images: TrainingImages) -> TrainingImages:
        """Normalised images."""
        if self.up_to_one:
            self.up_to_one.find_peak(images)
        return images.through(self._normalise)

    def prepare(self, images: TrainingImages, generator: torch.Generator) -> None:
        """Learn the map between images and visible units."""
        if self.principal:
            self.principal.learn(images, generator, symmetric=self.symmetric)
            self.unit.copy_((self.principal.scatter[0] / MAX_DEVIATION).clamp(min=1))
            if self.machine.log_precision is not None:
                deviation = self.principal.scatter / self.unit / self.first_noise
                self.machine.log_precision.copy_(-torch.log1p(deviation.square()))

    def objectives(self) -> list[Objective]:
        """Score matching or contrastive divergence, and the expectation."""
        name = "score matching" if self.score_matching else "contrastive divergence"
        objectives = [Objective(name, (self.machine,), self._loss, self.learning_rate, weight_decay=self.weight_decay)]
        if self.expectation:
            settings: dict[str, Any] = {
                "share": EXPECTATION_SHARE,
                "learning_rate": self.learning_rate,
                "optimiser": "muon",
            }
            objectives.append(self.expectation.objective(self._codes_and_descents, **settings))
        return objectives

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast(batch.images.device.type, enabled=False):  # bfloat16 does not resolve the range of v
            v = self._visible(batch.images)
            if self.score_matching:
                deviation = self.first_noise * (self.last_noise / self.first_noise) ** batch.progress
                noise = torch.randn(v.shape, generator=batch.generator, device=v.device)
                return (self.machine.reconstruct(v + deviation * noise) - v).square().mean(dim=1)
            sample = v
            for _ in range(self.gibbs_steps):
                sample = self.machine.gibbs_step(sample, batch.generator)
            return self.machine(v) - self.machine(sample)

    def _codes_and_descents(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The inputs of the expectation, and the decrease of the free energy in one step."""
        with torch.autocast(batch.images.device.type, enabled=False):
            v = self._visible(batch.images)
            descent = self.machine(v) - self.machine(self.machine.reconstruct(v))
        return self._code(v), descent.clamp(min=MIN_DESCENT)

    # --- scores, maps, reconstructions --------------------------------------------------------------------------------

    def anomaly_score(self, images: Tensor) -> Tensor:
        """The setting `score`."""
        normalised = self._normalise(images)
        if self.score_name == "energy":
            return self._free_energy(normalised)
        reconstruction = self._reconstruct(normalised)
        if self.score_name == "error":
            return (self._visible(normalised) - self._visible(reconstruction)).square().mean(dim=1)
        descent = self._free_energy(normalised) - self._free_energy(reconstruction)
        if not self.expectation or self.score_name not in SCORES:
            return descent
        codes = [self._code(self._visible(oriented)) for oriented in orientations(normalised, self.symmetric)]
        return self.expectation.score(self.score_name, descent.clamp(min=MIN_DESCENT), codes)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images after one step down the free energy, with the smoothing of the visible units."""
        reconstruction = self._reconstruct(self._normalise(images))
        if self.up_to_one:
            return self.up_to_one.inverse(reconstruction)
        return self.unstabilise(reconstruction, self.stabilised)

    def anomaly_map(self, images: Tensor) -> Tensor:
        """The squared step of each pixel."""
        normalised = self._normalise(images)
        return (normalised - self._reconstruct(normalised)).square()

    def _normalise(self, images: Tensor) -> Tensor:
        """Images in units of their noise, smoothed; for binary units, images over the brightest pixel."""
        if self.up_to_one:
            return self.up_to_one(images).clamp(0, 1)
        normalised = self.stabilise(images, self.stabilised)
        return smoothed(normalised, self.blur.item()) if self.matched and self.blur else normalised

    def _visible(self, normalised: Tensor) -> Tensor:
        """The visible units [n, visible] of normalised images [n, 1, pixels, pixels]."""
        return self.principal(normalised) / self.unit if self.principal else normalised.flatten(1)

    def _code(self, v: Tensor) -> Tensor:
        """Visible units as inputs of the expectation."""
        return v * (MAX_CODE / MAX_DEVIATION)

    def _reconstruct(self, normalised: Tensor) -> Tensor:
        """Normalised images after one step down, [n, 1, pixels, pixels]."""

        def reconstruct_once(normalised: Tensor) -> Tensor:
            v = self.machine.reconstruct(self._visible(normalised))
            return self.principal.inverse(v * self.unit) if self.principal else v.view_as(normalised)

        return symmetric_mean(reconstruct_once, normalised) if self.symmetric else reconstruct_once(normalised)

    def _free_energy(self, normalised: Tensor) -> Tensor:
        """Free energies [n], in double precision, as scores are small differences of large numbers."""
        energies = [self.machine(self._visible(x).double()) for x in orientations(normalised, self.symmetric)]
        return torch.stack(energies).mean(dim=0)
