"""Simulated lenses as objects of PyAutoLens: the reference for images, and an interface to PyAutoLens for users.

This is the only file that imports autolens. Before a shard is written, its first image is rendered again by the NumPy
Tracer of PyAutoLens in float64. So a wrong formula, a wrong version or a broken compiler is noticed.
"""

import os
from functools import partial
from types import ModuleType

# By default PyAutoLens looks for a workspace in the working directory and caches compiled functions in the home
# directory.
os.environ.setdefault("PYAUTO_SKIP_WORKSPACE_VERSION_CHECK", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", "")

import autofit as af  # noqa: F401 - for modules that import PyAutoLens from here
import autolens as al
import jax
import numpy as np
from autoarray import decorators
from autogalaxy.profiles.mass.abstract.abstract import MassProfile
from scipy import signal

from oddlens.lensing import camera as cameras
from oddlens.lensing import ray_tracing, render, substructure_classes, two_planes
from oddlens.lensing.cosmology import COSMOLOGY
from oddlens.lensing.light_clump import PREFIX as CLUMP
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Camera

jax.config.update("jax_enable_x64", False)  # importing autolens switches it on

FLAT = al.cosmo.FlatLambdaCDM(H0=COSMOLOGY.H0.value, Om0=COSMOLOGY.Om0, Tcmb0=0.0)
"""The cosmology of this project."""
RAYS = 16
"""Rays per pixel side of the reference for cameras with adaptive rays; fewer for large images, which would take
minutes."""
MAX_RAYS = 4_000_000
"""The largest number of rays of a reference image."""
MAX_DISAGREEMENT_SIGMA = 0.25
"""The largest accepted difference of a pixel from the reference, in units of its noise. It is larger than the numerical
error of the reference, and much smaller than the effect of a wrong formula."""
MORE_RAYS, DOUBTFUL_SIGMA = 40, 10 * MAX_DISAGREEMENT_SIGMA
"""Rays per pixel side of a second reference, for differences up to this number of sigma."""


class Substructure(MassProfile):
    """The substructure of one image as a mass profile of PyAutoLens; `offset` is added to positions (y, x)."""

    def __init__(self, module: ModuleType, q: Columns, offset: tuple[float, float] = (0.0, 0.0)):
        super().__init__(centre=(0.0, 0.0), ell_comps=(0.0, 0.0))
        self.module, self.q, self.offset = module, q, offset

    @decorators.to_vector_yx
    def deflections_yx_2d_from(self, grid, xp=np, **kwargs):
        """Deflections, arcsec, [points, (y, x)]."""
        points = grid.array if hasattr(grid, "array") else grid
        field: two_planes.Field = partial(self.module.deflections, self.q, xp=xp)
        if two_planes.IN_FRONT in self.q:
            field = two_planes.in_plane_of_mass(field, self.q)
        return xp.stack(field(points[:, 0] + self.offset[0], points[:, 1] + self.offset[1]), axis=-1)


def _components(axis_ratio, angle_deg) -> tuple[float, float]:
    f, angle = (1 - axis_ratio) / (1 + axis_ratio), np.deg2rad(angle_deg)
    return f * np.sin(2 * angle), f * np.cos(2 * angle)


def _sersic(q: Columns, prefix: str, centre: tuple[float, float]) -> al.lp.Sersic:
    return al.lp.Sersic(
        centre=centre,
        ell_comps=_components(q[f"{prefix}axis_ratio"], q[f"{prefix}angle_deg"]),
        intensity=q[f"{prefix}intensity_per_arcsec2"],
        effective_radius=q[f"{prefix}effective_radius_arcsec"],
        sersic_index=q[f"{prefix}sersic_index"],
    )


def tracer(scenes: Scenes, k: int, cls: str) -> al.Tracer:
    """Image k of a batch as a Tracer of PyAutoLens, with brightness in flux / arcsec^2 (1: AB magnitude 25).

    All lengths are angles, so PyAutoLens uses the redshifts only to order the planes and to couple a further one.
    """
    one = scenes[k : k + 1]
    q, clumps, sub = ({n: c[0] for n, c in part.items()} for part in (one.lens, one.clumps, one.substructure))
    b, axis_ratio = q["halo_einstein_radius_arcsec"], q.get("lens_axis_ratio", 1.0)
    slope, shear = q.get("lens_slope", 2.0), 2 * np.deg2rad(q["shear_angle_deg"])
    shape = {
        "ell_comps": _components(axis_ratio, q.get("lens_angle_deg", 0.0)),
        # Of an isothermal halo, the arithmetic mean of the axes of the ellipse; ours is the geometric mean.
        "einstein_radius": b / np.sqrt(axis_ratio) * ((1 + axis_ratio) / 2) ** (1 / (slope - 1)),
    }
    lens = {
        "halo": al.mp.PowerLaw(**shape, slope=slope) if "lens_slope" in q else al.mp.Isothermal(**shape),
        "shear": al.mp.ExternalShear(
            gamma_1=q["shear_magnitude"] * np.cos(shear), gamma_2=q["shear_magnitude"] * np.sin(shear)
        ),
    }
    for m in (3, 4):
        if f"multipole_{m}_strength" in q:
            angle = m * np.deg2rad(q[f"multipole_{m}_angle_deg"])
            strength = q[f"multipole_{m}_strength"] * (3 - slope) * (slope - 1)  # of the density, not of its contours
            comps = (strength * np.sin(angle), strength * np.cos(angle))
            lens[f"multipole_{m}"] = al.mp.PowerLawMultipole(m=m, einstein_radius=b, slope=slope, multipole_comps=comps)
    masses: dict[float, dict] = {float(q["lens_redshift"]): lens}
    if sub:
        _add_substructure(masses, substructure_classes.module(cls), q, sub)
    if "light_intensity_per_arcsec2" in q:
        lens["light"] = _sersic(q, "light_", (0.0, 0.0))
    if f"{CLUMP}intensity_per_arcsec2" in q:
        lens["light_clump"] = al.lp.Gaussian(
            centre=(q[f"{CLUMP}y_arcsec"], q[f"{CLUMP}x_arcsec"]),
            intensity=q[f"{CLUMP}intensity_per_arcsec2"],
            sigma=q[f"{CLUMP}width_arcsec"],
        )
    angle = np.deg2rad(q["source_offset_angle_deg"])
    centre = q["source_offset_arcsec"] * np.sin(angle), q["source_offset_arcsec"] * np.cos(angle)
    source = {"main": _sersic(q, "source_", centre)}
    for slot in np.nonzero(clumps.get("clump_intensity_per_arcsec2", np.zeros(0)))[0]:
        own = {name: column[slot] for name, column in clumps.items()}
        source[f"clump_{slot}"] = _sersic(own, "clump_", (own["clump_y_arcsec"], own["clump_x_arcsec"]))
    galaxies = [al.Galaxy(redshift=z, **parts) for z, parts in {**masses, float(q["source_redshift"]): source}.items()]
    return al.Tracer(galaxies, cosmology=FLAT)


def _add_substructure(masses: dict[float, dict], module: ModuleType, q: Columns, sub: Columns) -> None:
    """Add the substructure of one image to the `masses` of planes, by redshift: the lens, or a plane of its own."""
    if two_planes.BEHIND not in sub:
        masses[float(q["lens_redshift"])]["substructure"] = Substructure(module, sub)
        return

    def lens(y, x):
        return ray_tracing.smooth_deflections(q, y, x, np)

    offset = two_planes.offset(lens, sub, module.seen_at(sub))
    profile = Substructure(module, sub, offset)
    masses.setdefault(module.redshift(sub), {})["substructure"] = profile


def image(camera: Camera, cls: str, scenes: Scenes, k: int, rays: int) -> np.ndarray:
    """The noise-free image k with all light by PyAutoLens, float64 [pixels, pixels], electrons / s / pixel."""
    n = render.padded_pixels(camera)
    grid = al.Grid2D.uniform(shape_native=(n, n), pixel_scales=camera.pixel_scale_arcsec, over_sample_size=rays)
    mean = np.asarray(tracer(scenes, k, cls).image_2d_from(grid=grid).native.array)
    kernels = cameras.true_psf_kernels(camera, scenes.lens)
    electrons = cameras.electrons_per_flux(scenes.lens)[k] * camera.pixel_scale_arcsec**2
    return electrons * signal.fftconvolve(mean, kernels[k % len(kernels)], mode="valid")


def disagreement(camera: Camera, cls: str, scenes: Scenes, k: int, ours: np.ndarray) -> float:
    """The largest difference between our image k, [pixels, pixels], and that of PyAutoLens, in units of the noise.

    If it is a little too large, which a steep source causes, PyAutoLens traces more rays before the images count as
    different.

    Raises:
        ArithmeticError: the difference exceeds `MAX_DISAGREEMENT_SIGMA`.
    """
    for rays in _numbers_of_rays(camera):
        worst = _difference(camera, cls, scenes, k, ours, rays)
        if worst < MAX_DISAGREEMENT_SIGMA:
            return worst
        if not worst < DOUBTFUL_SIGMA:
            break
    raise ArithmeticError(
        f"image {k} differs from that of PyAutoLens {al.__version__} with {rays} x {rays} rays per pixel by "
        f"{worst:.3g} sigma of the noise; at most {MAX_DISAGREEMENT_SIGMA} is allowed. One of them is wrong: "
        "please report this with the config"
    )


def _numbers_of_rays(camera: Camera) -> list[int]:
    """Rays per pixel side of the first and of further references."""
    if camera.error_sigma is None:
        return [camera.over_sampling]
    most = max(int(np.sqrt(MAX_RAYS)) // render.padded_pixels(camera), camera.over_sampling)
    return sorted({int(np.clip(rays, camera.over_sampling, most)) for rays in (RAYS, MORE_RAYS)})


def _difference(camera: Camera, cls: str, scenes: Scenes, k: int, ours: np.ndarray, rays: int) -> float:
    expected, q = image(camera, cls, scenes, k, rays), scenes.lens
    sigma = cameras.noise_sigma(
        expected, q["exposure_s"][k], cameras.sky(camera, q)[k], q.get("read_noise_electrons", np.zeros(k + 1))[k]
    )
    return float(np.max(np.abs(ours - expected) / sigma))
