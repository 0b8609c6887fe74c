"""Whether a mass explains a frame better than none: the fit is made again with the mass as a part of the lens.

The macro-model, the light and the source have the same freedom as without the mass. The evidence of both is that of
Laplace's method (MacKay 1992): with the best nonlinear parameters q, their prior p(q) and the curvature S,

    ln Z = ln evidence of the linear fit + ln p(q) + (number of parameters ln 2 pi - ln det S) / 2

A control is the same fit with a negative mass, which no lens has: its evidence comes from errors of the model, and
tells how much of the evidence for masses does. A true mass has negative ones beside it, which undo what a single mass
fits badly; so masses and controls are compared by what each adds to a fit that has the best one of the other.

The place of the mass is uniformly distributed over the area that was scanned, and its area has a half-normal prior, as
in the odds of `detectors/blocks/scan.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from oddlens.observations.modelling.frame_model import FrameModel
from oddlens.observations.modelling.mass_scan import MassScan
from oddlens.observations.modelling.optimiser import NonlinearFit, curvature, optimise
from oddlens.observations.modelling.perturber import (
    Perturber,
    PerturberPart,
    PerturberProfile,
    ProfileOf,
    SizedPerturber,
)
from oddlens.observations.modelling.priors import PERTURBER_AREA_ARCSEC2, PERTURBER_PLACE_ARCSEC, Prior

STEPS = 8
"""Steps of a fit with a perturber of fixed size, and again of one whose size follows its mass."""
APART_ARCSEC, SAME_ARCSEC = 0.3, 0.1
"""Places of the scan from which fits begin are so far apart. Masses that are nearer than the second are the same."""


class MassFit(NamedTuple):
    """The fit with a mass.

    Attributes:
        fit: of all parameters.
        part: the mass as a part of the lens.
        scanned: y and x of the position of the scan where the fit started, arcsec.
        area: of the mass, arcsec^2.
        y: of its place, arcsec.
        x: likewise.
        area_sigma: the standard deviation of the area, all other parameters being free.
        log_evidence_gain: over the smooth fit, as if this were the only place.
    """

    fit: NonlinearFit
    part: PerturberPart
    scanned: tuple[float, float]
    area: float
    y: float
    x: float
    area_sigma: float
    log_evidence_gain: float

    @property
    def profile(self) -> PerturberProfile:
        """Of the mass."""
        return self.part.profile_at(self.area)


def log_evidence(model: FrameModel, fit: NonlinearFit, prior: Prior) -> float:
    """The log evidence of a fit by Laplace's method, up to a constant of the data."""
    free = prior.free
    matrix = curvature(model, fit.linear, prior).matrix[free][:, free]
    narrowed = prior.precision[free].log().sum() - torch.linalg.slogdet(matrix).logabsdet
    return fit.linear.log_evidence - 0.5 * prior.penalty(fit.parameters) + 0.5 * float(narrowed)


def fit_masses(
    model: FrameModel,
    smooth: NonlinearFit,
    prior: Prior,
    scan: MassScan,
    profile_of: ProfileOf,
    count: int,
    sign: int = 1,
    also: Sequence[tuple[float, float]] = (),
) -> Sequence[MassFit]:
    """Fits with a mass, from each of the most significant places of a scan; that with most evidence first.

    Of fits that end at the same place the best is kept, and none that ends with a mass of the other sign.

    Args:
        sign: of the masses; -1 for controls.
        also: y and x of further places from which fits begin, arcsec.
    """
    without = log_evidence(model, smooth, prior)
    scanned = math.log((2 * float(scan.along[-1])) ** 2)
    found = []
    further = [at for at in (scan.nearest(*place) for place in also) if math.isfinite(scan.area[at])]
    for row, column in dict.fromkeys([*scan.maxima(count, APART_ARCSEC, sign), *further]):
        area = min(abs(float(scan.area[row, column])), PERTURBER_AREA_ARCSEC2)
        found.append(_fit_mass(model, smooth, prior, area, scan.at(row, column), profile_of, without + scanned))
    kept: list[MassFit] = []
    for mass in sorted(found, key=lambda mass: -mass.log_evidence_gain):
        if sign * mass.area > 0 and all(math.hypot(mass.y - other.y, mass.x - other.x) > SAME_ARCSEC for other in kept):
            kept.append(mass)
    return kept


def _fit_mass(
    model: FrameModel,
    smooth: NonlinearFit,
    prior: Prior,
    area: float,
    place: tuple[float, float],
    profile_of: ProfileOf,
    reference: float,
) -> MassFit:
    shapes = model.light_parameters.start
    einstein_radius = float(smooth.parameters[model.names.index("einstein_radius")])
    mass = torch.tensor([0.0, *place], dtype=torch.float64)  # the fit begins as good as without it
    parameters = torch.cat([smooth.parameters[:shapes], mass, smooth.parameters[shapes:]])
    source = smooth.linear.prior
    own = prior_with_mass(prior, shapes, place)
    # A mass of nearly zero would be a point: the first steps have the size of the mass that the scan found.
    sized = SizedPerturber(profile_of, einstein_radius)
    for part in (Perturber(sized.profile_at(area)), sized):
        with_mass = replace(model, mass=(*model.mass, part))
        fit = optimise(with_mass, with_mass.solve(with_mass.columns(parameters), source), own, STEPS)
        parameters, source = fit.parameters, fit.linear.prior
    area, y, x = parameters[shapes : shapes + 3].tolist()
    # The normal prior of the place only guides the steps: it is uniform. Half of the normal prior of the area is used.
    place_prior = -0.5 * ((y - place[0]) ** 2 + (x - place[1]) ** 2) / PERTURBER_PLACE_ARCSEC**2
    normal_place = place_prior - math.log(2 * math.pi * PERTURBER_PLACE_ARCSEC**2)
    gain = log_evidence(with_mass, fit, own) - reference - normal_place + math.log(2)
    free = own.free
    covariance = torch.linalg.inv(curvature(with_mass, fit.linear, own).matrix[free][:, free])
    sigma = float(covariance[shapes, shapes].sqrt())
    return MassFit(fit, part, place, area, y, x, sigma, gain)


def including(model: FrameModel, prior: Prior, mass: MassFit) -> tuple[FrameModel, Prior]:
    """The model and the prior of a fit with a mass, to which another mass can be added."""
    own = prior_with_mass(prior, model.light_parameters.start, mass.scanned)
    return replace(model, mass=(*model.mass, mass.part)), own


def prior_with_mass(prior: Prior, first: int, place: tuple[float, float]) -> Prior:
    """A prior with that of a mass about a place, whose parameters begin at `first`."""
    mass = ([0.0, *place], [PERTURBER_AREA_ARCSEC2, PERTURBER_PLACE_ARCSEC, PERTURBER_PLACE_ARCSEC])
    own = (torch.tensor(values, dtype=torch.float64) for values in mass)
    return Prior(*(torch.cat([of[:first], new, of[first:]]) for of, new in zip(prior, own, strict=True)))
