"""Restricted Boltzmann machine: images to which a learned energy gives low probability are odd.

After Alexander et al. 2020 (arXiv:2008.12731): visible units v, hidden units h, and weights W between the two layers
alone. With a_j = c_j + (v W)_j the hidden units can be summed out of exp(-energy), which leaves the free energy

    F(v) = sum_i l_i (v_i - b_i)^2 / 2 - sum_j phi(a_j)       `visible: gaussian`, of precision l_i
    F(v) = -sum_i b_i v_i              - sum_j phi(a_j)       `visible: bernoulli`, pixels over the brightest

    phi(a) = log(1 + e^a)       `units: binary`
    phi(a) = max(a, 0)^2 / 2    `units: rectified`: h >= 0 of energy h^2 / 2 - a h, at its most probable value

`loss: contrastive_divergence` is F of an image minus F of a sample some Gibbs steps away (Hinton 2002). Started from
N(0, 1) weights, as theirs was, its hidden units end up saturated, alike for all images; from small weights it learns,
but pixels that are drawn as 0 or 1 cannot be told to the precision of the noise. `loss: score_matching` needs no
samples: the gradient of F has to lead from an image under noise back to the image, |v + s e - grad F(v + s e) - v|^2
with e from N(0, 1), whose minimum is F = -s^2 log p (Vincent 2011; Swersky et al. 2011). s falls from `first_noise` to
`last_noise`, which finds the shape of the whole before that of its details.

Gaussian units stand for principal components of images that are brought to equal noise in all pixels (`stabilised`,
Anscombe 1948) and smoothed with the point-spread function (`matched`), since nothing sharper comes from the sky.

One step down, r(v) = v - grad F(v), is the mean-field reconstruction if all l_i = 1. The score is F(v) - F(r(v)), the
free energy that this step takes off (`descent`); |v - r(v)|^2 (`error`); or F(v) (`energy`), which is worse: lenses
differ by hundreds of standard deviations of the noise, and small errors of F along that way drown what lies across.
`relative` is the descent beside what is to be expected of such visible units (`blocks/expectation.py`).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from oddlens.detectors.blocks.autoencoder import UpToOne
from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.detectors.blocks.expectation import SCORES, expectation_for
from oddlens.detectors.blocks.residuals import smoothed
from oddlens.detectors.interface.base import Detector
from oddlens.training.images import Images
from oddlens.training.loop import Batch, Objective
from oddlens.training.schedules import SCHEDULES
from oddlens.training.symmetries import attitudes, symmetric_mean

SHARE = 0.25
"""Epochs of the expectation in units of those of the machine, which learns more slowly."""
LEAST = 1e-3
"""Of the free energy that a step takes off, where a logarithm is taken."""
RANGE = 300
"""The largest standard deviation that a visible unit may have; where that allows it, v is in units of the noise."""


class Machine(nn.Module):
    """Weights W [visible, hidden], biases b and c, and logarithms of the precisions l of Gaussian units."""

    def __init__(self, visible: int, hidden: int, scale: float, *, gaussian: bool, rectified: bool, learned: bool):
        super().__init__()
        self.gaussian, self.rectified = gaussian, rectified
        self.weight = nn.Parameter(scale * torch.randn(visible, hidden))
        self.b = nn.Parameter(scale * torch.randn(visible))
        self.c = nn.Parameter(scale * torch.randn(hidden))
        self.log_precision = nn.Parameter(torch.zeros(visible)) if learned else None

    @property
    def precision(self) -> Tensor:
        """Of the visible units, [visible]."""
        return torch.ones_like(self.b) if self.log_precision is None else self.log_precision.exp()

    def forward(self, v: Tensor) -> Tensor:
        """Free energies [n] of visible vectors [n, visible]."""
        a = v @ self.weight.to(v.dtype) + self.c  # [n, hidden]
        hidden = 0.5 * F.relu(a).square() if self.rectified else F.softplus(a)
        own = 0.5 * self.precision * (v - self.b).square() if self.gaussian else -v * self.b
        return own.sum(dim=1) - hidden.sum(dim=1)

    def reconstruct(self, v: Tensor) -> Tensor:
        """One step down the free energy, or of mean field, [n, visible]."""
        a = v @ self.weight + self.c
        pull = (F.relu(a) if self.rectified else a.sigmoid()) @ self.weight.T
        return v - self.precision * (v - self.b) + pull if self.gaussian else (pull + self.b).sigmoid()

    @torch.no_grad()
    def gibbs_step(self, v: Tensor, generator: torch.Generator) -> Tensor:
        """Visible, sampled hidden, sampled visible; rectified units as by Nair & Hinton 2010."""

        def noise(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)

        a = v @ self.weight + self.c
        h = (
            F.relu(a + a.sigmoid().sqrt() * noise(a))
            if self.rectified
            else torch.bernoulli(a.sigmoid(), generator=generator)
        )
        pull = h @ self.weight.T
        if self.gaussian:
            return self.b + pull / self.precision + noise(pull) / self.precision.sqrt()
        return torch.bernoulli((pull + self.b).sigmoid(), generator=generator)


class RBM(Detector):
    """One layer of hidden units over principal components, or over pixels.

    Args:
        initial_scale: standard deviation of the initial weights and biases.
        precision: of Gaussian units: `learned`, starting from the best fit without hidden units, or `unit`.
        first_noise, last_noise: s of score matching at the start and at the end, in units of v.
        expectation: learn how large a descent images of like visible units have, too; a network of `width` and `depth`.
        symmetric: score by the mean free energy of an image in all eight attitudes: a product of experts.
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
            raise ValueError("loss: score_matching needs visible: gaussian; pixels in [0, 1] have no noise to take off")
        if expectation and not gaussian:
            raise ValueError(
                "expectation: true needs visible: gaussian; learning it from every pixel is not implemented"
            )
        self.principal = PrincipalComponents(pixels, components) if gaussian else None
        visible_units = self.principal.count if self.principal else pixels**2
        self.expectation = expectation_for(score, wanted=expectation, codes=visible_units, width=width, depth=depth)
        self.up_to_one = None if gaussian else UpToOne()
        self.register_buffer("unit", torch.ones(()))
        self.machine = Machine(
            visible_units,
            hidden,
            initial_scale,
            gaussian=gaussian,
            rectified=units == "rectified",
            learned=gaussian and precision == "learned",
        )
        self.stabilised, self.matched, self.symmetric, self.by = stabilised, matched, symmetric, score
        self.first_noise, self.last_noise, self.gibbs_steps = first_noise, last_noise, gibbs_steps
        self.matching = loss == "score_matching"
        self.learning_rate = SCHEDULES[schedule](learning_rate)
        self.weight_decay = weight_decay

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn what visible units stand for: principal components, or the brightest pixel."""
        if self.up_to_one:
            self.up_to_one.learn(images, generator, symmetric=self.symmetric)
        if self.principal:
            self.principal.learn(images.seen(self._see), generator, symmetric=self.symmetric)
            self.unit.copy_((self.principal.scatter[0] / RANGE).clamp(min=1))
            if self.machine.log_precision is not None:
                spread = self.principal.scatter / self.unit / self.first_noise
                self.machine.log_precision.copy_(-torch.log1p(spread.square()))

    def objectives(self) -> list[Objective]:
        """Score matching or contrastive divergence, and the expectation."""
        name = "score matching" if self.matching else "contrastive divergence"
        found = [Objective(name, (self.machine,), self._loss, self.learning_rate, weight_decay=self.weight_decay)]
        if self.expectation:
            found.append(
                self.expectation.objective(self._look, share=SHARE, learning_rate=self.learning_rate, optimiser="muon")
            )
        return found

    def _loss(self, batch: Batch) -> Tensor:
        with torch.autocast(batch.images.device.type, enabled=False):  # v spans more than bfloat16 resolves
            v = self._visible(self._see(batch.images))
            if self.matching:
                deviation = self.first_noise * (self.last_noise / self.first_noise) ** batch.progress
                noise = torch.randn(v.shape, generator=batch.generator, device=v.device)
                return (self.machine.reconstruct(v + deviation * noise) - v).square().mean(dim=1)
            sample = v
            for _ in range(self.gibbs_steps):
                sample = self.machine.gibbs_step(sample, batch.generator)
            return self.machine(v) - self.machine(sample)

    def _look(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Visible units of images, and what one step takes off their free energies."""
        with torch.autocast(batch.images.device.type, enabled=False):
            v = self._visible(self._see(batch.images))
            descent = self.machine(v) - self.machine(self.machine.reconstruct(v))
        return self._code(v), descent.clamp(min=LEAST)

    def anomaly(self, images: Tensor) -> Tensor:
        """The free energy that one step down takes off, the squared length of the step, or the free energy."""
        seen = self._see(images)
        if self.by == "energy":
            return self._energy(seen)
        drawn = self._drawn(seen)
        if self.by == "error":
            return (self._visible(seen) - self._visible(drawn)).square().mean(dim=1)
        descent = self._energy(seen) - self._energy(drawn)
        if not self.expectation or self.by not in SCORES:
            return descent
        codes = [self._code(self._visible(attitude)) for attitude in attitudes(seen, self.symmetric)]
        return self.expectation.score(self.by, descent.clamp(min=LEAST), codes)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images one step down the free energy, as smooth as the machine sees them."""
        drawn = self._drawn(self._see(images))
        return self.up_to_one.inverse(drawn) if self.up_to_one else self.show(drawn, self.stabilised)

    def oddness(self, images: Tensor) -> Tensor:
        """The squared step of each pixel."""
        seen = self._see(images)
        return (seen - self._drawn(seen)).square()

    def _see(self, images: Tensor) -> Tensor:
        """Images in units of their noise, smoothed; or over the brightest pixel."""
        if self.up_to_one:
            return self.up_to_one(images).clamp(0, 1)
        seen = self.see(images, self.stabilised)
        return smoothed(seen, self.blur.item()) if self.matched and self.blur else seen

    def _visible(self, seen: Tensor) -> Tensor:
        """Visible units [n, visible] of what is seen [n, 1, pixels, pixels]."""
        return self.principal(seen) / self.unit if self.principal else seen.flatten(1)

    def _code(self, v: Tensor) -> Tensor:
        """Visible units for the network of the expectation: 10 at most, or so."""
        return v * (10 / RANGE)

    def _drawn(self, seen: Tensor) -> Tensor:
        """And one step down, [n, 1, pixels, pixels]."""

        def draw(seen: Tensor) -> Tensor:
            v = self.machine.reconstruct(self._visible(seen))
            return self.principal.inverse(v * self.unit) if self.principal else v.view_as(seen)

        return symmetric_mean(draw, seen) if self.symmetric else draw(seen)

    def _energy(self, seen: Tensor) -> Tensor:
        """Free energies [n], in double precision, as small differences of large numbers count."""
        energies = [self.machine(self._visible(a).double()) for a in attitudes(seen, self.symmetric)]
        return torch.stack(energies).mean(dim=0)
