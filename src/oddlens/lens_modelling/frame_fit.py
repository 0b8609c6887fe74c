"""The fit of one frame at its own resolution, from its pixels to the smooth lens, and the scan of its residuals."""

from collections.abc import Sequence
from typing import NamedTuple

from oddlens.lens_modelling.binning import binned
from oddlens.lens_modelling.blind_start import BlindSearch, Start, grid_for
from oddlens.lens_modelling.frame_model import FrameModel
from oddlens.lens_modelling.lens_light import LensLight
from oddlens.lens_modelling.mass_model import MacroModel
from oddlens.lens_modelling.mass_refit import MassFit, fit_masses
from oddlens.lens_modelling.mass_scan import MassScan, scan_for_mass
from oddlens.lens_modelling.observation import Observation, Pixels
from oddlens.lens_modelling.optimiser import NonlinearFit, optimise
from oddlens.lens_modelling.perturber import PseudoJaffe
from oddlens.lens_modelling.priors import Prior, prior_about
from oddlens.lens_modelling.source_prior import SourcePrior

SIDE, WIDTHS, RAYS = 30, 14, 3
ROUNDS, STEPS = 2, 10
OUTER, MARGIN_ARCSEC = 1.6, 0.3
"""The circle that is fitted reaches to this number of Einstein radii, or to the outermost arcs, and further by this."""
SCAN_RADII, SCAN_STEP_ARCSEC, SOFTENING_ARCSEC = 1.4, 0.1, 0.05
MASSES = 2
FIRST_PRECISION = 1.0


class FrameFit(NamedTuple):
    """The fit of a frame."""

    model: FrameModel
    fit: NonlinearFit
    prior: Prior
    starts: list[Start]
    scan: MassScan
    masses: Sequence[MassFit]


def fit_frame(pixels: Pixels, radius_arcsec: float) -> FrameFit:
    """Fit a frame, whose lens is within a circle about the centre."""
    coarse = binned(pixels)
    search = BlindSearch(coarse, radius_arcsec)
    starts = search.run()
    if not starts:
        raise ValueError("no model of a lens explains the frame")
    parameters, arcs = starts[0].parameters, search.arcs
    einstein_radius = float(parameters[0])
    reach = float((arcs.y.square() + arcs.x.square()).sqrt().quantile(0.98))
    radius = min(radius_arcsec, max(OUTER * einstein_radius, reach) + MARGIN_ARCSEC)
    seen = Observation(pixels, pixels.within(radius), RAYS)
    macro, light = MacroModel(), LensLight.of_widths(0.4 * pixels.scale_arcsec, radius_arcsec, WIDTHS)
    for _ in range(ROUNDS):
        grid = grid_for(macro, parameters, arcs, SIDE)
        model = FrameModel(seen, (macro,), light, grid)
        prior = prior_about(model.names, parameters)
        start = model.solve(model.columns(parameters), SourcePrior.of_strength(grid, FIRST_PRECISION))
        fit = optimise(model, start, prior, STEPS)
        parameters = fit.parameters
    scan = scan_for_mass(
        model, fit.linear, prior, SCAN_RADII * float(parameters[0]), SCAN_STEP_ARCSEC, SOFTENING_ARCSEC
    )
    masses = fit_masses(model, fit, prior, scan, PseudoJaffe.tidal, MASSES)
    return FrameFit(model, fit, prior, starts, scan, masses)
