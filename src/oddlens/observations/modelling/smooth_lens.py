"""A smooth lens that was fitted to a frame: its mass, its light and its source, without the data.

It is what twins are drawn from, and what a file of a fit keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oddlens.observations.modelling.frame_model import FrameModel, LinearFit
from oddlens.observations.modelling.lens_light import LensLight
from oddlens.observations.modelling.mass_model import MacroModel, MassPart
from oddlens.observations.modelling.observation import Observation
from oddlens.observations.modelling.source_grid import SourceGrid

GRID = ("side", "y", "x", "step")


@dataclass(frozen=True)
class SmoothLens:
    """A smooth lens.

    Attributes:
        parameters: those of `MacroModel`, and of `LensLight`, [p].
        widths: of the Gaussians of the lens light, [k].
        light: amplitudes of the columns of the lens light.
        grid: of the source.
        source: its coefficients, [nodes].
    """

    parameters: Tensor
    widths: Tensor
    light: Tensor
    grid: SourceGrid
    source: Tensor

    @staticmethod
    def of_fit(model: FrameModel, fit: LinearFit) -> "SmoothLens":
        """The lens of a fit without a perturber."""
        return SmoothLens(fit.columns.parameters, model.light.widths, fit.light, model.grid, fit.source)

    def times(self, factor: float) -> "SmoothLens":
        """The lens with so many times the brightness."""
        return replace(self, light=factor * self.light, source=factor * self.source)

    def images(self, seen: Observation, extra: tuple[tuple[MassPart, Tensor], ...] = ()) -> Tensor:
        """Images of the lens galaxy and of the source, without noise, at the observed pixels, [2, pixels].

        Args:
            extra: more parts of the mass, with their parameters.
        """
        macro, light = MacroModel(), LensLight(self.widths)
        own, shape = self.parameters[: len(macro.names)], self.parameters[len(macro.names) :]
        beta = torch.stack([seen.y, seen.x]) - macro.deflections(own, seen.y, seen.x)
        for part, parameters in extra:
            beta = beta - part.deflections(parameters, seen.y, seen.x)
        source = seen.pixel_means(self.grid.brightness(self.source, beta))
        return seen.blurred(torch.stack([self.light @ light.columns(shape, seen), source])).T.double()

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file keeps of it."""
        grid = np.array([getattr(self.grid, name) for name in GRID])
        tensors = {name: getattr(self, name).numpy() for name in ("parameters", "widths", "light", "source")}
        return {**tensors, "grid": grid}

    @staticmethod
    def of_arrays(arrays: Mapping[str, np.ndarray]) -> "SmoothLens":
        """The lens of `arrays`."""
        side, *place = arrays["grid"].tolist()
        own: dict[str, Any] = {name: torch.tensor(values) for name, values in arrays.items() if name != "grid"}
        return SmoothLens(grid=SourceGrid(int(side), *place), **own)
