"""Levenberg-Marquardt for many small problems at once: the parameters whose image explains each observed one best.

A pixel of expected brightness m has the noise variance g m + b, that of a Poisson count in units of g over a floor. Its
log likelihood, up to a constant, is minus half the deviance

    D = 2 / g [(d + b/g) log((d + b/g) / (m + b/g)) - (d - m)]          (d - m)^2 / b for g = 0

whose gradient is that of chi-square with the weights held (McCullagh & Nelder 1989, section 9.2): the optimum is not
drawn to bright models, as that of chi-square with the model's own variance is. Fisher scoring uses J^T J / sigma^2 for
the Hessian, and Marquardt's damping, one number a lens, makes every step go down.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.lensing.model import ModelImage

START, LEAST, MOST = 1e-2, 1e-6, 1e4
"""Damping: in the beginning and in its bounds; beyond the last there is no way down."""
EASIER, HARDER = 0.2, 5.0
"""What becomes of it after a step that went down, and after one that did not."""
ENOUGH, STALLED = 0.1, 10.0
"""A step that promises less of the deviance ends the fit: a third of a standard deviation of one parameter. Where no
step goes down, as rays make the deviance rough, or there are no more, the fit has converged if the last promised less
than the second, about a hundredth of the deviance: valleys of flexible sources are long, and a scan takes this last
step. Both in units of the deviance per pixel, where that is more than 1: no lens explains such an image better."""


class Noise(NamedTuple):
    """The variance of a pixel of expected brightness m is gain * m + floor, in units of the images."""

    gain: float
    floor: float | Tensor
    """Of all pixels, of each [pixels^2], or of each of every image [n, pixels^2]; infinite where a pixel was not
    observed: it has no weight, whatever finite number stands there."""
    decorrelates: Tensor | None = None
    """A matrix A [pixels, pixels], if pixels' noise is correlated: A n A^T is not, n being noise over its deviation."""

    def variance(self, expected: Tensor) -> Tensor:
        """See the class."""
        return self.gain * expected.clamp(min=0) + self.floor

    def observed(self, data: Tensor) -> Tensor:
        """How many pixels of images [n, pixels^2] were observed, [n]."""
        return self.variance(data).isfinite().sum(dim=1)

    def white(self, images: Tensor) -> Tensor:
        """Images [..., pixels^2] in units of the noise's deviation, as they are where noise is white."""
        # Approximate where pixels are masked: they are 0 here, which their neighbours take for their noise. Exact would
        # be the covariance of the observed ones, another [pixels^2, pixels^2] to invert for each mask; chi-square per
        # pixel is 1 % too large with a column and one pixel in thirty masked, significances have their scatter of 1.
        if self.decorrelates is None:
            return images
        square = images.unflatten(-1, self.decorrelates.shape)
        return (self.decorrelates @ square @ self.decorrelates.mT).flatten(-2)

    def deviance(self, data: Tensor, expected: Tensor) -> Tensor:
        """D of each lens [n], of pixels [n, pixels^2]; see the module. That of correlated pixels is the sum of squares
        of their decorrelated deviance residuals, sign(d - m) sqrt(D)."""
        variance = self.variance(expected)
        rise = (data - expected) / variance
        if self.gain:
            # With x = gain * rise: 2 ((1 + x) log(1 + x) - x) / gain^2, by its series where x is small.
            x = (self.gain * rise).clamp(min=-0.999)
            whole = 2 * ((1 + x) * x.log1p() - x)
            part = torch.where(x.abs() < 0.02, x * x * (1 - x / 3 + x * x / 6), whole) * variance / self.gain**2
        else:
            part = rise.square() * variance
        part = part.masked_fill(variance.isinf(), 0.0)
        if self.decorrelates is not None:
            part = self.white(rise.sign() * part.clamp(min=0).sqrt()).square()
        return part.sum(dim=1)


class Prior(NamedTuple):
    """A normal distribution of parameters; a precision of zero leaves them free."""

    mean: Tensor
    """[p]"""
    precision: Tensor
    """[p, p]"""

    def penalty(self, parameters: Tensor) -> Tensor:
        """Minus twice its log density [n], up to a constant."""
        off = parameters - self.mean
        return ((off @ self.precision) * off).sum(dim=1)


