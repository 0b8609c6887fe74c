"""The smooth lens as a differentiable function in PyTorch: from parameters to the image and its Jacobian.

The lens is that of the simulator: the same profiles, units and point-spread function, read from the same `Simulation`
(`ray_tracing.py`, `render.py`). The simulator renders each image once, as accurately as possible. A fit needs many
images of similar lenses, and their derivatives. So

* the image is a smooth function of the parameters (`parametrisation.py`);
* all pixels have the same number of rays, at Gauss-Legendre nodes, which integrate polynomials of third (2 x 2) or
  fifth (3 x 3) degree over a pixel exactly. Only the pixels that show the cusp in the centre of the source have more;
* the PSF is applied by multiplying matrices (`separable_psf.py`).

All derivatives are in closed form. The brightness S(x - alpha(x)) of a pixel changes by -grad S . d
alpha, for a parameter of the lens as well as for a mass that is not in the model: substructure acts on
`ModelImage.source_gradient`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.lensing import halo_model, power_law, profiles
from oddlens.lensing.optics import Optics
from oddlens.lensing.parametrisation import ISOTHERMAL, Parametrisation
from oddlens.lensing.rays import CentralRays, ImageRays, Rays
from oddlens.lensing.simulation import LensPriors, Simulation
from oddlens.lensing.source_model import Pair, SourceModel

CORE_PIXELS = 0.1
"""Radius of the core of the Sersic profile, in pixels."""
CENTRAL_RAYS = ((1, 12), (2, 8))
"""Pixels near the centre of the source have more rays: the nearest ones 12 per side, the next ones 8. The first number
of each pair is the number of pixels, in units of the side of the image. Together they are most of a ring two pixels
wide. With fewer pixels or rays the objective is rough, and some fits end beside their optimum
(docs/detectors-lensfit.md, Rays)."""


class ModelImage(NamedTuple):
    """Images of n lenses with their derivatives, flat, in electrons / s / pixel.

    Attributes:
        image: [n, pixels^2].
        jacobian: derivatives with respect to the parameters, [n, parameters, pixels^2].
        source_gradient: minus the gradient (y, x) of the source where the rays end, averaged over pixels with a margin,
            before the PSF, [n, 2, padded^2]. A small deflection changes the image by its product with this.
    """

    image: Tensor
    jacobian: Tensor
    source_gradient: Tensor

    def of(self, lenses: slice) -> "ModelImage":
        """The images of some of the lenses."""
        return ModelImage(*(each[lenses] for each in self))


class LensModel(nn.Module):
    """A smooth lens with a Sersic source, observed by the camera of a simulation.

    See `Parametrisation` for its parameters. Positions and deflections are in arcsec, y up and x right; row 0 of an
    image is the top.

    Args:
        elliptical: the halo is an ellipsoid, not a sphere.
        free_slope: the slope of its density is a parameter; otherwise it is that of the simulation.
        multipoles: orders m of its multipoles.
        free_index: the Sersic index of the source is a parameter; otherwise it is that of the simulation.
        source_pixels: source pixels along a side of their grid; none by default.
        extent: half width of that grid, in effective radii of the source.
        lens_light_components: principal components of the lens-light residual; none by default. Their images are set
            later.
        free_psf_width: the width of the PSF is a parameter, to first order.
        rays: rays per pixel side.
    """

    unit_deflections: Tensor
    lens_light_mean: Tensor
    """Mean of the lens-light residual, [pixels^2]."""
    lens_light_components: Tensor
    """Components of the lens-light residual at unit amplitude, [components, pixels^2]."""

    def __init__(
        self,
        simulation: Simulation,
        *,
        elliptical: bool = False,
        free_slope: bool = False,
        multipoles: Sequence[int] = (),
        free_index: bool = False,
        source_pixels: int = 0,
        extent: float = 2.0,
        lens_light_components: int = 0,
        free_psf_width: bool = False,
        rays: int = 2,
    ):
        super().__init__()
        self.parametrisation = Parametrisation(
            elliptical, tuple(multipoles), free_index, source_pixels, lens_light_components, free_slope, free_psf_width
        )
        self.names, self.count = self.parametrisation.names, self.parametrisation.count
        self.halo, self.slope = _halo(simulation.lens, self.parametrisation)
        self.camera = simulation.camera
        scale = self.camera.pixel_scale_arcsec
        index = float(simulation.source.sersic_index.quantile(np.array(0.5)))
        self.source = SourceModel(index, (CORE_PIXELS * scale) ** 2, source_pixels, extent)
        self.optics = Optics(self.camera, free_psf_width)
        self.electrons, self.kernel, self.pixels = self.optics.electrons, self.optics.kernel, self.camera.pixels
        self.side = self.pixels + len(self.kernel) - 1
        self.image_rays = ImageRays(rays, self.pixels, self.side, scale)
        self.central_rays = CentralRays(rays, [(rows * self.pixels, more) for rows, more in CENTRAL_RAYS], scale)
        fields = self._unit_deflections(self.image_rays.y, self.image_rays.x)
        self.register_buffer("unit_deflections", fields, persistent=False)
        self.register_buffer("lens_light_components", torch.zeros(lens_light_components, self.pixels**2))
        self.register_buffer("lens_light_mean", torch.zeros(self.pixels**2))

    def _unit_deflections(self, y: Tensor, x: Tensor) -> Tensor:
        """Deflections by unit parameters in which deflections are linear, and the fields of the multipoles of a power
        law, [(n,) fields, 2, 1, rays]."""
        turns = (torch.tensor(turn, dtype=torch.float64) for turn in (0.0, np.pi / 4))
        fields = [profiles.shear(y, x, 1.0, angle, torch) for angle in turns]
        if self.halo is not None:
            fields += self.halo.fields(y, x)
        else:
            if not self.parametrisation.elliptical:
                fields.insert(0, profiles.isothermal_sphere(y, x, 1.0, torch))
            fields += halo_model.isothermal_multipoles(y, x, self.parametrisation.multipoles)
        return torch.stack([torch.stack(field, dim=-3) for field in fields], dim=-4)

    def forward(self, parameters: Tensor) -> Tensor:
        """Images [n, pixels^2] of parameters [n, parameters], electrons / s / pixel."""
        pixels = self._pixels(parameters, derivatives=False)
        return self._image(parameters, self.observe(pixels[:, 0]), self.optics.by_psf_width(pixels[:, :1]))

    def image_and_derivatives(self, parameters: Tensor, source_pixels: bool = True) -> ModelImage:
        """Images of parameters [n, parameters] with all derivatives, or all but those of the source pixels."""
        pixels = self._pixels(parameters, derivatives=True)
        observed = self.observe(pixels)
        count = len(self.parametrisation.lens_names)
        by_psf_width = self.optics.by_psf_width(pixels[:, :1])
        parts = [
            observed[:, 1:],
            *([self.source_pixel_images(parameters)] if source_pixels and self.source.source_pixels else []),
            self.lens_light_components.expand(len(observed), -1, -1),
            by_psf_width,
        ]
        jacobian = torch.cat(parts, dim=1)
        image = self._image(parameters, observed[:, 0], by_psf_width)
        return ModelImage(image, jacobian, pixels[:, 1 + count : 3 + count])

    def source_pixel_images(self, parameters: Tensor) -> Tensor:
        """The observed image of each source pixel at unit amplitude, [n, source_pixels^2, pixels^2].

        On a CPU lens by lens, as those of one lens fill its cache. So they do not depend on the other lenses either.
        """
        rays = self._rays()

        def of_lenses(part: Tensor) -> Tensor:
            beta, _ = self._trace(part, rays, derivatives=False)
            light = self.source.pixel_light(part[:, self.parametrisation.profile], beta, self.image_rays)
            return self.observe(light, approximate=True)

        at_once = 1 if parameters.device.type == "cpu" else len(parameters)
        return torch.cat([of_lenses(part) for part in parameters.split(at_once)])

    def source_grid_positions(self, parameters: Tensor) -> Tensor:
        """Where one ray of each pixel ends on the grid of source pixels, in units of their spacing from its centre,
        [n, 2, padded^2]."""
        (y, x), _ = self._trace(parameters, self._rays().at(self.image_rays.first), derivatives=False)
        size = parameters[:, self.parametrisation.profile][:, 2, None, None].exp() * self.source.spacing
        return torch.cat([y, x], dim=1) / size

    def observe(self, brightness: Tensor, approximate: bool = False) -> Tensor:
        """Pixels with a margin [..., padded^2], flux / arcsec^2, as the camera observes them; see `Optics`."""
        return self.optics(brightness, approximate)

    def deflections(self, parameters: Tensor, y: Tensor, x: Tensor) -> Pair:
        """Deflections (alpha_y, alpha_x) by lenses [n, parameters] at any positions [rows, rays], arcsec, [n, rows,
        rays] each."""
        rays = Rays(y, x, self._unit_deflections(y, x))
        (beta_y, beta_x), _ = self._trace(parameters, rays, derivatives=False)
        centre_y, centre_x = parameters[:, self.parametrisation.position, None, None].unbind(dim=1)
        return y - beta_y - centre_y, x - beta_x - centre_x

    def slopes(self, parameters: Tensor) -> Tensor:
        """Slopes of the density of halos, [n, 1]."""
        layout = self.parametrisation
        return parameters[:, layout.slope] if layout.free_slope else torch.full_like(parameters[:, :1], self.slope)

    def source_brightness(self, parameters: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Surface brightness [n, rows, rays] of sources at positions [rows, rays] in the source plane, electrons /
        s / pixel."""
        layout = self.parametrisation
        centre_y, centre_x = parameters[:, layout.position, None, None].unbind(dim=1)
        amplitudes = parameters[:, layout.source_pixel_amplitudes] if layout.source_pixels else None
        beta = (y - centre_y, x - centre_x)
        light = self.source.light(parameters[:, layout.profile], amplitudes, beta, derivatives=False)
        return self.electrons * light.brightness

    def _image(self, parameters: Tensor, lensed: Tensor, by_psf_width: Tensor) -> Tensor:
        """Images [n, pixels^2] of observed lensed light [n, pixels^2] and its derivative of `Optics.by_psf_width`."""
        layout = self.parametrisation
        residual = self.lens_light_mean + parameters[:, layout.lens_light_amplitudes] @ self.lens_light_components
        return lensed + residual + (parameters[:, layout.psf_width, None] * by_psf_width).sum(dim=1)

    def _pixels(self, parameters: Tensor, derivatives: bool) -> Tensor:
        """Pixel means of the brightness, [n, 1, padded^2], followed by those of its derivatives with respect to the
        named parameters if `derivatives`.

        In the pixels that show the centre of the source, the profile is traced again with more rays.
        """
        values, beta = self._at_rays(parameters, self._rays(), derivatives, self.source.source_pixels > 0)
        pixels, layout = self.image_rays.pixel_means(values), self.image_rays
        nearest = layout.nearest_pixels(beta, sum(self.central_rays.counts))
        y, x = self.central_rays.positions(layout.pixel_y[nearest], layout.pixel_x[nearest])
        rays = Rays(y, x, self._unit_deflections(y, x))
        corrections = self.central_rays.corrections(self._at_rays(parameters, rays, derivatives, False)[0])
        return pixels.scatter_add(2, layout.inside[nearest][:, None].expand_as(corrections), corrections)

    def _rays(self) -> Rays:
        """The rays of an image."""
        return Rays(self.image_rays.y, self.image_rays.x, self.unit_deflections)

    def _at_rays(
        self, parameters: Tensor, rays: Rays, derivatives: bool, with_source_pixels: bool
    ) -> tuple[Tensor, Pair]:
        """What `_pixels` returns, at rays, [n, ..., rays], and the positions where they end.

        The source has source pixels, or is a Sersic profile alone.
        """
        beta, by_lens = self._trace(parameters, rays, derivatives)
        layout = self.parametrisation
        amplitudes = parameters[:, layout.source_pixel_amplitudes] if with_source_pixels else None
        source = self.source.light(parameters[:, layout.profile], amplitudes, beta, derivatives)
        columns, (by_y, by_x) = [source.brightness], source.gradient
        if derivatives:
            columns += [-(by_y * alpha[..., 0, :, :] + by_x * alpha[..., 1, :, :]) for alpha in by_lens]
            columns += [-by_y, -by_x, *source.derivatives]
        return torch.cat(columns, dim=1), beta

    def _trace(self, parameters: Tensor, rays: Rays, derivatives: bool) -> tuple[Pair, list[Tensor]]:
        """Positions where rays end, relative to the centre of the source, [n, 1, rays] each; and the derivatives
        of the deflection with respect to the parameters of the lens."""
        layout = self.parametrisation
        alpha, by_lens = (self._isothermal if self.halo is None else self._power_law)(parameters, rays, derivatives)
        centre = parameters[:, layout.position, None]
        beta_y = rays.y - alpha[:, 0] - centre[:, :1]
        beta_x = rays.x - alpha[:, 1] - centre[:, 1:]
        return (beta_y, beta_x), by_lens

    def _isothermal(self, parameters: Tensor, rays: Rays, derivatives: bool) -> tuple[Tensor, list[Tensor]]:
        """Deflections [n, 2, rows, rays] by an isothermal lens, and their derivatives."""
        by_lens = list(rays.unit_deflections.unbind(dim=-4))
        layout = self.parametrisation
        first = 1 if layout.elliptical else 0
        alpha = halo_model.linear(parameters[:, None, first : first + len(by_lens)], rays.unit_deflections)
        if layout.elliptical:
            halo, by_h = halo_model.isothermal_ellipsoid(parameters[:, layout.ellipse], rays, derivatives)
            b = parameters[:, :1, None, None]
            alpha = alpha + b * halo
            by_lens = [halo, *by_lens, *(b * change for change in by_h)]
        return alpha, by_lens

    def _power_law(self, parameters: Tensor, rays: Rays, derivatives: bool) -> tuple[Tensor, list[Tensor]]:
        """Deflections [n, 2, rows, rays] by a power-law lens, and their derivatives."""
        assert self.halo is not None
        layout = self.parametrisation
        b, components, h = (parameters[:, part] for part in (slice(1), layout.multipole_components, layout.ellipse))
        slope = self.slopes(parameters)
        shear, multipoles = rays.unit_deflections.tensor_split([2], dim=-4)
        halo, by_halo = self.halo.deflections(b, components, h, slope, rays, multipoles, derivatives)
        by_lens = [*by_halo[:1], *shear.unbind(dim=-4), *by_halo[1:]]
        return halo_model.linear(parameters[:, None, layout.shear], shear) + halo, by_lens


def _halo(lens: LensPriors, layout: Parametrisation) -> tuple[halo_model.PowerLaw | None, float]:
    """The halo if it is no isothermal one, and its slope if that is no parameter."""
    if lens.slope is None and not layout.free_slope:
        return None, ISOTHERMAL
    smallest = lens.ellipticity.axis_ratio.support()[0] if lens.ellipticity else halo_model.USUAL_AXIS_RATIO
    terms = power_law.terms_for(smallest, halo_model.SERIES_TOLERANCE)
    slope = ISOTHERMAL if lens.slope is None else float(lens.slope.quantile(np.array(0.5)))
    return halo_model.PowerLaw(layout.elliptical, layout.multipoles, layout.free_slope, terms), slope
