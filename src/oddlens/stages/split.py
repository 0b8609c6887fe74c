"""Draw the training sets of one replica of a data set."""

from collections.abc import Mapping, Sequence

from oddlens.data import shards, splits
from oddlens.files.artefacts import read_table
from oddlens.results.tables.refused_leaks import refuse


def split(
    path: str,
    training_sets: Sequence[str],
    *,
    dataset: str,
    seed: int,
    replica: int,
    images: int | None,
    smooth: str,
    train: int,
    contaminants: Mapping[str, int],
    known: Mapping[str, int],
    shard_paths: Sequence[str] = (),
    leaks: str | None = None,
) -> None:
    """Write the table of the training sets of one replica; see `oddlens.data.splits.split`.

    Args:
        images: the size of every set; None for all training images.
        train: the number of images in the training pool.
        contaminants: the number of images of each class in the contaminant pool.
        shard_paths: the shards of both pools, if images are missing in them.
        leaks: the table of the leaks of the data set, if it may have none.

    Raises:
        ValueError: if the data set has leaks.
    """
    if leaks:
        refuse(read_table(leaks, "leaks")[0])
    indices = {("train", smooth): range(train), **{("contaminant", c): range(n) for c, n in contaminants.items()}}
    present = _indices(shard_paths) if shard_paths else indices
    table = splits.split(
        training_sets,
        seed=seed,
        replica=replica,
        dataset=dataset,
        images=len(present["train", smooth]) if images is None else images,
        smooth=smooth,
        train=present["train", smooth],
        contaminants={cls: present["contaminant", cls] for cls in contaminants},
        known=known,
    )
    splits.write(path, table, dataset=dataset, seed=replica)


def _indices(paths: Sequence[str]) -> dict[tuple[str, str], list[int]]:
    """The indices of the images in some shards, by pool and class."""
    found: dict[tuple[str, str], list[int]] = {}
    for shard in map(shards.read, paths):
        found.setdefault((shard.attributes["pool"], shard.attributes["class"]), []).extend(shard.arrays["index"])
    return found
