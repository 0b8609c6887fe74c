"""The smooth lens as a differentiable function: parameters to what the camera sees, and to its Jacobian, in PyTorch.

The lens is the simulator's: the same profiles, units, point-spread function and order of things (`render.py`), read
from the same `Simulation`. What differs is the point of view. The simulator draws an image once and as well as it can; a fit
draws many, near one another, and wants their derivatives. So

* the parameters are those in which the image is smooth and unbounded: shears and multipoles as components, in which
  deflections are linear; an ellipse as h = sinh(eta) (cos 2 phi, sin 2 phi) with axis ratio q = exp(-eta), regular
  where it is a circle, as R^2 = sqrt(1 + h^2) r^2 - h1 (x^2 - y^2) - 2 h2 x y; sizes, brightness and the Sersic index
  as logarithms;
* all pixels have equally many rays, at Gauss-Legendre nodes, which integrate a polynomial of third (2 x 2) or fifth
  (3 x 3) degree over a pixel exactly; and those that show the cusp in the middle of the source have many more;
* the PSF is a sum of products of two one-dimensional kernels (its singular value decomposition), so that it is applied
  by multiplying matrices, which processors and GPUs do best.

Every derivative is in closed form but for the two of an elliptical halo, which are taken in forward mode. A pixel's
brightness S(x - alpha(x)) changes by -grad S . d alpha, for a parameter of the lens as for a mass that is not in the
model: `Drawn.gradient` is what substructure acts on.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.lensing import camera as cameras
from oddlens.lensing import profiles
from oddlens.lensing.grids import centres
from oddlens.lensing.scene import Columns
from oddlens.lensing.simulation import Simulation

PSF_TOLERANCE, ROUGHLY = 1e-4, 1e-2
"""Singular values of the PSF below this part of the largest are left out; and where derivatives need not be exact."""
WIDTH = 0.8
"""Standard deviation of the Gaussians of a source's grid, in steps of the grid."""
ROUND = 1e-3
"""The least ellipticity of an elliptical halo: its closed form is 0 / 0 for a circle."""
SOFTENING = 0.02
"""Pixels over which the cusp in the middle of the source is rounded. Rays that step over it make chi-square rough: of
256 odd lenses with sources of index 0.5 to 4, 1 fit did not converge with this, 7 with a quarter of it."""
NEAR, NEAR_RAYS = 3, 8
"""As many pixels as so many sides have, most of a ring two pixels wide, have so many rays per side: those that show the
middle of the source."""


class Drawn(NamedTuple):
    """Images of n lenses, flat, in electrons / s / pixel."""

    image: Tensor
    """[n, pixels^2]"""
    jacobian: Tensor
    """[n, parameters, pixels^2]"""
    gradient: Tensor
    """[n, 2, padded^2]: minus the source's gradient (y, x), where the rays end, meaned over pixels with a rim, before
    the PSF: what a small deflection changes."""


