"""Position and mass of detected perturbers, compared with the heaviest true one and with random positions."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.splits import IDENTITY
from oddlens.results.tables.columns import MODEL
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.findings import TRUE_MASS
from oddlens.results.tables.row_scores import RowScores, rows_of, with_interval
from oddlens.results.tables.score_files import by_model, read_findings

ANNULUS = (0.6, 1.3)
"""The radii between which random positions lie, in Einstein radii."""
NEAR_PIXELS = 2
"""The distance in pixels at which a perturber counts as localised, beside the one in arcsec."""
PLACE = {"y_arcsec", "x_arcsec", "area_arcsec2"}
"""The findings of a row that reports a position and a mass."""
OF_IMAGE = [*sorted(TRUE_MASS), "einstein_radius_arcsec", "psf_fwhm_arcsec", "psf_fwhm_pixels"]
"""What must be known of an image. The PSF gives the pixel scale."""
NEAR = ("localised", "localised_pixels")
COLUMNS = ["dataset", "detector", "false_alarm_rate", "class", "seeds", "images", "found", "offset_arcsec"]
COLUMNS += ["near_arcsec", *(name + end for name in NEAR for end in ("", "_low", "_high", "_by_chance"))]
COLUMNS += ["mass_bias_dex", "mass_scatter_dex", "localised_bias_dex", "localised_scatter_dex"]


def localisation_table(
    scores: DatasetScores,
    findings: Iterable[Path | str],
    truth: pd.DataFrame,
    rates: Sequence[float],
    near_arcsec: float,
) -> pd.DataFrame:
    """`localisation.csv`: for rows that report a position and a mass, how right these are in detected images.

    `images` have a perturber, and `found` of them are above the threshold of `detection_table`. Of these, `localised`
    is the fraction whose position is within `near_arcsec` of the heaviest true perturber, and `localised_pixels` that
    within two pixels. `<name>_by_chance` is the fraction expected of random positions, uniform in the annulus from 0.6
    to 1.3 Einstein radii. `mass_bias_dex` is the median of log10(estimated / true mass) and `mass_scatter_dex` half the
    range from the 16th to the 84th percentile; `localised_<name>` are those of localised perturbers. Values are of all
    seeds after clean (or labelled) training, and counts are means over seeds. Intervals are those of as many images
    as are found (Clopper-Pearson).

    Args:
        scores: of all models of a data set.
        findings: the files of findings of its rows.
        truth: of its images, by `read_truth`.
        rates: false-alarm rates.
        near_arcsec: the largest distance of a localised perturber.
    """
    lines = []
    if set(OF_IMAGE) <= set(truth) and len(smooth := scores.positions(scores.smooth)):
        tables = dict(_positions(findings))
        known = scores.images.assign(image=np.arange(len(scores.images))).merge(truth[[*IDENTITY, *OF_IMAGE]])
        known = known[(known["pool"] == "test") & (known["heaviest_mass_msun"] > 0)]
        for row in (row for row in rows_of(scores) if row.detector in tables):
            measured = _measured(row, tables[row.detector], known)
            for rate in rates:
                threshold = row.threshold(smooth, rate)
                for cls, images in measured.groupby("class", sort=False) if np.isfinite(threshold).all() else ():
                    about = {"detector": row.detector, "false_alarm_rate": rate, "class": cls}
                    found = images[images["score"].to_numpy() > threshold[images["model"]]]
                    counts = {"images": len(images) / len(threshold), "found": len(found) / len(threshold)}
                    lines.append(about | {"seeds": len(threshold)} | counts | _accuracy(found, near_arcsec))
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(lines).reindex(columns=COLUMNS).assign(dataset=scores.dataset, near_arcsec=near_arcsec)
    for name in NEAR:
        table = with_interval(table, name, table["found"].round().clip(lower=1))
    return table


def _positions(findings: Iterable[Path | str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The findings of each row that reports a position and a mass."""
    for table in by_model(map(read_findings, findings)):
        if set(table) >= PLACE:
            yield table["detector"].iloc[0], table


def _measured(row: RowScores, findings: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """A line for each seed (`model`) and image with a perturber: its score, what was found, and the truth."""
    models = row.models[MODEL].reset_index(drop=True).reset_index(names="model")
    table = findings.merge(models, on=MODEL)[[*IDENTITY, "model", *sorted(PLACE)]].merge(known, on=IDENTITY)
    dy, dx = (table[f"{axis}_arcsec"] - table[f"heaviest_{axis}_arcsec"] for axis in "yx")
    return table.assign(
        score=row.values[table["model"], table["image"]],
        offset=np.hypot(dy, dx),
        distance=np.hypot(table["heaviest_y_arcsec"], table["heaviest_x_arcsec"]),
        near_pixels=NEAR_PIXELS * table["psf_fwhm_arcsec"] / table["psf_fwhm_pixels"],
        ratio=table["area_arcsec2"] / table["area_per_msun"] / table["heaviest_mass_msun"],
    )


def _accuracy(found: pd.DataFrame, near_arcsec: float) -> dict[str, float]:
    """The values of some images, by name."""
    if not len(found):
        return {}
    radius = found["einstein_radius_arcsec"].to_numpy()
    values = {"offset_arcsec": found["offset"].median()}
    for name, near in zip(NEAR, (np.full(len(found), near_arcsec), found["near_pixels"].to_numpy()), strict=True):
        values[name] = (found["offset"] <= near).mean()
        values[f"{name}_by_chance"] = chance(found["distance"].to_numpy(), near, radius).mean()
    localised = found["ratio"][found["offset"] <= near_arcsec]
    return values | _dex("mass", found["ratio"]) | _dex("localised", localised)


def _dex(name: str, ratio: pd.Series) -> dict[str, float]:
    """The median of the logarithms of ratios and, of several, half their central 68 % range; NaN if there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        low, middle, high = np.log10(ratio.quantile([0.16, 0.5, 0.84]).to_numpy())
    values = {f"{name}_bias_dex": middle, f"{name}_scatter_dex": (high - low) / 2 if len(ratio) > 1 else np.nan}
    return {key: value if np.isfinite(value) else np.nan for key, value in values.items()}


def chance(distance: np.ndarray, near: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The probability that a random position in the annulus round the centre is near a place, [n].

    Args:
        distance: of the place from the centre; `near`: the largest distance from the place, and `radius`: the Einstein
            radius, all [n] in one unit.
    """
    inner, outer = (factor * radius for factor in ANNULUS)
    common = overlap(distance, near, outer) - overlap(distance, near, inner)
    return common / (np.pi * (outer**2 - inner**2))


def overlap(distance: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area that two discs of radii `a` and `b` share if their centres have a `distance`, [n].

    It is the sum of two circular segments (e.g. Weisstein, "Circle-Circle Intersection", MathWorld).
    """
    d = np.clip(distance, np.abs(a - b), a + b)
    d = np.where(d > 0, d, 1.0)  # equal discs with one centre: the half-angles below are clipped
    angles = [np.arccos(np.clip((d**2 + r**2 - s**2) / (2 * d * r), -1, 1)) for r, s in ((a, b), (b, a))]
    segments = sum(r**2 * (angle - np.sin(2 * angle) / 2) for r, angle in zip((a, b), angles, strict=True))
    return np.where(distance <= np.abs(a - b), np.pi * np.minimum(a, b) ** 2, segments)
