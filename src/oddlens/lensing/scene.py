"""Sample the parameters of images from the priors. They are a function of the seed and of the image's name.

The name of an image is (data set, pool, class, index). It names the random streams that the parameters are sampled
from. In the test pool the streams of lens, source and noise do not depend on the class, so that images of the same
index are twins: they differ in their substructure only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from oddlens.data.randomness import stream
from oddlens.lensing import camera as cameras
from oddlens.lensing import light_clump, power_law, profiles, substructure_classes
from oddlens.lensing.cosmology import planes
from oddlens.lensing.simulation import Camera, Clumps, Simulation
from oddlens.schema.priors import Distribution, max_count
from oddlens.schema.section import Section

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scenes:
    """The parameters of a batch of n images. Angles are counter-clockwise from +x.

    Attributes:
        lens: parameters of lens, source and camera, which all classes have, arrays [n].
        clumps: further components of the source, arrays [n, slots]; empty if the simulation has none.
        substructure: parameters of the substructure of the class, arrays [n] or [n, slots].
        truth: derived quantities of the substructure, arrays [n].
    """

    lens: Columns
    clumps: Columns
    substructure: Columns
    truth: Columns

    def __getitem__(self, images: slice) -> "Scenes":
        """The scenes of some of the images."""
        parts = (self.lens, self.clumps, self.substructure, self.truth)
        return Scenes(*({name: column[images] for name, column in part.items()} for part in parts))


def name(dataset: str, pool: str, cls: str, index: int) -> str:
    """The name of an image as people write it."""
    return f"{dataset}/{pool}/{cls}/{index}"


def _stream_name(dataset: str, pool: str, cls: str) -> tuple[str, ...]:
    return (dataset, pool) if pool == "test" else (dataset, pool, cls)


def _uniforms(seed: int, names: tuple[str, ...], indices: np.ndarray, count: int) -> np.ndarray:
    """Uniform random numbers in (0, 1), [n, count]; each row is a function of the names and the index."""
    rows = np.empty((len(indices), count))
    for row, index in zip(rows, indices, strict=True):
        row[:] = stream(seed, "simulate", *names, int(index)).random(count)
    return np.clip(rows, 1e-16, None)  # quantile functions may be infinite at 0


def noise_stream(seed: int, dataset: str, pool: str, cls: str, index: int) -> np.random.Generator:
    """The random stream of the noise of one image; twins share it."""
    return stream(seed, "simulate", *_stream_name(dataset, pool, cls), "noise", int(index))


def _priors(section: Section | None, prefix: str, leave_out: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """The priors of a section by the name of their column; empty if the simulation lacks the section."""
    if section is None:
        return {}
    fields = {name: getattr(section, name) for name in type(section).model_fields if name not in leave_out}
    return {prefix + name: value for name, value in fields.items() if isinstance(value, Distribution)}


def priors(simulation: Simulation) -> Iterator[tuple[str, dict[str, Distribution]]]:
    """All priors with one value per image, by column, in groups. Each group has its own random stream.

    A value depends on its group and its position in it, so that adding a group (lens light, say) does not change the
    values of the others.
    """
    lens, source, camera = simulation.lens, simulation.source, simulation.camera
    source_fields = (
        *("redshift", "offset_arcsec", "offset_angle_deg", "axis_ratio", "angle_deg", "effective_radius_arcsec"),
        *("sersic_index", "intensity_per_arcsec2"),
    )
    yield (
        "lens",
        {
            "lens_redshift": lens.redshift,
            "lens_mass_msun": lens.mass_msun,
            **_priors(lens.shear, "shear_"),
            **{f"source_{field}": getattr(source, field) for field in source_fields},
            "exposure_s": camera.exposure_s,
            "sky_per_arcsec2": camera.sky_per_arcsec2,
        },
    )
    yield "ellipticity", _priors(lens.ellipticity, "lens_")
    yield "slope", {"lens_slope": lens.slope} if lens.slope else {}
    yield "multipole_3", _priors(lens.multipole_3, "multipole_3_")
    yield "multipole_4", _priors(lens.multipole_4, "multipole_4_")
    yield "light", _priors(lens.light, "light_")
    yield "subtraction", _priors(lens.light and lens.light.subtraction, "subtraction_")
    yield "light_clump", _priors(lens.light_clump, light_clump.PREFIX)
    yield "psf", _priors(camera.psf, "psf_")
    yield "camera", _priors(camera, "", leave_out=("exposure_s", "sky_per_arcsec2"))


def _draw_group(seed: int, names: tuple[str, ...], indices: np.ndarray, group: dict[str, Distribution]) -> Columns:
    if all(prior.kind == "fixed" for prior in group.values()):  # needs no random numbers
        u = np.full((len(indices), len(group)), 0.5)
    else:
        u = _uniforms(seed, names, indices, len(group))
    return {column: prior.quantile(u[:, k]) for k, (column, prior) in enumerate(group.items())}


def _draw_clumps(seed: int, names: tuple[str, ...], indices: np.ndarray, clumps: Clumps | None, q: Columns) -> Columns:
    """Further components of the source, [n, slots]; slots beyond the number of an image have no brightness."""
    if clumps is None:
        return {}
    slots, each = max_count(clumps.number), _priors(clumps, "", leave_out=("number",))
    u = _uniforms(seed, names, indices, 1 + slots * len(each))
    used = np.arange(slots) < np.round(clumps.number.quantile(u[:, :1]))
    u = u[:, 1:].reshape(len(indices), slots, len(each))
    sampled = {field: prior.quantile(u[..., k]) for k, (field, prior) in enumerate(each.items())}
    radius, main = q["source_effective_radius_arcsec"][:, None], q["source_intensity_per_arcsec2"][:, None]
    y, x = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
    dy, dx = profiles.polar(sampled["offset_ratio"] * radius, sampled["offset_angle_deg"], np)
    return {
        "clump_y_arcsec": y[:, None] + dy,
        "clump_x_arcsec": x[:, None] + dx,
        "clump_intensity_per_arcsec2": np.where(used, sampled["intensity_ratio"] * main, 0.0),
        "clump_effective_radius_arcsec": sampled["radius_ratio"] * radius,
        "clump_sersic_index": sampled["sersic_index"],
        "clump_axis_ratio": sampled["axis_ratio"],
        "clump_angle_deg": sampled["angle_deg"],
    }


def _light_clump(camera: Camera, q: Columns) -> Columns:
    """Position and brightness of the luminous clump."""
    scale = camera.pixel_scale_arcsec
    noise = cameras.dark_sigma(camera, q) / (cameras.electrons_per_flux(q) * scale**2)
    return light_clump.derived(q, cameras.true_psf_kernels(camera, q), scale, noise)


def ellipsoid_mass_in_circle(axis_ratio: np.ndarray) -> np.ndarray:
    """The mass of an isothermal ellipsoid inside the circle of its Einstein radius, relative to that of a sphere.

    It is the mean over the angle of 1 / sqrt(q cos^2 + sin^2 / q), a complete elliptic integral.
    """
    return 2 / np.pi * np.sqrt(axis_ratio) * special.ellipk(1 - axis_ratio**2)


def halo_radius(q: Columns, replaced: np.ndarray) -> np.ndarray:
    """The Einstein radius [n] of halos that give up the mass `replaced` [n] (as area) inside that of the whole lens."""
    b = q["einstein_radius_arcsec"]
    if "lens_slope" in q:
        mass_ratio = power_law.mass_in_circle(q.get("lens_axis_ratio", np.ones_like(b)), q["lens_slope"])
        return b * (1 - replaced / (mass_ratio * b**2)).clip(min=0) ** (1 / (q["lens_slope"] - 1))
    isothermal_ratio = ellipsoid_mass_in_circle(q["lens_axis_ratio"]) if "lens_axis_ratio" in q else 1.0
    return b - replaced / (isothermal_ratio * b)


def draw_scenes(simulation: Simulation, seed: int, dataset: str, pool: str, cls: str, indices: np.ndarray) -> Scenes:
    """The scenes of the images `indices` [n] of a class in a pool.

    The mass inside the Einstein radius b of the whole lens is the same for every class; otherwise the radius of the
    ring would reveal the class. (An isothermal halo has no finite total mass.) Inside b, in units of area (arcsec^2),
    a sphere of Einstein radius b' has the mass b' b, an ellipsoid C b' b (`ellipsoid_mass_in_circle`), and the
    substructure a(<b). So the halo gets b' = b - a(<b) / (C b). With a power law of slope g the halo has C b'^(g - 1)
    b^(3 - g) inside b (`power_law.mass_in_circle`), and gets b' = b (1 - a(<b) / (C b^2))^(1 / (g - 1)). With
    `lens.conserve_mass: false` the substructure is added to the mass of the lens.

    Raises:
        ValueError: the substructure is heavier than the lens, or a parameter is not finite.
    """
    lens_name = _stream_name(dataset, pool, cls)
    q: Columns = {}
    for group, own in priors(simulation):
        q |= _draw_group(seed, (*lens_name, group), indices, own)
    q |= planes(q["lens_redshift"], q["source_redshift"])
    q["area"] = q["lens_mass_msun"] * q["area_per_msun"]
    q["einstein_radius_arcsec"] = b = np.sqrt(q["area"])
    if simulation.lens.light_clump:
        q |= _light_clump(simulation.camera, q)
    clumps = _draw_clumps(seed, (*lens_name, "clumps"), indices, simulation.source.clumps, q)

    module = substructure_classes.module(cls)
    own_priors = module.Priors.model_validate(simulation.substructure.get(cls, {}))
    v = _uniforms(
        seed,
        (dataset, pool, cls, "substructure"),
        indices,
        module.uniforms(own_priors, simulation.lens.mass_msun.support()[1]),
    )
    sub = module.draw(own_priors, v, q)
    q["halo_einstein_radius_arcsec"] = b.copy()
    if simulation.lens.conserve_mass:
        q["halo_einstein_radius_arcsec"] = halo_radius(q, getattr(module, "replaced", module.enclosed)(sub, b))
    truth = module.truth(sub, q)
    truth["substructure_fraction"] = truth.get("substructure_mass_msun", np.zeros(len(b))) / q["lens_mass_msun"]
    scenes = Scenes(q, clumps, sub, truth)
    _refuse_impossible_scenes(scenes, dataset, pool, cls, indices)
    return scenes


def _refuse_impossible_scenes(scenes: Scenes, dataset: str, pool: str, cls: str, indices: np.ndarray) -> None:
    """Refuse combinations of values that are impossible although each is within the bounds of its prior.

    Raises:
        ValueError: names the first image concerned and its values.
    """
    q = scenes.lens
    halo = q["halo_einstein_radius_arcsec"]
    for k in np.nonzero(~(halo > 0))[0]:  # NaN too
        mass = scenes.truth.get("substructure_mass_msun", np.zeros(len(halo)))[k]
        raise ValueError(
            f"{name(dataset, pool, cls, indices[k])}: the substructure ({mass:.3g} solar masses) is heavier than the "
            f"lens ({q['lens_mass_msun'][k]:.3g}), which leaves no mass for its halo. Lower the masses of "
            f"substructure.{cls} or raise lens.mass_msun"
        )
    for part in (scenes.lens, scenes.clumps, scenes.substructure, scenes.truth):
        for column, values in part.items():
            for k in np.nonzero(~np.isfinite(values.reshape(len(halo), -1)).all(axis=1))[0]:
                raise ValueError(
                    f"{name(dataset, pool, cls, indices[k])}: {column} is {values[k]}, which is not finite"
                )