class LensModel(nn.Module):
    """A smooth lens with a Sersic source, as a camera of a simulation sees it.

    Parameters are those of `names`, then the amplitudes of the source's source_pixels and of the leftover light: in these the
    image is linear.

    Args:
        elliptical: the halo is an isothermal ellipsoid, not a sphere.
        multipoles: orders m of its multipoles.
        free_index: the source's Sersic index is a parameter; else it is the simulation's.
        source_pixels: along a side of a square grid of Gaussians that is added to the source, so that it need not be a Sersic
            profile; none by default.
        extent: half width of that grid, in effective radii of the source.
        leftover: how many images are added to what the camera sees; none by default. They are set later.
        rays: rays per pixel side.

    Positions and deflections are in arcsec, y up and x right; row 0 of an image is the top.
    """

    rays_y: Tensor
    rays_x: Tensor
    linear: Tensor
    weights: Tensor
    middle_y: Tensor
    middle_x: Tensor
    near_y: Tensor
    near_x: Tensor
    near_weights: Tensor
    psf_y: Tensor
    psf_x: Tensor
    rough_psf_y: Tensor
    rough_psf_x: Tensor
    leftover: Tensor
    """Of unit amplitudes, [leftover, pixels^2]."""
    always: Tensor
    """What is in every image besides, [pixels^2]."""

    def __init__(
        self,
        simulation: Simulation,
        *,
        elliptical: bool = False,
        multipoles: Sequence[int] = (),
        free_index: bool = False,
        source_pixels: int = 0,
        extent: float = 2.0,
        leftover: int = 0,
        rays: int = 2,
    ):
        super().__init__()
        self.source_pixels, self.extent = source_pixels, extent
        self.camera, self.elliptical, self.multipoles, self.free_index = (
            simulation.camera,
            elliptical,
            multipoles,
            free_index,
        )
        self.names = ["einstein_radius", "shear_1", "shear_2"]
        self.names += [f"multipole_{m}_{part}" for m in multipoles for part in ("cos", "sin")]
        self.names += ["ellipse_1", "ellipse_2"] if elliptical else []
        self.lens_count = len(self.names)
        self.names += ["source_y", "source_x", "source_ellipse_1", "source_ellipse_2", "log_radius", "log_intensity"]
        self.names += ["log_index"] if free_index else []
        self.count = len(self.names) + source_pixels**2 + leftover
        typical = {
            name: np.array([prior.quantile(np.array(0.5))]) for name, prior in _camera_priors(simulation).items()
        }
        kernel = cameras.psf_kernels(simulation.camera, typical)[0]
        self.index = float(simulation.source.sersic_index.quantile(np.array(0.5)))
        self.softening = (SOFTENING * simulation.camera.pixel_scale_arcsec) ** 2
        self.flux = float(cameras.electrons_per_flux(typical)[0]) * simulation.camera.pixel_scale_arcsec**2
        self.pixels, self.side = simulation.camera.pixels, simulation.camera.pixels + len(kernel) - 1

        middle = centres(self.side, self.side * simulation.camera.pixel_scale_arcsec)
        middle_y, middle_x = (part.ravel() for part in np.meshgrid(-middle, middle, indexing="ij"))
        offset_y, offset_x, weights = nodes(rays, simulation.camera.pixel_scale_arcsec)
        near_y, near_x, near_weights = nodes(NEAR_RAYS, simulation.camera.pixel_scale_arcsec)
        y, x = offset_y[:, None] + middle_y, offset_x[:, None] + middle_x  # [rays^2, padded^2]
        buffers = {
            "rays_y": y,
            "rays_x": x,
            "linear": self._fields(y, x, np),
            "weights": weights,
            "middle_y": middle_y,
            "middle_x": middle_x,
            "near_y": near_y,
            "near_x": near_x,
            "near_weights": near_weights,
            **dict(zip(("psf_y", "psf_x"), separated(kernel, self.pixels), strict=True)),
            **dict(zip(("rough_psf_y", "rough_psf_x"), separated(kernel, self.pixels, ROUGHLY), strict=True)),
        }
        for name, values in buffers.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        self.register_buffer("leftover", torch.zeros(leftover, self.pixels**2))
        self.register_buffer("always", torch.zeros(self.pixels**2))

    def parameters_of(self, q: Columns) -> np.ndarray:
        """The parameters [n, parameters] of scenes of the simulator (`Scenes.lens`).

        What the scenes have and this model does not (an ellipticity, a multipole) is left out, and the amplitudes of
        source_pixels and leftover light are zero.
        """
        b, zero = q["halo_einstein_radius_arcsec"], np.zeros_like(q["halo_einstein_radius_arcsec"])
        columns = [b, *components(q["shear_magnitude"], q["shear_angle_deg"], 2)]
        for m in self.multipoles:
            if f"multipole_{m}_strength" in q:
                columns += components(b * q[f"multipole_{m}_strength"], q[f"multipole_{m}_angle_deg"], m)
            else:
                columns += [zero, zero]
        if self.elliptical:
            columns += ellipse(q["lens_axis_ratio"], q["lens_angle_deg"]) if "lens_axis_ratio" in q else [zero, zero]
        columns += profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
        columns += ellipse(q["source_axis_ratio"], q["source_angle_deg"])
        columns += [np.log(q["source_effective_radius_arcsec"]), np.log(q["source_intensity_per_arcsec2"])]
        columns += [np.log(q["source_sersic_index"])] if self.free_index else []
        named = np.stack(columns, axis=1)
        return np.concatenate([named, np.zeros((len(b), self.count - len(self.names)))], axis=1)

    def _fields(self, y, x, xp: ModuleType):
        """Deflections by unit parameters in which they are linear, [fields, 2, ...]."""
        fields = [] if self.elliptical else [profiles.isothermal_sphere(y, x, 1.0, xp)]
        turns = (xp.asarray(turn, dtype=xp.float64) for turn in (0.0, np.pi / 4))
        fields += [profiles.shear(y, x, 1.0, angle, xp) for angle in turns]
        for m in self.multipoles:
            turns = (xp.asarray(turn, dtype=xp.float64) for turn in (0.0, np.pi / (2 * m)))
            fields += [profiles.multipole(y, x, m, 1.0, 1.0, angle, xp) for angle in turns]
        return xp.stack([xp.stack(field) for field in fields])

    def forward(self, parameters: Tensor) -> Tensor:
        """Images [n, pixels^2] of parameters [n, parameters], electrons / s / pixel."""
        pixels, _ = self._pixels(parameters, derivatives=False)
        return self.seen(pixels[:, 0]) + self._leftover(parameters)

    def _leftover(self, parameters: Tensor) -> Tensor:
        return self.always + parameters[:, self.count - len(self.leftover) :] @ self.leftover

    def drawn(self, parameters: Tensor) -> Drawn:
        """The same with all derivatives."""
        pixels, source_pixels = self._pixels(parameters, derivatives=True)
        seen = self.seen(pixels)
        pulled = pixels[:, 1 + self.lens_count : 3 + self.lens_count]
        parts = [seen[:, 1:], self.seen(source_pixels, rough=True), self.leftover.expand(len(seen), -1, -1)]
        jacobian = torch.cat(parts, dim=1)
        return Drawn(seen[:, 0] + self._leftover(parameters), jacobian, pulled)

    def _pixels(self, parameters: Tensor, derivatives: bool) -> tuple[Tensor, Tensor]:
        """Brightness, meaned over pixels, [n, 1, padded^2], followed by its `derivatives` by the named parameters, if
        these are wanted; and the light of each source pixel.

        Where pixels show the middle of the source, what many rays say of its profile replaces what few say.
        """
        rays = Rays(self.rays_y, self.rays_x, self.linear, self.weights)
        pixels, source_pixels, (y, x) = self._columns(parameters, rays, derivatives, flexible=self.source_pixels > 0)
        distance = (y * y + x * x).amin(dim=1)
        near = distance.topk(min(NEAR * self.pixels, self.side**2), dim=1, largest=False, sorted=False).indices
        near_y = self.middle_y[near][:, None] + self.near_y[:, None]
        near_x = self.middle_x[near][:, None] + self.near_x[:, None]
        many = Rays(near_y, near_x, self._fields(near_y, near_x, torch).movedim(2, 0), self.near_weights)
        fine, rough = (
            self._columns(parameters, those, derivatives, flexible=False)[0] for those in (many, rays.at(near))
        )
        return pixels.scatter_add(2, near[:, None].expand_as(fine), fine - rough), source_pixels

    def _columns(
        self, parameters: Tensor, rays: "Rays", derivatives: bool, flexible: bool
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What `_pixels` says, from these rays, of a source that is `flexible` or a Sersic profile alone; and where the
        rays end."""
        beta, lens = self._traced(parameters, rays, derivatives)
        light, gradient, own, source_pixels = self._source(parameters, beta, derivatives, flexible)
        columns = [light]
        if derivatives:
            columns += [-(gradient[0] * field[..., 0, :, :] + gradient[1] * field[..., 1, :, :]) for field in lens]
            columns += [-gradient[0], -gradient[1], *own]
        return torch.stack([rays.pooled(column) for column in columns], dim=1), source_pixels, beta

    def seen(self, brightness: Tensor, rough: bool = False) -> Tensor:
        """Pixels with a rim [..., padded^2], flux / arcsec^2, as the camera sees them [..., pixels^2].

        `rough` halves the work and errs by less than a hundredth.
        """
        lead, (y, x) = brightness.shape[:-1], (self.psf_y, self.psf_x)
        if rough:
            y, x = self.rough_psf_y, self.rough_psf_x
        across = brightness.reshape(-1, self.side) @ x  # [... padded, rank * pixels]
        image = y @ across.view(-1, y.shape[1], self.pixels)  # [..., pixels, pixels]
        return self.flux * image.reshape(*lead, self.pixels**2)

    def _traced(
        self, parameters: Tensor, rays: "Rays", derivatives: bool
    ) -> tuple[tuple[Tensor, Tensor], list[Tensor]]:
        """Where rays end, from the source's centre, (y, x) of [n, rays, pixels]; deflections by unit parameters."""
        fields = list(rays.linear.unbind(dim=-4))
        first = 1 if self.elliptical else 0
        strengths = parameters[:, None, first : first + len(fields)]
        alpha = (strengths @ rays.linear.flatten(-3)).view(-1, *rays.linear.shape[-3:])  # [n, 2, rays, pixels]
        if self.elliptical:
            b, h = parameters[:, :1, None], parameters[:, self.lens_count - 2 : self.lens_count]
            halo, turned = self._halo(h, rays, derivatives)
            alpha = alpha + b[..., None] * halo
            fields = [halo, *fields, *(b[..., None] * t for t in turned)]
        centre = parameters[:, self.lens_count : self.lens_count + 2, None]
        beta_y = rays.y - alpha[:, 0] - centre[:, :1]
        beta_x = rays.x - alpha[:, 1] - centre[:, 1:]
        return (beta_y, beta_x), fields

    def _halo(self, h: Tensor, rays: "Rays", derivatives: bool) -> tuple[Tensor, list[Tensor]]:
        """Deflections [n, 2, rays, pixels] of an ellipsoid of Einstein radius 1, and their derivatives by h [n, 2]."""
        size = h.norm(dim=1, keepdim=True)
        h = torch.where(size < ROUND, h * (ROUND / size.clamp(min=1e-9)) + (size == 0) * ROUND, h)

        def deflection(h: Tensor) -> Tensor:
            size = h.norm(dim=1)[:, None, None]
            ratio = (1 + size * size).sqrt() - size  # exp(-eta)
            angle = 0.5 * torch.atan2(h[:, 1], h[:, 0])[:, None, None]
            return torch.stack(profiles.isothermal_ellipsoid(rays.y, rays.x, 1.0, ratio, angle, torch), dim=1)

        if not derivatives:
            return deflection(h), []
        turned = []
        for k in range(2):
            direction = torch.zeros_like(h)
            direction[:, k] = 1.0
            halo, change = torch.func.jvp(deflection, (h,), (direction,))  # type: ignore[misc]
            turned.append(change)
        return halo, turned

    def _source(
        self, parameters: Tensor, beta: tuple[Tensor, Tensor], derivatives: bool, flexible: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor], list[Tensor], Tensor]:
        """Brightness [n, rays, pixels], its gradient (y, x), and its derivatives by the source's other parameters; the
        light of each source pixel."""
        y, x = beta
        count = len(self.names)
        own, amplitudes = (
            parameters[:, self.lens_count + 2 : count],
            parameters[:, count : count + self.source_pixels**2],
        )
        h1, h2, log_radius, log_intensity, *log_index = (p[:, None, None] for p in own.unbind(dim=1))
        n = log_index[0].exp() if log_index else torch.full_like(h1, self.index)
        c, b = (1 + h1 * h1 + h2 * h2).sqrt(), profiles.sersic_b(n)
        xx, yy, xy = x * x, y * y, 2 * x * y
        rr, dd = xx + yy, xx - yy
        squared = c * rr - h1 * dd - h2 * xy + self.softening
        log = squared.log() - 2 * log_radius
        power = (log * (0.5 / n)).exp()  # (R / R_e)^(1/n)
        light = (log_intensity - b * (power - 1)).exp()
        scale, brightness = log_radius.exp(), log_intensity.exp()
        grid = self._grid(y / scale, x / scale, amplitudes, derivatives) if flexible else None
        if not derivatives:
            return light + brightness * grid.light if grid else light, (light, light), [], light
        swing = light * power * (b / n)  # by log R_e
        slope = swing / squared  # -2 d light / d R^2
        gradient = (-slope * ((c + h1) * y - h2 * x), -slope * ((c - h1) * x - h2 * y))
        columns = [-0.5 * slope * (h1 / c * rr - dd), -0.5 * slope * (h2 / c * rr - xy), swing, light]
        if self.free_index:
            step = 1e-3
            rise = (profiles.sersic_b(n * (1 + step)) - profiles.sersic_b(n * (1 - step))) / (2 * step)
            columns.append(light * (0.5 * b * power * log / n - rise * (power - 1)))
        if not grid:
            return light, gradient, columns, light.new_zeros(len(light), 0, light.shape[-1])
        by_y, by_x = (brightness / scale * part for part in grid.gradient)
        light = light + brightness * grid.light
        columns[2] = swing - y * by_y - x * by_x
        columns[3] = light
        return light, (gradient[0] + by_y, gradient[1] + by_x), columns, brightness * grid.each

    def _grid(self, y: Tensor, x: Tensor, amplitudes: Tensor, derivatives: bool) -> "Grid":
        """Gaussians of unit amplitude at positions in effective radii, [n, rays, padded^2]."""
        step = 2 * self.extent / (self.source_pixels - 1)
        places = torch.linspace(-self.extent, self.extent, self.source_pixels, dtype=y.dtype, device=y.device)[:, None]
        width = WIDTH * step

        def along(t: Tensor) -> tuple[Tensor, Tensor]:
            off = (t[:, :, None] - places) / width  # [n, rays, source_pixels, padded^2]
            bell = (-0.5 * off * off).exp()
            return bell, -off / width * bell

        (gy, dy), (gx, dx) = along(y), along(x)
        a = amplitudes.view(-1, 1, self.source_pixels, self.source_pixels)
        row = a @ gx  # [n, rays, source_pixels, padded^2]
        light = (gy * row).sum(dim=2)
        if not derivatives:
            return Grid(light, (light, light), light)
        by_y, by_x = (dy * row).sum(dim=2), (gy * (a @ dx)).sum(dim=2)
        each = gy.new_zeros(len(gy), self.source_pixels, self.source_pixels, gy.shape[-1])
        for ray, weight in enumerate(self.weights.tolist()):
            each.addcmul_(gy[:, ray, :, None], gx[:, ray, None], value=weight)
        return Grid(light, (by_y, by_x), each.flatten(1, 2))


