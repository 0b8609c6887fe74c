"""Deflections of the lens and surface brightness of source and lens galaxy, for the parameters of one image.

Functions of positions in the image plane (arcsec, y up and x right), in NumPy or JAX (`xp`).
"""

from types import ModuleType
from typing import Any

from oddlens.lensing import light_clump, power_law, profiles, two_planes
from oddlens.lensing.scene import Columns, Scenes
from oddlens.lensing.slots import accumulate, used_slots

Parameters = dict[str, Any]
"""The parameters of one image, or of a batch with a leading axis: `lens`, `clumps` and `substructure` of its scene."""


def parameters(scenes: Scenes) -> Parameters:
    """The parameters that the surface brightness of images depends on."""
    return {"lens": scenes.lens, "clumps": scenes.clumps, "substructure": scenes.substructure}


def deflections(p: Parameters, module: ModuleType, y, x, xp: ModuleType):
    """Deflection (alpha_y, alpha_x) of halo, shear and substructure, arcsec; `module` is that of the class."""
    sub = p["substructure"]
    if not sub:
        return smooth_deflections(p["lens"], y, x, xp)

    def lens(y, x):
        return smooth_deflections(p["lens"], y, x, xp)

    def own(y, x):
        return module.deflections(sub, y, x, xp)

    if two_planes.BEHIND in sub:
        return two_planes.deflections(lens, own, sub, module.seen_at(sub), y, x)
    (main_y, main_x), (own_y, own_x) = lens(y, x), own(y, x)
    return main_y + own_y, main_x + own_x


def smooth_deflections(q: Columns, y, x, xp: ModuleType):
    """Deflection (alpha_y, alpha_x) of halo and shear, arcsec; `q` are the lens parameters of one image."""
    parts = (_power_law if "lens_slope" in q else _isothermal)(q, y, x, xp)
    parts.append(profiles.shear(y, x, q["shear_magnitude"], xp.deg2rad(q["shear_angle_deg"]), xp))
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def _isothermal(q: Columns, y, x, xp: ModuleType) -> list:
    """Deflections of an isothermal halo and of its multipoles."""
    b = q["halo_einstein_radius_arcsec"]
    if "lens_axis_ratio" in q:
        parts = [profiles.isothermal_ellipsoid(y, x, b, q["lens_axis_ratio"], xp.deg2rad(q["lens_angle_deg"]), xp)]
    else:
        parts = [profiles.isothermal_sphere(y, x, b, xp)]
    return parts + [profiles.multipole(y, x, m, b, strength, angle, xp) for m, strength, angle in _multipoles(q, xp)]


def _power_law(q: Columns, y, x, xp: ModuleType) -> list:
    """Deflections of a power-law halo and of its multipoles."""
    b, slope = q["halo_einstein_radius_arcsec"], q["lens_slope"]
    if "lens_axis_ratio" in q:
        axis_ratio, angle = q["lens_axis_ratio"], xp.deg2rad(q["lens_angle_deg"])
        parts = [power_law.ellipsoid(y, x, b, axis_ratio, angle, slope, xp)]
    else:
        parts = [power_law.sphere(y, x, b, slope, xp)]
    multipoles = _multipoles(q, xp)
    return parts + [power_law.multipole(y, x, m, b, strength, angle, slope, xp) for m, strength, angle in multipoles]


def _multipoles(q: Columns, xp: ModuleType) -> list[tuple]:
    """Order, strength and angle of the multipoles that a lens has."""
    orders = [m for m in (3, 4) if f"multipole_{m}_strength" in q]
    return [(m, q[f"multipole_{m}_strength"], xp.deg2rad(q[f"multipole_{m}_angle_deg"])) for m in orders]


def source_brightness(p: Parameters, y, x, xp: ModuleType):
    """Surface brightness of the source at positions in the source plane, flux / arcsec^2."""
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
    used = used_slots(clumps["clump_intensity_per_arcsec2"], xp)
    return accumulate(add, main, slots, used, xp, block=1)


def lens_light(q: Columns, y, x, xp: ModuleType):
    """Surface brightness of the lens galaxy, flux / arcsec^2; `q` are the lens parameters of one image."""
    return _sersic(q, "light_", y, x, xp)


def subtracted_light(q: Columns, y, x, xp: ModuleType):
    """Surface brightness of the lens-light model that is subtracted from the image, flux / arcsec^2.

    It is the light of the lens galaxy with another brightness and size (`simulation.Subtraction`).
    """
    model = {
        **q,
        "light_intensity_per_arcsec2": q["light_intensity_per_arcsec2"] * q["subtraction_intensity_ratio"],
        "light_effective_radius_arcsec": q["light_effective_radius_arcsec"] * q["subtraction_radius_ratio"],
    }
    return lens_light(model, y, x, xp)


def brightness(p: Parameters, module: ModuleType, y, x, xp: ModuleType):
    """Surface brightness of the lensed source and of the lens galaxy, flux / arcsec^2."""
    alpha_y, alpha_x = deflections(p, module, y, x, xp)
    light, q, sub = source_brightness(p, y - alpha_y, x - alpha_x, xp), p["lens"], p["substructure"]
    if two_planes.IN_FRONT in sub:
        y, x = two_planes.in_plane_of_lens(lambda y, x: module.deflections(sub, y, x, xp), sub, y, x)
    if "light_intensity_per_arcsec2" in q:
        light = light + lens_light(q, y, x, xp)
    return light + light_clump.brightness(q, y, x, xp) if f"{light_clump.PREFIX}intensity_per_arcsec2" in q else light


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
