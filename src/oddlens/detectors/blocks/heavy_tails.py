"""Heavy-tailed priors of amplitudes: most source pixels are near zero, and some, where the source has clumps, are not.

A normal prior of equal width for all source pixels lets noise into every one of them, or smooths clumps away, which the
scan then takes for masses. Under Student's t distribution with nu degrees of freedom and scale s, an amplitude a_j is
normal with a variance v_j of its own, whose inverse has a gamma distribution (Lange, Little & Taylor 1989, JASA 84,
881; Tipping 2001, JMLR 1, 211). Expectation maximisation alternates between the fit at given variances, and

    v_j = (nu s^2 + <a_j^2>) / (nu + 1),          <a_j^2> = a_j^2 + C_jj

with the covariance C of all parameters of the fit, given the data. Without C_jj this is the maximum of the posterior
density, which removes too many amplitudes. The scale can be that of each image, which follows likewise:

    s^2 = n / sum_j (1 / v_j)

for n amplitudes (Lange, Little & Taylor). So a source that is smooth but for some clumps, and a galaxy with structure
everywhere, get the prior that fits each.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.detectors.blocks.linearised_model import LinearisedModel, NormalPrior, safe_cholesky

MIN_SCALE, MAX_SCALE = 0.01, 1.0
"""Bounds of the scale of an image."""
EXACT_EVERY = 3
"""Every third pass computes the variances C_jj from all amplitudes. In between, each changes with its own precision, as
that of an amplitude which is independent of the others."""


class HeavyTails(NamedTuple):
    """Student's t prior of some of the parameters, about zero.

    Attributes:
        amplitudes: these parameters.
        degrees_of_freedom: nu; 1 is the Cauchy distribution, infinity the normal one.
        scale: s; None: that of each image.
        passes: of the expectation maximisation at each linearised model.
    """

    amplitudes: slice
    degrees_of_freedom: float
    scale: float | None
    passes: int = 3

    def precision(self, linearised: LinearisedModel, prior: NormalPrior, parameters: Tensor) -> Tensor:
        """The precision [n, p] of the normal prior that replaces the heavy-tailed one near the optimum of a model.

        Args:
            linearised: about the parameters [n, p], with the prior, of any precision.
        """
        amplitudes, nu = self.amplitudes, self.degrees_of_freedom
        precision = prior.precision.double().expand(parameters.shape).clone()
        information, reduced = _without_others(linearised, precision, amplitudes)
        own, offset = precision[:, amplitudes], (parameters - prior.mean).double()[:, amplitudes]
        likelihood_gradient = reduced + own * offset
        for k in range(self.passes):
            squared_scale = self._squared_scale(own)
            factor = _factor(information + torch.diag_embed(own))
            gradient = (likelihood_gradient - own * offset).to(factor.dtype)
            step = torch.cholesky_solve(gradient[..., None], factor)[..., 0]
            if k % EXACT_EVERY == 0:
                variance = torch.cholesky_inverse(factor).diagonal(dim1=1, dim2=2).double()
                alone = (1 / variance - own).clamp(min=0)
            variance = 1 / (alone + own)
            expected_square = (parameters[:, amplitudes] + step.double()).square() + variance
            own = (nu + 1) / (nu * squared_scale + expected_square)
        precision[:, amplitudes] = own
        return precision.to(parameters.dtype)

    def _squared_scale(self, precision: Tensor) -> Tensor | float:
        """s^2, a number or [n, 1], from the precision [n, amplitudes]."""
        if self.scale is not None:
            return self.scale**2
        return (1 / precision.mean(dim=1, keepdim=True)).clamp(MIN_SCALE**2, MAX_SCALE**2)


def _without_others(linearised: LinearisedModel, precision: Tensor, amplitudes: slice) -> tuple[Tensor, Tensor]:
    """Information [n, a, a] and gradient [n, a] of amplitudes, from the data alone and with their prior respectively,
    when all other parameters are at their optimum for given amplitudes (a Schur complement).

    The prior of the others stays the same, so one solution serves all passes.
    """
    hessian, gradient, p = linearised.hessian, linearised.gradient, precision.shape[1]
    others = [k for k in range(p) if k not in range(p)[amplitudes]]
    information = hessian[:, amplitudes, amplitudes] - torch.diag_embed(precision[:, amplitudes])
    if not others:
        return information, gradient
    mixed = hessian[:, others, amplitudes]
    factor, _ = safe_cholesky(hessian[:, others][:, :, others])
    sides = torch.cat([mixed, gradient[:, others, None]], dim=2)
    solved = torch.linalg.solve_triangular(factor, sides, upper=False)
    removed = solved[..., :-1].mT @ solved
    return information - removed[..., :-1], gradient[:, amplitudes] - removed[..., -1]


def _factor(matrices: Tensor) -> Tensor:
    """Cholesky factors of matrices [n, a, a] in single precision, computed in double precision where that fails."""
    factor, valid = safe_cholesky(matrices.float())
    if not valid.all():
        factor = torch.where(valid[:, None, None], factor, safe_cholesky(matrices)[0].float())
    return factor
