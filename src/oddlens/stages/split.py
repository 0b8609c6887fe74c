"""Draw the training sets of one replica of a data set."""

from collections.abc import Mapping, Sequence

from oddlens.data import splits


def split(
    path: str,
    training_sets: Sequence[str],
    *,
    dataset: str,
    seed: int,
    replica: int,
    images: int,
    smooth: str,
    train: int,
    contaminants: Mapping[str, int],
    known: Mapping[str, int],
) -> None:
    """Write the table of the training sets of one replica; see `oddlens.data.splits.split`."""
    table = splits.split(
        training_sets,
        seed=seed,
        replica=replica,
        dataset=dataset,
        images=images,
        smooth=smooth,
        train=train,
        contaminants=contaminants,
        known=known,
    )
    splits.write(path, table, dataset=dataset, seed=replica)
