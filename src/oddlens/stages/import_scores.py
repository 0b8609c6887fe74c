"""Import the scores that another program computed: its table and shards to the tables of a row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.data import shards, splits
from oddlens.data.pools import UNLABELLED
from oddlens.data.shards import Shard
from oddlens.files.artefacts import write_table
from oddlens.files.progress import say
from oddlens.results.tables.columns import INVERTED_AUC
from oddlens.results.tables.external_scores import Expected, read_external_scores
from oddlens.results.tables.score_files import model_columns
from oddlens.statistics import metrics
from oddlens.statistics.sample_quality import MEASURES

MODEL_COLUMNS = ["training_set", "seed"]
EMPTY = {
    "findings": [*splits.IDENTITY, *MODEL_COLUMNS],
    "pixels": [*MODEL_COLUMNS, "class", "pixel_auc", "pixel_auc_error", "images"],
    "samples": [*MODEL_COLUMNS, *MEASURES],
}
"""Tables that only our own models have, and their columns."""


def import_scores(
    outputs: Mapping[str, str | Path],
    *,
    table: str | Path,
    shard_paths: Sequence[str | Path],
    row: str,
    dataset: str,
    higher_is: str,
    claimed: Sequence[str],
    known: Sequence[str],
    training_sets: Sequence[str],
    seed: int,
    smooth: str,
) -> None:
    """Write the tables of a row as `oddlens.stages.score` does. All but the scores are empty.

    The table of scores lacks pseudo-anomalies and is marked as `partial`.

    Args:
        outputs: the paths of `scores`, `findings`, `pixels` and `samples`.
        table: see `oddlens.results.tables.external_scores`.
        shard_paths: the test and validation images.
        higher_is: `more_anomalous`, or `more_normal`, which changes the sign.
        claimed: the data sets of the row.
        known: the data sets of the study.
        training_sets: the training sets of the study.
        seed: that of lines without one.
        smooth: the normal class.
    """
    parts, decoys = [], set[str]()
    for shard in map(shards.read, shard_paths):
        parts.append(_images(shard))
        decoys |= {shard.variant.name} if shard.variant and shard.variant.decoy else set()
    images = pd.concat(parts, ignore_index=True)
    scores = read_external_scores(Path(table), Expected(images, dataset, claimed, known, training_sets, seed))
    columns = model_columns(scores)
    if higher_is == "more_normal":
        scores[columns] = -scores[columns]
    about = {"dataset": dataset, "detector": row}
    marks: dict[str, Any] = {"diverged": {}, "partial": True} | ({"decoys": sorted(decoys)} if decoys else {})
    write_table(outputs["scores"], scores, kind="scores", **about, **marks)
    for kind, names in EMPTY.items():
        write_table(outputs[kind], pd.DataFrame(columns=names), kind=kind, **about)
    say(f"{row} on {dataset}: {len(scores)} images, {len(columns)} models")
    judged = scores[~scores["class"].isin(decoys)]
    _say_if_inverted(judged, columns, smooth, f"{row} on {dataset}", higher_is)


def _images(shard: Shard) -> pd.DataFrame:
    """The identity of the images of a shard, and the lenses and files of the user's own images."""
    table, files = shard.table, shard.arrays.get("sheet/file")
    if files is None:
        return table[splits.IDENTITY]
    known = table[[*splits.IDENTITY, splits.LENS]].astype({splits.LENS: int})
    return known.assign(file=[file.decode() for file in files])


def _say_if_inverted(scores: pd.DataFrame, columns: Sequence[str], smooth: str, title: str, higher_is: str) -> None:
    test, cls = scores["pool"] == "test", scores["class"]
    normal, anomalous = scores[test & (cls == smooth)], scores[test & ~cls.isin([smooth, UNLABELLED])]
    if not len(normal) or not len(anomalous):
        return
    areas = [metrics.placements(normal[c].to_numpy(), anomalous[c].to_numpy())[0].mean() for c in columns]
    if (auc := float(np.mean(areas))) < INVERTED_AUC:
        other = "more_normal" if higher_is == "more_anomalous" else "more_anomalous"
        say(f"{title}: the AUC is {auc:.3f}. Does a higher score mean the opposite there? Then set higher_is: {other}")
