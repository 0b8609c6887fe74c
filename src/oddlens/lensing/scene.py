"""From priors to numbers: the parameters of each image, drawn from its name alone.

An image is (data set, pool, class, index). In the test pool the class is left out of the names under which lens, source
and noise are drawn, so the images of one index are twins: they differ in their substructure only.
"""

from dataclasses import dataclass

import numpy as np

from oddlens.lensing import substructure
from oddlens.lensing.cosmology import area_per_msun
from oddlens.lensing.world import World
from oddlens.randomness import stream

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scenes:
    """A batch of n images in numbers. Angles are counter-clockwise from +x."""

    lens: Columns  # arrays [n]: what all classes have
    substructure: Columns  # arrays [n] or [n, slots]: what the class adds
    truth: Columns  # arrays [n]: derived quantities


def _name(dataset: str, pool: str, cls: str) -> tuple[str, ...]:
    return (dataset, pool) if pool == "test" else (dataset, pool, cls)


def _uniforms(seed: int, names: tuple[str, ...], indices: np.ndarray, count: int) -> np.ndarray:
    """Uniform numbers in (0, 1), shape [n, count], each row a function of names and index."""
    rows = np.empty((len(indices), count))
    for row, index in zip(rows, indices, strict=True):
        row[:] = stream(seed, "simulate", *names, int(index)).random(count)
    return np.clip(rows, 1e-16, None)  # quantile functions may be infinite at 0


def noise_stream(seed: int, dataset: str, pool: str, cls: str, index: int) -> np.random.Generator:
    """The generator of one image's noise, shared by twins."""
    return stream(seed, "simulate", *_name(dataset, pool, cls), "noise", int(index))


def draw(world: World, seed: int, dataset: str, pool: str, cls: str, indices: np.ndarray) -> Scenes:
    """The scenes of the images `indices` [n] of a class in a pool.

    The mass inside the Einstein radius b of the whole lens is the same for every class (an isothermal sphere has no
    finite total mass): a sphere of Einstein radius b' holds b' b of it (as area, arcsec^2) and the substructure the
    area a(<b), so b' = b - a(<b) / b. Otherwise the ring's radius would tell the classes apart.
    """
    lens, source, camera = world.lens, world.source, world.camera
    priors = {
        "lens_redshift": lens.redshift,
        "lens_mass_msun": lens.mass_msun,
        "shear_magnitude": lens.shear.magnitude,
        "shear_angle_deg": lens.shear.angle_deg,
        "source_redshift": source.redshift,
        "source_offset_arcsec": source.offset_arcsec,
        "source_offset_angle_deg": source.offset_angle_deg,
        "source_axis_ratio": source.axis_ratio,
        "source_angle_deg": source.angle_deg,
        "source_effective_radius_arcsec": source.effective_radius_arcsec,
        "source_sersic_index": source.sersic_index,
        "source_intensity_per_arcsec2": source.intensity_per_arcsec2,
        "exposure_s": camera.exposure_s,
        "sky_per_arcsec2": camera.sky_per_arcsec2,
    }
    u = _uniforms(seed, (*_name(dataset, pool, cls), "lens"), indices, len(priors))
    q = {name: prior.quantile(u[:, k]) for k, (name, prior) in enumerate(priors.items())}
    q["area_per_msun"] = area_per_msun(q["lens_redshift"], q["source_redshift"])
    q["area"] = q["lens_mass_msun"] * q["area_per_msun"]
    q["einstein_radius_arcsec"] = np.sqrt(q["area"])

    module = substructure.module(cls)
    own = module.Priors.model_validate(world.substructure.get(cls, {}))
    v = _uniforms(seed, (dataset, pool, cls, "substructure"), indices, module.uniforms(own))
    sub = module.draw(own, v, q)
    q["halo_einstein_radius_arcsec"] = (
        q["einstein_radius_arcsec"] - module.enclosed(sub, q["einstein_radius_arcsec"]) / q["einstein_radius_arcsec"]
    )
    if not np.all(q["halo_einstein_radius_arcsec"] > 0):  # NaN too
        index = indices[np.argmin(np.nan_to_num(q["halo_einstein_radius_arcsec"], nan=-np.inf))]
        raise ValueError(
            f"{dataset} {pool} {cls} {index}: the substructure weighs more than the lens, its halo gets nothing. "
            f"Lower the masses of substructure.{cls} or raise lens.mass_msun"
        )
    # The same columns for every class, so that truth tables can be stacked.
    truth = {
        name: np.zeros(len(indices)) for name in ("substructure_mass_msun", "heaviest_mass_msun", "subhalo_number")
    }
    truth |= module.truth(sub, q)
    truth["substructure_fraction"] = truth["substructure_mass_msun"] / q["lens_mass_msun"]
    return Scenes(q, sub, truth)
