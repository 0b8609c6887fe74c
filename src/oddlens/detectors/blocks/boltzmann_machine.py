"""A restricted Boltzmann machine; the formulas are in `oddlens/detectors/rbm.py`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BoltzmannMachine(nn.Module):
    """Weights W [visible, hidden], biases b and c, and the logarithms of the precisions l of Gaussian units."""

    def __init__(self, visible: int, hidden: int, scale: float, *, gaussian: bool, rectified: bool, learned: bool):
        super().__init__()
        self.gaussian, self.rectified = gaussian, rectified
        self.weight = nn.Parameter(scale * torch.randn(visible, hidden))
        self.b = nn.Parameter(scale * torch.randn(visible))
        self.c = nn.Parameter(scale * torch.randn(hidden))
        self.log_precision = nn.Parameter(torch.zeros(visible)) if learned else None

    @property
    def precision(self) -> Tensor:
        """The precision of the visible units, [visible]."""
        return torch.ones_like(self.b) if self.log_precision is None else self.log_precision.exp()

    def forward(self, v: Tensor) -> Tensor:
        """The free energies [n] of visible vectors [n, visible]."""
        a = v @ self.weight.to(v.dtype) + self.c  # [n, hidden]
        hidden = 0.5 * F.relu(a).square() if self.rectified else F.softplus(a)
        visible = 0.5 * self.precision * (v - self.b).square() if self.gaussian else -v * self.b
        return visible.sum(dim=1) - hidden.sum(dim=1)

    def reconstruct(self, v: Tensor) -> Tensor:
        """One step down the free energy for Gaussian units, one mean-field step for binary ones, [n, visible]."""
        a = v @ self.weight + self.c
        pull = (F.relu(a) if self.rectified else a.sigmoid()) @ self.weight.T
        return v - self.precision * (v - self.b) + pull if self.gaussian else (pull + self.b).sigmoid()

    @torch.no_grad()
    def gibbs_step(self, v: Tensor, generator: torch.Generator) -> Tensor:
        """Sample hidden units given visible ones, then visible ones; rectified units as in Nair & Hinton 2010."""

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
