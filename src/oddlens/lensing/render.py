"""From numbers to noise-free images, traced by JAX: rays where they are needed, then the point-spread function.

A pixel shows the mean brightness over its area. Every pixel, and the rim from which the PSF brings light in, gets
`camera.over_sampling` rays a side. Where `camera.error_sigma` is given, the second differences S'' of neighbouring rays
say two things. The mean of rays at the centres of cells of side h errs by -h^2/24 (I_xx + I_yy) to second order, which
is -S''/24 summed over both directions: it is added back. And where the sum of their sizes, which is what remains where
the brightness has a cusp, exceeds `error_sigma` of the pixel's own noise (after the PSF has spread it), the pixel is
drawn again with 4 times as many rays a side, and where their mean size still does, with 12 and 36 times as many. So the
numerical error stays a small part of the noise, whatever lens, source or substructure is in the pixel, and few pixels
need many rays.

Held against the plain Tracer of PyAutoLens by `reference.py`.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

# On the CPU unless the environment asks for another platform (JAX_PLATFORMS=cuda), and on one core a process: images
# are drawn one by one, so that more cores serve best as more jobs.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
from scipy import fft

from oddlens.lensing import camera as cameras
from oddlens.lensing import profiles, substructure_classes
from oddlens.lensing.grids import grid
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Camera
from oddlens.lensing.slots import accumulated, last_used

FINER = ((4, 16), (12, 2), (36, 1))
"""How many times as many rays a side a pixel gets when it is drawn again, and how many pixels are drawn at a time."""

Parameters = dict[str, Any]
"""One image's (or, with a leading axis, a batch's) parameters: `lens`, `clumps` and `substructure` of its scene."""


def parameters(scenes: Scenes) -> Parameters:
    """What the brightness of an image depends on."""
    return {"lens": scenes.lens, "clumps": scenes.clumps, "substructure": scenes.substructure}


# --- physics: functions of one image's parameters and of positions (arcsec), in NumPy or JAX --------------------------


def deflections(p: Parameters, module: ModuleType, y, x, xp: ModuleType):
    """Deflection (alpha_y, alpha_x) of halo, shear and substructure, arcsec."""
    q, b = p["lens"], p["lens"]["halo_einstein_radius_arcsec"]
    if "lens_axis_ratio" in q:
        parts = [profiles.isothermal_ellipsoid(y, x, b, q["lens_axis_ratio"], xp.deg2rad(q["lens_angle_deg"]), xp)]
    else:
        parts = [profiles.isothermal_sphere(y, x, b, xp)]
    for m in (3, 4):
        if f"multipole_{m}_strength" in q:
            strength, angle = q[f"multipole_{m}_strength"], xp.deg2rad(q[f"multipole_{m}_angle_deg"])
            parts.append(profiles.multipole(y, x, m, b, strength, angle, xp))
    parts.append(profiles.shear(y, x, q["shear_magnitude"], xp.deg2rad(q["shear_angle_deg"]), xp))
    if p["substructure"]:
        parts.append(module.deflections(p["substructure"], y, x, xp))
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def source_brightness(p: Parameters, y, x, xp: ModuleType):
    """Surface brightness of the source at positions in its own plane, flux / arcsec^2."""
    q, clumps = p["lens"], p["clumps"]
    centre_y, centre_x = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], xp)
    main = _sersic(q, "source_", y - centre_y, x - centre_x, xp)
    if not clumps:
        return main

    def add(total, clump_y, clump_x, intensity, radius, index, axis_ratio, angle_deg):
        angle = xp.deg2rad(angle_deg)
        return total + profiles.sersic(y - clump_y, x - clump_x, intensity, radius, index, axis_ratio, angle, xp)

    fields = ("intensity_per_arcsec2", "effective_radius_arcsec", "sersic_index", "axis_ratio", "angle_deg")
    slots = [clumps[f"clump_{name}"] for name in ("y_arcsec", "x_arcsec", *fields)]
    used = last_used(clumps["clump_intensity_per_arcsec2"], xp)
    return accumulated(add, main, slots, used, xp, block=1)


def lens_light(p: Parameters, y, x, xp: ModuleType):
    """Surface brightness of the lens galaxy, flux / arcsec^2."""
    return _sersic(p["lens"], "light_", y, x, xp)


def subtracted_light(p: Parameters, y, x, xp: ModuleType):
    """The model of the lens galaxy's light that is subtracted again, flux / arcsec^2."""
    q = p["lens"]
    model = {
        **q,
        "light_intensity_per_arcsec2": q["light_intensity_per_arcsec2"] * q["subtraction_intensity_ratio"],
        "light_effective_radius_arcsec": q["light_effective_radius_arcsec"] * q["subtraction_radius_ratio"],
    }
    return lens_light({"lens": model}, y, x, xp)


