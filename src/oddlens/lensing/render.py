"""Noise-free images from the parameters of lenses: adaptive ray tracing under JAX, and the point-spread function.

A pixel of an image is the mean surface brightness over its area. The image is traced with a margin of pixels, from
which the point-spread function (PSF) scatters light into it. Every pixel gets `camera.over_sampling` rays a side.

Where `camera.error_sigma` is given, the number of rays is adaptive. Let S'' be the second differences of neighbouring
rays. The mean of rays at the centres of sub-pixels of side h errs by -h^2/24 (I_xx + I_yy) to second order, which is
-S''/24 summed over both directions: this correction is added. The sum of the absolute corrections estimates the
remaining error where the brightness has a cusp. A pixel in which it exceeds `error_sigma` times the pixel's noise
(after the PSF has spread it) is traced again with 4 times as many rays a side. Where the mean absolute correction still
exceeds it, the pixel is traced with 12 and then 36 times as many. So the numerical error stays a small part of the
noise for any lens, source and substructure, and only few pixels need many rays.

`reference.py` compares the result with PyAutoLens's own Tracer.
"""

import os
from collections.abc import Callable
from types import ModuleType

# On the CPU unless the environment names another platform (JAX_PLATFORMS=cuda), and on one core a process: images are
# rendered one by one, so that more cores are used best by more jobs.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("NPROC", "1")

import jax
import jax.numpy as jnp
import numpy as np
from scipy import fft

from oddlens.lensing import camera as cameras
from oddlens.lensing import substructure_classes
from oddlens.lensing.grids import grid
from oddlens.lensing.ray_tracing import Parameters, brightness, parameters, subtracted_light
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Camera

REFINEMENTS = ((4, 16), (12, 2), (36, 1))
"""For each refinement: the factor on the rays per pixel side, and the number of pixels that are traced at once."""


def padded_pixels(camera: Camera) -> int:
    """The side of an image with the margin from which the PSF scatters light into it."""
    return camera.pixels + cameras.psf_pixels(camera) - 1


def _corrections(s):
    """Second differences of [..., m, m] along both axes, over 24; the outermost rays take those of their neighbours."""
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
    """The maximum over each element and its eight neighbours."""
    s = jnp.pad(s, 1, mode="edge")
    s = jnp.maximum(jnp.maximum(s[:-2], s[1:-1]), s[2:])
    return jnp.maximum(jnp.maximum(s[:, :-2], s[:, 1:-1]), s[:, 2:])


# XLA would otherwise compute the brightness again for each of its uses. Also, positions that are broadcast from two
# axes keep it from using vector instructions.
_materialised = jax.lax.optimization_barrier


def _pixel_means(camera: Camera, surface: Callable, noise_variance: Callable):
    """Mean brightness of the pixels of the padded image, [padded, padded], and the rays per pixel side of each.

    Args:
        surface: brightness at (y, x).
        noise_variance: the variance of the noise of pixels of a given brightness, divided by the square of the PSF's
            peak, in the units of brightness squared.
    """
    n, scale, rays = padded_pixels(camera), camera.pixel_scale_arcsec, camera.over_sampling
    s = _materialised(surface(*(jnp.asarray(a) for a in grid(n * rays, n * scale))))
    if camera.error_sigma is None:
        return _pooled(s, rays, jnp.add) / rays**2, jnp.full((n, n), rays)
    by_y, by_x = _corrections(s)
    mean = (_pooled(s + by_y + by_x, rays, jnp.add) / rays**2).ravel()
    error = _pooled(_dilated(_materialised(jnp.abs(by_y) + jnp.abs(by_x))), rays, jnp.maximum).ravel()
    allowed = _materialised(camera.error_sigma * jnp.sqrt(noise_variance(mean)))
    mean, level = _refined(camera, surface, mean, error, allowed)
    return mean.reshape(n, n), level.reshape(n, n)


