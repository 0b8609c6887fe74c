"""Leaks of kinds `container`, `pixels` and `provenance`: what tells classes, or training from test images, apart.

Each fact is judged alone. A deviation is significant if it is rarer than 3 sigma among all checks of the data set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.data.severity import LEAK, NONE, WARNING
from oddlens.statistics import separation
from oddlens.statistics.leak_findings import Finding, PoolImages, odd_classes

MODIFIED = "container/modified"
"""The time of files. It tells the order in which images were made, so pools are not compared by it."""
HARMLESS = ("container/bytes", MODIFIED)
"""Facts of files that only warn: the size of compressed ones follows their content."""


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
    findings: list[Finding] = []
    for groups in _groups(pools, smooth):
        pool, _ = groups.first
        facts = [name for name in map(str, pool.table) if name.startswith("container/")]
        findings += _compared(groups, "container", facts if groups.of_classes else [f for f in facts if f != MODIFIED])
        findings += _compared(groups, "pixels", map(str, pool.statistics))
        if groups.of_classes:
            findings += _compared(groups, "provenance", nuisance)
    limit = separation.threshold(sum(_significance(finding) > 0 for finding in findings))
    return [f if _significance(f) > limit else replace(f, severity=NONE, example="", remedy="") for f in findings]


def _significance(finding: Finding) -> float:
    return finding.separation.z if finding.separation else 0.0


def _groups(pools: Mapping[str, PoolImages], smooth: str) -> Iterator[_Groups]:
    tested, trained = pools.get("test"), pools.get("train")
    if tested is None:
        return
    normal = tested.is_class(smooth)
    for cls in odd_classes(tested, smooth):
        odd = tested.is_class(cls)
        yield _Groups(f"test {smooth} and test {cls}", (tested, normal), (tested, odd), of_classes=True)
    if trained is not None:
        other = smooth if normal.any() else UNLABELLED
        chosen = tested.is_class(other)
        if chosen.any():
            every = np.ones(len(trained.table), bool)
            yield _Groups(f"train and test {other}", (trained, every), (tested, chosen), of_classes=False)


REMEDIES = {
    "container": "convert all files alike before they get their labels (docs/leaks.md)",
    "pixels": "detectors may use it instead of dark matter: compare their AUCs with its AUC (docs/leaks.md)",
    "provenance": "choose test images so that it is alike, or split by it (docs/leaks.md)",
}


def _compared(groups: _Groups, kind: str, names: Iterable[str]) -> Iterator[Finding]:
    """How well each column separates two groups."""
    for name in names:
        if (columns := groups.columns(name)) is None:
            continue
        first, second = columns
        numeric = pd.api.types.is_numeric_dtype(first) and pd.api.types.is_numeric_dtype(second)
        lenses = groups.lenses
        if numeric:
            means = (separation.lens_means(c.to_numpy(float), lens) for c, lens in zip(columns, lenses, strict=True))
            found, example = separation.of_numbers(*means), _medians(name, first.median(), second.median())
        else:
            texts = [c.astype(str).to_numpy() for c in columns]
            kept = [text[separation.first_of_lens(lens)] for text, lens in zip(texts, lenses, strict=True)]
            found, example = separation.of_categories(*kept), f"{_commonest(first)} and {_commonest(second)}"
        severity = LEAK if kind == "container" and name not in HARMLESS else WARNING
        check = name.rpartition("/")[2]
        yield Finding(kind, check, groups.compared, severity, 0, found, example, REMEDIES[kind])


def _medians(name: str, *medians: float) -> str:
    """Two medians as text; times as dates."""
    if name == MODIFIED:
        return "{:%Y-%m-%d %H:%M} and {:%Y-%m-%d %H:%M}".format(*pd.to_datetime(medians, unit="s"))
    return "medians {:.4g} and {:.4g}".format(*medians)


def _commonest(column: pd.Series) -> str:
    counts = column.astype(str).value_counts()
    return f"{counts.index[0] or 'none'} ({counts.iloc[0] / counts.sum():.0%})"
