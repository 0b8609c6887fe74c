"""The nonlinear parameters that fit a frame best: Levenberg-Marquardt steps with the linear amplitudes eliminated.

Each trial solves for the best amplitudes. The step takes their change into account (variable projection in Kaufman's
approximation, 1975, BIT 15, 49): with the whitened derivatives J by the nonlinear parameters,

    S = J^T J - J^T B A^-1 B^T J + precision of their prior

is the curvature of the objective, which is minus twice the log evidence, plus the penalty of the parameters. The
evidence has the determinant of A: if a lens shows the source larger, more pixels determine it, and it can fit more of
the noise. Without the determinant, slopes become too shallow and masses too small. The strength of the source's prior
is adapted after each step, also by the evidence.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.lensing.power_law import MAX_SLOPE, MIN_SLOPE
from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.priors import Prior

FIRST_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-2, 1e-6, 1e5
REFUSED, POOR, GOOD = 8.0, 4.0, 0.2
"""Factors of the damping after a step that makes the fit worse, one that decreases the objective by less than a quarter
of what it promised, and one by more than three quarters. Between these the damping remains."""
ADAPTATIONS = 2
"""Times that the strength of the prior is adapted after a step."""
FIRST_ADAPTATIONS = 8
"""And before the first, as the strength with which a fit starts may be far from the best."""
RADII_ARCSEC = (0.05, 10.0)
"""Steps beyond these Einstein radii are refused."""


class NonlinearFit(NamedTuple):
    """A fit of a frame.

    Attributes:
        linear: the best amplitudes.
        objective: minus twice the log evidence of the linear fit, plus the penalty of the nonlinear parameters.
        converged: whether the last step promised to decrease it by less than `tolerance`.
        steps: tried.
    """

    linear: LinearFit
    objective: float
    converged: bool
    steps: int

    @property
    def parameters(self) -> Tensor:
        """The nonlinear parameters, [p]."""
        return self.linear.columns.parameters


class Curvature(NamedTuple):
    """The linearised model about a fit.

    Attributes:
        derivatives: J, [pixels, p].
        absorbed: A^-1 B^T J, [columns, p].
        matrix: S, of all parameters, [p, p].
        gradient: minus half the gradient of the objective, [p].
    """

    derivatives: Tensor
    absorbed: Tensor
    matrix: Tensor
    gradient: Tensor


def curvature(model: FrameModel, fit: LinearFit, prior: Prior) -> Curvature:
    """The linearised model about a fit."""
    derivatives = model.derivatives(fit)
    shared = fit.columns.project(derivatives)
    absorbed = torch.cholesky_solve(shared, fit.factor)
    matrix = derivatives.T @ derivatives - shared.T @ absorbed + torch.diag(prior.precision)
    offset = fit.columns.parameters - prior.mean
    return Curvature(derivatives, absorbed, matrix, derivatives.T @ fit.residual - prior.precision * offset)


def optimise(model: FrameModel, start: LinearFit, prior: Prior, steps: int, tolerance: float = 0.3) -> NonlinearFit:
    """The best fit, from a start.

    Args:
        steps: the largest number of steps.
        tolerance: a fit has converged if a step promises to decrease the objective by less.
    """
    fit, damping, tried = model.adapted(start, FIRST_ADAPTATIONS), FIRST_DAMPING, 0
    promised = torch.inf
    for _ in range(steps):
        at, objective = curvature(model, fit, prior), _objective(fit, prior)
        at = at._replace(gradient=at.gradient - 0.5 * model.log_det_derivatives(fit))
        better = None
        while better is None and damping < MAX_DAMPING:
            step, promised = _step(at, prior.free, damping)
            better = _trial(model, fit, prior, step, objective)
            gained = objective - _objective(better, prior) if better else 0.0
            damping = max(damping * _damping_factor(gained / promised), MIN_DAMPING)
            tried += 1
            if promised < tolerance:
                break
        if better is not None:
            fit = model.adapted(better, ADAPTATIONS)
        if better is None or promised < tolerance:
            break
    return NonlinearFit(fit, _objective(fit, prior), promised < tolerance, tried)


def _damping_factor(gain_ratio: float) -> float:
    """For a step that decreased the objective by so much of what it promised."""
    if gain_ratio <= 0:
        return REFUSED
    if gain_ratio < 0.25:
        return POOR
    return GOOD if gain_ratio > 0.75 else 1.0


def _objective(fit: LinearFit, prior: Prior) -> float:
    return -2 * fit.log_evidence + prior.penalty(fit.columns.parameters)


def _step(at: Curvature, free: Tensor, damping: float) -> tuple[Tensor, float]:
    """A damped step of all parameters, and the decrease of the objective that it promises."""
    matrix, gradient = at.matrix[free][:, free], at.gradient[free]
    own = torch.linalg.solve(matrix + damping * torch.diag(matrix.diagonal()), gradient)
    step = torch.zeros_like(at.gradient)
    step[free] = own
    return step, float(gradient @ own)


def _trial(model: FrameModel, fit: LinearFit, prior: Prior, step: Tensor, objective: float) -> LinearFit | None:
    """The fit after a step, if it is possible and better."""
    parameters = fit.columns.parameters + step
    value = dict(zip(model.names, parameters.tolist(), strict=True))
    possible = RADII_ARCSEC[0] < value["einstein_radius"] < RADII_ARCSEC[1]
    if not (possible and MIN_SLOPE < value["slope"] < MAX_SLOPE):
        return None
    try:
        tried = model.solve(model.columns(parameters), fit.prior)
    except torch.linalg.LinAlgError:
        return None
    return tried if _objective(tried, prior) < objective else None
