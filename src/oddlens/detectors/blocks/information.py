"""The objective max I(X; Z) - beta H(Z) for codes Z of images X, inspired by Ye et al. 2020 (arXiv:2012.04837).

If the codes of normal images contain much information about their images and little else, the codes of anomalies differ
from them. Neither term can be computed, but both have bounds:

* I(X; Z) has lower bounds, by a critic f that separates codes of two views of one image from those of two images;
* H(Z) <= -E log r(Z) for any density r: |Z|^2 for a normal one, |Z|_1 for a Laplace one, up to factors and constants.

For a batch of K images, with codes Z_i of one view and Z'_i of another, S_ij = f(Z_i, Z'_j) / temperature, the loss of
image i is -I_i + beta * reference(Z_i). The mean over the batch of I_i is

    infonce   S_ii - log (sum_j exp(S_ij) / K)                   at most log K
    nwj       S_ii - mean_{j != i} exp(S_ij - 1)
    jsd       -softplus(-S_ii) - mean_{j != i} softplus(S_ij)    at most 2 (JS divergence - log 2), which rises with I

If some anomalies are known, the codes of normal images have to be far from their codes Z_a: the cross entropy of normal
codes under a density about anomalous ones has to be large. This term has no upper bound of its own. With d_i the mean
over anomalous codes of reference(Z_i - Z_a), for each number of the code, it is bounded in one of two ways:

    repulsion: inverse    1 / d_i             (as Ruff et al. 2020, arXiv:1906.02694)
    repulsion: margin     max(0, 1 - d_i)

(van den Oord et al. 2018, arXiv:1807.03748; Nguyen, Wainwright & Jordan 2010; Hjelm et al. 2019, arXiv:1808.06670.)
"""

import itertools
import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oddlens.training.symmetries import N_SYMMETRIES, act

CRITIC_WIDTH = 64
"""Hidden units of a critic that is a network."""
N_STORED_CODES = 4000
"""Training images whose codes are stored."""
N_NEIGHBOURS = 5
"""Nearest stored codes that a score averages over."""
MIN_DISTANCE = 1e-2
"""Smaller distances between codes are raised to this before they are inverted."""
MIN_VARIANCE = 1e-10
"""Directions of codes with a smaller part of the largest variance have no scatter."""
CriticKind = Literal["cosine", "bilinear", "separable", "concat"]
Reference = Literal["normal", "laplace"]
CodeScore = Literal["norm", "centre", "critic", "knn", "mahalanobis"]
Bound = Literal["infonce", "nwj", "jsd"]
Augmentation = Literal["turns", "flips", "rotations", "shifts", "noise"]
Repulsion = Literal["inverse", "margin"]


def information_bound(scores: Tensor, bound: Bound) -> Tensor:
    """I_i [n] from a critic's scores [n, n], whose diagonal holds the pairs of one image.

    Raises:
        ValueError: the batch has one image, and there is no pair of two images.
    """
    count = len(scores)
    if count < 2:
        raise ValueError(
            "the bound of the information compares the images of a batch, and this one has 1: batch_size >= 2"
        )
    pair = scores.diagonal()
    if bound == "infonce":
        return pair - scores.logsumexp(dim=1) + math.log(count)
    others = scores.flatten()[1:].view(count - 1, count + 1)[:, :-1].reshape(count, count - 1)
    if bound == "nwj":
        return pair - (others - 1).exp().mean(dim=1)
    return -F.softplus(-pair) - F.softplus(others).mean(dim=1)


def reference_term(codes: Tensor, reference: Reference) -> Tensor:
    """-log r of codes [n, latent], up to factors and constants, [n]."""
    return codes.square().sum(dim=1) if reference == "normal" else codes.abs().sum(dim=1)


def repulsion_loss(codes: Tensor, anomalous: Tensor, reference: Reference, repulsion: Repulsion) -> Tensor:
    """The loss [n] of codes [n, latent] near to codes of known anomalies [m, latent]."""
    distance = torch.stack([reference_term(codes - one, reference) for one in anomalous]).mean(dim=0) / codes.shape[1]
    return 1 / distance.clamp(min=MIN_DISTANCE) if repulsion == "inverse" else F.relu(1 - distance)


class Critic(nn.Module):
    """Scores f(z, z') of codes, [n, latent] and [m, latent] to [n, m].

    `cosine`, of the angle between them; `bilinear`, z W z'; `separable`, g(z) h(z') with two networks; `concat`, a
    network of both.
    """

    def __init__(self, kind: CriticKind, latent: int):
        super().__init__()
        self.kind = kind
        if kind == "bilinear":
            self.matrix = nn.Parameter(torch.eye(latent) / math.sqrt(latent))
        if kind == "separable":
            self.first, self.second = (
                nn.Sequential(nn.Linear(latent, CRITIC_WIDTH), nn.GELU(), nn.Linear(CRITIC_WIDTH, latent))
                for _ in range(2)
            )
        if kind == "concat":
            self.network = nn.Sequential(nn.Linear(2 * latent, CRITIC_WIDTH), nn.GELU(), nn.Linear(CRITIC_WIDTH, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """See the class."""
        if self.kind == "cosine":
            return F.normalize(first, dim=1) @ F.normalize(second, dim=1).T
        if self.kind == "bilinear":
            return first @ self.matrix @ second.T
        if self.kind == "separable":
            return self.first(first) @ self.second(second).T
        pairs = [first[:, None].expand(-1, len(second), -1), second.expand(len(first), -1, -1)]  # [n, m, latent] each
        return self.network(torch.cat(pairs, dim=2))[..., 0]


def rotated(images: Tensor, angles: Tensor) -> Tensor:
    """Images [n, 1, h, h] rotated about their centres by angles [n] in radians, as `torch.rot90` by pi / 2.

    A rotation has Jacobian 1, so surface brightness and flux are conserved. Bicubic interpolation correlates the noise
    of neighbouring pixels and, but for quarter turns, lowers it. Beyond its frame an image continues as the nearest
    pixel of its edge: sky.
    """
    cos, sin, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    matrices = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3).to(images.dtype)
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)


