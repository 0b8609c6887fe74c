"""Restricted Boltzmann machine: images to which a learned energy gives low probability are odd.

After Alexander et al. 2020 (arXiv:2008.12731): visible units v, binary hidden units, trained by contrastive divergence,
loss = free energy of the data minus free energy of samples one Gibbs step away. Theirs has Bernoulli pixels, starts
from N(0, 1) weights and did not learn. Here weights start small, and `visible: gaussian` takes normal units of unit
variance about b + W h. Their variance is fixed, so they must be whitened to see faint structure: v are the leading
principal components of an image, each in units of its standard deviation divided by `sharpness`.

    F(v) = |v - b|^2 / 2 - sum_j softplus(c_j + v . W_j)           gaussian
    F(v) = -v . b        - sum_j softplus(c_j + v . W_j)           bernoulli (pixels in [0, 1])

The score is the squared error of the mean-field reconstruction of v (`score: error`) or F (`score: energy`).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from oddlens.detectors.base import Detector
from oddlens.detectors.blocks import cosine, mean_per_image
from oddlens.detectors.blocks.components import PrincipalComponents
from oddlens.images import Images
from oddlens.training import Batch, Objective


class Energy(nn.Module):
    """Weights W [visible, hidden] and biases b, c of the machine."""

    def __init__(self, visible: int, hidden: int, gaussian: bool):
        super().__init__()
        self.gaussian = gaussian
        self.weight = nn.Parameter(0.01 * torch.randn(visible, hidden))
        self.b = nn.Parameter(torch.zeros(visible))
        self.c = nn.Parameter(torch.zeros(hidden))

    def forward(self, v: Tensor) -> Tensor:
        """Free energies [n] of visible vectors [n, visible]."""
        own = 0.5 * (v - self.b).square().sum(dim=1) if self.gaussian else -(v @ self.b)
        return own - F.softplus(v @ self.weight + self.c).sum(dim=1)

    def mean_visible(self, h: Tensor) -> Tensor:
        """The mean of the visible units given hidden ones [n, hidden]."""
        activation = h @ self.weight.T + self.b
        return activation if self.gaussian else activation.sigmoid()

    def mean_hidden(self, v: Tensor) -> Tensor:
        """The probabilities of the hidden units given visible ones."""
        return (v @ self.weight + self.c).sigmoid()

    @torch.no_grad()
    def gibbs_step(self, v: Tensor, generator: torch.Generator) -> Tensor:
        """Visible, sampled hidden, sampled visible."""
        h = torch.bernoulli(self.mean_hidden(v), generator=generator)
        mean = self.mean_visible(h)
        if self.gaussian:
            return mean + torch.randn(mean.shape, generator=generator, device=mean.device)
        return torch.bernoulli(mean, generator=generator)


class RBM(Detector):
    """One layer of binary hidden units over principal components or pixels."""

    def __init__(
        self,
        pixels: int,
        *,
        hidden: PositiveInt = 1024,
        visible: Literal["gaussian", "bernoulli"] = "gaussian",
        components: PositiveInt = 80,
        sharpness: PositiveFloat = 3.0,
        score: Literal["error", "energy"] = "error",
        gibbs_steps: PositiveInt = 1,
        learning_rate: PositiveFloat = 2e-2,
    ):
        super().__init__(pixels)
        gaussian = visible == "gaussian"
        self.principal = PrincipalComponents(pixels, components) if gaussian else None
        self.energy = Energy(self.principal.count if self.principal else pixels**2, hidden, gaussian)
        self.sharpness, self.gibbs_steps, self.learning_rate = sharpness, gibbs_steps, learning_rate
        self.by_energy = score == "energy"

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Learn the principal components that Gaussian units stand for."""
        if self.principal:
            self.principal.learn(images, generator)

    def _visible(self, images: Tensor) -> Tensor:
        """Visible units [n, visible] of images."""
        if self.principal:
            return self.principal(images) / self.principal.scatter * self.sharpness
        return images.clamp(0, 1).flatten(1)

    def objectives(self) -> list[Objective]:
        """Contrastive divergence."""
        return [Objective("contrastive divergence", (self.energy,), self._loss, cosine(self.learning_rate))]

    def _loss(self, batch: Batch) -> Tensor:
        data = self._visible(batch.images)
        sample = data if self.energy.gaussian else torch.bernoulli(data, generator=batch.generator)
        for _ in range(self.gibbs_steps):
            sample = self.energy.gibbs_step(sample, batch.generator)
        return self.energy(data) - self.energy(sample)

    def anomaly(self, images: Tensor) -> Tensor:
        """Reconstruction error of the visible units, or free energy."""
        v = self._visible(images)
        return self.energy(v) if self.by_energy else mean_per_image((v - self._mean_field(v)).square())

    def _mean_field(self, v: Tensor) -> Tensor:
        return self.energy.mean_visible(self.energy.mean_hidden(v))

    def reconstruct(self, images: Tensor) -> Tensor:
        """One mean-field step to the hidden units and back."""
        v = self._mean_field(self._visible(images))
        if self.principal:
            return self.principal.inverse(v * self.principal.scatter / self.sharpness)
        return v.view_as(images)