def _refined(camera: Camera, surface: Callable, mean, error, allowed):
    """Trace the pixels whose `error` exceeds what is `allowed` with more rays.

    All arrays are [padded^2]. Returns the means and the rays per pixel side.
    """
    n, scale, rays = padded_pixels(camera), camera.pixel_scale_arcsec, camera.over_sampling
    centre_y, centre_x = (jnp.asarray(a.ravel()) for a in grid(n, n * scale))
    # The pixels to refine are a list of indices of fixed length. n * n, which is no index of a pixel, fills it up.
    size = n * n + REFINEMENTS[0][1]
    todo, count = jnp.nonzero(error > allowed, size=size, fill_value=n * n)[0], jnp.sum(error > allowed)
    level = jnp.full(n * n, rays)
    for factor, block in REFINEMENTS:
        offset_y, offset_x = grid(rays * factor, scale)

        def refine(k, state, todo=todo, block=block, factor=factor, offset_y=offset_y, offset_x=offset_x):
            mean, level, again, found = state
            pixels = jax.lax.dynamic_slice(todo, (k * block,), (block,))
            y, x = (
                jnp.take(c, pixels, mode="clip")[:, None, None] + o
                for c, o in ((centre_y, offset_y), (centre_x, offset_x))
            )
            s = _materialised(surface(*_materialised((y, x))))  # [block, rays, rays]
            by_y, by_x = _corrections(s)
            error = (jnp.abs(by_y) + jnp.abs(by_x)).mean(axis=(1, 2))
            worse = (error > jnp.take(allowed, pixels, mode="clip")) & (pixels < n * n)
            place = jnp.where(worse, found + jnp.cumsum(worse) - 1, size)
            return (
                mean.at[pixels].set((s + by_y + by_x).mean(axis=(1, 2)), mode="drop"),
                level.at[pixels].set(rays * factor, mode="drop"),
                again.at[place].set(pixels, mode="drop"),
                found + jnp.sum(worse),
            )

        start = (mean, level, jnp.full(size, n * n, todo.dtype), jnp.zeros((), count.dtype))
        mean, level, todo, count = jax.lax.fori_loop(0, (count + block - 1) // block, refine, start)
    return mean, level


def _convolved(image, kernel, camera: Camera):
    """The padded image under the PSF, without the margin, [pixels, pixels]."""
    side = fft.next_fast_len(padded_pixels(camera), real=True)
    transfer = jnp.fft.rfft2(kernel, (side, side))
    convolved = jnp.fft.irfft2(jnp.fft.rfft2(image, (side, side)) * transfer, (side, side))
    margin = cameras.psf_pixels(camera) - 1
    return convolved[margin : margin + camera.pixels, margin : margin + camera.pixels]


def _image_function(camera: Camera, module: ModuleType, fixed_kernel: np.ndarray | None) -> Callable:
    """A function from the parameters of one image to its noise-free images, see `renderer`."""
    area = camera.pixel_scale_arcsec**2

    def image_of(p: Parameters):
        kernel = p["psf"] if fixed_kernel is None else jnp.asarray(fixed_kernel, jnp.float32)
        exposure, sky, read = (p["noise"][name] for name in ("exposure_s", "sky", "read_electrons"))
        electrons = p["noise"]["electrons_per_flux"] * area  # per unit of brightness

        def noise_variance(brightness):
            light = jnp.maximum(brightness, 0) * electrons + sky
            return (light / exposure + (read / exposure) ** 2) / (electrons * jnp.max(kernel)) ** 2

        def observe(surface):
            means, level = _pixel_means(camera, surface, noise_variance)
            return electrons * _convolved(means, kernel, camera), level

        image, level = observe(lambda y, x: brightness(p, module, y, x, jnp))
        result = {"image": image, "rays": level}
        if "subtraction_intensity_ratio" in p["lens"]:
            result["subtracted"], _ = observe(lambda y, x: subtracted_light(p["lens"], y, x, jnp))
        return result

    return image_of


def _over_images(function: Callable) -> Callable:
    """One image after the other on a CPU, whose cache holds the arrays of one; all at once on an accelerator."""
    return (lambda p: jax.lax.map(function, p)) if jax.default_backend() == "cpu" else jax.vmap(function)


def renderer(camera: Camera, cls: str) -> Callable[[Scenes], Columns]:
    """A compiled function from scenes to noise-free images, arrays of float32, electrons / s / pixel.

    image       [n, pixels, pixels]     all light; row 0 is the top (+y)
    subtracted  [n, pixels, pixels]     the lens-light model that is subtracted from it, where the simulation has one
    rays        [n, padded, padded]     rays per pixel side, with the margin from which the PSF scatters light in
    """
    jax.config.update("jax_enable_x64", False)
    module = substructure_classes.module(cls)
    compiled: dict[str, Callable] = {}

    def render(scenes: Scenes) -> Columns:
        q = scenes.lens
        kernels = cameras.true_psf_kernels(camera, q)
        shared = len(kernels) == 1
        if not compiled:  # by the first call, which knows the kernel
            function = _image_function(camera, module, kernels[0] if shared else None)
            compiled["batch"] = jax.jit(_over_images(function))
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
