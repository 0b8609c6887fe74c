"""The smooth lens of a simulation that fits an image, as a function of positions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from oddlens.lensing.model import LensModel
from oddlens.lensing.parametrisation import ISOTHERMAL


@dataclass(frozen=True)
class FittedLens:
    """A lens of the differentiable model (`model.py`), in double precision: a small mass hardly bends its rays.

    Attributes:
        model: the lens model.
        parameters: of the lens and its source, [1, parameters], double precision.
        chi_square: the objective of the fit per observed pixel.
        unexplained: the part of the power of the light beyond the noise that the model leaves in the residuals.
    """

    kind: ClassVar[str] = "lensfit"
    model: LensModel
    parameters: Tensor
    chi_square: float = np.nan
    unexplained: float = np.nan

    @property
    def einstein_radius_arcsec(self) -> float:
        """The Einstein radius of the halo."""
        return float(self.parameters[0, 0])

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the lens is that of the image."""
        return (0.0, 0.0)

    def deflections(self, y: np.ndarray, x: np.ndarray, removed: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Deflection (alpha_y, alpha_x) at positions in the image plane, arcsec.

        Args:
            removed: what would be taken from the Einstein radius of an isothermal halo, arcsec. A power law gives up
                the same mass, as in `scene.halo_radius`.
        """
        parameters = self.parameters.clone()
        if (slope := float(self.model.slopes(parameters))) == ISOTHERMAL:
            parameters[0, 0] -= removed
        else:
            parameters[0, 0] *= (1 - removed / self.einstein_radius_arcsec) ** (1 / (slope - 1))
        alpha_y, alpha_x = self.model.deflections(parameters, _row(y), _row(x))
        return alpha_y.numpy().reshape(y.shape), alpha_x.numpy().reshape(y.shape)

    def source_brightness(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Surface brightness at positions in the source plane, in units of the image."""
        return self.model.source_brightness(self.parameters, _row(y), _row(x)).numpy().reshape(y.shape)


def _row(positions: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(positions, dtype=float)).view(1, -1)
