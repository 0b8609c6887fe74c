"""Data sets of the user's own images: what was read, the most anomalous images, and the agreement about them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.data.shards import skipped_images
from oddlens.files.artefacts import read_table
from oddlens.results.pages.formatting import html_table
from oddlens.results.tables.ranking import CONSENSUS
from oddlens.statistics.false_alarm import one_in

N_IMAGES = 10
"""How many of the most anomalous images a table has."""
MAX_LISTED = 5
"""Images that could not be used and that are named; the others are counted."""
POOL_NAMES = {"train": "training", "contaminant": "contaminants", "validation": "validation", "test": "test"}


Sample = tuple[Mapping[str, Any], str | Path, Iterable[str | Path]]
"""The arguments of `sample_section`."""


def sample_sections(samples: Mapping[str, Sample]) -> dict[str, dict[str, Any]]:
    """The facts about the images of each data set."""
    return {name: sample_section(*sample) for name, sample in samples.items()}


def sample_section(
    sample: Mapping[str, Any], camera: str | Path, shards_with_gaps: Iterable[str | Path]
) -> dict[str, Any]:
    """The facts about the images of a data set.

    Args:
        sample: the `source` of the images, `counts` of images by pool and class, and `notes` on how they were read.
        camera: the table of the camera.
        shards_with_gaps: the shards in which images may be missing.
    """
    skipped = skipped_images(shards_with_gaps)
    table, about = read_table(camera, "camera")
    return {
        "source": sample["source"],
        "counts": [_counted(POOL_NAMES[pool], of_pool) for pool, of_pool in sample["counts"].items() if of_pool],
        "notes": [*sample["notes"], *about["notes"]],
        "camera": html_table(_camera(table)),
        "skipped": len(skipped),
        "skipped_first": list(skipped.values())[:MAX_LISTED],
    }


def _counted(pool: str, counts: Mapping[str, int]) -> str:
    """The images of a pool as text: `test: 40 smooth, 12 odd`."""
    return f"{pool}: " + ", ".join(f"{count:,} {cls}" for cls, count in counts.items())


def _camera(table: pd.DataFrame) -> pd.DataFrame:
    """Quantities of the camera as text."""
    columns = {"quantity": table["quantity"].str.replace("_", " ")}
    for name in ("stated", "estimated", "error", "used"):
        columns[name] = table[name].map(lambda value: "–" if pd.isna(value) else f"{value:.3g}")
    return pd.DataFrame(columns).rename(columns={"error": "± (of the estimate)"})


def most_anomalous(ranking: pd.DataFrame) -> str | None:
    """The most anomalous images of a data set by all rows together; their classes, if any test image is labelled."""
    first = ranking.head(N_IMAGES)
    shown = pd.DataFrame({"object": first["object"], "file": first["file"]})
    if (first["band"] != "").any():
        shown["band"] = first["band"]
    shown["consensus"] = first[CONSENSUS].map(one_in)
    if (ranking["class"] != UNLABELLED).any():
        shown["label"] = first["class"]
    return html_table(shown)


def agreement(table: pd.DataFrame) -> str | None:
    """Correlations and overlaps of a data set: means over the seeds of each row, then pairs of rows, highest first."""
    rows = table[table["kind"] == "rows"].sort_values("correlation", ascending=False, kind="stable")
    pairs = pd.DataFrame({"pair": rows["a"] + " and " + rows["b"]} | _agreed(rows))
    seeds = table[table["kind"] == "seeds"]
    means = seeds.groupby(seeds["a"].astype(str).str.rsplit("/", n=1).str[0], sort=False).mean(numeric_only=True)
    own = pd.DataFrame({"pair": "seeds of " + means.index.astype(str)} | _agreed(means.reset_index(drop=True)))
    return html_table(pd.concat([part for part in (own, pairs) if len(part)] or [pairs]))


def _agreed(table: pd.DataFrame) -> dict[str, list[str]]:
    spans = table[["correlation", "correlation_low", "correlation_high"]].to_numpy(float)
    first = table[["n_top", "overlap_top", "chance_top"]].to_numpy(float)
    return {
        "rank correlation": [f"{r:.2f} ({low:.2f} to {high:.2f})" if r == r else "–" for r, low, high in spans],
        "common images among the most anomalous": [f"{n * o:.3g} of {n:.0f} (chance {n * c:.1g})" for n, o, c in first],
    }


def correlation_range(tables: Iterable[pd.DataFrame]) -> dict[str, tuple[float, float]]:
    """For each data set the lowest and the highest correlation between two rows; none if it has a single row."""
    found = {}
    for table in tables:
        values = table.loc[table["kind"] == "rows", "correlation"].dropna()
        if len(values):
            found[str(table["dataset"].iloc[0])] = (float(values.min()), float(values.max()))
    return found
