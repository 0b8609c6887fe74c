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
from oddlens.observations.modelling.frame_model import FrameModel
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.light_start import fit_light
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.mass_refit import MassFit, fit_masses
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
MIN_PIXELS = 200
"""Fewer pixels cannot show a lens and its arcs."""
FIRST_STRENGTH = 1e-4
CLUMP_ROUNDS, CLUMP_STEPS = 3, 15


class FrameFit(NamedTuple):
    """The fit of a frame.

    Attributes:
        unit: of all brightness in the model, in units of the frame: the median noise of its pixels.
    """

    model: FrameModel
    fit: NonlinearFit
    prior: Prior
    starts: list[Start]
    scan: MassScan
    masses: Sequence[MassFit]
    unit: float

    @property
    def residuals(self) -> Residuals:
        """What the smooth lens leaves."""
        return Residuals(self.model, self.fit.linear, self.prior, SOFTENING_ARCSEC)

    @property
    def lens(self) -> SmoothLens:
        """The smooth lens, in units of the frame."""
        return SmoothLens.of_fit(self.model, self.fit.linear).times(self.unit)


def fit_frame(pixels: Pixels, radius_arcsec: float | None = None) -> FrameFit:
    """Fit a frame.

    Args:
        radius_arcsec: of the circle about the centre that holds the lens and its arcs; by default as large as the frame
            allows, up to `MAX_RADIUS_ARCSEC`.

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
        return _fit(replace(pixels, image=pixels.image / unit, sigma=pixels.sigma / unit), radius_arcsec, unit)
    except torch.linalg.LinAlgError as error:
        raise ValueError(
            "the pixels do not determine the model: check that the PSF has the pixels of the image, and the noise map "
            "its units"
        ) from error


def _fit(pixels: Pixels, radius_arcsec: float, unit: float) -> FrameFit:
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
    fit = _with_clumps(model, fit, prior)
    residuals = Residuals(model, fit.linear, prior, SOFTENING_ARCSEC)
    inner, outer = (radius * float(fit.parameters[0]) for radius in SCAN_RADII)
    scan = scan_for_mass(residuals, inner, outer, SCAN_STEP_ARCSEC)
    masses = fit_masses(model, fit, prior, scan, PseudoJaffe.tidal, MASSES)
    return FrameFit(model, fit, prior, starts, scan, masses, unit)


def _with_clumps(model: FrameModel, fit: NonlinearFit, prior: Prior) -> NonlinearFit:
    """The fit after clumps of the source have been added until none has much evidence, or some times."""
    for _ in range(CLUMP_ROUNDS):
        clumps = Residuals(model, fit.linear, prior, SOFTENING_ARCSEC).clumps()
        if not clumps:
            break
        start = model.solve(fit.linear.columns, fit.linear.prior.with_clumps(clumps))
        fit = optimise(model, start, prior, CLUMP_STEPS)
    return fit
