"""What detectors find beside scores, held against truth: where masses are and how heavy; and which images are
flagged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import parse_training_set
from oddlens.results.tables.conventions import MODEL, read_findings
from oddlens.statistics import metrics

FLAGS = ["doubtful", "at_bounds"]
"""Findings that are 1 for an image to be looked at: see `Detector.findings`."""
SCORES = ["odds", "significance", "evidence", "chi_square"]
"""Findings that would do as scores; one of them does."""
SURE = 5.0
"""Masses of this significance are held against the truth."""
COLUMNS = ["dataset", *MODEL, "pool", "class", "images", "doubtful", "at_bounds", "chi_square", "least_msun", "sure"]
COLUMNS += ["offset_arcsec", "mass_ratio", "mass_ratio_low", "mass_ratio_high", *(f"auc_{name}" for name in SCORES)]


def findings_table(paths: Iterable[Path | str], truth: pd.DataFrame, smooth: str) -> pd.DataFrame:
    """`findings.csv`: for each model that finds something, and each class, images and how many of them are `doubtful`,
    and `at_bounds`: explained only by what the simulation cannot have.

    `chi_square` is the median of that of the best smooth lens, per pixel; `least_msun` of the least mass that would be
    found with 5 sigma where an image shows masses best. `sure` counts masses of 5 sigma and more; of
    these, `offset_arcsec` is the median distance to the heaviest mass that is there and `mass_ratio` the median of the
    found mass over the heaviest's, with the 16th and 84th percentiles. `auc_<name>` is how well a finding that would do
    as a score (`SCORES`) ranks the images above the smooth ones of their pool. What a detector does not find is empty.

    Args:
        truth: of the images of the data set, `read_truth`.
        smooth: the class that is normal.
    """
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table, about in map(read_findings, paths):
        joined = table.merge(truth, on=IDENTITY, how="inner", suffixes=("", "_true"))  # pseudo_anomalies have no truth
        for (training_set, seed, pool, cls), images in joined.groupby(
            ["training_set", "seed", "pool", "class"], sort=False
        ):
            contaminant, contamination = parse_training_set(str(training_set))
            names = {"dataset": about["dataset"], "contaminant": contaminant, "contamination": contamination}
            names |= {"detector": about["detector"], "seed": seed, "pool": pool, "class": cls, "images": len(images)}
            found = dict(_found(images))
            if cls != smooth:
                same = (joined["training_set"] == training_set) & (joined["seed"] == seed) & (joined["pool"] == pool)
                found |= dict(_ranked(joined[same & (joined["class"] == smooth)], images))
            parts.append(pd.DataFrame([names | found]).reindex(columns=COLUMNS))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _found(images: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for flag in FLAGS:
        if flag in images:
            yield flag, images[flag].sum()
    if "chi_square" in images:
        yield "chi_square", images["chi_square"].median()
    if not images.get("significance", pd.Series()).notna().any():
        return
    if "least_arcsec2" in images:
        yield "least_msun", (images["least_arcsec2"] / images["area_per_msun"]).median()
    sure = images[(images["significance"] > SURE) & (images.get("doubtful", 0) == 0)]
    yield "sure", len(sure)
    if "heaviest_y_arcsec" not in sure or not (there := sure[sure["heaviest_mass_msun"] > 0]).size:
        return
    off_y, off_x = (there[f"{axis}_arcsec"] - there[f"heaviest_{axis}_arcsec"] for axis in "yx")
    yield "offset_arcsec", float(np.median(np.hypot(off_y, off_x)))
    ratio = there["area_arcsec2"] / there["area_per_msun"] / there["heaviest_mass_msun"]
    for name, part in (("mass_ratio_low", 0.16), ("mass_ratio", 0.5), ("mass_ratio_high", 0.84)):
        yield name, float(ratio.quantile(part))


def _ranked(normal: pd.DataFrame, odd: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The AUC of each finding that would do as a score."""
    for name in SCORES:
        if name in odd and len(normal) > 1 and len(odd) > 1:
            above, _ = metrics.placements(normal[name].to_numpy(float), odd[name].to_numpy(float))
            yield f"auc_{name}", float(above.mean())


def flagged(findings: pd.DataFrame) -> list[dict]:
    """The rows with images that are flagged: data set, detector, how many of how many, summed over models."""
    counted = [*FLAGS, "images"]
    known = findings.dropna(subset=FLAGS, how="all")
    counts = known.groupby(["dataset", "detector"], sort=False)[counted].sum().reset_index()
    return counts[(counts[FLAGS] > 0).any(axis=1)].astype(dict.fromkeys(counted, int)).to_dict("records")
