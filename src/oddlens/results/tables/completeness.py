"""Completeness: the fraction of injected masses that a row detects at its own false-alarm rate.

The threshold is set on validation images. So no label is needed, and images of unknown lenses can be used.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.data.randomness import stream
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import DamagedFile, read_table
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.results.tables.columns import UNCONTAMINATED
from oddlens.results.tables.score_files import read_scores
from oddlens.statistics import metrics

RATES = (0.01, 0.05)
"""The false-alarm rates at which completeness is given."""
HALF = 0.5
RESAMPLES = 500
"""Bootstrap resamples of the lenses."""
KEYS = ["mass_msun", "index", "lens"]
COLUMNS = [
    "dataset",
    "detector",
    "mass_msun",
    "false_alarm_rate",
    "seeds",
    "n_validation",
    "images",
    "ring_models",
    "left_out",
]
COLUMNS += [name + end for name in ("completeness", "rising") for end in ("", "_low", "_high")]
MASS_COLUMNS = ["dataset", "detector", "false_alarm_rate", "seeds", "images", "mass_msun", "mass_low", "mass_high"]


class InjectedScores:
    """The scores of one row on injected images, and its scores on validation images.

    Args:
        injected: the path of `oddlens.stages.score_injected`.
        scores: the path of the row's scores.

    Attributes:
        masses: solar masses, ascending from 0, [m].
        lens: the lens of each image, [n].
        ring_models: the number of images whose smooth model is a ring model, not a fit of a simulation.
        left_out: the number of further images that no smooth model explains.
        values: [seeds, m, n], of the models that converged.
        validation: [seeds, v].
    """

    def __init__(self, injected: Path | str, scores: Path | str):
        table, about = read_table(injected, "injected_scores")
        known, known_about = read_scores(scores)
        self.dataset, self.detector = about["dataset"], about["detector"]
        self.left_out, self.ring_models = int(about["left_out"]), int(about["ring_models"])
        if (known_about["dataset"], known_about["detector"]) != (self.dataset, self.detector):
            raise DamagedFile(injected, f"it is of {self.detector} on {self.dataset}, unlike {scores}")
        columns = [column for column in table.columns if column not in KEYS and _clean(column)]
        columns = [
            column for column in columns if np.isfinite(table[column]).all() and np.isfinite(known[column]).all()
        ]
        self.masses = table["mass_msun"].unique()
        self.lens = table["lens"].to_numpy()[: len(table) // len(self.masses)]
        self.values = table[columns].to_numpy(float).T.reshape(len(columns), len(self.masses), len(self.lens))
        validation = (known["pool"] == "validation") & (known["class"] == SMOOTH)
        self.validation = known.loc[validation, columns].to_numpy(float).T

    def detected(self, rate: float) -> np.ndarray:
        """Whether each image exceeds the threshold that a part `rate` of validation images exceeds, [seeds, m, n]."""
        return self.values > metrics.threshold(self.validation, rate)[:, None, None]

    def rising(self) -> np.ndarray:
        """Whether the mass raises the score of each image, 1/2 if it does not change it, [seeds, m, n]."""
        before = self.values[:, :1]
        return (self.values > before) + 0.5 * (self.values == before)


def _clean(column: str) -> bool:
    return parse_training_set(column.partition("/")[0])[0] in UNCONTAMINATED


def completeness_tables(rows: Iterable[tuple[Path | str, Path | str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`completeness.csv` and `completeness_masses.csv`.

    In the first, `completeness` is the fraction of injected images above the threshold, and `rising` the fraction whose
    score the mass raises (1/2 for no effect); means over seeds after clean training. Intervals are over lenses for the
    given thresholds (Clopper-Pearson). The mass 0 gives the false-alarm rate of the images themselves. `ring_models`
    counts the images whose change is that of a ring model; that of the others is of a fit of the simulation.

    In the second, `mass_msun` is the mass at a completeness of one half, by linear interpolation in its logarithm. The
    interval is over lenses (bootstrap). Masses beyond those injected are unknown.

    Args:
        rows: for each row and data set the paths of its injected scores, and of its scores.
    """
    lines: list[dict] = []
    masses: list[dict] = []
    for row in (InjectedScores(*paths) for paths in rows):
        if len(row.values):
            lines += _lines(row)
            masses += _mass_lines(row)
    return pd.DataFrame(lines, columns=COLUMNS), pd.DataFrame(masses, columns=MASS_COLUMNS)


def _about(row: InjectedScores) -> dict:
    return {"dataset": row.dataset, "detector": row.detector, "seeds": len(row.values), "images": len(row.lens)}


def _lines(row: InjectedScores) -> Iterator[dict]:
    lenses = len(np.unique(row.lens))
    rising = _with_interval("rising", row.rising(), lenses)
    about = _about(row) | {"ring_models": row.ring_models, "left_out": row.left_out}
    about |= {"n_validation": row.validation.shape[1]}
    for rate in RATES:
        detected = _with_interval("completeness", row.detected(rate), lenses)
        for k, mass in enumerate(row.masses):
            figures = {name: values[k] for name, values in (detected | rising).items()}
            yield about | {"mass_msun": mass, "false_alarm_rate": rate} | figures


def _with_interval(name: str, trials: np.ndarray, lenses: int) -> dict[str, np.ndarray]:
    """The mean over seeds and images [m] of trials [seeds, m, n], with its interval over lenses."""
    mean = trials.mean(axis=(0, 2))
    low, high = metrics.rate_interval(mean, np.full(len(mean), lenses))
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def _mass_lines(row: InjectedScores) -> Iterator[dict]:
    lenses, code = np.unique(row.lens, return_inverse=True)
    for rate in RATES:
        by_lens = np.zeros((len(lenses), len(row.masses)))
        np.add.at(by_lens, code, row.detected(rate).mean(axis=0).T)
        images = np.bincount(code)
        random = stream(0, "completeness", row.dataset, row.detector, f"{rate:g}")
        draws = random.integers(len(lenses), size=(RESAMPLES, len(lenses)))
        samples = by_lens[draws].sum(axis=1) / images[draws].sum(axis=1)[:, None]
        ends = (1 - metrics.CONFIDENCE) / 2
        low, high = np.quantile(
            [half_mass(row.masses, s) for s in samples], [ends, 1 - ends], method="closest_observation"
        )
        found = {
            "mass_msun": half_mass(row.masses, by_lens.sum(axis=0) / len(code)),
            "mass_low": low,
            "mass_high": high,
        }
        known = {name: value if 0 < value < np.inf else np.nan for name, value in found.items()}
        yield _about(row) | {"false_alarm_rate": rate} | known


def half_mass(masses: np.ndarray, completeness: np.ndarray) -> float:
    """The mass at which completeness first reaches one half; 0 if below the first mass, infinite if never.

    Args:
        masses: ascending, the first may be 0; `completeness` likewise, [m].
    """
    reached = np.flatnonzero((completeness >= HALF) & (masses > 0))
    if not len(reached):
        return np.inf
    k = int(reached[0])
    if k == 0 or masses[k - 1] == 0:
        return float(masses[k]) if completeness[k] == HALF else 0.0
    part = (HALF - completeness[k - 1]) / (completeness[k] - completeness[k - 1])
    return float(np.exp(np.interp(part, [0, 1], np.log(masses[k - 1 : k + 1]))))
