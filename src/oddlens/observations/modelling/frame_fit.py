"""The fit of one frame at its own resolution, from its pixels to the smooth lens, and the scan of its residuals."""

from collections.abc import Sequence
from typing import NamedTuple

from oddlens.observations.modelling.binning import binned
from oddlens.observations.modelling.blind_start import BlindSearch, Start, grid_for, with_model_error
from oddlens.observations.modelling.frame_model import FrameModel
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.light_start import fit_light
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.mass_refit import MassFit, fit_masses
from oddlens.observations.modelling.mass_scan import MassScan, scan_for_mass
from oddlens.observations.modelling.observation import Observation, Pixels
from oddlens.observations.modelling.optimiser import NonlinearFit, optimise
from oddlens.observations.modelling.perturber import PseudoJaffe
from oddlens.observations.modelling.priors import Prior, prior_about
from oddlens.observations.modelling.smooth_lens import SmoothLens
from oddlens.observations.modelling.source_prior import SourcePrior

SIDE, WIDTHS, RAYS = 30, 14, 3
ROUNDS, STEPS = 2, 10
MAX_RADIUS_ARCSEC = 3.5
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

    @property
    def lens(self) -> SmoothLens:
        """The smooth lens."""
        return SmoothLens.of_fit(self.model, self.fit.linear)


def fit_frame(pixels: Pixels, radius_arcsec: float | None = None) -> FrameFit:
    """Fit a frame.

    Args:
        radius_arcsec: of the circle about the centre that holds the lens and its arcs; by default as large as the frame
            allows, up to `MAX_RADIUS_ARCSEC`.

    Raises:
        ValueError: if there are no arcs, or no lens explains them.
    """
    radius_arcsec = radius_arcsec or min(MAX_RADIUS_ARCSEC, pixels.room_arcsec)
    search = BlindSearch(binned(pixels), radius_arcsec)
    starts = search.run()
    if not starts:
        raise ValueError(
            f'no lens explains the light within {radius_arcsec:.2g}": {len(search.arcs.y)} pixels of it are brighter '
            "than the lens galaxy. Check the frame, its mask and the radius"
        )
    parameters, arcs = starts[0].parameters, search.arcs
    einstein_radius = float(parameters[0])
    reach = float((arcs.y.square() + arcs.x.square()).sqrt().quantile(0.98))
    radius = min(radius_arcsec, max(OUTER * einstein_radius, reach) + MARGIN_ARCSEC)
    macro, light = MacroModel(), LensLight.of_widths(0.4 * pixels.scale_arcsec, radius_arcsec, WIDTHS)
    seen = Observation(pixels, pixels.within(radius), RAYS)
    seen = Observation(with_model_error(pixels, seen, fit_light(light, seen).image), seen.use, RAYS)
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