class Rays(NamedTuple):
    """Places on the sky, the same of all images or others of each, and how unit parameters deflect light there."""

    y: Tensor
    """[(n,) rays, pixels]"""
    x: Tensor
    linear: Tensor
    """[(n,) fields, 2, rays, pixels]"""
    weights: Tensor
    """Of the rays of a pixel, [rays]."""

    def at(self, pixels: Tensor) -> "Rays":
        """Those of some pixels, [n, k], of each image."""
        y, x, linear = (part[..., pixels].movedim(-2, 0) for part in (self.y, self.x, self.linear))
        return Rays(y, x, linear, self.weights)

    def pooled(self, values: Tensor) -> Tensor:
        """Means over pixels, [..., pixels], of values at the rays."""
        return torch.einsum("...rp,r->...p", values, self.weights)


class Grid(NamedTuple):
    """What a grid of Gaussians adds to the source, in units of its brightness at the effective radius."""

    light: Tensor
    """[n, rays, padded^2]"""
    gradient: tuple[Tensor, Tensor]
    """(y, x), by positions in effective radii."""
    each: Tensor
    """The light of each by itself, meaned over pixels, [n, source_pixels^2, padded^2]."""


def nodes(count: int, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes (y, x) of Gauss and Legendre in a square about the origin, and their weights, [count^2] each."""
    place, weight = np.polynomial.legendre.leggauss(count)
    y, x = np.meshgrid(-place * width / 2, place * width / 2, indexing="ij")
    return y.ravel(), x.ravel(), np.outer(weight, weight).ravel() / 4


def components(size: np.ndarray, angle_deg: np.ndarray, order: int) -> list[np.ndarray]:
    """Size and angle of something of a symmetry as its two components."""
    angle = order * np.deg2rad(angle_deg)
    return [size * np.cos(angle), size * np.sin(angle)]


def ellipse(axis_ratio: np.ndarray, angle_deg: np.ndarray) -> list[np.ndarray]:
    """Axis ratio and direction of the major axis as h (see the module)."""
    return components((1 / axis_ratio - axis_ratio) / 2, angle_deg, 2)


def separated(kernel: np.ndarray, pixels: int, tolerance: float = PSF_TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
    """A kernel [k, k] as matrices Y [pixels, padded * rank] and X [padded, rank * pixels], padded = pixels + k - 1.

    Its convolution with an image [padded, padded] is Y (image X), the product in brackets read as
    [padded * rank, pixels].
    """
    u, s, v = np.linalg.svd(kernel)
    rank = int(np.sum(s > tolerance * s[0]))
    k, padded = len(kernel), pixels + len(kernel) - 1
    y, x = np.zeros((pixels, padded, rank)), np.zeros((padded, rank, pixels))
    for pixel in range(pixels):
        y[pixel, pixel : pixel + k] = (u[:, :rank] * s[:rank])[::-1]
        x[pixel : pixel + k, :, pixel] = v[:rank].T[::-1]
    return y.reshape(pixels, -1), x.reshape(padded, -1)


def _camera_priors(simulation: Simulation) -> dict:
    """The priors of what `camera` reads, by its names."""
    psf, camera = simulation.camera.psf, simulation.camera
    found = {
        "psf_fwhm_arcsec": psf.fwhm_arcsec,
        "psf_moffat_beta": psf.moffat_beta,
        "zero_point_mag": camera.zero_point_mag,
    }
    return {name: prior for name, prior in found.items() if prior is not None}
