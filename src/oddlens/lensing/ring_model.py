"""A smooth lens and its source for an image, from the image alone.

The lens is an isothermal sphere in an external shear. The source is a free-form surface brightness: a square grid of
cubic B-splines. For a given lens the image is linear in their amplitudes. So one linear solve finds them (semi-linear
inversion: Warren & Dye 2003, ApJ 590, 673), and all counter-images of a part of the source determine it together. The
smoothness of the source maximises the Bayesian evidence (Suyu et al. 2006, MNRAS 371, 983).

No redshift, no prior of a simulation and no label is used. The model serves to predict how a small mass would change
the image (`injection.py`), not to measure the lens.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from scipy import linalg, ndimage, optimize

from oddlens.lensing import profiles
from oddlens.lensing.convolution import Convolution, wider_pixels
from oddlens.lensing.grids import grid

NODES = 13
"""B-splines along a side of the source grid."""
RAYS = 2
"""Rays per pixel side of the fit."""
MARGIN = 1.3
"""The source grid reaches this many root-mean-square radii of the light that is traced back, times two."""
MAX_FITTED_PIXELS = 48
"""Images with a larger side are averaged over blocks of pixels before the fit."""
SMOOTHING_PIXELS = 1.0
"""The light that weights positions is smoothed with a Gaussian of this standard deviation."""
CENTRAL_PART = 0.4
"""Light within this part of the ring's radius is not fitted: it may be that of the lens galaxy."""
PRIOR_SIGMA = np.array([0.3, 0.07, 0.07, 0.15, 0.15])
"""Standard deviations of the normal priors: of ln(Einstein radius / radius of the ring), the centre of the lens (y, x)
in radii of the ring, and both components of the shear."""
STARTS = [
    np.array([np.log(radius), 0, 0, size * np.cos(angle), size * np.sin(angle)]) / PRIOR_SIGMA
    for radius in (0.9, 1.1)
    for size, angles in ((0.0, [0.0]), (0.2, np.arange(8) * np.pi / 4))
    for angle in angles
]
MAX_REFINED, GOOD_CHI_SQUARE = 3, 1.3
"""A fit starts from further lenses, up to this number, while its mean squared residual is above this."""
LOG_SMOOTHNESS, LOG_SMOOTHNESS_START = np.arange(-8.0, 8.5), 3.0
"""Logarithms of the smoothness of the source, and the first one: a smooth source has no local optima."""


