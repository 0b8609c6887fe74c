"""The fit of one frame at its own resolution, from its pixels to the smooth lens, and the scan of its residuals."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from oddlens.observations.modelling.arcs import grid_for, reach_of
from oddlens.observations.modelling.binning import binned
from oddlens.observations.modelling.blind_start import BlindSearch, Start
from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.light_start import fit_light
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.mass_refit import MassFit, fit_masses, including
from oddlens.observations.modelling.mass_scan import MassScan, Residuals, scan_for_mass
from oddlens.observations.modelling.model_error import with_light_error, with_psf_error
from oddlens.observations.modelling.observation import Observation, Pixels
from oddlens.observations.modelling.optimiser import NonlinearFit, optimise
from oddlens.observations.modelling.perturber import PseudoJaffe
from oddlens.observations.modelling.priors import Prior, prior_about
from oddlens.observations.modelling.smooth_lens import SmoothLens
from oddlens.observations.modelling.source_prior import SourcePrior

WIDTHS, RAYS = 14, 3
STAGES = (("slope", "multipole"), 10), ((), 30)
"""The parameters that are held in each fit, and its largest number of steps; each has a grid for the mass before it.
Multipoles that are free from the start become large in wrong optima."""
FIRST_SIDE, SIDES, NODES_PER_DETERMINED = 24, (20, 36), 4.0
"""Nodes along a side of the source grid: of the first fit, and the limits of the next, which has so many nodes for each
that the first fit determines."""
MAX_RADIUS_ARCSEC = 3.5
OUTER, MARGIN_ARCSEC = 1.6, 0.3
"""The circle that is fitted reaches to this number of Einstein radii, or to the end of the arcs, and this further."""
SCAN_RADII, SCAN_STEP_ARCSEC, SOFTENING_ARCSEC = (0.3, 1.4), 0.1, 0.05
MASSES = 2
"""Places of the scan at which masses are fitted, and as many for negative masses."""
MIN_PIXELS = 200
"""Fewer pixels cannot show a lens and its arcs."""
FIRST_STRENGTH = 1e-4
FLOORS = (0.001, 0.01, 0.1)
"""Widths of the source's prior where there is no light, relative to where there is most. Evidence chooses one."""
ROUNDS, ROUND_STEPS, MIN_EVIDENCE = 4, 15, 1.0
"""The prior of the source is adapted to the source at most so many times, with so many steps each, and only if this
gains so much log evidence."""
STRENGTH_ADAPTATIONS = 4


class FrameFit(NamedTuple):
    """The fit of a frame.

    Attributes:
        controls: fits with a negative mass.
        mass_beside_control: the fit with the best mass beside the best negative one, if that has evidence; its gain is
            over the fit with the negative mass alone.
        control_beside_mass: likewise, that with a negative mass beside the best mass.
        unit: of all brightness in the model, in units of the frame: the median noise of its pixels.
    """

    model: FrameModel
    fit: NonlinearFit
    prior: Prior
    starts: list[Start]
    scan: MassScan
    masses: Sequence[MassFit]
    controls: Sequence[MassFit]
    mass_beside_control: MassFit | None
    control_beside_mass: MassFit | None
    unit: float

    @property
    def residuals(self) -> Residuals:
        """What the smooth lens leaves."""
        return Residuals(self.model, self.fit.linear, self.prior, SOFTENING_ARCSEC)

    @property
    def lens(self) -> SmoothLens:
        """The smooth lens, in units of the frame."""
        return SmoothLens.of_fit(self.model, self.fit.linear).times(self.unit)


def fit_frame(pixels: Pixels, radius_arcsec: float | None = None, controls: int = MASSES) -> FrameFit:
    """Fit a frame.

    Args:
        radius_arcsec: of the circle about the centre that holds the lens and its arcs; by default as large as the frame
            allows, up to `MAX_RADIUS_ARCSEC`.
        controls: the number of places at which negative masses are fitted.

    Raises:
        ValueError: if there are no arcs, or no lens explains them.
    """
    if radius_arcsec is not None and radius_arcsec <= 0:
        raise ValueError(f"the radius is {radius_arcsec:g} arcsec, and must be positive")
    radius_arcsec = radius_arcsec or min(MAX_RADIUS_ARCSEC, pixels.room_arcsec)
    if (count := pixels.within(radius_arcsec).sum()) < MIN_PIXELS:
        raise ValueError(
            f'{count} usable pixels of {pixels.scale_arcsec:g}" lie within {radius_arcsec:.2g}" of the lens, and a fit '
            f"needs {MIN_PIXELS}: check the pixel scale, the mask and the radius"
        )
    unit = float(np.median(pixels.sigma[~pixels.masked]))
    try:
        return _fit(
            replace(pixels, image=pixels.image / unit, sigma=pixels.sigma / unit), radius_arcsec, unit, controls
        )
    except torch.linalg.LinAlgError as error:
        raise ValueError(
            "the pixels do not determine the model: check that the PSF has the pixels of the image, and the noise map "
            "its units"
        ) from error


