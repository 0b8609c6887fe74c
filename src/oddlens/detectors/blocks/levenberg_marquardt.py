"""Levenberg-Marquardt for many small problems at once: the parameters whose image fits each observed image best.

A pixel of expected brightness m has the noise variance g m + b: a Poisson count in units of g, plus a constant. Its log
likelihood is, up to a constant, minus half the deviance

    D = 2 / g [(d + b/g) log((d + b/g) / (m + b/g)) - (d - m)]          (d - m)^2 / b for g = 0

whose gradient is that of chi-square with fixed weights (McCullagh & Nelder 1989, section 9.2). So the optimum is not
biased towards bright models, as that of chi-square with the variance of the model is. Fisher scoring approximates the
Hessian by J^T J / sigma^2. Marquardt's damping, one number for each lens, ensures that every accepted step decreases
the objective: the deviance plus minus twice the log prior.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.lensing.model import ModelImage

INITIAL_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-2, 1e-6, 1e4
"""A fit whose damping exceeds the maximum is stuck: no step decreases its objective."""
DAMPING_DECREASE, DAMPING_INCREASE = 0.2, 5.0
"""Factors on the damping after an accepted and after a rejected step."""
CONVERGED_GAIN, STALLED_GAIN = 0.1, 10.0
"""A fit ends as soon as an undamped step promises to decrease the objective by less than the first: a third of a
standard deviation of one parameter. A fit that is stuck, because the finite number of rays makes the deviance rough, or
has no more steps, has converged if the last step promised less than the second, about one per cent of the deviance:
valleys of flexible sources are long, and the scan takes this last step. Both are in units of the deviance per pixel
where that exceeds 1, as no lens fits such an image better."""
SMALL_RISE = 0.02
"""Below this value of gain (d - m) / variance the deviance is computed by its series."""


class NoiseModel(NamedTuple):
    """Noise of n images. A pixel of expected brightness m has the variance gain * m + floor, in units of the images.

    Attributes:
        floor: of all pixels, of each [pixels^2], or of each pixel of each image [n, pixels^2]. It is infinite where a
            pixel was not observed; such a pixel has no weight, whatever finite value it has.
        decorrelation: a matrix A [pixels, pixels], if the noise of pixels is correlated: A n A^T is white, where n is
            the noise of an image divided by its standard deviation.
    """

    gain: float
    floor: float | Tensor
    decorrelation: Tensor | None = None

    def variance(self, expected: Tensor) -> Tensor:
        """The variance of pixels of an expected brightness."""
        return self.gain * expected.clamp(min=0) + self.floor

    def count_observed(self, data: Tensor) -> Tensor:
        """The number of observed pixels of images [n, pixels^2], [n]."""
        return self.variance(data).isfinite().sum(dim=1)

    def whiten(self, images: Tensor) -> Tensor:
        """Images [..., pixels^2] in units of the standard deviation of the noise, with white noise.

        For masked pixels it is an approximation: their value is 0, which enters the noise of their neighbours. The
        exact solution needs the covariance of the observed pixels, a matrix [pixels^2, pixels^2] to invert for each
        mask. With a column and one pixel in thirty masked, chi-square per pixel is 1 % too large, and significances
        have their scatter of 1.
        """
        if self.decorrelation is None:
            return images
        square = images.unflatten(-1, self.decorrelation.shape)
        return (self.decorrelation @ square @ self.decorrelation.mT).flatten(-2)

    def deviance(self, data: Tensor, expected: Tensor) -> Tensor:
        """The deviance D of each lens [n], from pixels [n, pixels^2].

        With correlated noise it is the sum of squares of the whitened deviance residuals sign(d - m) sqrt(D).
        """
        variance = self.variance(expected)
        rise = (data - expected) / variance
        if self.gain:
            # With x = gain * rise: 2 ((1 + x) log(1 + x) - x) / gain^2, by its series where x is small.
            x = (self.gain * rise).clamp(min=-0.999)
            exact = 2 * ((1 + x) * x.log1p() - x)
            series = x * x * (1 - x / 3 + x * x / 6)
            deviance = torch.where(x.abs() < SMALL_RISE, series, exact) * variance / self.gain**2
        else:
            deviance = rise.square() * variance
        deviance = deviance.masked_fill(variance.isinf(), 0.0)
        if self.decorrelation is not None:
            deviance = self.whiten(rise.sign() * deviance.clamp(min=0).sqrt()).square()
        return deviance.sum(dim=1)


class NormalPrior(NamedTuple):
    """A normal prior of the parameters.

    Attributes:
        mean: [p].
        precision: [p, p]; a precision of zero leaves parameters free.
    """

    mean: Tensor
    precision: Tensor

    def penalty(self, parameters: Tensor) -> Tensor:
        """Minus twice the log density, up to a constant, [n]."""
        offset = parameters - self.mean
        return ((offset @ self.precision) * offset).sum(dim=1)


class Fit(NamedTuple):
    """The optima of n lenses.

    Attributes:
        parameters: [n, p].
        objective: deviance and penalty, [n].
        converged: whether further steps would decrease the objective by next to nothing, [n].
        steps: number of steps tried, [n].
    """

    parameters: Tensor
    objective: Tensor
    converged: Tensor
    steps: Tensor

    def or_better(self, other: "Fit") -> "Fit":
        """The better fit of each lens: one that converged if the other did not, else that with the lower objective."""
        mine, yours = (torch.where(f.converged, f.objective, torch.inf) for f in (self, other))
        take = (yours < mine) | (~self.converged & ~other.converged & (other.objective < self.objective))
        chosen = (torch.where(take.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in zip(self, other, strict=True))
        return Fit(*chosen)


def fit(
    model: Callable[[Tensor], ModelImage],
    data: Tensor,
    noise: NoiseModel,
    prior: NormalPrior,
    initial: Tensor,
    steps: int,
) -> Fit:
    """Fit images [n, pixels^2], starting from initial parameters [n, p].

    Lenses that have converged stay in the batch: the last bits of a product of matrices depend on its size, and a
    result must not depend on how soon other fits converge. So batches should be small.
    """
    parameters, trial_image = initial.clone(), model(initial)
    image, jacobian = trial_image.image, trial_image.jacobian
    objective = noise.deviance(data, image) + prior.penalty(parameters)
    objective = torch.where(torch.isfinite(objective), objective, torch.inf)
    damping = torch.full_like(objective, INITIAL_DAMPING)
    done = converged = torch.zeros_like(objective, dtype=torch.bool)
    tried = torch.zeros_like(objective, dtype=torch.long)
    observed = noise.count_observed(data)
    for _ in range(steps):
        step, promised = _step(data, image, jacobian, noise, prior, parameters, damping)
        promised = promised / (objective / observed).clamp(min=1)
        stuck = damping > MAX_DAMPING
        converged = converged | (~done & ((promised < CONVERGED_GAIN) | (stuck & (promised < STALLED_GAIN))))
        done = done | stuck | (promised < CONVERGED_GAIN)
        if done.all():
            break
        tried += ~done
        trial = parameters + step
        trial_image = model(trial)
        trial_objective = noise.deviance(data, trial_image.image) + prior.penalty(trial)
        better = ~done & (trial_objective < objective)  # never for NaN
        parameters = torch.where(better[:, None], trial, parameters)
        objective = torch.where(better, trial_objective, objective)
        image = torch.where(better[:, None], trial_image.image, image)
        jacobian = torch.where(better[:, None, None], trial_image.jacobian, jacobian)
        factor = torch.where(better, DAMPING_DECREASE, DAMPING_INCREASE)
        damping = torch.where(done, damping, (damping * factor).clamp(min=MIN_DAMPING))
    converged = converged | (~done & (promised < STALLED_GAIN))
    return Fit(parameters, objective, converged, tried)


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


def linearise(
    data: Tensor, image: Tensor, jacobian: Tensor, noise: NoiseModel, prior: NormalPrior, parameters: Tensor
) -> LinearisedModel:
    """The linearised model of images [n, pixels^2] about parameters [n, p], which have this image and Jacobian."""
    weight = noise.variance(image).rsqrt()
    whitened, residual = noise.whiten(jacobian * weight[:, None]), noise.whiten((data - image) * weight)
    precision, double = prior.precision.double(), whitened.double()
    gradient = (double @ residual.double()[..., None])[..., 0] - (parameters - prior.mean).double() @ precision
    return LinearisedModel(whitened, residual, double @ double.mT + precision, gradient)


def log_evidence(linearised: LinearisedModel, prior: NormalPrior, fitted: Fit) -> Tensor:
    """Log probability of the data given the prior, up to a constant that depends on the data only, [n].

    Laplace's approximation (MacKay 1992, Neural Computation 4, 415): the minimum of the objective, and the factor by
    which the distribution of the parameters has narrowed, log det(precision after) - log det(precision before).
    """
    before, after = (torch.linalg.slogdet(m).logabsdet for m in (prior.precision.double(), linearised.hessian))
    return -0.5 * (fitted.objective.double() + after - before)


def _step(
    data: Tensor,
    image: Tensor,
    jacobian: Tensor,
    noise: NoiseModel,
    prior: NormalPrior,
    parameters: Tensor,
    damping: Tensor,
) -> tuple[Tensor, Tensor]:
    """A damped step [n, p], and the decrease of the objective that the undamped step promises, [n]."""
    _, _, hessian, gradient = linearise(data, image, jacobian, noise, prior, parameters)
    scale = hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-12)
    full = _solve(hessian + torch.diag_embed(MIN_DAMPING * scale), gradient)
    damped = _solve(hessian + torch.diag_embed(damping[:, None].double() * scale), gradient)
    promised = (gradient * full).sum(dim=1)
    return damped.to(parameters.dtype), promised.to(parameters.dtype)


def _solve(matrices: Tensor, vectors: Tensor) -> Tensor:
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