class Source(NamedTuple):
    """Surface brightness on a grid of cubic B-splines; zero outside.

    Attributes:
        amplitudes: [NODES, NODES]; row 0 has the smallest y, column 0 the smallest x.
        centre: of the grid (y, x), arcsec.
        spacing: of the splines, arcsec.
    """

    amplitudes: np.ndarray
    centre: tuple[float, float]
    spacing: float

    def __call__(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The brightness at positions in the source plane, in units of the image."""
        places = [(b - c) / self.spacing + (NODES - 1) / 2 for b, c in zip((y, x), self.centre, strict=True)]
        return ndimage.map_coordinates(self.amplitudes, places, order=3, prefilter=False, mode="grid-constant")


@dataclass(frozen=True)
class RingModel:
    """A smooth lens with its source; positions in arcsec, y up and x right, from the centre of the image.

    Attributes:
        einstein_radius_arcsec: of the isothermal sphere.
        centre: of the lens (y, x).
        shear: both components.
        source: the light before lensing.
        chi_square: mean squared residual of the fitted pixels, in units of their noise.
        unexplained: the part of the power of the light beyond the noise that the model leaves in the residuals.
    """

    kind: ClassVar[str] = "ring"
    einstein_radius_arcsec: float
    centre: tuple[float, float]
    shear: tuple[float, float]
    source: Source
    chi_square: float = np.nan
    unexplained: float = np.nan

    def deflections(self, y: np.ndarray, x: np.ndarray, removed: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Deflection (alpha_y, alpha_x) at positions in the image plane.

        Args:
            removed: what is taken from the Einstein radius, arcsec.
        """
        v, u = y - self.centre[0], x - self.centre[1]
        halo_y, halo_x = profiles.isothermal_sphere(v, u, self.einstein_radius_arcsec - removed, np)
        g1, g2 = self.shear
        return halo_y + g2 * u - g1 * v, halo_x + g1 * u + g2 * v

    def source_brightness(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Surface brightness at positions in the source plane, in units of the image."""
        return self.source(y, x)


def fit_ring(image: np.ndarray, sigma: np.ndarray, pixel_scale_arcsec: float, psf: np.ndarray) -> RingModel:
    """The smooth lens of an image.

    Args:
        image: [p, p], row 0 at the top; NaN where it is masked. Its sky is subtracted.
        sigma: standard deviation of the noise, of the same shape.
        psf: [k, k], with the sum 1.

    Raises:
        ValueError: the image has no positive light.
    """
    block = -(-len(image) // MAX_FITTED_PIXELS)
    fit = _Fit(*wider_pixels(image, sigma, psf, block), pixel_scale_arcsec * block)
    costs = [fit.solved(start).cost for start in STARTS]
    found: list[_Solution] = []
    for k in np.argsort(costs)[:MAX_REFINED]:
        found.append(fit.refined(STARTS[k]))
        if found[-1].model.chi_square < GOOD_CHI_SQUARE:
            break
    return min(found, key=lambda solution: solution.cost).model


class _Solution(NamedTuple):
    """The best source of a lens.

    Attributes:
        cost: minus twice the logarithm of evidence and priors, up to a constant.
        residuals: of the pixels in units of their noise, of the smoothness of the source, and of the priors.
    """

    model: RingModel
    cost: float
    residuals: np.ndarray


class _Fit:
    """Lenses for one image, in units of their priors, [5]: see `PRIOR_SIGMA`."""

    def __init__(self, image: np.ndarray, sigma: np.ndarray, psf: np.ndarray, scale: float):
        self.pixels, self.convolution = len(image), Convolution(psf, len(image))
        self.y, self.x = (part.astype(float) for part in grid(self.pixels * RAYS, self.pixels * scale))
        self.pixel_y, self.pixel_x = (part.astype(float) for part in grid(self.pixels, self.pixels * scale))
        light = ndimage.gaussian_filter(np.nan_to_num(image), SMOOTHING_PIXELS, mode="constant").clip(min=0)
        if not light.max() > 0:
            raise ValueError("the image has no positive light")
        self.light = np.where(light > 0.2 * light.max(), light, 0.0)
        distance = np.hypot(self.pixel_y, self.pixel_x)
        self.radius = float(np.average(distance, weights=self.light))
        observed = np.isfinite(image) & (distance > CENTRAL_PART * self.radius)
        self.weight = np.where(observed, 1 / sigma, 0.0).ravel()
        self.data = np.nan_to_num(image).ravel() * self.weight
        second = 2 * np.eye(NODES) - np.eye(NODES, k=1) - np.eye(NODES, k=-1)
        self.curvature = (np.kron(second, np.eye(NODES)) + np.kron(np.eye(NODES), second)) / light.max()
        self.log_smoothness = LOG_SMOOTHNESS_START

    def refined(self, u: np.ndarray) -> _Solution:
        """The best lens near `u`."""
        self.log_smoothness = LOG_SMOOTHNESS_START
        for _ in range(2):
            found = optimize.least_squares(lambda v: self.solved(v).residuals, u, diff_step=1e-2, ftol=1e-4, max_nfev=8)
            u = found.x
            images = self._images(*self._lens(u))
            solutions = {value: self._solution(u, images, value) for value in LOG_SMOOTHNESS}
            self.log_smoothness = min(solutions, key=lambda value: solutions[value].cost)
        return solutions[self.log_smoothness]

    def solved(self, u: np.ndarray) -> _Solution:
        """The lens `u` with its best source at the present smoothness."""
        return self._solution(u, self._images(*self._lens(u)), self.log_smoothness)

    def _lens(self, u: np.ndarray) -> tuple[RingModel, Source]:
        """The lens, and the grid of its source, which follows the light."""
        log_b, y, x, g1, g2 = (float(value) for value in u * PRIOR_SIGMA)
        dark = Source(np.zeros((NODES, NODES)), (0.0, 0.0), 1.0)
        lens = RingModel(self.radius * np.exp(log_b), (y * self.radius, x * self.radius), (g1, g2), dark)
        alpha_y, alpha_x = lens.deflections(self.pixel_y, self.pixel_x)
        beta_y, beta_x = self.pixel_y - alpha_y, self.pixel_x - alpha_x
        y, x = (float(np.average(beta, weights=self.light**2)) for beta in (beta_y, beta_x))
        extent = np.sqrt(np.average((beta_y - y) ** 2 + (beta_x - x) ** 2, weights=self.light))
        return lens, Source(dark.amplitudes, (y, x), 4 * MARGIN * float(extent) / (NODES - 1))

    def _solution(self, u: np.ndarray, images: np.ndarray, log_smoothness: float) -> _Solution:
        """The best source of the lens `u`, given the images of its splines, [pixels^2, NODES^2]."""
        smooth = np.exp(log_smoothness / 2) * self.curvature
        factor = linalg.cholesky(images.T @ images + smooth @ smooth, lower=True, check_finite=False)
        amplitudes = linalg.cho_solve((factor, True), images.T @ self.data, check_finite=False)
        misfit = self.data - images @ amplitudes
        residuals = np.concatenate([misfit, smooth @ amplitudes, u])
        lens, source = self._lens(u)
        source = source._replace(amplitudes=amplitudes.reshape(NODES, NODES))
        fitted = int(np.count_nonzero(self.weight))
        excess, power = (max(0.0, float(values @ values) - fitted) for values in (misfit, self.data))
        model = replace(
            lens,
            source=source,
            chi_square=float(misfit @ misfit) / max(fitted, 1),
            unexplained=excess / power if power else 1.0,
        )
        occam = 2 * np.log(np.diag(factor)).sum() - len(factor) * log_smoothness
        return _Solution(model, float(residuals @ residuals + occam), residuals)

    def _images(self, lens: RingModel, source: Source) -> np.ndarray:
        """The image of each B-spline in units of the noise, [pixels^2, NODES^2]."""
        alpha = lens.deflections(self.y, self.x)
        (row, by_y), (column, by_x) = (
            _splines((p - a - c) / source.spacing + (NODES - 1) / 2)
            for p, a, c in zip((self.y, self.x), alpha, source.centre, strict=True)
        )
        side = np.arange(self.pixels * RAYS) // RAYS
        pixel = side[:, None] * self.pixels + side
        images = np.zeros(NODES**2 * self.pixels**2)
        for j, i in np.ndindex(4, 4):
            inside = (row + j >= 0) & (row + j < NODES) & (column + i >= 0) & (column + i < NODES)
            place = ((row + j) * NODES + column + i) * self.pixels**2 + pixel
            images += np.bincount(place[inside], (by_y[j] * by_x[i])[inside], len(images))
        observed = self.convolution(images.reshape(NODES**2, self.pixels, self.pixels) / RAYS**2)
        return np.ascontiguousarray((observed.reshape(NODES**2, -1) * self.weight).T)


def _splines(place: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The number of the first of the four cubic B-splines that are not zero at `place`, and the values of all four."""
    first = np.floor(place).astype(int)
    t = place - first
    return first - 1, [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (1 + 3 * (t + t**2 - t**3)) / 6, t**3 / 6]
