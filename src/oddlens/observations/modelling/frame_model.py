"""The model of a frame: images of the source and of the lens galaxy, linear in their brightness.

The image is a sum of columns: the Gaussians of the lens galaxy, the sky, and the nodes of the source, as the lens and
the telescope show them. The mass of the lens and the shape of its light are the nonlinear parameters, on which the
columns depend. For given columns the best amplitudes, their covariance and the evidence are exact (Warren & Dye 2003,
ApJ 590, 673; Suyu et al. 2006, MNRAS 371, 983):

    A = B^T B + R,    a = A^-1 B^T d,    2 ln evidence = -|d - B a|^2 - a^T R a - ln det A + ln det R + constant

with the whitened columns B and data d, and the precision R of the prior of the amplitudes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.mass_model import MassPart
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.source_grid import SourceGrid
from oddlens.observations.modelling.source_prior import SourcePrior

FREE_LIGHT_PRECISION = 1e-6
"""The precision that only keeps combinations of Gaussians that cancel each other from growing."""
GRAM_BLOCK = 256
"""Columns whose products with others are computed at once."""
ADAPTED = 0.03
"""The relative change of the strength of the source's prior below which it is taken for adapted."""


class Columns(NamedTuple):
    """The columns of a model at its nonlinear parameters.

    Attributes:
        parameters: [p].
        beta: where the rays end, (y, x), [2, rays].
        light: the first columns of B, whitened, [pixels, light columns]; those of the lens galaxy, with the norm 1.
        source: the others, of the nodes of the source, [pixels, nodes]; in single precision, half the time and memory.
        norms: by which the columns of the lens light were divided, [light columns].
        normal: B^T B, [columns, columns].
    """

    parameters: Tensor
    beta: Tensor
    light: Tensor
    source: Tensor
    norms: Tensor
    normal: Tensor

    def image(self, amplitudes: Tensor) -> Tensor:
        """B a, [pixels] or [pixels, k], of amplitudes [columns] or [columns, k]."""
        lights = len(self.norms)
        return self.light @ amplitudes[:lights] + (self.source @ amplitudes[lights:].float()).double()

    def project(self, images: Tensor) -> Tensor:
        """B^T d, [columns] or [columns, k], of whitened images [pixels] or [pixels, k]."""
        return torch.cat([self.light.T @ images, (self.source.T @ images.float()).double()])


class LinearFit(NamedTuple):
    """The best amplitudes of the columns of a model.

    Attributes:
        columns: of the model.
        prior: of the source.
        factor: Cholesky factor of A.
        amplitudes: of the columns, [columns].
        residual: of the whitened data, [pixels].
        objective: |residual|^2 plus the penalties of the amplitudes.
        log_evidence: of the data, up to a constant of the data.
    """

    columns: Columns
    prior: SourcePrior
    factor: Tensor
    amplitudes: Tensor
    residual: Tensor
    objective: float
    log_evidence: float

    @property
    def chi_square(self) -> float:
        """The sum of the squares of the residual."""
        return float(self.residual.square().sum())

    @property
    def determined(self) -> float:
        """The number of nodes of the source that the data determine, if the strength of its prior is adapted."""
        return float(self.prior.penalty(self.source))

    @property
    def source(self) -> Tensor:
        """The coefficients of the source, [nodes]."""
        return self.amplitudes[len(self.columns.norms) :]

    @property
    def light(self) -> Tensor:
        """Amplitudes of the lens light, [light columns]."""
        return self.amplitudes[: len(self.columns.norms)] / self.columns.norms


