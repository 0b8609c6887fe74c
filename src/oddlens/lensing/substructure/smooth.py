"""No substructure: all dark matter of the lens is in its smooth halo."""

from types import ModuleType

import numpy as np

from oddlens.schema.section import Section


class Priors(Section):
    """No priors."""


def uniforms(priors: Priors, heaviest_lens_msun: float) -> int:
    return 0


def draw(priors: Priors, u: np.ndarray, lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {}


def enclosed(q: dict[str, np.ndarray], radius: np.ndarray) -> np.ndarray:
    return np.zeros_like(radius)


def deflections(q: dict, y, x, xp: ModuleType):
    return 0.0 * y, 0.0 * x


def truth(q: dict[str, np.ndarray], lens: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {}
