"""Duplicates in two sets of images: equal pixels, and images that differ by no more than their noise.

* **Equal**: equal SHA-256 of the float32 pixels, turned or mirrored in any of the eight ways.
* **Nearly equal**: each image has a nearest image in the other set, by the correlation of means over 16 x 16 blocks,
  turned or mirrored in any way. Brightness and sky are fitted. If the difference of both has no larger variance in
  blocks than in pixels, it is noise, and both show one lens, in other exposures, bands or realisations of the noise.

Different lenses may look that much alike by chance, the more so, the more images there are. The expected number of such
pairs follows from the other nearest images, whose number within a distance grows as a power of the distance.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from oddlens.statistics.registration import registered, spectra

BLOCKS = 16
"""The number of blocks along an axis."""
CHUNK = 1024
"""Images of each set that are compared at once, which bounds the memory."""
NOISE_SIGMA = 3.0
"""A difference is noise if its variance in blocks exceeds that in pixels by no more standard deviations."""
MAX_CHANCE = 0.01
"""The expected number of pairs that are as much alike by chance, below which a pair is a duplicate."""
ALIKE, ALIKE_SHARE, ALIKE_COUNT = 1e-3, 0.01, 3
"""If this part of the images, and so many, correlate with their nearest image by 1 less `ALIKE`, they are copies."""
MAX_DISTANCE, MIN_DISTANCE = 0.05, 1e-6
"""Copies are not further apart than this. Smaller distances are rounding errors."""
LAW, LAW_IMAGES, MAX_POWER = (0.01, 0.2), 20, 6
"""The number of images within a distance is measured between these quantiles, from at least so many images. It grows as
a power of the distance, which is taken to be no larger than this."""


_Known = tuple[np.ndarray, np.ndarray]


def symmetric_versions(images: np.ndarray) -> Iterator[np.ndarray]:
    """Images [n, p, p], turned and mirrored in the eight ways of a square: views."""
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


# --- equal images ----------------------------------------------------------------------------------------------------


def digests(images: np.ndarray) -> np.ndarray:
    """A text for each image [n, p, p] that is equal for images with equal pixels, also if turned or mirrored."""
    clean = np.asarray(images, np.float32) + np.float32(0)  # -0 becomes 0
    clean[np.isnan(clean)] = np.nan  # one kind of NaN
    versions = [np.ascontiguousarray(version) for version in symmetric_versions(clean)]
    return np.array([min(_sha256(version[k]) for version in versions) for k in range(len(clean))], "S64")


def _sha256(image: np.ndarray) -> str:
    return hashlib.sha256(image.data).hexdigest()


def equal_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The pairs of equal values of [n] and [m], as numbers [pairs, 2]: for each in `first` one in `second`."""
    values, numbers = np.unique(second, return_index=True)
    if not len(values):
        return np.empty((0, 2), np.int64)
    place = np.minimum(np.searchsorted(values, first), len(values) - 1)
    found = np.flatnonzero(values[place] == first)
    return np.stack([found, numbers[place[found]]], axis=1)


# --- nearly equal images ---------------------------------------------------------------------------------------------


def block_means(images: np.ndarray) -> np.ndarray:
    """Means of images [n, p, p] over 16 x 16 blocks, or all pixels of smaller ones: [n, 256]. NaN counts as 0."""
    edges, means = _edges(images.shape[1]), np.nan_to_num(np.asarray(images, np.float32), posinf=0, neginf=0)
    for axis in (1, 2):
        means = np.add.reduceat(means, edges[:-1], axis=axis)
    return means.reshape(len(images), -1) / _sizes(images.shape[1])


def _edges(pixels: int) -> np.ndarray:
    """The first pixel of each block along an axis, and the number of pixels."""
    return np.rint(np.linspace(0, pixels, min(BLOCKS, pixels) + 1)).astype(np.int64)


def _sizes(pixels: int) -> np.ndarray:
    """The number of pixels of each block, [blocks]."""
    sides = np.diff(_edges(pixels)).astype(np.float32)
    return np.outer(sides, sides).ravel()


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Rows [n, m] with the mean 0 and the length 1; rows of equal values are 0."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


@dataclass(frozen=True)
class Nearest:
    """The nearest image in another set of each of n images, in their order."""

    number: np.ndarray
    """The number of the nearest image, [n]."""
    distance: np.ndarray
    """1 less the correlation of the block means, [n]."""
    excess: np.ndarray
    """The variance of the difference in blocks, in units of that in pixels: 1 for noise, [n]."""
    excess_error: np.ndarray
    """The standard deviation of the excess of noise, [n]."""

    @property
    def is_noise(self) -> np.ndarray:
        """Whether the difference of an image and its nearest image is noise, [n]."""
        is_noise = self.excess <= 1 + NOISE_SIGMA * self.excess_error
        return (self.distance < MIN_DISTANCE) | (is_noise & (self.distance < MAX_DISTANCE))

    @property
    def structure(self) -> np.ndarray:
        """The largest part of the distance that need not be noise, [n]."""
        part = np.maximum(self.excess - 1, 0) + NOISE_SIGMA * self.excess_error
        return self.distance * np.minimum(part / np.maximum(self.excess, 1), 1)

    @property
    def chance(self) -> np.ndarray:
        """The number of images expected to have a nearest image that is as near by chance, [n]."""
        known = self.structure > 0
        told_apart = known & ~self.is_noise  # for noise alone, there are none
        distances = np.sort(self.structure[told_apart if told_apart.sum() >= LAW_IMAGES else known])
        if len(distances) < LAW_IMAGES:
            return np.full(len(self.number), np.inf)
        low, high = (int(q * len(distances)) for q in LAW)
        power = (np.log(high + 1) - np.log(low + 1)) / max(np.log(distances[high] / distances[low]), 1e-9)
        power = min(power, MAX_POWER)
        with np.errstate(divide="ignore"):
            log = np.log(high + 1) + power * np.log(self.structure / distances[high])
        return np.exp(np.minimum(log, np.log(len(self.number) + 1)))

    @property
    def duplicates(self) -> np.ndarray:
        """The images whose nearest image shows the same lens, by number, the nearest first."""
        alike = self.is_noise & (self.distance < ALIKE)
        many = alike.sum() >= max(ALIKE_COUNT, ALIKE_SHARE * len(alike))
        found = self.is_noise & (self.chance < MAX_CHANCE) | (alike if many else False)
        return np.flatnonzero(found)[np.argsort(self.distance[found], kind="stable")]


