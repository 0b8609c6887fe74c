"""A model linearised about its parameters, in units of the noise, with a normal prior."""

from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.detectors.blocks.noise_model import NoiseModel


class NormalPrior(NamedTuple):
    """A normal prior of independent parameters.

    Attributes:
        mean: [p].
        precision: one over their variances, [p], or [n, p] if it differs between images; 0 leaves a parameter free.
    """

    mean: Tensor
    precision: Tensor

    def of(self, lenses: slice) -> "NormalPrior":
        """The priors of some of the lenses, if their precision differs between images."""
        return self._replace(precision=self.precision[lenses])

    def with_precision_of(self, part: slice, precision: float) -> "NormalPrior":
        """The prior with another precision of some of the parameters."""
        changed = self.precision.clone()
        changed[..., part] = precision
        return self._replace(precision=changed)

    def penalty(self, parameters: Tensor) -> Tensor:
        """Minus twice the log density, up to a constant, [n]."""
        return (self.precision * (parameters - self.mean).square()).sum(dim=1)


class LinearisedModel(NamedTuple):
    """A model linearised about its parameters, in units of the noise, with the prior.

    Attributes:
        jacobian: [n, p, pixels^2].
        residual: of the data, [n, pixels^2].
        hessian: half the Hessian of the objective, in Fisher's approximation, double precision, [n, p, p].
        gradient: minus half the gradient of the objective, double precision, [n, p].
    """

    jacobian: Tensor
    residual: Tensor
    hessian: Tensor
    gradient: Tensor

    def of(self, lenses: Tensor) -> "LinearisedModel":
        """The models of some of the lenses."""
        return LinearisedModel(*(each[lenses] for each in self))

    def with_precision(self, prior: NormalPrior, precision: Tensor, parameters: Tensor) -> "LinearisedModel":
        """The same model about the parameters [n, p] with another precision [n, p] of the prior."""
        change = precision.double() - prior.precision.double()
        return self._replace(
            hessian=self.hessian + torch.diag_embed(change),
            gradient=self.gradient - change * (parameters - prior.mean),
        )


def linearise(
    data: Tensor, image: Tensor, jacobian: Tensor, noise: NoiseModel, prior: NormalPrior, parameters: Tensor
) -> LinearisedModel:
    """The linearised model of images [n, pixels^2] about parameters [n, p], which have this image and Jacobian."""
    weight = noise.variance(image).rsqrt()
    whitened, residual = noise.whiten(jacobian * weight[:, None]), noise.whiten((data - image) * weight)
    precision, double = prior.precision.double(), whitened.double()
    gradient = (double @ residual.double()[..., None])[..., 0] - (parameters - prior.mean).double() * precision
    return LinearisedModel(whitened, residual, double @ double.mT + torch.diag_embed(precision), gradient)


def log_evidence(linearised: LinearisedModel, prior: NormalPrior, objective: Tensor) -> Tensor:
    """Log probability of the data given the prior, up to a constant that depends on the data only, [n].

    Laplace's approximation (MacKay 1992, Neural Computation 4, 415): the minimum of the objective, and the factor by
    which the distribution of the parameters has narrowed, log det(precision after) - log det(precision before).
    """
    before, after = prior.precision.double().log().sum(dim=-1), torch.linalg.slogdet(linearised.hessian).logabsdet
    return -0.5 * (objective.double() + after - before)


def solve(matrices: Tensor, vectors: Tensor) -> Tensor:
    """x of A x = b for symmetric positive definite A [n, p, p] and b [n, p]; zero where A is not positive definite."""
    factor, valid = safe_cholesky(matrices)
    solution = torch.cholesky_solve(vectors[..., None], factor)[..., 0]
    return torch.where(valid[:, None], solution, 0.0)


def safe_cholesky(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Cholesky factors of symmetric matrices [n, p, p], and whether each is positive definite, [n].

    The factor of a matrix that is not is replaced by the identity.
    """
    factor, failed = torch.linalg.cholesky_ex(matrices)
    valid = failed == 0
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    return torch.where(valid[:, None, None], factor, identity), valid
