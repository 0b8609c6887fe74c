"""From priors to numbers: the parameters of each image, drawn from its name alone.

An image is (data set, pool, class, index). In the test pool the class is left out of the names under which lens, source
and noise are drawn, so the images of one index are twins: they differ in their substructure only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from oddlens.data.randomness import stream
from oddlens.lensing import profiles, substructure_classes
from oddlens.lensing.cosmology import planes
from oddlens.lensing.simulation import Clumps, Simulation
from oddlens.schema.priors import Distribution, max_count
from oddlens.schema.section import Section

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scenes:
    """A batch of n images in numbers. Angles are counter-clockwise from +x."""

    lens: Columns  # arrays [n]: what all classes have
    clumps: Columns  # arrays [n, slots]: further components of the source, where the simulation has any
    substructure: Columns  # arrays [n] or [n, slots]: what the class adds
    truth: Columns  # arrays [n]: derived quantities of the substructure

    def __getitem__(self, images: slice) -> "Scenes":
        """Some of the images."""
        parts = (self.lens, self.clumps, self.substructure, self.truth)
        return Scenes(*({name: column[images] for name, column in part.items()} for part in parts))


def name(dataset: str, pool: str, cls: str, index: int) -> str:
    """An image's name as people write it."""
    return f"{dataset}/{pool}/{cls}/{index}"


def _stream_name(dataset: str, pool: str, cls: str) -> tuple[str, ...]:
    return (dataset, pool) if pool == "test" else (dataset, pool, cls)


def _uniforms(seed: int, names: tuple[str, ...], indices: np.ndarray, count: int) -> np.ndarray:
    """Uniform numbers in (0, 1), shape [n, count], each row a function of names and index."""
    rows = np.empty((len(indices), count))
    for row, index in zip(rows, indices, strict=True):
        row[:] = stream(seed, "simulate", *names, int(index)).random(count)
    return np.clip(rows, 1e-16, None)  # quantile functions may be infinite at 0


def noise_stream(seed: int, dataset: str, pool: str, cls: str, index: int) -> np.random.Generator:
    """The generator of one image's noise, shared by twins."""
    return stream(seed, "simulate", *_stream_name(dataset, pool, cls), "noise", int(index))


