"""Training sets: which images of the pools a model is trained on. A pure function of names and seeds.

A training set has n images, of which a fraction p = n_anomalous / n is anomalous. For one seed the sets are nested:
the anomalies at 1 % are among those at 5 %, and the smooth images at 5 % are among those at 1 %. The training set
`labelled` of upper bounds has all contaminants, and as many smooth images.

Rows that use fewer labels get them by the column `known`, which numbers labelled images of each class from 1: a row
with n labels of a class gets the first n. Labelled anomalies are in no training set without labels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.data.training_sets import LABELLED, MIXED, parse_training_set
from oddlens.files.artefacts import read_table, write_table

IDENTITY = ["pool", "class", "index"]
"""The columns that name an image of a data set."""
LENS = "lens"
"""The column that numbers the objects of the user's own images. Images with equal numbers show the same lens; simulated
images do so if their `index` is equal."""
KNOWN = "known"
"""The column that numbers labelled images of each class; 0 is not labelled."""
_Image = tuple[str, str, int]
"""An image by its `IDENTITY`."""


def split(
    training_sets: Sequence[str],
    *,
    seed: int,
    replica: int,
    dataset: str,
    images: int,
    smooth: str,
    train: Sequence[int],
    contaminants: Mapping[str, Sequence[int]],
    known: Mapping[str, int],
) -> pd.DataFrame:
    """The training sets of one replica.

    Args:
        training_sets: names such as `none-0`, `cdm-0.05`, `mixed-0.2`.
        seed: the master seed.
        replica: the seed of the replica.
        dataset: the name of the data set.
        images: the size of every set.
        smooth: the class of the training pool.
        train: the indices of the images in the training pool.
        contaminants: the indices of the images of each anomaly class in the contaminant pool.
        known: the number of labelled images of each class; they are the last of its pool.

    Returns:
        A row for each image in use: its `IDENTITY`, a column of 0 and 1 for each training set, and `KNOWN`.

    Raises:
        ValueError: if a pool is too small, or a training set contains labelled anomalies.
    """

    def shuffled(pool: str, cls: str, indices: Sequence[int]) -> list[_Image]:
        order = stream(seed, "split", dataset, replica, pool, cls).permutation(len(indices))
        return [(pool, cls, int(indices[k])) for k in order]

    normal = shuffled("train", smooth, train)
    anomalies = {cls: shuffled("contaminant", cls, indices) for cls, indices in contaminants.items()}
    pools = {smooth: normal, **anomalies}
    labels = {image: n for cls, count in known.items() for n, image in enumerate(pools[cls][::-1][:count], 1)}
    # The classes in turn, so that any first part of the mixture is balanced.
    anomalies[LABELLED] = anomalies[MIXED] = [
        image for turn in zip(*anomalies.values(), strict=False) for image in turn
    ]
    members = {}
    for training_set in training_sets:
        contaminant, fraction = parse_training_set(training_set)
        size = 2 * min(len(anomalies[MIXED]), len(normal)) if contaminant == LABELLED else images
        count = round(fraction * size)
        contaminated = anomalies[contaminant] if count else []
        if count > len(contaminated) or size - count > len(normal):
            raise ValueError(
                f"{dataset} {training_set}: {size} images cannot be sampled from {len(normal)} + {len(contaminated)}"
            )
        members[training_set] = set(normal[: size - count] + contaminated[:count])
        if contaminant != LABELLED and (both := set(contaminated[:count]) & set(labels)):
            raise ValueError(f"{dataset} {training_set}: {len(both)} of its anomalies are labelled: enlarge the pool")
    return _table(members, labels)


def _table(members: Mapping[str, set[_Image]], labels: Mapping[_Image, int]) -> pd.DataFrame:
    used = sorted(set().union(*members.values(), labels))
    table = pd.DataFrame(used, columns=IDENTITY)
    for training_set, images in members.items():
        table[training_set] = np.fromiter((image in images for image in used), dtype=np.int8, count=len(used))
    table[KNOWN] = np.fromiter((labels.get(image, 0) for image in used), dtype=np.int64, count=len(used))
    return table


def labelled_images(table: pd.DataFrame, labels: Mapping[str, int]) -> pd.DataFrame:
    """The images whose labels a row gets, by `IDENTITY`.

    Args:
        table: the training sets of a replica.
        labels: the number of labels of each class that the row gets.
    """
    return table.loc[table[KNOWN].between(1, table["class"].map(labels).fillna(0)), IDENTITY]


def rows_of(table: pd.DataFrame, images: pd.DataFrame) -> np.ndarray:
    """The row numbers [n] of images in a table, by `IDENTITY`."""
    position = pd.Series(np.arange(len(table)), index=pd.MultiIndex.from_frame(table[IDENTITY]))
    return position[list(images[IDENTITY].itertuples(index=False, name=None))].to_numpy()


def write(path: str, table: pd.DataFrame, **about) -> None:
    """Write the training sets of one replica."""
    write_table(path, table, kind="splits", **about)


def read(path: str) -> pd.DataFrame:
    """Read and verify the training sets of one replica.

    Raises:
        DamagedFile: if the file is altered, or holds something else.
    """
    return read_table(path, "splits")[0]
