"""Templates compared with the residuals of a fit, without what the smooth lens absorbs of them (`scan.py`).

A template t is the change of the image, in units of the noise, by a unit amplitude of what the model lacks.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

MIN_RELATIVE_POWER = 1e-6
"""The smallest t . P t, relative to the largest of the image: where the smooth lens absorbs a template completely, its
significance is 0."""


class Projection(NamedTuple):
    """Templates of n images, m of each.

    Attributes:
        overlap: t . r with the residual r of the fit, [n, m].
        power: t . P t, [n, m].
        absorbed: L^-1 J t with the factor L of the Hessian of the fit, in double precision, [n, m, p]; so
            t . P t = t . t - absorbed . absorbed.
    """

    overlap: Tensor
    power: Tensor
    absorbed: Tensor

    @staticmethod
    def of(templates: Tensor, residual: Tensor, jacobian: Tensor, factor: Tensor) -> "Projection":
        """The projection of templates [n, m, pixels^2], for a fit with a residual [n, pixels^2], whitened Jacobian and
        factor."""
        overlap, by_jacobian = (templates @ residual[..., None])[..., 0], jacobian @ templates.mT
        return Projection.of_products(overlap, by_jacobian, templates.square().sum(dim=2, dtype=torch.float64), factor)

    @staticmethod
    def of_products(overlap: Tensor, by_jacobian: Tensor, squares: Tensor, factor: Tensor) -> "Projection":
        """The projection of templates from their products with the residual, [n, m], with the Jacobian, [n, p, m], and
        with themselves, [n, m]."""
        absorbed = torch.linalg.solve_triangular(factor, by_jacobian.double(), upper=False).mT
        power = squares.double() - absorbed.square().sum(dim=2)
        return Projection(overlap, _positive(power).to(overlap.dtype), absorbed)

    def at(self, which: Tensor) -> "Projection":
        """The projection of one template of each image, [n]."""
        return Projection(*(part[torch.arange(len(which), device=which.device), which][:, None] for part in self))

    def log_terms(self, scatter: float) -> Tensor:
        """The log odds of a positive amplitude of each template against none, up to a constant, [n, m].

        The prior of the amplitude is half-normal with the standard deviation `scatter`; see `scan.py`.
        """
        v = 1 / (self.power + scatter**-2)
        scaled = v.sqrt() * self.overlap  # mean over standard deviation of the amplitude
        return 0.5 * v.log() + 0.5 * scaled.square() + torch.special.log_ndtr(scaled)

    def log_odds(self, scatter: float) -> Tensor:
        """The log odds of one of the templates, each equally likely, against none, [n]."""
        return self.log_terms(scatter).logsumexp(dim=1) + math.log(2 / scatter / self.power.shape[1])

    def beside(self, one: "Projection", products: Tensor) -> "Projection":
        """The projection if one more template is in the model with a unit normal prior.

        Args:
            one: the projection of that template.
            products: of that template with these, [n, m].
        """
        shared = products.double() - (self.absorbed @ one.absorbed.mT)[..., 0]
        information = one.power.double() + 1
        overlap = self.overlap - shared * one.overlap / information
        power = _positive(self.power - shared.square() / information)
        return self._replace(overlap=overlap.to(self.overlap.dtype), power=power.to(self.power.dtype))


def _positive(power: Tensor) -> Tensor:
    return power.clamp(min=MIN_RELATIVE_POWER * power.amax(dim=1, keepdim=True))
