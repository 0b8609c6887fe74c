"""Leaks of a data set: images that are in two pools, and facts beside the pixels that tell classes or pools apart.

* `duplicates`: images of one pool that are in another, too, and equal images of two classes.
* `container`: facts of files, such as their type, that tell classes apart, or training from test images.
* `pixels`: trivial statistics of the pixels that do.
* `provenance`: columns that the user named as a nuisance.

A leak ends a strict study. A warning is reported: what it names may be a property of the classes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.statistics import duplicates, separation
from oddlens.statistics.separation import Separation

LEAK, WARNING, NONE = "leak", "warning", "none"
MODIFIED = "container/modified"
"""The time of files. It tells the order in which images were made, so pools are not compared by it."""
HARMLESS = ("container/bytes", MODIFIED)
"""Facts of files that only warn: the size of compressed ones follows their content."""
OVERLAPS = [("train", "test"), ("contaminant", "test"), ("validation", "test"), ("train", "validation")]
"""Pools that must not share lenses."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    kind: str
    check: str
    compared: str
    """The pools or classes that are compared."""
    severity: str = NONE
    count: int = 0
    """Pairs of images."""
    separation: Separation | None = None
    example: str = ""
    """The files of the first pair, or typical values of both groups."""
    remedy: str = ""


@dataclass(frozen=True)
class PoolImages:
    """The images of a pool, of all classes."""

    table: pd.DataFrame
    """Per image: `class`, `file`, `lens`, further columns, and `container/...`."""
    images: np.ndarray
    """[n, pixels, pixels]."""
    digests: np.ndarray
    """Of the pixels, [n]."""
    statistics: pd.DataFrame
    """Trivial statistics of the pixels of each image, as `pixels/...`."""

    def of(self, chosen: np.ndarray) -> pd.DataFrame:
        """The table of some images."""
        return self.table[chosen]

    def is_class(self, cls: str) -> np.ndarray:
        """Which images belong to a class, [n]."""
        return (self.table["class"] == cls).to_numpy()


# --- duplicates ------------------------------------------------------------------------------------------------------


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
        for cls in _odd_classes(tested, smooth):
            yield from _classes(tested, smooth, cls, noise_factor)


def _overlaps(a: PoolImages, b: PoolImages, compared: str, noise_factor: float, remedy: str) -> Iterator[Finding]:
    equal = duplicates.equal_pairs(b.digests, a.digests)[:, ::-1]
    yield _pairs("equal pixels", compared, a, b, equal, LEAK, remedy)
    lens_a, lens_b = a.table["lens"].to_numpy(), b.table["lens"].to_numpy()
    lenses = duplicates.equal_pairs(lens_b, lens_a)[:, ::-1]
    together = f"images of one object belong to one pool: {remedy}, or split by object"
    yield _pairs("same object", compared, a, b, lenses, LEAK, together)
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


# --- what tells groups apart -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Groups:
    """Two groups of images that should be alike."""

    compared: str
    first: tuple[PoolImages, np.ndarray]
    second: tuple[PoolImages, np.ndarray]
    of_classes: bool
    """Whether they are two classes of the test pool; if not, they are two pools."""

    def columns(self, name: str) -> tuple[pd.Series, pd.Series] | None:
        """A column of the table or the statistics of both groups; None if one lacks it."""
        found = []
        for pool, chosen in (self.first, self.second):
            source = pool.statistics if name in pool.statistics else pool.table
            if name not in source:
                return None
            found.append(source[name][chosen])
        return found[0], found[1]

    @property
    def lenses(self) -> tuple[np.ndarray, np.ndarray]:
        """The lens of each image of both groups."""
        first, second = (pool.table["lens"][chosen].to_numpy() for pool, chosen in (self.first, self.second))
        return first, second


def separation_findings(pools: Mapping[str, PoolImages], smooth: str, nuisance: Sequence[str]) -> list[Finding]:
    """Numbers and categories beside the content of images that tell classes, or training from test images, apart.

    Args:
        pools: by name.
        smooth: the normal class.
        nuisance: columns that the user named.
    """
    findings: list[tuple[Finding, str, str]] = []
    for groups in _groups(pools, smooth):
        pool, _ = groups.first
        facts = [name for name in map(str, pool.table) if name.startswith("container/")]
        findings += _compared(groups, "container", facts if groups.of_classes else [f for f in facts if f != MODIFIED])
        findings += _compared(groups, "pixels", map(str, pool.statistics))
        if groups.of_classes:
            findings += _compared(groups, "provenance", nuisance)
    limit = separation.threshold(sum(f.separation is not None and f.separation.z > 0 for f, *_ in findings))
    return [_judged(finding, limit, severity, remedy) for finding, severity, remedy in findings]


def _groups(pools: Mapping[str, PoolImages], smooth: str) -> Iterator[_Groups]:
    tested, trained = pools.get("test"), pools.get("train")
    if tested is None:
        return
    normal = tested.is_class(smooth)
    for cls in _odd_classes(tested, smooth):
        odd = tested.is_class(cls)
        yield _Groups(f"test {smooth} and test {cls}", (tested, normal), (tested, odd), of_classes=True)
    if trained is not None:
        other = smooth if normal.any() else UNLABELLED
        chosen = tested.is_class(other)
        if chosen.any():
            every = np.ones(len(trained.table), bool)
            yield _Groups(f"train and test {other}", (trained, every), (tested, chosen), of_classes=False)


def _odd_classes(tested: PoolImages, smooth: str) -> list[str]:
    """The anomaly classes of test images, if there are normal ones, too."""
    classes = list(dict.fromkeys(tested.table["class"]))
    return [cls for cls in classes if cls not in (smooth, UNLABELLED)] if smooth in classes else []


REMEDIES = {
    "container": "convert all files alike before they get their labels (docs/leaks.md)",
    "pixels": "detectors may use it instead of dark matter: compare their AUCs with its AUC (docs/leaks.md)",
    "provenance": "choose test images so that it is alike, or split by it (docs/leaks.md)",
}


def _compared(groups: _Groups, kind: str, names: Iterable[str]) -> Iterator[tuple[Finding, str, str]]:
    """What separates two groups, with the severity and the remedy if it is significant."""
    for name in names:
        if (columns := groups.columns(name)) is None:
            continue
        first, second = columns
        numeric = pd.api.types.is_numeric_dtype(first) and pd.api.types.is_numeric_dtype(second)
        lenses = groups.lenses
        if numeric:
            means = (separation.lens_means(c.to_numpy(float), lens) for c, lens in zip(columns, lenses, strict=True))
            found, example = separation.of_numbers(*means), f"medians {first.median():.4g} and {second.median():.4g}"
        else:
            texts = [c.astype(str).to_numpy() for c in columns]
            kept = [text[separation.first_of_lens(lens)] for text, lens in zip(texts, lenses, strict=True)]
            found, example = separation.of_categories(*kept), f"mostly {_commonest(first)} and {_commonest(second)}"
        severity = LEAK if kind == "container" and name not in HARMLESS else WARNING
        yield Finding(kind, name.rpartition("/")[2], groups.compared, separation=found, example=example), severity, REMEDIES[kind]


def _commonest(column: pd.Series) -> str:
    counts = column.astype(str).value_counts()
    return f"{counts.index[0] or 'none'} ({counts.iloc[0] / counts.sum():.0%})"


def _judged(finding: Finding, limit: float, severity: str, remedy: str) -> Finding:
    significant = finding.separation is not None and finding.separation.z > limit
    return replace(finding, severity=severity, remedy=remedy) if significant else replace(finding, example="")
