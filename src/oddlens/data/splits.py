"""Which images a detector is trained on: pools, a contaminant, a fraction and a seed to image ids. A pure function.

A training set has a fixed size n; a fraction p of it is anomalous, p = n_anomalous / n. For one seed the sets are
nested: the anomalies at 1 % are among those at 5 %, and the normal images at 5 % are among those at 1 %.
For the supervised ceiling there is one set more, `labelled`: all contaminants, and as many normal images.
For those who are told fewer labels the column `known` numbers images of each class from 1: who is told n of a class is
told the first n. Odd ones are in no set without labels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.data.training_sets import LABELLED, MIXED, parse_training_set
from oddlens.files.artefacts import read_table, write_table

IDENTITY = ["pool", "class", "index"]
"""The columns that name an image of a data set."""
KNOWN = "known"
"""The column that numbers images whose label is told."""


def split(
    training_sets: Sequence[str],
    *,
    seed: int,
    replica: int,
    dataset: str,
    images: int,
    smooth: str,
    train: int,
    contaminants: Mapping[str, int],
    known: Mapping[str, int],
) -> pd.DataFrame:
    """The training sets of one replica (a study's seed): a row for each image in use, a column of 0/1 for each training_set.

    Args:
        training_sets: names such as `none-0`, `cdm-0.05`, `mixed-0.2`.
        seed: the master seed.
        images: the size of every set.
        smooth: the class of the training pool.
        train: how many images the training pool has.
        contaminants: how many images the contaminant pool has of each anomaly class.
        known: of how many images of each class the label is told; they are the last of its pool.
    """

    def shuffled(pool: str, cls: str, count: int) -> list[tuple[str, str, int]]:
        order = stream(seed, "split", dataset, replica, pool, cls).permutation(count)
        return [(pool, cls, int(index)) for index in order]

    normal = shuffled("train", smooth, train)
    odd = {cls: shuffled("contaminant", cls, count) for cls, count in contaminants.items()}
    pools = {smooth: normal, **odd}
    told = {image: n for cls, count in known.items() for n, image in enumerate(pools[cls][::-1][:count], 1)}
    # Class by class in turn, so that any leading part of the mixture is balanced.
    odd[LABELLED] = odd[MIXED] = [image for turn in zip(*odd.values(), strict=False) for image in turn]
    members = {}
    for training_set in training_sets:
        contaminant, fraction = parse_training_set(training_set)
        size = 2 * min(len(odd[MIXED]), len(normal)) if contaminant == LABELLED else images
        count = round(fraction * size)
        pool = odd[contaminant] if count else []
        if count > len(pool) or size - count > len(normal):
            raise ValueError(
                f"{dataset} {training_set}: {size} images cannot be drawn from {len(normal)} + {len(pool)}"
            )
        members[training_set] = set(normal[: size - count] + pool[:count])
        if contaminant != LABELLED and (both := set(pool[:count]) & set(told)):
            raise ValueError(
                f"{dataset} {training_set}: {len(both)} of its odd images are known to be odd: enlarge the pool"
            )
    used = sorted(set().union(*members.values(), told))
    table = pd.DataFrame(used, columns=IDENTITY)
    for training_set in training_sets:
        table[training_set] = np.fromiter(
            (image in members[training_set] for image in used), dtype=np.int8, count=len(used)
        )
    table[KNOWN] = np.fromiter((told.get(image, 0) for image in used), dtype=np.int64, count=len(used))
    return table


def told(table: pd.DataFrame, labels: Mapping[str, int]) -> pd.DataFrame:
    """The images, by `IDENTITY`, whose label is told to one who is told so many of each class."""
    return table.loc[table[KNOWN].between(1, table["class"].map(labels).fillna(0)), IDENTITY]


def write(path: str, table: pd.DataFrame, **about) -> None:
    """Write the splits of one replica."""
    write_table(path, table, kind="splits", **about)


def read(path: str) -> pd.DataFrame:
    """Read and verify the splits of one replica.

    Raises:
        DamagedFile: if the file is altered or holds something else.
    """
    return read_table(path, "splits")[0]
