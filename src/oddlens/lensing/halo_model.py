"""The halo of the differentiable lens model: deflections with their derivatives with respect to its parameters.

The derivatives of an isothermal ellipsoid with respect to its shape need no further function. With the notation of
`profiles.isothermal_ellipsoid`, those with respect to the axis ratio are

    k alpha_v - sqrt(q) / psi v / (q f^2)        k alpha_u - sqrt(q) / psi q u / f^2,        k = 1 / (2 q) + q / f^2

and those with respect to the angle follow as for a power law, which needs no more than one further series:

* its deflection is homogeneous of degree 2 - slope, a gradient, and its divergence is 2 kappa. So its derivatives with
  respect to the position, and hence to the direction of the ellipse, follow from the deflection and kappa;
* the series F(z) (`power_law.ellipsoid`) satisfies a differential equation of first order, which gives its derivative
  with respect to z, and hence to the axis ratio: with t = slope - 1

      z F' = ((2 - t) (1 - F) + t z F) / (2 (1 - z))

* multipoles are products of a power of the radius and fixed fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from oddlens.lensing import power_law, profiles
from oddlens.lensing.profiles import TINY
from oddlens.lensing.rays import Rays

MIN_ELLIPTICITY = 1e-3
"""The smallest |h| of an elliptical halo: its deflections are 0 / 0 for a circle, or their derivatives are."""
SERIES_TOLERANCE, USUAL_AXIS_RATIO = 1e-6, 0.5
"""Relative error of the series of a power-law ellipsoid of the smallest axis ratio of a simulation, and that axis ratio
where the simulation has round halos."""


def multipole_waves(y: Tensor, x: Tensor, orders: Sequence[int]) -> list:
    """The fields of `power_law.multipole_waves`, radial and tangential, (y, x) each, for both components (angles 0 and
    90 degrees / m) of ascending orders m, which share most of their work."""
    r = (x * x + y * y + TINY).sqrt()
    c1, s1 = x / r, y / r
    c, s, fields = c1, s1, []
    for order in range(2, max(orders, default=1) + 1):
        c, s = c * c1 - s * s1, s * c1 + c * s1  # cos and sin of m phi
        if order in orders:
            cs, cc, ss, sc = c * s1, c * c1, s * s1, s * c1
            fields += [((cs, cc), (sc, -ss)), ((ss, sc), (-cc, cs))]
    return fields


def isothermal_multipoles(y: Tensor, x: Tensor, orders: Sequence[int]) -> list:
    """Deflections (y, x) by both components of multipoles of isothermal halos, for b k = 1."""
    fields = multipole_waves(y, x, orders)
    factors = [power_law.multipole_factors(order, 2.0) for order in orders for _ in range(2)]
    return [
        tuple(a * r + b * t for r, t in zip(radial, tangential, strict=True))
        for (a, b), (radial, tangential) in zip(factors, fields, strict=True)
    ]


def linear(strengths: Tensor, fields: Tensor) -> Tensor:
    """Sums [n, 2, rows, rays] of fields [(n,) fields, 2, rows, rays] with strengths [n, 1, fields]."""
    return (strengths @ fields.flatten(-3)).view(-1, *fields.shape[-3:])


def isothermal_ellipsoid(h: Tensor, rays: Rays, derivatives: bool) -> tuple[Tensor, list[Tensor]]:
    """Deflections [n, 2, rows, rays] of an isothermal ellipsoid of Einstein radius 1, and their derivatives with
    respect to h [n, 2]. Deflection and position turn with its angle: the change is J alpha - 2 kappa J x, with J a turn
    by 90 degrees, as the deflection does not change along a ray (`_along_circle`)."""
    h = _elliptical(h)
    q, angle = (part[:, None, None] for part in _shape(h))
    c, s = torch.cos(angle), torch.sin(angle)
    v, u = profiles.rotated(rays.y, rays.x, angle, torch)
    ff = 1 - q * q
    f, along = ff.sqrt(), q.sqrt() / torch.sqrt((q * u).square() + v * v + TINY)  # 2 kappa
    strength, ratio = q.sqrt() / f, f / q.sqrt() * along  # f / psi
    alpha = strength * torch.atanh(ratio * v), strength * torch.atan(ratio * u)

    def in_image(part_v: Tensor, part_u: Tensor) -> Tensor:
        return torch.stack([c * part_v + s * part_u, c * part_u - s * part_v], dim=1)

    if not derivatives:
        return in_image(*alpha), []
    by_strength, (v, u) = 0.5 / q + q / ff, (along * v, along * u)
    by_q = by_strength * alpha[0] - v / (q * ff), by_strength * alpha[1] - u * (q / ff)
    by_angle = alpha[1] - u, v - alpha[0]
    by_h = zip(*(_by_h(h, q, *parts) for parts in zip(by_q, by_angle, strict=True)), strict=True)
    return in_image(*alpha), [in_image(*parts) for parts in by_h]


@dataclass(frozen=True)
class PowerLaw:
    """A power-law halo with multipoles.

    Attributes:
        elliptical: it is an ellipsoid, not a sphere.
        multipoles: orders m of its multipoles.
        free_slope: whether the slope is a parameter.
        terms: of the series of an ellipsoid.
    """

    elliptical: bool
    multipoles: tuple[int, ...]
    free_slope: bool
    terms: int

    def fields(self, y: Tensor, x: Tensor) -> list:
        """Fixed fields of the multipoles, (y, x) each: radial and tangential ones of each of their two components."""
        return [field for pair in multipole_waves(y, x, self.multipoles) for field in pair]

    def deflections(
        self, b: Tensor, components: Tensor, h: Tensor, slope: Tensor, rays: Rays, fields: Tensor, derivatives: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Deflections [n, 2, rows, rays], and their derivatives with respect to the parameters in this order.

        Args:
            b: Einstein radius, [n, 1].
            components: two of each multipole, b strength (cos, sin), [n, 2 * multipoles].
            h: of an ellipsoid, [n, 2].
            slope: [n, 1]; the last derivative, if it is free.
            fields: of the multipoles at the rays, [(n,) fields, 2, rows, rays].
        """
        b, slope = b[..., None], slope[..., None]  # [n, 1, 1]
        if self.elliptical:
            alpha, by_shape = _ellipsoid(b, h, slope, rays, derivatives, self.terms)
        else:
            alpha, by_shape = _sphere(b, slope, rays, derivatives)
        if not self.free_slope:
            by_shape = by_shape[:-1]
        by_b = (slope - 1)[..., None] / b[..., None] * alpha
        if not self.multipoles:
            return alpha, [by_b, *by_shape]
        log = (torch.log(b) - 0.5 * torch.log(rays.y.square() + rays.x.square() + TINY))[:, None]
        power = ((slope - 2)[..., None] * log).exp()  # [n, 1, rows, rays]
        factors, changes = self._factors(slope[:, 0])
        deformation = power * linear((components[..., None] * factors).flatten(1)[:, None], fields)
        by_b = by_b + (slope - 2)[..., None] / b[..., None] * deformation
        if not derivatives:
            return alpha + deformation, []
        if self.free_slope:
            change = power * linear((components[..., None] * changes).flatten(1)[:, None], fields)
            by_shape[-1] = by_shape[-1] + log * deformation + change
        of_component = enumerate(fields.split(2, dim=-4))
        by_component = [power * linear(factors[:, k : k + 1], pair) for k, pair in of_component]
        return alpha + deformation, [by_b, *by_component, *by_shape]

    def _factors(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Factors on the fields of each component, [n, components, 2], and their derivatives by the slope [n, 1]."""
        pairs, u = [], 3 - slope
        for m in self.multipoles:
            radial, tangential = power_law.multipole_factors(m, slope)
            size = radial / u  # u (2 - u) / (u^2 - m^2)
            change = 2 * (size * u - 1 + u) / (u * u - m * m)  # of size
            changes = (u * change - size, -m * change)
            pairs += [[torch.cat([radial, tangential], dim=1), torch.cat(changes, dim=1)]] * 2
        value, change = (torch.stack(each, dim=1) for each in zip(*pairs, strict=True))
        return value, change


def _coefficients(slope: Tensor, terms: int) -> tuple[list[Tensor], list[Tensor]]:
    """Those of `power_law.coefficients`, and their derivatives by the slope, for a slope [n, 1, 1]."""
    k = torch.arange(1, terms + 1, dtype=slope.dtype, device=slope.device)
    above, below = 2 * k + slope - 3, 2 * k - slope + 3
    values = (above / below).cumprod(dim=-1)
    changes = values * (1 / above + 1 / below).cumsum(dim=-1)
    return [torch.ones_like(slope), *values.split(1, dim=-1)], [torch.zeros_like(slope), *changes.split(1, dim=-1)]


def _sphere(b: Tensor, slope: Tensor, rays: Rays, derivatives: bool) -> tuple[Tensor, list[Tensor]]:
    """Deflections [n, 2, rows, rays] by spherical halos, and their derivatives by the slope."""
    alpha = torch.stack(power_law.sphere(rays.y, rays.x, b, slope, torch), dim=1)
    log = torch.log(b) - 0.5 * torch.log(rays.y.square() + rays.x.square() + TINY)
    return alpha, [log[:, None] * alpha] if derivatives else []


def _ellipsoid(
    b: Tensor, h: Tensor, slope: Tensor, rays: Rays, derivatives: bool, terms: int
) -> tuple[Tensor, list[Tensor]]:
    """Deflections [n, 2, rows, rays] by elliptical halos, and their derivatives by both parts of h, and by the slope.

    Complex numbers are vectors in the frame of the ellipse: the real part is along its major axis.
    """
    h = _elliptical(h)
    q, angle = (part[:, None, None] for part in _shape(h))
    if not derivatives:
        return torch.stack(power_law.ellipsoid(rays.y, rays.x, b, q, angle, slope, torch, terms), dim=1), []
    v, u = profiles.rotated(rays.y, rays.x, angle, torch)
    t, f = slope - 1, (1 - q) / (1 + q)
    r = ((q * u).square() + v.square() + TINY).sqrt()
    e = torch.complex(q * u / r, v / r)
    z = -f * e * e
    series, series_by_t = (
        torch.complex(*power_law.series(a, z.real, z.imag, f * f)) for a in _coefficients(slope, terms)
    )
    log = torch.log(b * q.sqrt()) - r.log()
    strength = 2 * b * q.sqrt() / (1 + q) * ((t - 1) * log).exp() * e
    alpha = strength * series
    # w = q u + i v has the relative change u / w with q.
    by_r, by_phi = u / r * e.real, -u / r * e.imag
    by_z = ((2 - t) * (1 - series) + t * z * series) / (2 * (1 - z))  # times z
    relative = torch.complex(t / (2 * q) - 1 / (1 + q) - (t - 1) * by_r, by_phi)
    by_q = alpha * relative + strength * by_z * torch.complex(-2 / (1 - q * q) + 0 * by_phi, 2 * by_phi)
    by_angle = 1j * alpha - _along_circle(alpha, torch.complex(u, v), (2 - t) / 2 * (t * log).exp(), t)
    by_slope = log * alpha + strength * series_by_t
    by_h = _by_h(h, q, by_q, by_angle)
    turn = torch.polar(torch.ones_like(angle), angle)
    alpha, *by_shape = (torch.stack([(turn * a).imag, (turn * a).real], dim=1) for a in (alpha, *by_h, by_slope))
    return alpha, by_shape


def _along_circle(alpha: Tensor, position: Tensor, kappa: Tensor, t: Tensor) -> Tensor:
    """The change of a deflection as its position turns about the centre, by the angle.

    The matrix of its derivatives is symmetric, its trace is 2 kappa, and alpha ~ r^(1 - t) along a ray.
    """
    r = position.abs() + TINY
    outward = position / r
    local = alpha * outward.conj()  # radial and tangential part
    turned = torch.complex((1 - t) * local.imag, 2 * kappa * r - (1 - t) * local.real)
    return outward * turned


def _by_h(h: Tensor, q: Tensor, by_q: Tensor, by_angle: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by both parts of h, from those by axis ratio and angle."""
    h1, h2 = (part[:, None, None] for part in h.unbind(dim=1))
    squared = h1 * h1 + h2 * h2
    by_size = -q / ((1 + squared) * squared).sqrt() * by_q  # by |h|, over |h|
    by_turn = by_angle / (2 * squared)
    return h1 * by_size - h2 * by_turn, h2 * by_size + h1 * by_turn


def _elliptical(h: Tensor) -> Tensor:
    """h [n, 2], moved away from zero."""
    size = h.norm(dim=1, keepdim=True)
    away = h * (MIN_ELLIPTICITY / size.clamp(min=1e-9)) + (size == 0) * MIN_ELLIPTICITY
    return torch.where(size < MIN_ELLIPTICITY, away, h)


def _shape(h: Tensor) -> tuple[Tensor, Tensor]:
    """Axis ratio and angle of ellipses h [n, 2], [n] each."""
    size = h.norm(dim=1)
    return (1 + size * size).sqrt() - size, 0.5 * torch.atan2(h[:, 1], h[:, 0])  # exp(-eta)
