"""Rays of the differentiable lens model, and the means of what they see over pixels.

Rays are in one row, whatever pixels they belong to, so that all are traced at once.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.lensing.grids import centres


class Rays(NamedTuple):
    """Positions in the image plane, the same for all images or different ones for each.

    Attributes:
        y: [(n,) rows, rays], arcsec; those of images are in one row.
        x: likewise.
        unit_deflections: deflections by unit parameters in which deflections are linear, [(n,) fields, 2, rows, rays].
    """

    y: Tensor
    x: Tensor
    unit_deflections: Tensor

    def at(self, rays: Tensor) -> "Rays":
        """Some of the rays, [k]."""
        return Rays(*(part[..., rays] for part in self))


class PixelNodes(nn.Module):
    """Gauss-Legendre nodes of pixels, at which rays integrate polynomials of degree 2 rays - 1 in y and x exactly.

    Args:
        rays: per pixel side.
        width: of a pixel, arcsec.
    """

    y: Tensor
    x: Tensor
    weights: Tensor

    def __init__(self, rays: int, width: float):
        super().__init__()
        place, weight = np.polynomial.legendre.leggauss(rays)
        y, x = np.meshgrid(-place * width / 2, place * width / 2, indexing="ij")
        for name, values in {"y": y, "x": x, "weights": np.outer(weight, weight) / 4}.items():
            self.register_buffer(name, _single(values.ravel()), persistent=False)

    def rays(self, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Positions [..., rays] of the rays of pixels with centres [..., pixels]."""
        return (y[..., None, :] + self.y[:, None]).flatten(-2), (x[..., None, :] + self.x[:, None]).flatten(-2)

    def means(self, values: Tensor) -> Tensor:
        """Means over pixels, [..., pixels], of values at their rays."""
        return torch.einsum("...rp,r->...p", values.unflatten(-1, (len(self.weights), -1)), self.weights)


class ImageRays(nn.Module):
    """Rays of an image with a margin: several in each pixel of the image, one in the centre of each in the margin.

    The margin is as wide as the point-spread function needs. Its light is faint, and reaches the image blurred.

    Args:
        rays: per pixel side.
        pixels: side of the image.
        side: of the image with its margin.
        scale: width of a pixel, arcsec.
    """

    y: Tensor
    x: Tensor
    pixel_y: Tensor
    pixel_x: Tensor
    inside: Tensor
    order: Tensor
    first: Tensor
    first_weights: Tensor

    def __init__(self, rays: int, pixels: int, side: int, scale: float):
        super().__init__()
        self.pixels, self.side, self.nodes = pixels, side, PixelNodes(rays, scale)
        axis = centres(side, side * scale)
        y, x = (part.ravel() for part in np.meshgrid(-axis, axis, indexing="ij"))
        margin = (side - pixels) // 2
        of_image = np.zeros((side, side), dtype=bool)
        of_image[margin : margin + pixels, margin : margin + pixels] = True
        inside, outside = np.flatnonzero(of_image), np.flatnonzero(~of_image)
        order = np.argsort(np.concatenate([inside, outside]))
        shift = np.where(of_image.ravel(), 0, (rays**2 - 1) * pixels**2)
        ray_y, ray_x = self.nodes.rays(torch.tensor(y[inside]), torch.tensor(x[inside]))
        values = {
            "y": np.concatenate([ray_y, y[outside]])[None],
            "x": np.concatenate([ray_x, x[outside]])[None],
            "pixel_y": y[inside],
            "pixel_x": x[inside],
            "first_weights": np.where(of_image.ravel(), float(self.nodes.weights[0]), 1.0),
        }
        for name, numbers in values.items():
            self.register_buffer(name, _single(numbers), persistent=False)
        for name, indices in {"inside": inside, "order": order, "first": order + shift}.items():
            self.register_buffer(name, torch.tensor(indices), persistent=False)

    def pixel_means(self, values: Tensor) -> Tensor:
        """Means over pixels, [..., side^2], of values at the rays, [..., rays]."""
        inner, outer = values.split([len(self.nodes.weights) * self.pixels**2, self.side**2 - self.pixels**2], dim=-1)
        return torch.cat([self.nodes.means(inner), outer], dim=-1)[..., self.order]

    def pixel_means_of_products(self, a: Tensor, b: Tensor) -> Tensor:
        """Means over pixels of the products of all pairs of a and b [n, k, rays], [n, k, k, side^2]."""
        products = (a[..., self.first] * self.first_weights)[:, :, None] * b[..., self.first][:, None]
        margin = slice((self.side - self.pixels) // 2, (self.side + self.pixels) // 2)
        image = products.unflatten(-1, (self.side, self.side))[..., margin, margin]
        for node, weight in enumerate(self.nodes.weights.tolist()[1:], start=1):
            own = slice(node * self.pixels**2, (node + 1) * self.pixels**2)
            of_a, of_b = (part[..., own].unflatten(-1, (self.pixels, self.pixels)) for part in (a, b))
            image.addcmul_(of_a[:, :, None], of_b[:, None], value=weight)
        return products

    def nearest_pixels(self, beta: tuple[Tensor, Tensor], count: int) -> Tensor:
        """The pixels of the image [n, count] with the rays that end nearest to the origin, nearest first.

        Args:
            beta: where the rays end, [n, 1, rays] each.
        """
        squared = (beta[0].square() + beta[1].square())[:, 0, : len(self.nodes.weights) * self.pixels**2]
        return squared.unflatten(1, (-1, self.pixels**2)).amin(dim=1).topk(count, dim=1, largest=False).indices


class CentralRays(nn.Module):
    """More rays of some pixels of an image, in tiers: the first pixels have most.

    Args:
        rays: per pixel side that all pixels have.
        tiers: the number of pixels, and of rays per pixel side, of each tier.
        scale: width of a pixel, arcsec.
    """

    def __init__(self, rays: int, tiers: Sequence[tuple[int, int]], scale: float):
        super().__init__()
        self.counts = [count for count, _ in tiers]
        self.usual, self.finer = PixelNodes(rays, scale), nn.ModuleList(PixelNodes(more, scale) for _, more in tiers)

    def _finer(self) -> Iterator[PixelNodes]:
        for nodes in self.finer:
            assert isinstance(nodes, PixelNodes)
            yield nodes

    def positions(self, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Positions [n, 1, rays] of all rays of pixels with centres [n, pixels], the usual ones last."""
        tiers = zip(self._finer(), y.split(self.counts, dim=1), x.split(self.counts, dim=1), strict=True)
        rays = [nodes.rays(*centre) for nodes, *centre in tiers] + [self.usual.rays(y, x)]
        ray_y, ray_x = (torch.cat(parts, dim=1)[:, None] for parts in zip(*rays, strict=True))
        return ray_y, ray_x

    def corrections(self, values: Tensor) -> Tensor:
        """Means over pixels of values at these rays [..., rays], minus those of the usual rays, [..., pixels]."""
        pairs = [*zip(self._finer(), self.counts, strict=True), (self.usual, sum(self.counts))]
        parts = values.split([len(nodes.weights) * count for nodes, count in pairs], dim=-1)
        *finer, usual = (nodes.means(part) for (nodes, _), part in zip(pairs, parts, strict=True))
        return torch.cat(finer, dim=-1) - usual


def _single(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
