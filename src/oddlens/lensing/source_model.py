"""Surface brightness of the source of the differentiable lens model, with its derivatives in closed form.

The source is an elliptical Sersic profile, to which a square grid of Gaussians (source pixels) can be added, so that it
can deviate from the profile. The grid moves and scales with the profile.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from oddlens.lensing.rays import ImageRays
from oddlens.lensing.sersic_core import sersic_with_core

SOURCE_PIXEL_WIDTH = 0.8
"""Standard deviation of the Gaussian of a source pixel, in units of their spacing."""
MIN_EXPONENT = -30.0
"""Gaussians fall no lower than the exponential of this. Numbers too small for the format, and their exponentials, take
processors ten times as long."""
BESIDE_GRID = 6.0
"""Rays beside the grid see its light as far as this, in units of the width of its Gaussians."""

Pair = tuple[Tensor, Tensor]
"""(y, x)"""


class SourceLight(NamedTuple):
    """Light of n sources at the rays.

    Attributes:
        brightness: [n, rows, rays].
        gradient: of the brightness with respect to the position in the source plane.
        derivatives: of the brightness with respect to the parameters of the profile.
    """

    brightness: Tensor
    gradient: Pair
    derivatives: list[Tensor]


class PixelGridLight(NamedTuple):
    """Light of the grid of source pixels, in units of the brightness of the profile at its effective radius.

    Attributes:
        brightness: [n, rows, rays].
        gradient: with respect to the position in effective radii.
    """

    brightness: Tensor
    gradient: Pair


@dataclass(frozen=True)
class SourceModel:
    """A Sersic profile, and source pixels if there are any.

    Attributes:
        index: the Sersic index, if it is no parameter.
        core_arcsec2: square of the radius of its core (`sersic_core.py`).
        source_pixels: source pixels along a side of the grid.
        extent: half width of the grid, in effective radii.
    """

    index: float
    core_arcsec2: float
    source_pixels: int
    extent: float

    def light(self, profile: Tensor, amplitudes: Tensor | None, beta: Pair, derivatives: bool) -> SourceLight:
        """The light of sources at positions relative to their centres.

        Args:
            profile: parameters [n, 4 or 5]: h1, h2, log radius, log intensity, and log index if it is free.
            amplitudes: of the source pixels, [n, source_pixels^2]; None: the profile without source pixels.
            beta: positions, [n, rows, rays] each.
            derivatives: whether to compute more than the brightness; the other fields have no meaning otherwise.
        """
        sersic = self._sersic(profile, beta, derivatives)
        if amplitudes is None:
            return sersic
        (y, x), scale, intensity = beta, profile[:, 2, None, None].exp(), profile[:, 3, None, None].exp()
        grid = self._pixel_grid(y / scale, x / scale, amplitudes, derivatives)
        light = sersic.brightness + intensity * grid.brightness
        if not derivatives:
            return SourceLight(light, (light, light), [])
        by_y, by_x = (intensity / scale * part for part in grid.gradient)
        gradient = (sersic.gradient[0] + by_y, sersic.gradient[1] + by_x)
        by_h1, by_h2, by_log_radius, _, *by_log_index = sersic.derivatives
        columns = [by_h1, by_h2, by_log_radius - y * by_y - x * by_x, light, *by_log_index]
        return SourceLight(light, gradient, columns)

    def _sersic(self, profile: Tensor, beta: Pair, derivatives: bool) -> SourceLight:
        """The light of the Sersic profile alone."""
        y, x = beta
        h1, h2, log_radius, log_intensity, *log_index = (p[:, None, None] for p in profile.unbind(dim=1))
        n = log_index[0].exp() if log_index else torch.full_like(h1, self.index)
        c = (1 + h1 * h1 + h2 * h2).sqrt()
        xx, yy, xy = x * x, y * y, 2 * x * y
        rr, dd = xx + yy, xx - yy
        squared = c * rr - h1 * dd - h2 * xy
        light, slope, by_log_radius, by_log_index = sersic_with_core(
            squared, log_radius, log_intensity, n, self.core_arcsec2, derivatives
        )
        if not derivatives:
            return SourceLight(light, (light, light), [])
        gradient = (-slope * ((c + h1) * y - h2 * x), -slope * ((c - h1) * x - h2 * y))
        columns = [-0.5 * slope * (h1 / c * rr - dd), -0.5 * slope * (h2 / c * rr - xy), by_log_radius, light]
        return SourceLight(light, gradient, [*columns, by_log_index] if log_index else columns)

    def pixel_light(self, profile: Tensor, beta: Pair, rays: ImageRays) -> Tensor:
        """The light of each source pixel at unit amplitude, averaged over image pixels, [n, source_pixels^2, pixels].

        Args:
            profile: see `light`.
            beta: positions where the rays of an image end, [n, 1, rays] each.
        """
        scale, intensity = profile[:, 2, None, None].exp(), profile[:, 3, None, None].exp()
        gy, gx = (_gaussians(self._offsets((part / scale)[:, 0])) for part in beta)
        return rays.pixel_means_of_products(gy, gx).flatten(1, 2).mul_(intensity)

    @property
    def spacing(self) -> float:
        """The spacing of source pixels in effective radii."""
        return 2 * self.extent / (self.source_pixels - 1)

    def _offsets(self, t: Tensor) -> Tensor:
        """Distances [..., source_pixels, k] of positions [..., k] from the rows or columns of the grid, in units of the
        width of the Gaussians."""
        centres = torch.linspace(-self.extent, self.extent, self.source_pixels, dtype=t.dtype, device=t.device)
        return (t[..., None, :] - centres[:, None]).mul_(1 / (SOURCE_PIXEL_WIDTH * self.spacing))

    def _pixel_grid(self, y: Tensor, x: Tensor, amplitudes: Tensor, derivatives: bool) -> PixelGridLight:
        """The light of the source pixels at positions in effective radii, [n, rows, rays].

        On a CPU lens by lens, as one lens fills its cache, and only where rays end on the grid or beside it.
        """
        a = amplitudes.view(-1, self.source_pixels, self.source_pixels)
        count = 3 if derivatives else 1
        if y.device.type == "cpu":
            light = y.new_zeros(count, len(y), y[0].numel())
            limit = self.extent + BESIDE_GRID * SOURCE_PIXEL_WIDTH * self.spacing
            for lens, (own_y, own_x) in enumerate(zip(y.flatten(1), x.flatten(1), strict=True)):
                near = ((own_y.abs() < limit) & (own_x.abs() < limit)).nonzero()[:, 0]
                light[:, lens, near] = self._light_of_grid(own_y[near], own_x[near], a[lens], derivatives)
        else:
            light = self._light_of_grid(y.flatten(1), x.flatten(1), a, derivatives)
        brightness, *gradient = light.view(count, *y.shape)
        return PixelGridLight(brightness, (gradient[0], gradient[1]) if derivatives else (brightness, brightness))

    def _light_of_grid(self, y: Tensor, x: Tensor, amplitudes: Tensor, derivatives: bool) -> Tensor:
        """The light [1, ..., k] of source pixels of amplitudes [..., source_pixels, source_pixels] at positions
        [..., k]; with its gradient if `derivatives`, [3, ..., k]."""
        offset_y, offset_x = self._offsets(y), self._offsets(x)
        gy, gx = _gaussians(offset_y), _gaussians(offset_x)
        light = (amplitudes @ gx).mul_(gy)  # of rows
        if not derivatives:
            return light.sum(dim=-2)[None]
        by_y, by_x = offset_y.mul_(light), (amplitudes @ gx.mul_(offset_x)).mul_(gy)
        light, by_y, by_x = (each.sum(dim=-2) for each in (light, by_y, by_x))
        inverse_width = -1 / (SOURCE_PIXEL_WIDTH * self.spacing)
        return torch.stack([light, by_y.mul_(inverse_width), by_x.mul_(inverse_width)])


def _gaussians(offsets: Tensor) -> Tensor:
    """One factor of Gaussians at offsets in units of their width."""
    return offsets.square().mul_(-0.5).clamp_(min=MIN_EXPONENT).exp_()
