"""The pools of a data set: how many images each has of each class, and how they are divided into shards."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

POOLS = ("train", "contaminant", "validation", "test")
"""Training images; anomalies that may contaminate them; normal images for thresholds; images that are tested."""
UNLABELLED = "unlabelled"
"""The class of test images without a label. They are neither normal nor anomalous in any table."""


@dataclass(frozen=True)
class Pools:
    """Numbers of images.

    Args:
        counts: for each pool the number of images of each class. A class may have none.
        smooth: the normal class.
        per_shard: the largest number of images in one file.
        settings: the section of a data set that determines the numbers, for messages.
    """

    counts: Mapping[str, Mapping[str, int]]
    smooth: str
    per_shard: int
    settings: str

    def count(self, pool: str, cls: str) -> int:
        """The number of images of a class in a pool."""
        return self.counts[pool].get(cls, 0)

    def classes(self, pool: str) -> list[str]:
        """The classes of a pool that have images."""
        return [cls for cls, count in self.counts[pool].items() if count]

    def shards(self, pool: str, cls: str) -> range:
        """The numbers of the shards of a class in a pool."""
        return range(-(-self.count(pool, cls) // self.per_shard))

    def shard_range(self, pool: str, cls: str, shard: int) -> tuple[int, int]:
        """The index of the first image of a shard, and the number of its images."""
        first = shard * self.per_shard
        return first, min(self.per_shard, self.count(pool, cls) - first)

    @cached_property
    def anomalies(self) -> list[str]:
        """The anomaly classes of the contaminants and of the test images."""
        found = dict.fromkeys([*self.counts["contaminant"], *self.counts["test"]])
        return [cls for cls in found if cls not in (self.smooth, UNLABELLED)]

    @property
    def contaminants(self) -> dict[str, int]:
        """The number of images of each anomaly class that may contaminate training sets."""
        return {cls: count for cls, count in self.counts["contaminant"].items() if count}

    @property
    def as_given(self) -> bool:
        """Whether these are the user's own images without known anomalies: all are one training set."""
        return self.settings == "files" and not self.contaminants