@dataclass(frozen=True)
class FrameModel:
    """The model of an observation.

    Attributes:
        mass: the parts of the mass of the lens.
        light: of the lens galaxy.
        grid: of the source.
        light_precision: of the amplitudes of the lens light, in units of the signal-to-noise ratio of their columns.
    """

    observation: Observation
    mass: Sequence[MassPart]
    light: LensLight
    grid: SourceGrid
    light_precision: float = FREE_LIGHT_PRECISION

    @property
    def names(self) -> list[str]:
        """The nonlinear parameters: those of each part of the mass, and of the lens light."""
        return [name for part in self.mass for name in part.names] + list(self.light.names)

    @property
    def light_parameters(self) -> slice:
        """Where those of the lens light are."""
        return slice(sum(len(part.names) for part in self.mass), None)

    def traced(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Where rays at positions [rays] end in the source plane, (y, x), [2, rays]."""
        beta, first = torch.stack([y, x]), 0
        for part in self.mass:
            own = parameters[first : first + len(part.names)]
            beta, first = beta - part.deflections(own, y, x), first + len(own)
        return beta

    def columns(self, parameters: Tensor) -> Columns:
        """The columns at nonlinear parameters [p]."""
        seen = self.observation
        beta = self.traced(parameters, seen.y, seen.x)
        light = seen.observe(self.light.columns(parameters[self.light_parameters], seen)).double()
        norms = light.norm(dim=0).clamp(min=torch.finfo(light.dtype).tiny)
        light, source = light / norms, seen.observe(self.grid.columns(seen, beta))
        # Gaussians nearly cancel each other, so that their products need double precision.
        shared = light.T @ source.double()
        top, bottom = (
            torch.cat([light.T @ light, shared], dim=1),
            torch.cat([shared.T, _gram(source).double()], dim=1),
        )
        return Columns(parameters, beta, light, source, norms, torch.cat([top, bottom]))

    def solve(self, columns: Columns, prior: SourcePrior) -> LinearFit:
        """The best amplitudes."""
        precision = torch.zeros_like(columns.normal)
        lights = len(columns.norms)
        precision[lights:, lights:] = prior.matrix
        precision.diagonal()[:lights] = self.light_precision
        factor = torch.linalg.cholesky(columns.normal + precision)
        data = self.observation.whitened_data
        amplitudes = torch.cholesky_solve(columns.project(data)[:, None], factor)[:, 0]
        residual = data - columns.image(amplitudes)
        penalty = prior.penalty(amplitudes[lights:]) + self.light_precision * amplitudes[:lights].square().sum()
        objective = float(residual.square().sum() + penalty)
        log_det = 2 * float(factor.diagonal().log().sum()) - prior.log_det
        return LinearFit(columns, prior, factor, amplitudes, residual, objective, -0.5 * (objective + log_det))

    def adapted(self, fit: LinearFit, times: int) -> LinearFit:
        """The fit after the strength of the prior has been adapted until it no longer changes, or some times."""
        lights = len(fit.columns.norms)
        for _ in range(times):
            covariance = torch.cholesky_inverse(fit.factor)[lights:, lights:]
            prior = fit.prior.adapted(fit.source, covariance)
            change = abs(math.log(prior.strength / fit.prior.strength))
            try:
                fit = self.solve(fit.columns, prior)
            except torch.linalg.LinAlgError:  # so weak that the pixels do not determine the source
                break
            if change < ADAPTED:
                break
        return fit

    def derivatives(self, fit: LinearFit) -> Tensor:
        """Derivatives of the whitened image by the nonlinear parameters, at the amplitudes of a fit, [pixels, p]."""
        seen, parameters = self.observation, fit.columns.parameters
        gradient = self.grid.gradient(fit.source, fit.columns.beta)
        lit = gradient.any(dim=0).nonzero()[:, 0]
        changes, first = [], 0
        for part in self.mass:
            own = parameters[first : first + len(part.names)]
            by_own = part.derivatives(own, seen.y[lit], seen.x[lit])
            at_rays = torch.zeros(len(own), len(seen.y), dtype=gradient.dtype)
            at_rays[:, lit] = -torch.einsum("pcr,cr->pr", by_own, gradient[:, lit])
            changes.append(seen.pixel_means(at_rays))
            first += len(own)
        changes.append(self.light.derivatives(parameters[self.light_parameters], fit.light, seen))
        return seen.observe(torch.cat(changes)).double()

    def log_det_derivatives(self, fit: LinearFit) -> Tensor:
        """Derivatives of ln det A by the nonlinear parameters, [p]; those by the shape of the light are neglected.

        They are 2 tr(A^-1 B^T dB): a source that is seen larger is determined by more pixels, and costs more evidence.
        """
        seen, columns = self.observation, fit.columns
        lights, parameters = len(columns.norms), columns.parameters
        covariance = torch.cholesky_inverse(fit.factor)[:, lights:].float()
        weights = columns.light.float() @ covariance[:lights] + columns.source @ covariance[lights:]
        gradient = self.grid.ray_gradient(seen.observe_transposed(weights), seen, columns.beta)
        lit = gradient.any(dim=0).nonzero()[:, 0]
        found, first = torch.zeros_like(parameters), 0
        for part in self.mass:
            own = slice(first, first + len(part.names))
            by_own = part.derivatives(parameters[own], seen.y[lit], seen.x[lit])
            found[own] = -2 * torch.einsum("pcr,cr->p", by_own, gradient[:, lit])
            first = own.stop
        return found


def _gram(columns: Tensor) -> Tensor:
    """The products of columns [pixels, k] with each other, [k, k]; each is computed about once."""
    products = columns.new_empty(columns.shape[1], columns.shape[1])
    for first in range(0, len(products), GRAM_BLOCK):
        block = slice(first, first + GRAM_BLOCK)
        own = columns[:, first:].T @ columns[:, block]
        products[first:, block], products[block, first:] = own, own.T
    return products
