"""Convergence maps of lenses, averaged over pixels, and their difference from the smooth twin.

The map is computed from the deflections alone, which every class of substructure has. By Gauss's theorem, with
div alpha = 2 kappa, the mean of kappa over a pixel of area a is the flux of alpha out of the pixel, divided by 2 a.
This holds for point masses too, whose kappa no grid of points would sample. A rounding error of one pixel is
compensated by its neighbour, so the total mass is kept.
"""

from types import ModuleType

import numpy as np

from oddlens.lensing import ray_tracing, substructure_classes
from oddlens.lensing.ray_tracing import Parameters
from oddlens.lensing.scene import Scenes
from oddlens.lensing.simulation import Camera

POINTS_PER_EDGE = 32
"""Gauss-Legendre nodes along each pixel edge. A point mass closer to an edge than half their spacing, about 1/40 of a
pixel, is shared with the neighbouring pixel."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(POINTS_PER_EDGE)


def mean_convergence(p: Parameters, module: ModuleType, pixels: int, pixel_scale_arcsec: float) -> np.ndarray:
    """Mean convergence of each pixel, float64 [pixels, pixels], row 0 at the top.

    Args:
        p: the parameters of one image; `module` is the module of its class.
    """
    edges = (np.arange(pixels + 1) - pixels / 2) * pixel_scale_arcsec
    along = (edges[:-1, None] + (_NODES + 1) / 2 * pixel_scale_arcsec).ravel()  # [pixels * POINTS_PER_EDGE]
    y, x = np.meshgrid(-along, edges, indexing="ij")
    alpha_x = ray_tracing.deflections(p, module, y, x, np)[1]  # vertical edges: [pixels * nodes, pixels + 1]
    rightward = np.einsum("ikj,k->ij", alpha_x.reshape(pixels, POINTS_PER_EDGE, pixels + 1), _WEIGHTS / 2)
    y, x = np.meshgrid(-edges, along, indexing="ij")
    alpha_y = ray_tracing.deflections(p, module, y, x, np)[0]  # horizontal edges: [pixels + 1, pixels * nodes]
    upward = alpha_y.reshape(pixels + 1, pixels, POINTS_PER_EDGE) @ (_WEIGHTS / 2)
    outward = np.diff(rightward, axis=1) - np.diff(upward, axis=0)  # the upper edge comes first
    return outward / (2 * pixel_scale_arcsec)


def _parameters_of(scenes: Scenes, k: int) -> Parameters:
    return {
        name: {column: values[k] for column, values in part.items()}
        for name, part in ray_tracing.parameters(scenes).items()
    }


def _smooth_twin(p: Parameters) -> Parameters:
    """The same lens without substructure: all of its mass is in the halo."""
    lens = p["lens"] | {"halo_einstein_radius_arcsec": p["lens"]["einstein_radius_arcsec"]}
    return p | {"lens": lens, "substructure": {}}


def convergence(camera: Camera, cls: str, scenes: Scenes, k: int) -> np.ndarray:
    """Mean convergence of the pixels of image k of a batch of a class, [pixels, pixels]."""
    module = substructure_classes.module(cls)
    return mean_convergence(_parameters_of(scenes, k), module, camera.pixels, camera.pixel_scale_arcsec)


def difference(camera: Camera, cls: str, scenes: Scenes, k: int) -> np.ndarray:
    """Convergence of image k minus that of its smooth twin, [pixels, pixels].

    It holds the substructure, and minus the halo mass that the substructure replaces. In the test pool the twin is the
    smooth image of the same index; images of other pools have no twin in the data set, but the difference is defined in
    the same way.
    """
    p, module = _parameters_of(scenes, k), substructure_classes.module(cls)
    own, twin = (mean_convergence(q, module, camera.pixels, camera.pixel_scale_arcsec) for q in (p, _smooth_twin(p)))
    return own - twin