def brightness(p: Parameters, module: ModuleType, y, x, xp: ModuleType):
    """Surface brightness of the sky behind the lens, and of the lens galaxy, flux / arcsec^2."""
    alpha_y, alpha_x = deflections(p, module, y, x, xp)
    seen = source_brightness(p, y - alpha_y, x - alpha_x, xp)
    return seen + lens_light(p, y, x, xp) if "light_intensity_per_arcsec2" in p["lens"] else seen


def _sersic(q: Columns, prefix: str, y, x, xp: ModuleType):
    return profiles.sersic(
        y,
        x,
        q[f"{prefix}intensity_per_arcsec2"],
        q[f"{prefix}effective_radius_arcsec"],
        q[f"{prefix}sersic_index"],
        q[f"{prefix}axis_ratio"],
        xp.deg2rad(q[f"{prefix}angle_deg"]),
        xp,
    )


# --- rays to pixels ---------------------------------------------------------------------------------------------------


def padded_pixels(camera: Camera) -> int:
    """The side of an image with the rim from which the PSF brings light in."""
    return camera.pixels + camera.psf.pixels - 1


def _bend(s):
    """Second differences of [..., m, m] along both axes, over 24; a border takes its neighbour's."""
    lead = [(0, 0)] * (s.ndim - 2)
    along_y = s[..., 2:, :] - 2 * s[..., 1:-1, :] + s[..., :-2, :]
    along_x = s[..., :, 2:] - 2 * s[..., :, 1:-1] + s[..., :, :-2]
    return (
        jnp.pad(along_y, [*lead, (1, 1), (0, 0)], mode="edge") / 24,
        jnp.pad(along_x, [*lead, (0, 0), (1, 1)], mode="edge") / 24,
    )


def _pooled(s, side: int, operation: Callable):
    """[side * n, side * n] to [n, n]. Slices, as XLA's own reductions over two inner axes take five times as long."""
    parts = [s[row::side, column::side] for row in range(side) for column in range(side)]
    result = parts[0]
    for part in parts[1:]:
        result = operation(result, part)
    return result


def _dilated(s):
    """The largest value of each cell and its eight neighbours."""
    s = jnp.pad(s, 1, mode="edge")
    s = jnp.maximum(jnp.maximum(s[:-2], s[1:-1]), s[2:])
    return jnp.maximum(jnp.maximum(s[:, :-2], s[:, 1:-1]), s[:, 2:])


# XLA would otherwise compute the brightness anew for each of its uses, and positions broadcast from two axes keep it
# from using vector instructions.
_kept = jax.lax.optimization_barrier


