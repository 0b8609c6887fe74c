"""Fits of twins: which masses a fit finds in lenses like a real one, and how often it finds one where there is none.

A twin is named by a number. Its noise, and the place and mass of what is planted in it, follow from the name of the
lens, this number and the seed of the study, so twins can be made in any order and on any machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from oddlens.data.randomness import stream
from oddlens.observations.modelling.frame_fit import FrameFit, fit_frame
from oddlens.observations.modelling.perturber import Perturber, PseudoJaffe
from oddlens.observations.modelling.twins import TwinMaker

PLACE_RADII = 0.5, 1.3
"""Planted masses lie between these radii, in Einstein radii; uniform in radius and angle."""
AREAS_ARCSEC2 = 1e-3, 0.1
"""Their areas are log-uniform between these."""
TWIN_COLUMNS = [
    *("twin", "planted", "true_area", "true_y", "true_x", "einstein_radius", "reduced_chi_square", "converged"),
    *("significance", "log_evidence_gain", "area", "area_error", "y", "x"),
]
"""Columns of a table of twins; areas in arcsec^2, places in arcsec."""


@dataclass(frozen=True)
class Planted:
    """A mass that is planted in a twin: a pseudo-Jaffe profile that is truncated at its tidal radius."""

    area: float
    y: float
    x: float
    einstein_radius: float

    def part(self) -> tuple[Perturber, torch.Tensor]:
        """The mass as a part of a lens, with its parameters."""
        profile = PseudoJaffe.tidal(self.area, self.einstein_radius)
        return Perturber(profile), torch.tensor([self.area, self.y, self.x], dtype=torch.float64)


def plant(generator: np.random.Generator, einstein_radius: float) -> Planted:
    """A random mass in a lens."""
    radius, angle = generator.uniform(*PLACE_RADII) * einstein_radius, generator.uniform(0, 2 * np.pi)
    area = float(np.exp(generator.uniform(*np.log(AREAS_ARCSEC2))))
    return Planted(area, float(radius * np.sin(angle)), float(radius * np.cos(angle)), einstein_radius)


def fit_twins(
    maker: TwinMaker, name: str, seed: int, numbers: Iterable[int], planted: bool, radius_arcsec: float | None
) -> list[dict[str, Any]]:
    """A line for each twin of a lens: what was planted in it, and what its fit found.

    A twin that cannot be fitted has no numbers of a fit: it counts as one in which nothing was found.
    """
    einstein_radius, lines = float(maker.lens.parameters[0]), []
    for number in numbers:
        generator = stream(seed, "twins", name, "planted" if planted else "smooth", number)
        mass = plant(generator, einstein_radius) if planted else None
        twin = maker.draw(generator, *([mass.part()] if mass else []))
        line: dict[str, Any] = {"twin": number, "planted": planted}
        if mass is not None:
            line |= {"true_area": mass.area, "true_y": mass.y, "true_x": mass.x}
        try:
            found = fit_frame(twin, radius_arcsec, controls=0)
        except (ValueError, RuntimeError):  # RuntimeError: a matrix that cannot be factorised
            lines.append(line)
            continue
        lines.append(line | outcome(found))
    return lines


def outcome(found: FrameFit) -> dict[str, Any]:
    """The numbers of a fit that twins are compared by."""
    scan, fit = found.scan, found.fit
    line: dict[str, Any] = {
        "einstein_radius": float(fit.parameters[0]),
        "reduced_chi_square": fit.linear.chi_square / found.model.observation.count,
        "converged": fit.converged,
        "significance": scan.largest,
    }
    if found.masses:
        best = found.masses[0]
        line |= {"log_evidence_gain": best.log_evidence_gain, "area": best.area, "y": best.y, "x": best.x}
        line |= {"area_error": best.area_sigma}
    return line
