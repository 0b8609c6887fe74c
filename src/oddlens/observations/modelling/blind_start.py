"""A first model of a lens about which nothing is known but its frame.

The search uses pixels of twice the size and an isothermal halo without multipoles:

1. the light of the lens galaxy, and the arcs above it (`light_start.py`);
2. the evidence of each Einstein radius and ellipse of a grid, with a coarse source;
3. a few steps from the best ellipse of each Einstein radius;
4. fits from the best of these. The one with most evidence counts.

A mass that is much too small or too large makes the source a copy of the image, which fits well (Maresca, Dye & Li
2021, MNRAS 503, 2229). Such sources are as large as the image: models that do not magnify are left out.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.light_start import Arcs, LightStart, find_arcs, fit_light, model_error
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.observation import Observation, Pixels
from oddlens.observations.modelling.optimiser import optimise
from oddlens.observations.modelling.priors import ISOTHERMAL, prior_about
from oddlens.observations.modelling.source_grid import SourceGrid
from oddlens.observations.modelling.source_prior import SourcePrior

SIDE, WIDTHS, RAYS = 14, 12, 2
"""Nodes along a side of the source, widths of the Gaussians of the lens light, and rays per pixel side."""
SMALLEST_ARCSEC, PART_OF_FIELD, RADIUS_STEP = 0.4, 0.7, 1.09
"""Einstein radii that are tried: from the first to this part of the radius of the field, by this factor."""
ELLIPSES = [(0.0, 0.0), *((0.3 * math.cos(t), 0.3 * math.sin(t)) for t in np.arange(6) * math.pi / 3)]
"""Ellipses that are tried, as h = sinh(eta) (cos 2 phi, sin 2 phi)."""
PER_RADIUS, SHORT_STEPS, FINALISTS, STEPS, ROUNDS = 1, 3, 3, 8, 3
INNER_ARCSEC, SIGNIFICANCE = 0.3, 4.0
"""Arcs are pixels of this significance beyond this radius."""
MAX_RADII, ENCLOSED = 2.0, 0.97
"""The grid of the source holds this part of the light of arcs within this number of Einstein radii."""
FIRST_PRECISION = 1.0
MIN_MAGNIFICATION = 1.8


class Start(NamedTuple):
    """A model of a lens.

    Attributes:
        parameters: those of `MacroModel` and `LensLight`, [p].
        log_evidence: of the coarse frame.
        reduced_chi_square: likewise, per pixel, as if its noise were white.
        magnification: of the light of the source.
    """

    parameters: Tensor
    log_evidence: float
    reduced_chi_square: float
    magnification: float

    @property
    def summary(self) -> dict[str, float]:
        """Its numbers, without the parameters of the light."""
        return {"einstein_radius": float(self.parameters[0])} | {
            name: float(value) for name, value in self._asdict().items() if name != "parameters"
        }


class BlindSearch:
    """The search for a first model of a frame.

    Args:
        coarse: the frame with pixels of twice the size.
        radius_arcsec: of the circle that is fitted.
    """

    def __init__(self, coarse: Pixels, radius_arcsec: float):
        self.radius_arcsec = radius_arcsec
        seen = Observation(coarse, coarse.within(radius_arcsec), RAYS)
        self.light = LensLight.of_widths(coarse.scale_arcsec / 3, radius_arcsec, WIDTHS)
        self.first: LightStart = fit_light(self.light, seen)
        self.seen = Observation(with_model_error(coarse, seen, self.first.image), seen.use, RAYS)
        self.arcs: Arcs = find_arcs(self.seen, self.first.image, INNER_ARCSEC, SIGNIFICANCE)
        self.macro = MacroModel()

    def run(self) -> list[Start]:
        """The best models, that with most evidence first; none if there are no arcs, or none magnifies."""
        if not len(self.arcs.y):
            return []
        count = int(np.log(PART_OF_FIELD * self.radius_arcsec / SMALLEST_ARCSEC) / np.log(RADIUS_STEP)) + 1
        chosen = []
        for radius in SMALLEST_ARCSEC * RADIUS_STEP ** np.arange(count):
            fits = [self._fit(self._start(radius, ellipse), steps=0) for ellipse in ELLIPSES]
            chosen += sorted(fits, key=lambda fit: -fit.log_evidence)[:PER_RADIUS]
        short = [self._fit(fit.columns.parameters, SHORT_STEPS) for fit in chosen]
        starts: list[Start] = []
        for fit in sorted(short, key=lambda fit: -fit.log_evidence):
            if magnification(fit, self.seen) < MIN_MAGNIFICATION:
                continue
            for _ in range(ROUNDS):  # the light moves in the source plane, and its grid follows
                fit = self._fit(fit.columns.parameters, STEPS)
            reduced, magnified = fit.chi_square / self.seen.count, magnification(fit, self.seen)
            if magnified >= MIN_MAGNIFICATION:
                starts.append(Start(fit.columns.parameters, fit.log_evidence, reduced, magnified))
            if len(starts) == FINALISTS:
                break
        return sorted(starts, key=lambda start: -start.log_evidence)

    def _start(self, radius: float, ellipse: tuple[float, float]) -> Tensor:
        values = dict.fromkeys(self.macro.names, 0.0)
        centre = dict(zip(("centre_y", "centre_x"), self.first.parameters[:2].tolist(), strict=True))
        values |= centre | {"einstein_radius": radius, "slope": ISOTHERMAL}
        values |= dict(zip(("ellipse_1", "ellipse_2"), ellipse, strict=True))
        return torch.cat([torch.tensor(list(values.values()), dtype=torch.float64), self.first.parameters])

    def _fit(self, parameters: Tensor, steps: int) -> LinearFit:
        """The fit after some steps from parameters, with a grid for the arcs as they are traced to the source."""
        grid = grid_for(self.macro, parameters, self.arcs, SIDE)
        model = FrameModel(self.seen, (self.macro,), self.light, grid)
        start = model.solve(model.columns(parameters), SourcePrior.of_strength(grid, FIRST_PRECISION))
        return optimise(model, start, prior_about(model.names, parameters, held=("slope", "multipole")), steps).linear


def with_model_error(pixels: Pixels, seen: Observation, light: Tensor) -> Pixels:
    """Pixels whose noise includes that of the model of the lens light, [pixels of `seen`].

    No galaxy is a sum of ellipses. Otherwise the source explains what the light of the centre leaves.
    """
    sigma = pixels.sigma.copy()
    sigma[seen.use] = np.hypot(sigma[seen.use], (model_error(seen) * light).numpy())
    return replace(pixels, sigma=sigma)


def grid_for(macro: MacroModel, parameters: Tensor, arcs: Arcs, side: int) -> SourceGrid:
    """The grid of the source that holds the arcs.

    Images of a source that has several lie within two Einstein radii; light beyond has other sources.
    """
    own = parameters[: len(macro.names)]
    near = torch.hypot(arcs.y, arcs.x) < MAX_RADII * own[0]
    y, x, brightness = (part[near] for part in arcs) if near.any() else arcs
    beta = torch.stack([y, x]) - macro.deflections(own, y, x)
    middle_y, middle_x = (_quantile(part, brightness, 0.5) for part in beta)
    reach = torch.maximum((beta[0] - middle_y).abs(), (beta[1] - middle_x).abs())
    return SourceGrid.around(middle_y, middle_x, max(_quantile(reach, brightness, ENCLOSED), 1e-3), side)


def _quantile(values: Tensor, weights: Tensor, part: float) -> float:
    order = values.argsort()
    total = weights[order].cumsum(dim=0)
    return float(values[order][torch.searchsorted(total, part * total[-1])])


def magnification(fit: LinearFit, seen: Observation) -> float:
    """The light of the source in the image plane, over that in the source plane."""
    grid, source = fit.prior.grid, fit.source.clamp(min=0)
    lensed = seen.pixel_means(grid.brightness(source, fit.columns.beta)).sum() * seen.scale_arcsec**2
    return float(lensed / (source.sum() * grid.step**2).clamp(min=1e-30))
