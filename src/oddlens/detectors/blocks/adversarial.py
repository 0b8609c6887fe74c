"""The parts of a generative adversarial network with an encoder: code priors, losses, and a dense critic."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.detectors.blocks.networks import residual_network

Adversary = Literal["wgan_gp", "saturating"]
GRADIENT_PENALTY = 10.0
"""The weight of the gradient penalty."""
DRIFT_PENALTY = 1e-3
"""The weight of D(x)^2."""
N_CLASSES = 10
"""The length of the one-hot part of a clustered code."""


class CodePrior:
    """The distribution of codes: `scale` * N(0, 1); if `clustered`, the last `N_CLASSES` numbers are a one-hot vector.

    Raises:
        ValueError: the code is not longer than its one-hot part.
    """

    def __init__(self, latent: int, scale: float, *, clustered: bool):
        if clustered and latent <= N_CLASSES:
            raise ValueError(f"prior: clustered has {N_CLASSES} classes and needs latent > {N_CLASSES}, not {latent}")
        self.latent, self.scale, self.clustered = latent, scale, clustered

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Codes [count, latent]."""
        codes = self.scale * torch.randn((count, self.latent), generator=generator, device=generator.device)
        if self.clustered:
            classes = torch.randint(N_CLASSES, (count,), generator=generator, device=generator.device)
            codes[:, -N_CLASSES:] = F.one_hot(classes, N_CLASSES).to(codes.dtype)
        return codes

    def activated(self, outputs: Tensor) -> Tensor:
        """The outputs of an encoder as codes: the logits of the one-hot part become probabilities."""
        if not self.clustered:
            return outputs
        return torch.cat([outputs[:, :-N_CLASSES], outputs[:, -N_CLASSES:].softmax(dim=1)], dim=1)

    def cycle_loss(self, codes: Tensor, outputs: Tensor) -> Tensor:
        """The loss between codes and the outputs of an encoder: squared error, and cross-entropy of the one-hot
        part."""
        numbers = self.latent - N_CLASSES * self.clustered
        loss = (codes - outputs)[:, :numbers].square().mean() / self.scale**2
        if self.clustered:
            loss = loss + F.cross_entropy(outputs[:, numbers:], codes[:, numbers:])
        return loss


def critic_loss(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, adversary: Adversary, generator: torch.Generator
) -> Tensor:
    """The loss of a critic; see `oddlens/detectors/pgan_se.py`.

    Args:
        generator: of the points between real and fake images at which the gradient is penalised.
    """
    of_real, of_fake = (critic(images).float() for images in (real, fake))
    if adversary == "saturating":
        return (F.softplus(-of_real) + F.softplus(of_fake)).mean()
    shape = (len(real), *[1] * (real.ndim - 1))
    weights = torch.rand(shape, generator=generator, device=real.device)
    between = torch.lerp(real, fake, weights).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (gradient.float().flatten(1).norm(dim=1) - 1).square().mean()
    return (of_fake - of_real).mean() + GRADIENT_PENALTY * penalty + DRIFT_PENALTY * of_real.square().mean()


def generator_loss(critic: Callable[[Tensor], Tensor], fake: Tensor, adversary: Adversary) -> Tensor:
    """The loss of a generator whose images a critic judges."""
    of_fake = critic(fake).float()
    return -of_fake.mean() if adversary == "wgan_gp" else -F.softplus(of_fake).mean()


class DenseCritic(nn.Module):
    """Coordinates of images [n, count] to one number each, [n, 1]."""

    def __init__(self, count: int, width: int, depth: int):
        super().__init__()
        self.layers = residual_network(count, 1, width, depth)

    def features(self, x: Tensor) -> Tensor:
        """The features of each image, [n, width]."""
        return self.layers[:-1](x)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        features = self.features(x)
        with torch.autocast(x.device.type, enabled=False):  # as in `GrowingTrunk`
            return self.layers[-1](features.float())
