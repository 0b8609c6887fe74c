"""The objective max I(X; Z) - beta H(Z) for codes Z of images X, inspired by Ye et al. 2020 (arXiv:2012.04837).

If the codes of normal images hold much about their images and little beside, an image of another kind has no place
among them. Neither term can be computed, but both can be bounded:

* I(X; Z) from below by a critic f that tells codes of two views of one image from those of two images;
* H(Z) <= -E log r(Z) for any density r: |Z|^2 for a normal one, |Z|_1 for a Laplace one, up to factors and constants.

For a batch of K images, with codes Z_i of one view and Z'_i of another, S_ij = f(Z_i, Z'_j) / temperature, the loss of
image i is -I_i + beta * reference(Z_i). The mean over the batch of I_i is

    infonce   S_ii - log (sum_j exp(S_ij) / K)                   at most log K
    nwj       S_ii - mean_{j != i} exp(S_ij - 1)
    jsd       -softplus(-S_ii) - mean_{j != i} softplus(S_ij)    at most 2 (JS divergence - log 2), which rises with I

If a few images are known to be odd, the cross entropy of normal codes under a density about odd ones is to be large:
codes Z_o of odd images are to lie far from normal ones. That has no upper bound, so it is bounded in one of two ways,
with d_i the mean over odd codes of reference(Z_i - Z_o), for each number of the code:

    repulsion: inverse    1 / d_i             (as Ruff et al. 2020, arXiv:1906.02694, do it)
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

from oddlens.training.symmetries import COUNT, act

HIDDEN = 64
"""Hidden units of a critic that is a network."""
BANK, NEIGHBOURS = 4000, 5
"""Training images whose codes are kept; how many nearest of them count."""
CriticKind = Literal["cosine", "bilinear", "separable", "concat"]
Reference = Literal["normal", "laplace"]
Score = Literal["norm", "centre", "critic", "knn"]
Bound = Literal["infonce", "nwj", "jsd"]
Augmentation = Literal["turns", "flips", "shifts", "noise"]
Repulsion = Literal["inverse", "margin"]
CLOSEST = 1e-2
"""The least distance that is inverted."""


def information(scores: Tensor, bound: Bound) -> Tensor:
    """I_i [n] of a critic's scores [n, n], whose diagonal holds the pairs of one image.

    Raises:
        ValueError: a batch of one has nothing to compare with.
    """
    count = len(scores)
    if count < 2:
        raise ValueError("information is told from other images of the batch, and this one has none: batch_size >= 2")
    pair = scores.diagonal()
    if bound == "infonce":
        return pair - scores.logsumexp(dim=1) + math.log(count)
    others = scores.flatten()[1:].view(count - 1, count + 1)[:, :-1].reshape(count, count - 1)
    if bound == "nwj":
        return pair - (others - 1).exp().mean(dim=1)
    return -F.softplus(-pair) - F.softplus(others).mean(dim=1)


def reference(codes: Tensor, kind: Reference) -> Tensor:
    """-log r of codes [n, latent], [n], but for factors and constants."""
    return codes.square().sum(dim=1) if kind == "normal" else codes.abs().sum(dim=1)


def repelled(codes: Tensor, odd: Tensor, kind: Reference, repulsion: Repulsion) -> Tensor:
    """What codes [n, latent] lose for lying near to odd ones [m, latent], [n]."""
    distance = torch.stack([reference(codes - one, kind) for one in odd]).mean(dim=0) / codes.shape[1]
    return 1 / distance.clamp(min=CLOSEST) if repulsion == "inverse" else F.relu(1 - distance)


class Critic(nn.Module):
    """Scores f(z, z') of codes, [n, latent] and [m, latent] to [n, m].

    `cosine` of the angle between them; `bilinear`, z W z'; `separable`, g(z) h(z') with two networks; `concat`, a
    network of both.
    """

    def __init__(self, kind: CriticKind, latent: int):
        super().__init__()
        self.kind = kind
        if kind == "bilinear":
            self.matrix = nn.Parameter(torch.eye(latent) / math.sqrt(latent))
        if kind == "separable":
            self.one, self.other = (
                nn.Sequential(nn.Linear(latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, latent)) for _ in range(2)
            )
        if kind == "concat":
            self.network = nn.Sequential(nn.Linear(2 * latent, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """See the class."""
        if self.kind == "cosine":
            return F.normalize(one, dim=1) @ F.normalize(other, dim=1).T
        if self.kind == "bilinear":
            return one @ self.matrix @ other.T
        if self.kind == "separable":
            return self.one(one) @ self.other(other).T
        pairs = [one[:, None].expand(-1, len(other), -1), other.expand(len(one), -1, -1)]
        return self.network(torch.cat(pairs, dim=2))[..., 0]


def posed(images: Tensor, augmentations: list[Augmentation], generator: torch.Generator) -> Tensor:
    """Images [n, 1, h, h] turned and flipped, which are symmetries of lensing, or shifted by up to a pixel."""

    def drawn(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (len(images),), generator=generator, device=images.device)

    attitude = torch.zeros(len(images), dtype=torch.long, device=images.device)
    if "turns" in augmentations:
        attitude += drawn(0, 4)
    if "flips" in augmentations:
        attitude += 4 * drawn(0, 2)
    result = images.clone()
    for k in range(1, COUNT):
        chosen = attitude == k
        result[chosen] = act(images[chosen], k)
    if "shifts" not in augmentations:
        return result
    padded, pixels = F.pad(result, (1, 1, 1, 1), mode="replicate"), images.shape[-1]
    down, right = drawn(0, 3), drawn(0, 3)
    for i, j in itertools.product(range(3), repeat=2):
        chosen = (down == i) & (right == j)
        result[chosen] = padded[chosen, :, i : i + pixels, j : j + pixels]
    return result


class Information(nn.Module):
    """Both terms of the objective, and the scores that codes have.

    `bank` has codes of training images and `centre` a code among them; whoever trains this fills in both.
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
        self.register_buffer("bank", torch.zeros(BANK, latent))
        self.register_buffer("centre", torch.zeros(latent))
        # The same for all images, as no score may depend on its neighbours.
        self.register_buffer("noise", torch.randn(1, 1, pixels, pixels))
        self.temperature, self.bound, self.reference, self.beta = temperature, bound, reference, beta
        self.augmentations, self.repulsion = augmentations, repulsion

    def views(self, seen: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images in units of their noise as they might have been, and with the noise that they might have had too."""
        clean = posed(seen, self.augmentations, generator)
        if "noise" not in self.augmentations:
            return clean, clean
        return clean, clean + torch.randn(clean.shape, generator=generator, device=clean.device)

    def told(self, codes: Tensor, others: Tensor) -> Tensor:
        """The bound of I(X; Z), [n], from the codes of two views of the same images."""
        return information(self.critic(codes, others).float() / self.temperature, self.bound)

    def entropy(self, codes: Tensor) -> Tensor:
        """beta times the bound of H(Z), [n]."""
        return self.beta * reference(codes, self.reference)

    def apart(self, codes: Tensor, odd: Tensor) -> Tensor:
        """What normal codes lose for lying near to odd ones, [n]."""
        return repelled(codes, odd, self.reference, self.repulsion)

    def keep(self, codes: Tensor) -> None:
        """Remember codes of training images [n, latent]."""
        self.bank.copy_(codes.repeat(-(-BANK // len(codes)), 1)[:BANK])

    def score(self, by: Score, encode: Callable[[Tensor], Tensor], attitudes: list[Tensor]) -> Tensor:
        """Scores [n] of images in some attitudes, meaned over these.

        `norm`, the reference term of the code; `centre`, its squared distance from the centre; `knn`, the mean distance
        to the nearest codes of training images; `critic`, minus the critic's value for two views: neighbouring
        attitudes or, if the augmentations know none, an image with and without some more noise.
        """
        codes = [encode(seen).float() for seen in attitudes]
        if by == "critic":
            turned = {"turns", "flips"} & set(self.augmentations) and len(codes) > 1
            others = [*codes[1:], codes[0]] if turned else [encode(seen + self.noise).float() for seen in attitudes]
            found = [-self.critic(*pair).diagonal() for pair in zip(codes, others, strict=True)]
        elif by == "norm":
            found = [reference(code, self.reference) for code in codes]
        elif by == "centre":
            found = [(code - self.centre).square().sum(dim=1) for code in codes]
        else:
            near = [torch.cdist(code, self.bank).topk(NEIGHBOURS, dim=1, largest=False).values for code in codes]
            found = [distances.mean(dim=1) for distances in near]
        return torch.stack(found).mean(dim=0)