def _fit(pixels: Pixels, radius_arcsec: float, unit: float, controls: int) -> FrameFit:
    search = BlindSearch(binned(pixels), radius_arcsec)
    starts = search.run()
    if not starts:
        raise ValueError(
            f'no lens explains the light within {radius_arcsec:.2g}": {len(search.arcs.y)} pixels of it are brighter '
            "than the lens galaxy. Check the frame, its mask and the radius"
        )
    parameters, arcs = starts[0].parameters, search.arcs
    einstein_radius = float(parameters[0])
    radius = min(radius_arcsec, max(OUTER * einstein_radius, reach_of(arcs, einstein_radius)) + MARGIN_ARCSEC)
    macro, light = MacroModel(), LensLight.of_widths(0.4 * pixels.scale_arcsec, radius_arcsec, WIDTHS)
    seen = Observation(pixels, pixels.within(radius), RAYS)
    seen = Observation(with_light_error(with_psf_error(pixels), seen, fit_light(light, seen).image), seen.use, RAYS)
    side = FIRST_SIDE
    for held, steps in STAGES:
        grid = grid_for(macro, parameters, arcs, side)
        model = FrameModel(seen, (macro,), light, grid)
        prior = prior_about(model.names, parameters, held)
        start = model.solve(model.columns(parameters), SourcePrior(grid, FIRST_STRENGTH))
        fit = optimise(model, start, prior, steps)
        parameters = fit.parameters
        side = min(max(math.ceil((NODES_PER_DETERMINED * fit.linear.determined) ** 0.5), SIDES[0]), SIDES[1])
    fit = _with_adapted_source(model, fit, prior)
    scan = _scan(model, fit, prior)
    masses = fit_masses(model, fit, prior, scan, PseudoJaffe.tidal, MASSES)
    negative = fit_masses(model, fit, prior, scan, PseudoJaffe.tidal, controls, sign=-1)
    mass = _best_beside(model, prior, masses, negative, 1) if controls else None
    control = _best_beside(model, prior, negative, masses, -1) if controls else None
    return FrameFit(model, fit, prior, starts, scan, masses, negative, mass, control, unit)


def _scan(model: FrameModel, fit: NonlinearFit, prior: Prior) -> MassScan:
    inner, outer = (radius * float(fit.parameters[0]) for radius in SCAN_RADII)
    return scan_for_mass(Residuals(model, fit.linear, prior, SOFTENING_ARCSEC), inner, outer, SCAN_STEP_ARCSEC)


def _best_beside(
    model: FrameModel, prior: Prior, own: Sequence[MassFit], other: Sequence[MassFit], sign: int
) -> MassFit | None:
    """The fit with the best mass of a sign beside the best one of the other sign, if that has evidence.

    It begins at the most significant place, and where the best mass of the sign was found without the other.
    """
    if not other or other[0].log_evidence_gain <= 0:
        return own[0] if own else None
    model, prior = including(model, prior, other[0])
    scan = _scan(model, other[0].fit, prior)
    alone = [mass.scanned for mass in own[:1]]
    found = fit_masses(model, other[0].fit, prior, scan, PseudoJaffe.tidal, 1, sign, alone)
    return found[0] if found else None


def _with_adapted_source(model: FrameModel, fit: NonlinearFit, prior: Prior) -> NonlinearFit:
    """The fit after the prior of the source has been adapted to the source, until that gains no evidence."""
    for _ in range(ROUNDS):
        linear = _with_widths_of_source(model, fit.linear)
        clumps = Residuals(model, linear, prior, SOFTENING_ARCSEC).clumps()
        if not clumps and linear.log_evidence < fit.linear.log_evidence + MIN_EVIDENCE:
            break
        start = model.solve(linear.columns, linear.prior.with_clumps(clumps)) if clumps else linear
        fit = optimise(model, start, prior, ROUND_STEPS)
    return fit


def _with_widths_of_source(model: FrameModel, fit: LinearFit) -> LinearFit:
    """The fit with the prior that follows the brightness of its source and has most evidence."""
    priors = (fit.prior.following(fit.source, floor) for floor in FLOORS)
    fits = [model.adapted(model.solve(fit.columns, prior), STRENGTH_ADAPTATIONS) for prior in priors]
    return max(fits, key=lambda found: found.log_evidence)