def _pixel_means(camera: Camera, surface: Callable, noise_variance: Callable):
    """Mean brightness of the pixels of the padded image, [padded, padded], and the rays per pixel side of each.

    Args:
        surface: brightness at (y, x).
        noise_variance: of pixels of a brightness, in the units of brightness squared, before the PSF's peak divides it.
    """
    n, scale, rays = padded_pixels(camera), camera.pixel_scale_arcsec, camera.over_sampling
    s = _kept(surface(*(jnp.asarray(a) for a in grid(n * rays, n * scale))))
    if camera.error_sigma is None:
        return _pooled(s, rays, jnp.add) / rays**2, jnp.full((n, n), rays)
    bend_y, bend_x = _bend(s)
    mean = (_pooled(s + bend_y + bend_x, rays, jnp.add) / rays**2).ravel()
    error = _pooled(_dilated(_kept(jnp.abs(bend_y) + jnp.abs(bend_x))), rays, jnp.maximum).ravel()
    allowed = _kept(camera.error_sigma * jnp.sqrt(noise_variance(mean)))
    centre_y, centre_x = (jnp.asarray(a.ravel()) for a in grid(n, n * scale))

    # Pixels to be drawn again, as a list of their numbers filled up with n * n, which no pixel has.
    size = n * n + FINER[0][1]
    todo, count = jnp.nonzero(error > allowed, size=size, fill_value=n * n)[0], jnp.sum(error > allowed)
    level = jnp.full(n * n, rays)
    for times, block in FINER:
        offset_y, offset_x = grid(rays * times, scale)

        def redraw(k, state, todo=todo, block=block, times=times, offset_y=offset_y, offset_x=offset_x):
            mean, level, again, found = state
            pixels = jax.lax.dynamic_slice(todo, (k * block,), (block,))
            y, x = (
                jnp.take(c, pixels, mode="clip")[:, None, None] + o
                for c, o in ((centre_y, offset_y), (centre_x, offset_x))
            )
            s = _kept(surface(*_kept((y, x))))  # [block, rays, rays]
            bend_y, bend_x = _bend(s)
            error = (jnp.abs(bend_y) + jnp.abs(bend_x)).mean(axis=(1, 2))
            worse = (error > jnp.take(allowed, pixels, mode="clip")) & (pixels < n * n)
            place = jnp.where(worse, found + jnp.cumsum(worse) - 1, size)
            return (
                mean.at[pixels].set((s + bend_y + bend_x).mean(axis=(1, 2)), mode="drop"),
                level.at[pixels].set(rays * times, mode="drop"),
                again.at[place].set(pixels, mode="drop"),
                found + jnp.sum(worse),
            )

        start = (mean, level, jnp.full(size, n * n, todo.dtype), jnp.zeros((), count.dtype))
        mean, level, todo, count = jax.lax.fori_loop(0, (count + block - 1) // block, redraw, start)
    return mean.reshape(n, n), level.reshape(n, n)


def _convolved(image, kernel, camera: Camera):
    """The padded image under the PSF, without the rim, [pixels, pixels]."""
    side = fft.next_fast_len(padded_pixels(camera), real=True)
    transfer = jnp.fft.rfft2(kernel, (side, side))
    seen = jnp.fft.irfft2(jnp.fft.rfft2(image, (side, side)) * transfer, (side, side))
    rim = camera.psf.pixels - 1
    return seen[rim : rim + camera.pixels, rim : rim + camera.pixels]


def _chain(camera: Camera, module: ModuleType, fixed_kernel: np.ndarray | None) -> Callable:
    """A function from one image's parameters to its noise-free picture, see `renderer`."""
    area = camera.pixel_scale_arcsec**2

    def picture(p: Parameters):
        kernel = p["psf"] if fixed_kernel is None else jnp.asarray(fixed_kernel, jnp.float32)
        exposure, sky, read = (p["noise"][name] for name in ("exposure_s", "sky", "read_electrons"))
        electrons = p["noise"]["electrons_per_flux"] * area  # per unit of brightness

        def noise_variance(brightness):
            light = jnp.maximum(brightness, 0) * electrons + sky
            return (light / exposure + (read / exposure) ** 2) / (electrons * jnp.max(kernel)) ** 2

        def seen(surface):
            means, level = _pixel_means(camera, surface, noise_variance)
            return electrons * _convolved(means, kernel, camera), level

        image, level = seen(lambda y, x: brightness(p, module, y, x, jnp))
        result = {"image": image, "rays": level}
        if "subtraction_intensity_ratio" in p["lens"]:
            result["subtracted"], _ = seen(lambda y, x: subtracted_light(p, y, x, jnp))
        return result

    return picture


def _over_images(chain: Callable) -> Callable:
    """One image after the other on a CPU, whose cache holds the arrays of one; all at once on an accelerator."""
    return (lambda p: jax.lax.map(chain, p)) if jax.default_backend() == "cpu" else jax.vmap(chain)


def renderer(camera: Camera, cls: str) -> Callable[[Scenes], Columns]:
    """A compiled function from scenes to what the camera sees before noise, arrays of float32, electrons / s / pixel.

    image       [n, pixels, pixels]     all light; row 0 is the top (+y)
    subtracted  [n, pixels, pixels]     the part of it that is subtracted again, where the simulation has such a model
    rays        [n, padded, padded]     rays per pixel side, with the rim from which the PSF brings light in
    """
    jax.config.update("jax_enable_x64", False)
    module = substructure_classes.module(cls)
    compiled: dict[str, Callable] = {}

    def render(scenes: Scenes) -> Columns:
        q = scenes.lens
        kernels = cameras.psf_kernels(camera, q)
        shared = len(kernels) == 1
        if not compiled:  # by the first call, which knows the kernel
            chain = _chain(camera, module, kernels[0] if shared else None)
            compiled["batch"] = jax.jit(_over_images(chain))
        p = parameters(scenes)
        p["noise"] = {
            "exposure_s": q["exposure_s"],
            "sky": cameras.sky(camera, q),
            "read_electrons": q.get("read_noise_electrons", np.zeros_like(q["exposure_s"])),
            "electrons_per_flux": cameras.electrons_per_flux(q),
        }
        if not shared:
            p["psf"] = kernels
        return {
            name: np.asarray(array)
            for name, array in compiled["batch"](jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), p)).items()
        }

    return render
