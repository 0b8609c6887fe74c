"""A first model of a lens about which nothing is known but its frame.

The search uses pixels of twice the size and an isothermal halo without multipoles:

1. the light of the lens galaxy, which is subtracted, and the arcs above it (`light_start.py`, `arcs.py`);
2. fits with one elliptical source (`compact_source.py`) from each Einstein radius and ellipse of a grid;
3. fits with a source on a grid, from the best of these. The one with most evidence counts.

A mass that is much too small or too large makes the source a copy of the image, which fits well (Maresca, Dye & Li
2021, MNRAS 503, 2229). A compact source does not. Models that do not magnify are left out.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from oddlens.observations.modelling.arcs import Arcs, find_arcs, grid_for
from oddlens.observations.modelling.compact_source import CompactFit, CompactModel
from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.lens_light import SETS, LensLight
from oddlens.observations.modelling.light_start import LightStart, fit_light
from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.model_error import with_light_error
from oddlens.observations.modelling.observation import Observation, Pixels
from oddlens.observations.modelling.optimiser import optimise
from oddlens.observations.modelling.priors import ISOTHERMAL, ellipse_about_light, prior_about
from oddlens.observations.modelling.source_prior import SourcePrior

SIDE, WIDTHS, RAYS = 24, 12, 2
"""Nodes along a side of the source, widths of the Gaussians of the lens light, and rays per pixel side."""
SMALLEST_ARCSEC, PART_OF_FIELD, RADIUS_STEP = 0.4, 0.7, 1.12
"""Einstein radii that are tried: from the first to this part of the radius of the field, by this factor."""
ELLIPSES = [(0.0, 0.0), *((0.3 * math.cos(t), 0.3 * math.sin(t)) for t in np.arange(6) * math.pi / 3)]
"""Ellipses that are tried, as h = sinh(eta) (cos 2 phi, sin 2 phi)."""
SHORT_STEPS, STEPS, ROUNDS = 3, 10, 3
FINALISTS, NEARLY = 3, 0.1
"""Fits whose chi-square is larger than that of the best by less than this part of what the best explains."""
INNER_ARCSEC, SIGNIFICANCE = 0.3, 4.0
"""Arcs are pixels of this significance beyond this radius."""
ARC_ERROR = 0.15
"""What an elliptical galaxy, or a coarse grid, leaves of the arcs of a real source, as a part of their brightness."""
LIGHT_PRECISION = 0.03
"""Of the amplitudes of Gaussians that correct the subtracted light, in units of their signal-to-noise ratio."""
FIRST_STRENGTH = 1e-4
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
        self.arcs: Arcs = find_arcs(seen, self.first.image, INNER_ARCSEC, SIGNIFICANCE)
        self.seen = Observation(self._without_light(coarse, seen), seen.use, RAYS)
        self.macro = MacroModel()
        self.compact = self._compact()

    def run(self) -> list[Start]:
        """The best models, that with most evidence first; none if there are no arcs, or none magnifies."""
        if not len(self.arcs.y):
            return []
        starts: list[Start] = []
        for found in self._finalists():
            parameters = torch.cat([found.mass, self.first.parameters])
            for _ in range(ROUNDS):  # the light moves in the source plane, and its grid follows
                fit = self._fit(parameters)
                parameters = fit.columns.parameters
            reduced, magnified = fit.chi_square / self.seen.count, magnification(fit, self.seen)
            if magnified >= MIN_MAGNIFICATION:
                starts.append(Start(parameters, fit.log_evidence, reduced, magnified))
        return sorted(starts, key=lambda start: -start.log_evidence)

    def _without_light(self, coarse: Pixels, seen: Observation) -> Pixels:
        """The frame without the light of the lens galaxy. The noise includes a part of the arcs."""
        pixels = with_light_error(coarse, seen, self.first.image)
        arcs = np.zeros(pixels.image.shape)
        arcs[seen.use] = (seen.data - self.first.image).numpy()
        error = ARC_ERROR * np.clip(ndimage.gaussian_filter(arcs, 1.0), 0, None)
        return replace(pixels, image=arcs, sigma=np.hypot(pixels.sigma, error))

    def _compact(self) -> CompactModel:
        """The model with an elliptical source. Errors of the light that was subtracted are projected out."""
        columns = self.seen.observe(self.light.columns(self.first.parameters, self.seen)).double()
        directions, strengths, _ = torch.linalg.svd(columns / columns.norm(dim=0), full_matrices=False)
        absorbed = directions[:, strengths.square() > LIGHT_PRECISION]
        ellipse = ellipse_about_light(self.first.parameters[2:].view(SETS, 2))
        return CompactModel(self.seen, absorbed, self._start(0.0, ellipse.tolist()))

    def _finalists(self) -> list[CompactFit]:
        """Fits of elliptical sources that are nearly as good as the best, and have other Einstein radii."""
        count = int(np.log(PART_OF_FIELD * self.radius_arcsec / SMALLEST_ARCSEC) / np.log(RADIUS_STEP)) + 1
        found = []
        for radius in SMALLEST_ARCSEC * RADIUS_STEP ** np.arange(count):
            fits = [self._compact_fit(self._start(radius, ellipse)) for ellipse in ELLIPSES]
            best = min(fits, key=lambda fit: fit.objective)
            found.append(self.compact.optimise(best, STEPS))
        found = sorted(found, key=lambda fit: fit.objective)
        limit = found[0].objective + NEARLY * (float(self.compact.data.square().sum()) - found[0].objective)
        chosen: list[CompactFit] = []
        for fit in found:
            apart = all(abs(math.log(fit.mass[0] / other.mass[0])) > math.log(RADIUS_STEP) / 2 for other in chosen)
            if fit.objective <= limit and apart and len(chosen) < FINALISTS:
                chosen.append(fit)
        return chosen

    def _compact_fit(self, mass: Tensor) -> CompactFit:
        """A few steps from a mass, with the source where the arcs come from."""
        near = self.arcs.of_lens(float(mass[0]))
        beta = torch.stack([near.y, near.x]) - self.macro.deflections(mass, near.y, near.x)
        place = (beta * near.brightness).sum(dim=1) / near.brightness.sum()
        start = self.compact.solve(mass, torch.cat([place, torch.zeros(2, dtype=torch.float64)]))
        return self.compact.optimise(start, SHORT_STEPS)

    def _start(self, radius: float, ellipse: Sequence[float]) -> Tensor:
        values = dict.fromkeys(self.macro.names, 0.0)
        centre = dict(zip(("centre_y", "centre_x"), self.first.parameters[:2].tolist(), strict=True))
        values |= centre | {"einstein_radius": radius, "slope": ISOTHERMAL}
        values |= dict(zip(("ellipse_1", "ellipse_2"), ellipse, strict=True))
        return torch.tensor(list(values.values()), dtype=torch.float64)

    def _fit(self, parameters: Tensor) -> LinearFit:
        """The fit with a source on a grid, from parameters."""
        grid = grid_for(self.macro, parameters, self.arcs, SIDE)
        model = FrameModel(self.seen, (self.macro,), self.light, grid, LIGHT_PRECISION)
        start = model.solve(model.columns(parameters), SourcePrior(grid, FIRST_STRENGTH))
        prior = prior_about(model.names, parameters, held=("slope", "multipole", "light"))
        return optimise(model, start, prior, STEPS).linear


def magnification(fit: LinearFit, seen: Observation) -> float:
    """The light of the source in the image plane, over that in the source plane."""
    grid, source = fit.prior.grid, fit.source.clamp(min=0)
    lensed = seen.pixel_means(grid.brightness(source, fit.columns.beta)).sum() * seen.scale_arcsec**2
    return float(lensed / (source.sum() * grid.step**2).clamp(min=1e-30))
