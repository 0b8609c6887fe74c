"""Renderers of other codes: functions from scenes to noise-free images [n, pixels, pixels], electrons / s / pixel.

All render the same lenses: isothermal sphere, shear, one Sersic source, and point masses. Codes without a line of mass
represent a vortex by a chain of 100 points. Each code is used as in its manual, with its own over-sampling and
convolution. All include light that the PSF scatters in from beyond the border, though PyAutoLens does not over-sample
it.
"""

import warnings
from collections.abc import Callable, Iterator

import autolens as al
import numpy as np

from oddlens.lensing import camera as cameras
from oddlens.lensing import profiles, reference
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.simulation import Camera

N_LINKS = 100
"""Points of the chain that represents a vortex."""
CAUSTICS_BATCH_SIZE = {False: 4, True: 16}
"""Images per call of caustics, without (1 with point masses) and with compilation. The speed is within about 10 % of
the fastest of 1 to 64."""

Renderer = Callable[[Scenes], np.ndarray]


def vortices_as_chains(scenes: Scenes) -> Scenes:
    """The same scenes with point masses at the midpoints of the links of each vortex, [n, N_LINKS]."""
    q = {name: column[:, None] for name, column in scenes.substructure.items()}
    along = ((np.arange(N_LINKS) + 0.5) / N_LINKS - 0.5) * q["vortex_length_arcsec"]
    y, x = profiles.polar(along, q["vortex_angle_deg"], np)
    points = {
        "subhalo_y_arcsec": q["vortex_y_arcsec"] + y,
        "subhalo_x_arcsec": q["vortex_x_arcsec"] + x,
        "subhalo_area": np.broadcast_to(q["vortex_area"] / N_LINKS, x.shape),
    }
    return Scenes(scenes.lens, scenes.clumps, points, scenes.truth)