class Fit(NamedTuple):
    """The optimum of each lens."""

    parameters: Tensor
    """[n, p]"""
    objective: Tensor
    """Deviance and penalty, [n]."""
    converged: Tensor
    """Whether there is next to nothing left to be gained, [n]."""
    steps: Tensor
    """Steps tried, [n]."""

    def or_better(self, other: "Fit") -> "Fit":
        """Of each lens the fit that explains it better; one that has converged is better than one that has not."""
        mine, yours = (torch.where(f.converged, f.objective, torch.inf) for f in (self, other))
        take = (yours < mine) | (~self.converged & ~other.converged & (other.objective < self.objective))
        chosen = (torch.where(take.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in zip(self, other, strict=True))
        return Fit(*chosen)


def fit(model: Callable[[Tensor], ModelImage], data: Tensor, noise: Noise, prior: Prior, start: Tensor, steps: int) -> Fit:
    """Fit images [n, pixels^2] from parameters [n, p].

    Lenses that are done stay in the batch, as the last bits of a product of matrices depend on its size and a score
    must not depend on how soon its neighbours are done: give few at a time.
    """
    parameters, drawn = start.clone(), model(start)
    image, jacobian = drawn.image, drawn.jacobian
    objective = noise.deviance(data, image) + prior.penalty(parameters)
    objective = torch.where(torch.isfinite(objective), objective, torch.inf)
    damping = torch.full_like(objective, START)
    done = converged = torch.zeros_like(objective, dtype=torch.bool)
    tried = torch.zeros_like(objective, dtype=torch.long)
    observed = noise.observed(data)
    for _ in range(steps):
        step, promised = _step(data, image, jacobian, noise, prior, parameters, damping)
        promised = promised / (objective / observed).clamp(min=1)
        stuck = damping > MOST
        converged = converged | (~done & ((promised < ENOUGH) | (stuck & (promised < STALLED))))
        done = done | stuck | (promised < ENOUGH)
        if done.all():
            break
        tried += ~done
        trial = parameters + step
        drawn = model(trial)
        found = noise.deviance(data, drawn.image) + prior.penalty(trial)
        better = ~done & (found < objective)  # never for NaN
        parameters = torch.where(better[:, None], trial, parameters)
        objective = torch.where(better, found, objective)
        image = torch.where(better[:, None], drawn.image, image)
        jacobian = torch.where(better[:, None, None], drawn.jacobian, jacobian)
        damping = torch.where(done, damping, (damping * torch.where(better, EASIER, HARDER)).clamp(min=LEAST))
    converged = converged | (~done & (promised < STALLED))
    return Fit(parameters, objective, converged, tried)


class Linear(NamedTuple):
    """A model made linear about its parameters, in units of the noise, with the prior."""

    rows: Tensor
    """The Jacobian, [n, p, pixels^2]."""
    left: Tensor
    """What is left over of the data, [n, pixels^2]."""
    hessian: Tensor
    """Half of that of the objective, [n, p, p], double precision; in Fisher's approximation."""
    gradient: Tensor
    """Minus half of that of the objective, [n, p], likewise."""


def linear(data: Tensor, image: Tensor, jacobian: Tensor, noise: Noise, prior: Prior, parameters: Tensor) -> Linear:
    """See the class."""
    weight = noise.variance(image).rsqrt()
    rows, left = noise.white(jacobian * weight[:, None]), noise.white((data - image) * weight)
    precision, double = prior.precision.double(), rows.double()
    gradient = (double @ left.double()[..., None])[..., 0] - (parameters - prior.mean).double() @ precision
    return Linear(rows, left, double @ double.mT + precision, gradient)


def log_evidence(linear: Linear, prior: Prior, fitted: Fit) -> Tensor:
    """Logarithm of the probability of the data [n] given the prior alone, up to a constant of the data.

    Laplace's approximation (MacKay 1992, Neural Computation 4, 415): the objective's minimum, and how much narrower the
    parameters' distribution has become, log det(precision after) - log det(precision before).
    """
    before, after = (torch.linalg.slogdet(m).logabsdet for m in (prior.precision.double(), linear.hessian))
    return -0.5 * (fitted.objective.double() + after - before)


def _step(
    data: Tensor, image: Tensor, jacobian: Tensor, noise: Noise, prior: Prior, parameters: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor]:
    """A damped step [n, p], and by how much the undamped one promises to lower the objective [n]."""
    _, _, hessian, gradient = linear(data, image, jacobian, noise, prior, parameters)
    scale = hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-12)
    full = _solved(hessian + torch.diag_embed(LEAST * scale), gradient)
    damped = _solved(hessian + torch.diag_embed(damping[:, None].double() * scale), gradient)
    promised = (gradient * full).sum(dim=1)
    return damped.to(parameters.dtype), promised.to(parameters.dtype)


def _solved(matrices: Tensor, sides: Tensor) -> Tensor:
    """x of A x = b for symmetric positive definite A [n, p, p] and b [n, p]; zero where A is not."""
    factor, failed = torch.linalg.cholesky_ex(matrices)
    one = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    factor = torch.where((failed == 0)[:, None, None], factor, one)
    found = torch.cholesky_solve(sides[..., None], factor)[..., 0]
    return torch.where((failed == 0)[:, None], found, 0.0)