def nearest_images(
    first: np.ndarray,
    second: np.ndarray,
    *,
    lens_first: np.ndarray | None = None,
    lens_second: np.ndarray | None = None,
    shifted: bool = False,
    noise_factor: float = 1.0,
) -> Nearest:
    """The nearest image in `second` [m, p, p] of each image in `first` [n, p, p].

    Args:
        first: images; float32 maps of files will do.
        second: images of the same size.
        lens_first: a number for each image [n]; pairs with equal numbers are known, and are not compared.
        lens_second: the same for `second`, [m].
        shifted: whether images are compared after a shift, as after other cuts from one frame.
        noise_factor: the variance of noise in blocks, in units of that in second differences of pixels; not 1 for
            correlated noise.
    """
    features = spectra if shifted else block_means
    rows = np.concatenate([_standardised(features(part)) for part in _chunks(second)])
    known = None if lens_first is None or lens_second is None else (lens_first, lens_second)
    parts = []
    for start in range(0, len(first), CHUNK):
        images = np.asarray(first[start : start + CHUNK])
        known_here = known and (known[0][start : start + CHUNK], known[1])
        number, symmetry = _search(images, features, rows, known_here)
        other = np.asarray(second[np.sort(number)])[_ranks(number)]  # files are read in order
        symmetries = [symmetry, (symmetry + 4) % 8] if shifted else [symmetry]  # waves do not tell a half turn
        tried = [_differences(images, other, each, shifted) for each in symmetries]
        distance, excess, error = np.where(tried[0][0] <= tried[-1][0], tried[0], tried[-1])
        parts.append((number, distance, excess / noise_factor, error))
    return Nearest(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _differences(
    images: np.ndarray, other: np.ndarray, symmetry: np.ndarray, shifted: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance, excess and its error of images [n, p, p] in their symmetries [n] and others [n, p, p]."""
    versions = list(symmetric_versions(images))
    own = np.stack([versions[s][k] for k, s in enumerate(symmetry)])
    if shifted:
        own, other = registered(own, other)
    correlation = np.sum(_standardised(block_means(own)) * _standardised(block_means(other)), axis=1)
    return np.clip(1 - correlation, 0, 2), *_excess(own, other)


def _chunks(images: np.ndarray) -> Iterator[np.ndarray]:
    return (np.asarray(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK))


def _ranks(numbers: np.ndarray) -> np.ndarray:
    """The position of each number among the sorted ones."""
    return np.argsort(np.argsort(numbers, kind="stable"), kind="stable")


def _search(
    images: np.ndarray, features: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, known: _Known | None
) -> tuple[np.ndarray, np.ndarray]:
    """For each image [n, p, p] the nearest of the standardised features `rows` [m, k]: its number, and the symmetry."""
    best = np.full(len(images), -np.inf, np.float32)
    number, symmetry = np.zeros(len(images), np.int64), np.zeros(len(images), np.int64)
    for s, version in enumerate(symmetric_versions(images)):
        own = _standardised(features(version))
        for start in range(0, len(rows), 4 * CHUNK):
            correlation = own @ rows[start : start + 4 * CHUNK].T  # [n, m]
            if known:
                correlation[known[0][:, None] == known[1][None, start : start + 4 * CHUNK]] = -1
            at = correlation.argmax(axis=1)
            value = correlation[np.arange(len(own)), at]
            better = value > best
            best[better], number[better], symmetry[better] = value[better], start + at[better], s
    return number, symmetry


def _excess(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`Nearest.excess` of the differences of images [n, p, p] and others [n, p, p], and its standard deviation, [n]."""
    pixels = first.shape[1]
    a, b = (np.nan_to_num(np.asarray(i, np.float64), posinf=0, neginf=0).reshape(len(i), -1) for i in (first, second))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    power = np.sum(b * b, axis=1, keepdims=True)
    residual = a - np.divide(np.sum(a * b, axis=1, keepdims=True), power, out=np.zeros_like(power), where=power > 0) * b
    blocks = block_means(residual.reshape(first.shape)) ** 2 * _sizes(pixels)  # [n, 256]
    fine = residual.reshape(first.shape)
    for axis in (1, 2):
        before, middle, after = (np.moveaxis(fine, axis, 0)[k : pixels - 2 + k] for k in range(3))
        fine = np.moveaxis(before - 2 * middle + after, 0, axis)
    of_pixels = np.mean(fine**2, axis=(1, 2)) / 36  # 36 is the sum of the squared weights
    of_blocks = blocks.mean(axis=1, dtype=np.float64)
    excess = np.divide(of_blocks, of_pixels, out=np.where(of_blocks > 0, np.inf, 1.0), where=of_pixels > 0)
    squares = np.sum(blocks.astype(np.float64) ** 2, axis=1)
    number = np.divide(3 * blocks.sum(axis=1, dtype=np.float64) ** 2, squares, out=np.ones(len(a)), where=squares > 0)
    return excess, np.sqrt(2 / np.clip(number, 1, blocks.shape[1]))
