"""From numbers to noise-free images, by PyAutoLens's own Galaxy -> Tracer -> SimulatorImaging chain, traced by JAX.

The only file that imports autolens. What is traced and what is not, and why `lax.map`: on a CPU `vmap` leaves the cache
and takes twice as long.
"""

import os
import warnings
from collections.abc import Callable
from types import ModuleType

# PyAutoLens looks for a workspace in the working directory and keeps compiled functions in the home directory; JAX
# looks for accelerators, which nobody has timed here yet.
os.environ.setdefault("PYAUTO_SKIP_WORKSPACE_VERSION_CHECK", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import autolens as al
import jax
import jax.numpy as jnp
import numpy as np
from autoarray import decorators
from autogalaxy.profiles.mass.abstract.abstract import MassProfile

from oddlens.lensing import substructure
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.world import Camera

warnings.filterwarnings("ignore", message=".*blurring_image.*")
warnings.filterwarnings("ignore", message=".*dtype float64 requested.*")  # float32 is meant, see `renderer`


class SubstructureProfile(MassProfile):
    """A substructure module of ours as a mass profile of PyAutoLens."""

    def __init__(self, module: ModuleType, q: Columns):
        super().__init__(centre=(0.0, 0.0), ell_comps=(0.0, 0.0))
        self.module, self.q = module, q

    @decorators.to_vector_yx
    def deflections_yx_2d_from(self, grid, xp=np, **kwargs):
        """Deflections, arcsec, [points, (y, x)]."""
        points = grid.array if hasattr(grid, "array") else grid
        return xp.stack(self.module.deflections(self.q, points[:, 0], points[:, 1], xp), axis=-1)


def psf_kernel(camera: Camera) -> np.ndarray:
    """An Airy pattern sampled at pixel centres, summing to 1, [psf_pixels, psf_pixels].

    Not averaged over pixels: the image is, and once is enough.
    """
    from astropy.convolution import AiryDisk2DKernel

    size = camera.psf_pixels
    kernel = AiryDisk2DKernel(camera.psf_first_zero_arcsec / camera.pixel_scale_arcsec, x_size=size, y_size=size).array
    return kernel / kernel.sum()


def tracer_from(q: Columns, module: ModuleType, sub: Columns, pixel_area: float, xp: ModuleType) -> al.Tracer:
    """One image's lens and source. Sersic intensity is per pixel for PyAutoLens and per arcsec^2 for us.

    Redshifts only order the two planes here: the Einstein radius already holds the distances.
    """

    def components(axis_ratio, angle_deg):
        f, angle = (1 - axis_ratio) / (1 + axis_ratio), xp.deg2rad(angle_deg)
        return f * xp.sin(2 * angle), f * xp.cos(2 * angle)

    shear_angle, offset_angle = xp.deg2rad(q["shear_angle_deg"]), xp.deg2rad(q["source_offset_angle_deg"])
    mass = {
        # `Isothermal` at zero ellipticity: JAX traces `IsothermalSph` to something eight times dearer.
        "halo": al.mp.Isothermal(
            centre=(0.0, 0.0), ell_comps=(0.0, 0.0), einstein_radius=q["halo_einstein_radius_arcsec"]
        ),
        "shear": al.mp.ExternalShear(
            gamma_1=q["shear_magnitude"] * xp.cos(2 * shear_angle),
            gamma_2=q["shear_magnitude"] * xp.sin(2 * shear_angle),
        ),
    }
    if sub:
        mass["substructure"] = SubstructureProfile(module, sub)
    light = al.lp.Sersic(
        centre=(
            q["source_offset_arcsec"] * xp.sin(offset_angle),
            q["source_offset_arcsec"] * xp.cos(offset_angle),
        ),
        ell_comps=components(q["source_axis_ratio"], q["source_angle_deg"]),
        intensity=q["source_intensity_per_arcsec2"] * pixel_area,
        effective_radius=q["source_effective_radius_arcsec"],
        sersic_index=q["source_sersic_index"],
    )
    return al.Tracer(galaxies=[al.Galaxy(redshift=0.5, **mass), al.Galaxy(redshift=1.0, light=light)])


def _chain(camera: Camera, module: ModuleType, use_jax: bool) -> Callable:
    """A function from one image's parameters to its noise-free image [pixels, pixels], electrons / s / pixel."""
    shape, scale = (camera.pixels, camera.pixels), camera.pixel_scale_arcsec
    grid = al.Grid2D.uniform(shape_native=shape, pixel_scales=scale, over_sample_size=camera.over_sampling)
    psf = al.Convolver(kernel=al.Array2D.no_mask(psf_kernel(camera), pixel_scales=scale))
    simulator = al.SimulatorImaging(
        exposure_time=1.0,  # unused: the noise is ours (camera.py)
        psf=psf,
        use_real_space_convolution=False,  # by FFT: the same to rounding, and a tenth of the time
        add_poisson_noise_to_data=False,
        include_poisson_noise_in_noise_map=False,
        use_jax=use_jax,
    )

    def image(parameters):
        q, sub = parameters
        tracer = tracer_from(q, module, sub, scale**2, jnp if use_jax else np)
        return simulator.via_tracer_from(tracer=tracer, grid=grid).data.native.array

    return image


def renderer(camera: Camera, cls: str) -> Callable[[Scenes], np.ndarray]:
    """A compiled function from scenes to noise-free images, float32 [n, pixels, pixels], electrons / s / pixel.

    Row 0 is the top (+y). It traces in float32, within 1e-5 of the peak of `render_numpy`; x64, which importing
    autolens switches on, is off afterwards.
    """
    jax.config.update("jax_enable_x64", False)
    chain = _chain(camera, substructure.module(cls), use_jax=True)
    batch = jax.jit(lambda parameters: jax.lax.map(chain, parameters))

    def render(scenes: Scenes) -> np.ndarray:
        single = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), (scenes.lens, scenes.substructure))
        return np.asarray(batch(single))

    return render


def render_numpy(camera: Camera, cls: str, scenes: Scenes) -> np.ndarray:
    """The same images by PyAutoLens in plain NumPy and float64, one by one: the oracle of the tests."""
    chain = _chain(camera, substructure.module(cls), use_jax=False)
    count = len(scenes.lens["area"])
    rows = [
        ({k: v[i] for k, v in scenes.lens.items()}, {k: v[i] for k, v in scenes.substructure.items()})
        for i in range(count)
    ]
    return np.stack([np.asarray(chain(row)) for row in rows])
