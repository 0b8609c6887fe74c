"""The pixels of a frame that are fitted, and what the telescope makes of light on the sky.

Positions are in arcsec from a centre, y up and x right. A *ray* is a position in the image plane at which light is
computed; each pixel has several, at Gauss-Legendre nodes. Columns of a linear model are images of unit brightness of
its parts; they are observed all at once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import fft, ndimage
from torch import Tensor

from oddlens.observations.modelling.pixel_noise import PixelNoise, whitening_matrix

FFT_FACTOR, BATCH = 8, 32
"""Transforms whose size is a multiple of the first are fast, as are those of so few images that a cache holds them."""


@dataclass(frozen=True)
class Pixels:
    """Pixels of a frame on their own scale; arrays are [h, w], row 0 is the top.

    Attributes:
        image: without sky.
        sigma: the noise map.
        masked: whether a pixel must not be used.
        psf: the point-spread function on these pixels, [k, k] with k odd; its sum is 1.
        scale_arcsec: the size of a pixel.
        centre: row and column of the origin of positions.
        noise: how the noise relates to the noise map.
    """

    image: np.ndarray
    sigma: np.ndarray
    masked: np.ndarray
    psf: np.ndarray
    scale_arcsec: float
    centre: tuple[float, float]
    noise: PixelNoise

    @property
    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """y and x of the pixels."""
        row, column = np.indices(self.image.shape, dtype=float)
        y, x = self.centre[0] - row, column - self.centre[1]
        return y * self.scale_arcsec, x * self.scale_arcsec

    @property
    def room_arcsec(self) -> float:
        """The distance from the centre to an edge of the frame, the median of the four.

        So a frame that cuts an arc at one side leaves the rest of it to be fitted.
        """
        distances = [part for c, n in zip(self.centre, self.image.shape, strict=True) for part in (c, n - 1 - c)]
        return float(np.median(distances)) * self.scale_arcsec

    def within(self, radius_arcsec: float) -> np.ndarray:
        """The usable pixels at no more than this distance from the centre."""
        return ~self.masked & (np.hypot(*self.positions) <= radius_arcsec)


class Observation:
    """The pixels of a frame that are fitted.

    Light is computed for these pixels and for those whose light the PSF brings there. A rectangle contains all of them:
    the *padded pixels*.

    Args:
        pixels: of the frame.
        use: which of them are fitted, [h, w].
        rays: per pixel side.
    """

    def __init__(self, pixels: Pixels, use: np.ndarray, rays: int):
        self._pixels, self._rays_per_side = pixels, rays
        self.use, self.scale_arcsec, self.rays_per_pixel = use, pixels.scale_arcsec, rays**2
        rows, columns = np.nonzero(use)
        margin = len(pixels.psf) // 2
        first = np.array([rows.min(), columns.min()]) - margin
        self.shape = tuple(int(np.ptp(each)) + 1 + 2 * margin for each in (rows, columns))
        inside = np.zeros(self.shape, bool)
        inside[rows - first[0], columns - first[1]] = True
        self._lit = torch.tensor(ndimage.maximum_filter(inside, 2 * margin + 1).ravel().nonzero()[0])
        self.y, self.x, self.weights = self._rays(pixels, first, rays)
        self.pixel_of_ray = self._lit.repeat_interleave(rays**2)
        self._fft_shape = tuple(
            FFT_FACTOR * fft.next_fast_len(-(-(n + margin) // FFT_FACTOR), real=True) for n in self.shape
        )
        self._inside = torch.tensor((rows - first[0]) * self._fft_shape[1] + columns - first[1])
        self._transfer = torch.fft.rfft2(torch.tensor(_around_origin(pixels.psf, self._fft_shape)))
        y, x = pixels.positions
        self.pixel_y, self.pixel_x = torch.tensor(y[use]), torch.tensor(x[use])
        self.data = torch.tensor(pixels.image[use], dtype=torch.float64)
        self.sigma = torch.tensor(pixels.sigma[use], dtype=torch.float64)
        self._whitened = rows, columns, pixels.noise

    def without(self, left_out: np.ndarray) -> "Observation":
        """The same but for some pixels, which are not fitted; `left_out` is [pixels]."""
        use = self.use.copy()
        use[self.use] = ~left_out
        return Observation(self._pixels, use, self._rays_per_side)

    @property
    def count(self) -> int:
        """The number of pixels that are fitted."""
        return len(self.data)

    @cached_property
    def whitening(self) -> Tensor:
        """The sparse matrix that whitens pixels, [pixels, pixels]."""
        rows, columns, noise = self._whitened
        return whitening_matrix(rows, columns, self.sigma.numpy(), noise)

    @cached_property
    def _single_whitening(self) -> Tensor:
        return self.whitening.float()

    @cached_property
    def whitened_data(self) -> Tensor:
        """The data, whitened, [pixels]."""
        return self.whitening @ self.data

    def _rays(self, pixels: Pixels, first: np.ndarray, rays: int) -> tuple[Tensor, Tensor, Tensor]:
        """Positions of the rays, and their weights in the mean over a pixel, [rays]."""
        place, weight = np.polynomial.legendre.leggauss(rays)
        step = place * pixels.scale_arcsec / 2
        off_y, off_x = (part.ravel() for part in np.meshgrid(-step, step, indexing="ij"))
        row, column = (part[:, None] for part in divmod(self._lit.numpy(), self.shape[1]))
        row, column = row + first[0], column + first[1]
        y = (pixels.centre[0] - row) * pixels.scale_arcsec + off_y
        x = (column - pixels.centre[1]) * pixels.scale_arcsec + off_x
        weights = np.tile(np.outer(weight, weight).ravel() / 4, len(row))
        return torch.tensor(y.ravel()), torch.tensor(x.ravel()), torch.tensor(weights)

    def pixel_means(self, light: Tensor) -> Tensor:
        """Means over the padded pixels, [..., padded pixels], of light at the rays, [..., rays]."""
        means = torch.zeros(*light.shape[:-1], self.shape[0] * self.shape[1], dtype=light.dtype)
        means[..., self._lit] = (light * self.weights).unflatten(-1, (-1, self.rays_per_pixel)).sum(dim=-1)
        return means

    def blurred(self, columns: Tensor) -> Tensor:
        """Columns [k, padded pixels] under the PSF, at the pixels that are fitted, [pixels, k].

        In single precision: the error of the transform is 1e-6 of the brightest pixel.
        """
        images = columns.view(-1, *self.shape).float()
        blurred = torch.empty(self.count, len(images))
        for first in range(0, len(images), BATCH):
            batch = slice(first, first + BATCH)
            transformed = torch.fft.rfft2(images[batch], self._fft_shape) * self._transfer
            blurred[:, batch] = torch.fft.irfft2(transformed, self._fft_shape).flatten(1).T[self._inside]
        return blurred

    def observe(self, columns: Tensor) -> Tensor:
        """Columns [k, padded pixels] under the PSF, whitened, in single precision, [pixels, k]."""
        return self._single_whitening @ self.blurred(columns)

    def observe_transposed(self, images: Tensor) -> Tensor:
        """The transpose of `observe`: whitened images [pixels, k] to columns [k, padded pixels]."""
        unwhitened = self._single_whitening.T @ images.float()
        columns = torch.empty(images.shape[1], *self.shape)
        for first in range(0, images.shape[1], BATCH):
            batch = unwhitened[:, first : first + BATCH].T
            padded = torch.zeros(len(batch), self._fft_shape[0] * self._fft_shape[1])
            padded[:, self._inside] = batch
            transformed = torch.fft.rfft2(padded.view(-1, *self._fft_shape)) * self._transfer.conj()
            spread = torch.fft.irfft2(transformed, self._fft_shape)
            columns[first : first + BATCH] = spread[:, : self.shape[0], : self.shape[1]]
        return columns.flatten(1)


def _around_origin(psf: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A PSF [k, k] in an array of some shape, with its centre at the first element, float32."""
    k = len(psf)
    padded = np.zeros(shape, np.float32)
    padded[:k, :k] = psf
    return np.roll(padded, (-(k // 2), -(k // 2)), (0, 1))