def points(scenes: Scenes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and Einstein radius of the point masses, [n, largest number of any image]; empty for smooth lenses."""
    q = scenes.substructure
    if not q:
        return (np.zeros((len(scenes.lens["area"]), 0)),) * 3
    used = int(np.max(np.sum(q["subhalo_area"] > 0, axis=1)))
    return tuple(
        column[:, :used] for column in (q["subhalo_x_arcsec"], q["subhalo_y_arcsec"], np.sqrt(q["subhalo_area"]))
    )


def source(scenes: Scenes) -> Columns:
    """x and y of the sources, and the components of the shear, [n]."""
    q = scenes.lens
    y, x = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
    gamma_2, gamma_1 = profiles.polar(q["shear_magnitude"], 2 * q["shear_angle_deg"], np)
    return {"x": x, "y": y, "gamma_1": gamma_1, "gamma_2": gamma_2}


def _one_by_one(image: Callable[[Scenes, int], np.ndarray]) -> Renderer:
    return lambda scenes: np.stack([image(scenes, k) for k in range(len(scenes.lens["area"]))])


# --- PyAutoLens in NumPy ---------------------------------------------------------------------------------------------


def pyautolens(camera: Camera, cls: str, kernel: np.ndarray, rays: int, objects: bool) -> Renderer:
    """The simulator of PyAutoLens in a loop. With `objects` each point is a PointMass; otherwise one profile of ours
    has all points."""
    warnings.filterwarnings("ignore", message=".*blurring_image.*")
    scale = camera.pixel_scale_arcsec
    grid = al.Grid2D.uniform(shape_native=(camera.pixels,) * 2, pixel_scales=scale, over_sample_size=rays)
    simulator = al.SimulatorImaging(
        exposure_time=1.0,
        psf=al.Convolver(kernel=al.Array2D.no_mask(kernel, pixel_scales=scale)),
        use_real_space_convolution=False,  # by FFT, which is faster
        add_poisson_noise_to_data=False,
        include_poisson_noise_in_noise_map=False,
    )

    def image(scenes: Scenes, k: int) -> np.ndarray:
        tracer = _with_objects(scenes, k) if objects else reference.tracer(scenes, k, cls)
        return simulator.via_tracer_from(tracer=tracer, grid=grid).data.native.array * _electrons(camera, scenes)[k]

    return _one_by_one(image)


def _with_objects(scenes: Scenes, k: int) -> al.Tracer:
    smooth = reference.tracer(Scenes(scenes.lens, scenes.clumps, {}, {}), k, "smooth")
    masses = {
        f"subhalo_{slot}": al.mp.PointMass(centre=(y, x), einstein_radius=radius)
        for slot, (x, y, radius) in enumerate(zip(*(column[k] for column in points(scenes)), strict=True))
        if radius > 0
    }
    return al.Tracer([*smooth.galaxies, al.Galaxy(redshift=float(scenes.lens["lens_redshift"][k]), **masses)])


def _electrons(camera: Camera, scenes: Scenes) -> np.ndarray:
    """Electrons / s of a pixel of unit brightness, [n]."""
    return cameras.electrons_per_flux(scenes.lens) * camera.pixel_scale_arcsec**2


# --- lenstronomy -----------------------------------------------------------------------------------------------------


def lenstronomy(camera: Camera, kernel: np.ndarray, rays: int) -> Renderer:
    """The image model of lenstronomy in a loop, with numba. The field has a margin, as it ignores light beyond its
    border."""
    from lenstronomy.Data.pixel_grid import PixelGrid
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    scale, margin = camera.pixel_scale_arcsec, len(kernel) // 2
    side = camera.pixels + 2 * margin
    corner = -(side - 1) / 2 * scale
    pixels = PixelGrid(side, side, np.eye(2) * scale, corner, corner)
    psf, light = PSF("PIXEL", kernel_point_source=kernel), LightModel(["SERSIC_ELLIPSE"])
    numerics = {"supersampling_factor": rays, "supersampling_convolution": False}

    def image(scenes: Scenes, k: int) -> np.ndarray:
        masses = _lenstronomy_masses(scenes, k)
        lens = LensModel(["SIS", "SHEAR"] + ["POINT_MASS"] * (len(masses) - 2))
        model = ImageModel(pixels, psf, lens, light, kwargs_numerics=numerics)
        observed = model.image(masses, [_lenstronomy_source(scenes, k)])[::-1]  # its row 0 is the bottom
        return observed[margin:-margin, margin:-margin] / scale**2 * _electrons(camera, scenes)[k]

    return _one_by_one(image)


def _lenstronomy_masses(scenes: Scenes, k: int) -> list[dict[str, float]]:
    shear = source(scenes)
    return [
        {"theta_E": scenes.lens["halo_einstein_radius_arcsec"][k], "center_x": 0, "center_y": 0},
        {"gamma1": shear["gamma_1"][k], "gamma2": shear["gamma_2"][k]},
        *(
            {"theta_E": radius, "center_x": x, "center_y": y}
            for x, y, radius in zip(*(column[k] for column in points(scenes)), strict=True)
            if radius > 0
        ),
    ]


def _lenstronomy_source(scenes: Scenes, k: int) -> dict[str, float]:
    """The source in units of lenstronomy, whose b(n) differs."""
    q, place = {name: column[k] for name, column in scenes.lens.items()}, source(scenes)
    n, ratio, angle = q["source_sersic_index"], q["source_axis_ratio"], 2 * np.deg2rad(q["source_angle_deg"])
    ours, theirs = profiles.sersic_b(n), 1.9992 * n - 0.3271
    return {
        "amp": q["source_intensity_per_arcsec2"] * np.exp(ours - theirs),
        "R_sersic": q["source_effective_radius_arcsec"] * (theirs / ours) ** n,
        "n_sersic": n,
        "e1": (1 - ratio) / (1 + ratio) * np.cos(angle),
        "e2": (1 - ratio) / (1 + ratio) * np.sin(angle),
        "center_x": place["x"][k],
        "center_y": place["y"][k],
    }


# --- caustics --------------------------------------------------------------------------------------------------------


def caustics(camera: Camera, kernel: np.ndarray, rays: int, scenes: Scenes, compiled: bool) -> tuple[Renderer, int]:
    """The simulator of caustics under torch.vmap in float32, and the number of images per call.

    Its rays are Gauss-Legendre nodes (`quad_level`), which are more accurate than the same number of equal cells.
    Margin and convolution are its own. All images have the largest number of points of any of `scenes`; surplus points
    have no mass.
    """
    import torch

    count = points(scenes)[0].shape[1]
    simulator = torch.vmap(_caustics_simulator(camera, kernel, rays, count))
    if compiled:
        torch._dynamo.reset()
        simulator = torch.compile(simulator, dynamic=False)
    batch = 1 if count and not compiled else CAUSTICS_BATCH_SIZE[compiled]

    def render(scenes: Scenes) -> np.ndarray:
        parameters = [torch.tensor(p, dtype=torch.float32) for p in _caustics_parameters(camera, scenes, count)]
        with torch.no_grad():
            images = [simulator(list(part)) for part in zip(*(p.split(batch) for p in parameters), strict=True)]
        return np.flip(torch.cat(images).numpy(), axis=1)  # its row 0 is the bottom

    return render, batch


def _caustics_simulator(camera: Camera, kernel: np.ndarray, rays: int, count: int):
    import caustics as ca
    import torch

    warnings.filterwarnings("ignore", module="caustics")  # planes name their lenses' redshifts, which it reports
    cosmology, planes = ca.FlatLambdaCDM(), {"z_l": 0.5, "z_s": 1.0}  # unused: all radii are angles
    cosmology.to_static()
    lenses = [ca.SIS(cosmology, x0=0.0, y0=0.0), ca.ExternalShear(cosmology, x0=0.0, y0=0.0)]
    if count:
        point = ca.Point(cosmology)
        for parameter in (point.x0, point.y0, point.Rein):
            parameter.batch_shape = (count,)
        lenses.append(ca.BatchedPlane(cosmology, point, **planes))
    simulator = ca.LensSource(
        ca.SinglePlane(cosmology, lenses, **planes),
        ca.Sersic(),
        pixelscale=camera.pixel_scale_arcsec,
        pixels_x=camera.pixels,
        quad_level=rays,
        psf=torch.tensor(kernel, dtype=torch.float32),
    )
    return simulator.to(dtype=torch.float32)


def _caustics_parameters(camera: Camera, scenes: Scenes, count: int) -> Iterator[np.ndarray]:
    """The free parameters of caustics in its order, arrays [n] or [n, count]. Its effective radius is the major
    axis."""
    q, place, ratio = scenes.lens, source(scenes), scenes.lens["source_axis_ratio"]
    yield from (q["halo_einstein_radius_arcsec"], place["gamma_1"], place["gamma_2"])
    if count:
        yield from (np.pad(column, ((0, 0), (0, count - column.shape[1]))) for column in points(scenes))
    yield from (place["x"], place["y"], ratio, np.deg2rad(q["source_angle_deg"]) % np.pi, q["source_sersic_index"])
    yield q["source_effective_radius_arcsec"] / np.sqrt(ratio)
    yield q["source_intensity_per_arcsec2"] * _electrons(camera, scenes)
