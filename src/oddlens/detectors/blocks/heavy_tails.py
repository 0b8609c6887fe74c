"""Heavy-tailed priors of amplitudes: most source pixels are near zero, and some, where the source has clumps, are not.

A normal prior of equal width for all source pixels lets noise into every one of them, or smooths clumps away, which the
scan then takes for masses. Under Student's t distribution with nu degrees of freedom and scale s, an amplitude a_j is
normal with a variance v_j of its own, whose inverse has a gamma distribution (Lange, Little & Taylor 1989, JASA 84,
881; Tipping 2001, JMLR 1, 211). Expectation maximisation alternates between the fit at given variances, and

    v_j = (nu s^2 + <a_j^2>) / (nu + 1),          <a_j^2> = a_j^2 + C_jj

with the covariance C of all parameters of the fit, given the data. Without C_jj this is the maximum of the posterior
density, which removes too many amplitudes.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.detectors.blocks.linearised_model import LinearisedModel, NormalPrior, safe_cholesky


class HeavyTails(NamedTuple):
    """Student's t prior of some of the parameters, about zero.

    Attributes:
        amplitudes: these parameters.
        degrees_of_freedom: nu; 1 is the Cauchy distribution, infinity the normal one.
        scale: s.
        passes: of the expectation maximisation at each linearised model.
    """

    amplitudes: slice
    degrees_of_freedom: float
    scale: float
    passes: int = 3

    def precision(self, linearised: LinearisedModel, prior: NormalPrior, parameters: Tensor) -> Tensor:
        """The precision [n, p] of the normal prior that replaces the heavy-tailed one near the optimum of a model.

        Args:
            linearised: about the parameters [n, p], with the prior, of any precision.
        """
        precision = prior.precision.double().expand(parameters.shape)
        offset = (parameters - prior.mean).double()
        information = linearised.hessian - torch.diag_embed(precision)
        likelihood_gradient = linearised.gradient + precision * offset
        nu, amplitudes = self.degrees_of_freedom, self.amplitudes
        for _ in range(self.passes):
            factor, _ = safe_cholesky(information + torch.diag_embed(precision))
            gradient = likelihood_gradient - precision * offset
            optimum = parameters + torch.cholesky_solve(gradient[..., None], factor)[..., 0]
            variance = torch.cholesky_inverse(factor).diagonal(dim1=1, dim2=2)
            expected_square = (optimum.square() + variance)[:, amplitudes]
            precision = precision.clone()
            precision[:, amplitudes] = (nu + 1) / (nu * self.scale**2 + expected_square)
        return precision.to(parameters.dtype)