def _priors(section: Section | None, prefix: str, leave_out: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """The priors of a section by the names of the columns drawn from them; none for a section that is not there."""
    if section is None:
        return {}
    fields = {name: getattr(section, name) for name in type(section).model_fields if name not in leave_out}
    return {prefix + name: value for name, value in fields.items() if isinstance(value, Distribution)}


def priors(simulation: Simulation) -> Iterator[tuple[str, dict[str, Distribution]]]:
    """All priors of one number an image, by column, in groups that have a stream of random numbers each.

    A number belongs to its group and place, so that adding a group (lens light, say) leaves the other lenses as they
    were.
    """
    lens, source, camera = simulation.lens, simulation.source, simulation.camera
    places = ("redshift", "offset_arcsec", "offset_angle_deg", "axis_ratio", "angle_deg", "effective_radius_arcsec")
    yield (
        "lens",
        {
            "lens_redshift": lens.redshift,
            "lens_mass_msun": lens.mass_msun,
            **_priors(lens.shear, "shear_"),
            **{
                f"source_{field}": getattr(source, field)
                for field in (*places, "sersic_index", "intensity_per_arcsec2")
            },
            "exposure_s": camera.exposure_s,
            "sky_per_arcsec2": camera.sky_per_arcsec2,
        },
    )
    yield "ellipticity", _priors(lens.ellipticity, "lens_")
    yield "multipole_3", _priors(lens.multipole_3, "multipole_3_")
    yield "multipole_4", _priors(lens.multipole_4, "multipole_4_")
    yield "light", _priors(lens.light, "light_")
    yield "subtraction", _priors(lens.light and lens.light.subtraction, "subtraction_")
    yield "psf", _priors(camera.psf, "psf_")
    yield "camera", _priors(camera, "", leave_out=("exposure_s", "sky_per_arcsec2"))


def _draw_group(seed: int, names: tuple[str, ...], indices: np.ndarray, group: dict[str, Distribution]) -> Columns:
    if all(prior.kind == "fixed" for prior in group.values()):  # needs no random numbers
        u = np.full((len(indices), len(group)), 0.5)
    else:
        u = _uniforms(seed, names, indices, len(group))
    return {column: prior.quantile(u[:, k]) for k, (column, prior) in enumerate(group.items())}


def _draw_clumps(seed: int, names: tuple[str, ...], indices: np.ndarray, clumps: Clumps | None, q: Columns) -> Columns:
    """Further components of the source, [n, slots]; those beyond an image's number have no brightness."""
    if clumps is None:
        return {}
    slots, each = max_count(clumps.number), _priors(clumps, "", leave_out=("number",))
    u = _uniforms(seed, names, indices, 1 + slots * len(each))
    there = np.arange(slots) < np.round(clumps.number.quantile(u[:, :1]))
    u = u[:, 1:].reshape(len(indices), slots, len(each))
    drawn = {field: prior.quantile(u[..., k]) for k, (field, prior) in enumerate(each.items())}
    radius, main = q["source_effective_radius_arcsec"][:, None], q["source_intensity_per_arcsec2"][:, None]
    y, x = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
    dy, dx = profiles.polar(drawn["offset_ratio"] * radius, drawn["offset_angle_deg"], np)
    return {
        "clump_y_arcsec": y[:, None] + dy,
        "clump_x_arcsec": x[:, None] + dx,
        "clump_intensity_per_arcsec2": np.where(there, drawn["intensity_ratio"] * main, 0.0),
        "clump_effective_radius_arcsec": drawn["radius_ratio"] * radius,
        "clump_sersic_index": drawn["sersic_index"],
        "clump_axis_ratio": drawn["axis_ratio"],
        "clump_angle_deg": drawn["angle_deg"],
    }


def ellipsoid_mass_in_circle(axis_ratio: np.ndarray) -> np.ndarray:
    """The mass of an isothermal ellipsoid within the circle of its Einstein radius, over that of a sphere.

    The mean over angle of 1 / sqrt(q cos^2 + sin^2 / q), a complete elliptic integral.
    """
    return 2 / np.pi * np.sqrt(axis_ratio) * special.ellipk(1 - axis_ratio**2)


def draw_scenes(simulation: Simulation, seed: int, dataset: str, pool: str, cls: str, indices: np.ndarray) -> Scenes:
    """The scenes of the images `indices` [n] of a class in a pool.

    The mass inside the Einstein radius b of the whole lens is the same for every class (an isothermal halo has no
    finite total mass): a sphere of Einstein radius b' holds b' b of it (as area, arcsec^2), an ellipsoid C b' b (see
    `ellipsoid_mass_in_circle`), and the substructure the area a(<b), so b' = b - a(<b) / (C b). Otherwise the ring's radius would tell
    the classes apart; `lens.conserve_mass: false` lets it.
    """
    lens_name = _stream_name(dataset, pool, cls)
    q: Columns = {}
    for group, own in priors(simulation):
        q |= _draw_group(seed, (*lens_name, group), indices, own)
    q |= planes(q["lens_redshift"], q["source_redshift"])
    q["area"] = q["lens_mass_msun"] * q["area_per_msun"]
    q["einstein_radius_arcsec"] = b = np.sqrt(q["area"])
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
        round_halo = ellipsoid_mass_in_circle(q["lens_axis_ratio"]) if "lens_axis_ratio" in q else 1.0
        q["halo_einstein_radius_arcsec"] -= module.enclosed(sub, b) / (round_halo * b)
    truth = module.truth(sub, q)
    truth["substructure_fraction"] = truth.get("substructure_mass_msun", np.zeros(len(b))) / q["lens_mass_msun"]
    scenes = Scenes(q, clumps, sub, truth)
    _refuse_impossible(scenes, dataset, pool, cls, indices)
    return scenes


def _refuse_impossible(scenes: Scenes, dataset: str, pool: str, cls: str, indices: np.ndarray) -> None:
    """What priors, each in its own bounds, can still do together.

    Raises:
        ValueError: the first image concerned, by name, with what was drawn.
    """
    q = scenes.lens
    halo = q["halo_einstein_radius_arcsec"]
    for k in np.nonzero(~(halo > 0))[0]:  # NaN too
        mass = scenes.truth.get("substructure_mass_msun", np.zeros(len(halo)))[k]
        raise ValueError(
            f"{name(dataset, pool, cls, indices[k])}: the substructure ({mass:.3g} solar masses) weighs more than the "
            f"lens ({q['lens_mass_msun'][k]:.3g}), so its halo would get nothing. Lower the masses of "
            f"substructure.{cls} or raise lens.mass_msun"
        )
    for part in (scenes.lens, scenes.clumps, scenes.substructure, scenes.truth):
        for column, values in part.items():
            for k in np.nonzero(~np.isfinite(values.reshape(len(halo), -1)).all(axis=1))[0]:
                raise ValueError(f"{name(dataset, pool, cls, indices[k])}: {column} was drawn as {values[k]}")
