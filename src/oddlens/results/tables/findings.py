"""Findings of detectors compared with the truth: position and mass of perturbers, and images that are flagged."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.pools import UNLABELLED
from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import parse_training_set
from oddlens.results.tables.columns import MODEL
from oddlens.results.tables.score_files import read_findings
from oddlens.statistics import metrics

FLAGS = ["doubtful", "at_bounds"]
"""Findings that are 1 for an image that needs inspection: see `Detector.findings`."""
SCORES = ["odds", "significance", "evidence", "chi_square"]
"""Findings that could serve as an anomaly score. One of them does."""
DETECTION_SIGMA = 5.0
"""Perturbers above this significance count as detected and are compared with the truth."""
TRUE_MASS = {"heaviest_mass_msun", "heaviest_y_arcsec", "heaviest_x_arcsec", "area_per_msun"}
"""What the truth of simulated images says of the heaviest perturber."""
COLUMNS = ["dataset", *MODEL, "pool", "class", "images", "doubtful", "at_bounds", "chi_square", "min_detectable_msun"]
COLUMNS += ["detections", "offset_arcsec", "mass_ratio", "mass_ratio_low", "mass_ratio_high"]
COLUMNS += [f"auc_{name}" for name in SCORES]


def findings_table(paths: Iterable[Path | str], truth: pd.DataFrame, smooth: str) -> pd.DataFrame:
    """`findings.csv`: a line for each model that has findings, and each pool and class.

    `images` counts the images, `doubtful` those for which no acceptable fit exists, and `at_bounds` those that only
    fit with parameters outside the priors of the data set. `chi_square` is the median chi-square per pixel of the best
    smooth lens. `min_detectable_msun` is the median, over images, of the smallest mass detectable with 5 sigma at the
    most sensitive position. `detections` counts perturbers above 5 sigma. For these, `offset_arcsec` is the median
    distance to the heaviest true perturber, and `mass_ratio` the median of the estimated over the true mass, with the
    16th and 84th percentiles. `auc_<name>` is the AUC of each finding that could serve as a score (`SCORES`) against
    the smooth images of the same pool. Values that a detector does not report are empty.

    Args:
        paths: files of findings.
        truth: of the images of the data set, by `read_truth`.
        smooth: the normal class.
    """
    parts = [pd.DataFrame(columns=COLUMNS)]
    for table, about in map(read_findings, paths):
        known = table.merge(truth, on=IDENTITY, how="inner", suffixes=("", "_true"))  # pseudo-anomalies have no truth
        for (training_set, seed, pool, cls), images in known.groupby(
            ["training_set", "seed", "pool", "class"], sort=False
        ):
            contaminant, contamination = parse_training_set(str(training_set))
            names = {"dataset": about["dataset"], "contaminant": contaminant, "contamination": contamination}
            names |= {"detector": about["detector"], "seed": seed, "pool": pool, "class": cls, "images": len(images)}
            values = dict(_values(images))
            if cls not in (smooth, UNLABELLED):
                same = (known["training_set"] == training_set) & (known["seed"] == seed) & (known["pool"] == pool)
                values |= dict(_aucs(known[same & (known["class"] == smooth)], images))
            parts.append(pd.DataFrame([names | values]).reindex(columns=COLUMNS))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _values(images: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Counts and medians of the images of one model, pool and class."""
    for flag in FLAGS:
        if flag in images:
            yield flag, images[flag].sum()
    if "chi_square" in images:
        yield "chi_square", images["chi_square"].median()
    if not images.get("significance", pd.Series()).notna().any():
        return
    if {"min_detectable_arcsec2", "area_per_msun"} <= set(images):
        yield "min_detectable_msun", (images["min_detectable_arcsec2"] / images["area_per_msun"]).median()
    detected = images[(images["significance"] > DETECTION_SIGMA) & (images.get("doubtful", 0) == 0)]
    yield "detections", len(detected)
    if TRUE_MASS - set(detected) or not (true := detected[detected["heaviest_mass_msun"] > 0]).size:
        return
    offset_y, offset_x = (true[f"{axis}_arcsec"] - true[f"heaviest_{axis}_arcsec"] for axis in "yx")
    yield "offset_arcsec", float(np.median(np.hypot(offset_y, offset_x)))
    ratio = true["area_arcsec2"] / true["area_per_msun"] / true["heaviest_mass_msun"]
    for name, quantile in (("mass_ratio_low", 0.16), ("mass_ratio", 0.5), ("mass_ratio_high", 0.84)):
        yield name, float(ratio.quantile(quantile))


def _aucs(normal: pd.DataFrame, anomalous: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The AUC of each finding that could serve as a score."""
    for name in SCORES:
        if name in anomalous and len(normal) > 1 and len(anomalous) > 1:
            above, _ = metrics.placements(normal[name].to_numpy(float), anomalous[name].to_numpy(float))
            yield f"auc_{name}", float(above.mean())


def flagged_counts(findings: pd.DataFrame) -> list[dict]:
    """For each row with flagged images its data set, detector, and counts summed over models."""
    counted = [*FLAGS, "images"]
    known = findings.dropna(subset=FLAGS, how="all")
    counts = known.groupby(["dataset", "detector"], sort=False)[counted].sum().reset_index()
    return counts[(counts[FLAGS] > 0).any(axis=1)].astype(dict.fromkeys(counted, int)).to_dict("records")
