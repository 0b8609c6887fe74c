"""The convergence of an image's lens, averaged over pixels, and how the odd one differs from its smooth twin.

From the deflections alone, which every class of substructure has, by Gauss's theorem: div alpha = 2 kappa, so the mean
of kappa over a pixel of area a is the flux of alpha out of the pixel over 2 a. That holds for point masses too, whose
kappa no grid of points would meet, and what one pixel lacks by rounding its neighbour has.
"""

from types import ModuleType

import numpy as np

from oddlens.lensing import render, substructure_classes
from oddlens.lensing.render import Parameters
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulation import Camera

POINTS = 32
"""Points at which the deflection is taken along each edge, those of Gauss and Legendre. A point mass nearer to an edge
than half their distance, some 40th of a pixel, is shared with the neighbour."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS)


def mean_convergence(p: Parameters, module: ModuleType, pixels: int, pixel_scale_arcsec: float) -> np.ndarray:
    """Mean convergence of each pixel, float64 [pixels, pixels], row 0 at the top.

    Args:
        p: one image's parameters; `module` is the module of its class.
    """
    edges = (np.arange(pixels + 1) - pixels / 2) * pixel_scale_arcsec
    along = (edges[:-1, None] + (_NODES + 1) / 2 * pixel_scale_arcsec).ravel()  # [pixels * POINTS]
    y, x = np.meshgrid(-along, edges, indexing="ij")
    through = render.deflections(p, module, y, x, np)[1]  # vertical edges: [pixels * POINTS, pixels + 1]
    rightward = np.einsum("ikj,k->ij", through.reshape(pixels, POINTS, pixels + 1), _WEIGHTS / 2)
    y, x = np.meshgrid(-edges, along, indexing="ij")
    through = render.deflections(p, module, y, x, np)[0]  # horizontal edges: [pixels + 1, pixels * POINTS]
    upward = through.reshape(pixels + 1, pixels, POINTS) @ (_WEIGHTS / 2)
    outward = np.diff(rightward, axis=1) - np.diff(upward, axis=0)  # the upper edge comes first
    return outward / (2 * pixel_scale_arcsec)


def _one(scenes: Scenes, k: int) -> Parameters:
    return {
        name: {column: values[k] for column, values in part.items()} for name, part in render.parameters(scenes).items()
    }


def _smooth(p: Parameters) -> Parameters:
    """The same lens with all of its mass in the halo, as the smooth twin has it."""
    lens = p["lens"] | {"halo_einstein_radius_arcsec": p["lens"]["einstein_radius_arcsec"]}
    return p | {"lens": lens, "substructure": {}}


def convergence(camera: Camera, cls: str, scenes: Scenes, k: int) -> np.ndarray:
    """Mean convergence of the pixels of image k of a batch of a class."""
    return mean_convergence(_one(scenes, k), substructure_classes.module(cls), camera.pixels, camera.pixel_scale_arcsec)


def difference(camera: Camera, cls: str, scenes: Scenes, k: int) -> np.ndarray:
    """Convergence of image k less that of its smooth twin: the substructure, and the halo that is lighter by as much.

    In the test pool the twin is the smooth image of the same index; elsewhere it has no name, but is as well defined.
    """
    p, module = _one(scenes, k), substructure_classes.module(cls)
    odd, smooth = (mean_convergence(q, module, camera.pixels, camera.pixel_scale_arcsec) for q in (p, _smooth(p)))
    return odd - smooth
