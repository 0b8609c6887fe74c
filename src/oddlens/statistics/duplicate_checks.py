"""Leaks of kind `duplicates`: images of one pool that are in another, and equal images of two classes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from oddlens.data.severity import LEAK, WARNING
from oddlens.statistics import duplicates
from oddlens.statistics.leak_findings import Finding, PoolImages, odd_classes

OVERLAPS = [("train", "test"), ("contaminant", "test"), ("validation", "test"), ("train", "validation")]
"""Pools that must not share lenses."""


def duplicate_findings(pools: Mapping[str, PoolImages], smooth: str, noise_factor: float) -> Iterator[Finding]:
    """Images of one pool in another, and of one test class in another.

    Args:
        pools: by name.
        smooth: the normal class.
        noise_factor: see `duplicates.nearest_images`.
    """
    for first, second in OVERLAPS:
        if first in pools and second in pools:
            a, b = pools[first], pools[second]
            yield from _overlaps(a, b, f"{first} and {second}", noise_factor, f"take them out of {first} or {second}")
    if "train" in pools and "contaminant" in pools:
        a, b = pools["train"], pools["contaminant"]
        pairs = duplicates.equal_pairs(b.digests, a.digests)[:, ::-1]
        remedy = "known anomalies are in the training pool: take them out of it"
        yield _pairs("equal pixels", "train and contaminant", a, b, pairs, LEAK, remedy)
    tested = pools.get("test")
    if tested is not None:
        for cls in odd_classes(tested, smooth):
            yield from _classes(tested, smooth, cls, noise_factor)


def _overlaps(a: PoolImages, b: PoolImages, compared: str, noise_factor: float, remedy: str) -> Iterator[Finding]:
    equal = duplicates.equal_pairs(b.digests, a.digests)[:, ::-1]
    yield _pairs("equal pixels", compared, a, b, equal, LEAK, remedy)
    lens_a, lens_b = a.table["lens"].to_numpy(), b.table["lens"].to_numpy()
    lenses = duplicates.equal_pairs(lens_b, lens_a)[:, ::-1]
    together = f"images of one object belong to one pool: {remedy}, or split by object"
    yield _pairs("the same object", compared, a, b, lenses, LEAK, together)
    yield from _near(
        a, b, compared, noise_factor, LEAK, f"they seem to show the same lenses: {remedy}, or name objects"
    )


def _near(
    a: PoolImages, b: PoolImages, compared: str, noise_factor: float, severity: str, remedy: str
) -> Iterator[Finding]:
    """Images that differ by no more than their noise, also after a shift. Equal and known pairs are left out."""
    lens_a, lens_b = (pool.table["lens"].to_numpy() for pool in (a, b))
    found: list[np.ndarray] = []
    for shifted in (False, True):
        nearest = duplicates.nearest_images(
            b.images, a.images, lens_first=lens_b, lens_second=lens_a, shifted=shifted, noise_factor=noise_factor
        )
        found.append(np.stack([nearest.number[nearest.duplicates], nearest.duplicates], axis=1))
    pairs = np.concatenate(found)
    pairs = pairs[np.sort(np.unique(pairs[:, 1], return_index=True)[1])]  # one for each image of b, the nearest first
    pairs = pairs[a.digests[pairs[:, 0]] != b.digests[pairs[:, 1]]]
    yield _pairs("nearly equal pixels", compared, a, b, pairs, severity, remedy)


def _classes(tested: PoolImages, smooth: str, cls: str, noise_factor: float) -> Iterator[Finding]:
    """Images of the normal class that an anomaly class has, too."""
    a, b = (_taken(tested, tested.is_class(name)) for name in (smooth, cls))
    compared = f"test {smooth} and test {cls}"
    equal = duplicates.equal_pairs(b.digests, a.digests)[:, ::-1]
    yield _pairs("equal pixels", compared, a, b, equal, LEAK, "they have two labels: keep one")
    twins = "if both classes show the same lenses, give them the same object, so that intervals are paired"
    yield from _near(a, b, compared, noise_factor, WARNING, twins)


def _taken(pool: PoolImages, chosen: np.ndarray) -> PoolImages:
    return PoolImages(
        pool.table[chosen].reset_index(drop=True), pool.images[chosen], pool.digests[chosen], pool.statistics[chosen]
    )


def _pairs(
    check: str, compared: str, a: PoolImages, b: PoolImages, pairs: np.ndarray, severity: str, remedy: str
) -> Finding:
    finding = Finding("duplicates", check, compared, count=len(pairs))
    if not len(pairs):
        return finding
    first, second = (pool.table["file"].iloc[k] for pool, k in zip((a, b), pairs[0], strict=True))
    return replace(finding, severity=severity, example=f"{first} and {second}", remedy=remedy)