def moved(images: Tensor, augmentations: list[Augmentation], generator: torch.Generator) -> Tensor:
    """Images [n, 1, h, h] after random turns, flips and rotations, which are symmetries of lensing, and shifts by up to
    a pixel."""

    def random(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (len(images),), generator=generator, device=images.device)

    symmetry = torch.zeros(len(images), dtype=torch.long, device=images.device)
    if "turns" in augmentations:
        symmetry += random(0, 4)
    if "flips" in augmentations:
        symmetry += 4 * random(0, 2)
    result = images.clone()
    for k in range(1, N_SYMMETRIES):
        chosen = symmetry == k
        result[chosen] = act(images[chosen], k)
    if "rotations" in augmentations:
        result = rotated(result, 2 * math.pi * torch.rand(len(images), generator=generator, device=images.device))
    if "shifts" not in augmentations:
        return result
    padded, pixels = F.pad(result, (1, 1, 1, 1), mode="replicate"), images.shape[-1]
    down, right = random(0, 3), random(0, 3)
    for i, j in itertools.product(range(3), repeat=2):
        chosen = (down == i) & (right == j)
        result[chosen] = padded[chosen, :, i : i + pixels, j : j + pixels]
    return result


class Information(nn.Module):
    """Both terms of the objective, and the scores of codes.

    The detector fills the buffers `bank`, codes of training images, and `centre`, a code in their middle.
    """

    bank: Tensor
    centre: Tensor
    noise: Tensor

    def __init__(
        self,
        pixels: int,
        latent: int,
        *,
        critic: CriticKind,
        temperature: float,
        bound: Bound,
        reference: Reference,
        beta: float,
        augmentations: list[Augmentation],
        repulsion: Repulsion,
    ):
        super().__init__()
        self.critic = Critic(critic, latent)
        self.register_buffer("bank", torch.zeros(N_STORED_CODES, latent))
        self.register_buffer("centre", torch.zeros(latent))
        # One noise image for all images, as the score of an image must not depend on the other images.
        self.register_buffer("noise", torch.randn(1, 1, pixels, pixels))
        self.temperature, self.bound, self.reference, self.beta = temperature, bound, reference, beta
        self.augmentations, self.repulsion = augmentations, repulsion

    def views(self, normalised: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random view of images in units of their noise, without and with added noise."""
        clean = moved(normalised, self.augmentations, generator)
        if "noise" not in self.augmentations:
            return clean, clean
        return clean, clean + torch.randn(clean.shape, generator=generator, device=clean.device)

    def mutual_information(self, codes: Tensor, others: Tensor) -> Tensor:
        """The bound of I(X; Z), [n], from the codes of two views of the same images."""
        return information_bound(self.critic(codes, others).float() / self.temperature, self.bound)

    def entropy(self, codes: Tensor) -> Tensor:
        """beta times the bound of H(Z), [n]."""
        return self.beta * reference_term(codes, self.reference)

    def repulsion_from(self, anomalous: Tensor, codes: Tensor) -> Tensor:
        """The loss [n] of normal codes near to codes of known anomalies."""
        return repulsion_loss(codes, anomalous, self.reference, self.repulsion)

    def store(self, codes: Tensor) -> None:
        """Store codes of training images [n, latent]."""
        self.bank.copy_(codes.repeat(-(-N_STORED_CODES // len(codes)), 1)[:N_STORED_CODES])

    def score(self, name: CodeScore, encode: Callable[[Tensor], Tensor], oriented: list[Tensor]) -> Tensor:
        """The mean score [n] of images over some orientations.

        `norm`, the reference term of the code; `centre`, its squared distance from the centre; `knn`, the mean distance
        to the nearest stored codes; `mahalanobis`, the squared distance from the mean of the stored codes in units of
        their covariance (Lee et al. 2018, arXiv:1807.03888, with one class); `critic`, minus the critic's score of two
        views: neighbouring orientations or, if the augmentations have no turns, flips or rotations, an image with and
        without added noise.
        """
        codes = [encode(images).float() for images in oriented]
        if name == "critic":
            turned = {"turns", "flips", "rotations"} & set(self.augmentations) and len(codes) > 1
            others = [*codes[1:], codes[0]] if turned else [encode(x + self.noise).float() for x in oriented]
            scores = [-self.critic(*pair).diagonal() for pair in zip(codes, others, strict=True)]
        elif name == "norm":
            scores = [reference_term(code, self.reference) for code in codes]
        elif name == "centre":
            scores = [(code - self.centre).square().sum(dim=1) for code in codes]
        elif name == "mahalanobis":
            scores = self._mahalanobis(codes)
        else:
            near = [torch.cdist(code, self.bank).topk(N_NEIGHBOURS, dim=1, largest=False).values for code in codes]
            scores = [distances.mean(dim=1) for distances in near]
        return torch.stack(scores).mean(dim=0)

    def _mahalanobis(self, codes: list[Tensor]) -> list[Tensor]:
        """Squared distances [n] of codes from the stored ones. Directions without scatter are left out."""
        variances, axes = torch.linalg.eigh(torch.cov(self.bank.double().T))
        kept = variances > MIN_VARIANCE * variances[-1]
        whitening = axes[:, kept] / variances[kept].sqrt()
        return [((code - self.bank.mean(dim=0)).double() @ whitening).square().sum(dim=1).float() for code in codes]
