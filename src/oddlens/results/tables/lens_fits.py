"""The table of fits of real lenses, one line for each, with what its twins say and published values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from oddlens.observations.modelling import calibration
from oddlens.observations.modelling.calibration import Detection
from oddlens.observations.modelling.result_files import WrittenFit

PUBLISHED = Path(__file__).parent / "published_lenses.csv"
COLUMNS = [
    *("set", "lens", "einstein_radius", "einstein_radius_error", "published_einstein_radius", "slope", "slope_error"),
    *("axis_ratio", "shear", "reduced_chi_square", "explains_frame", "significance", "log_evidence_gain"),
    *("control_log_evidence_gain", "beside_control_log_evidence_gain", "control_beside_mass_log_evidence_gain"),
    *("control_probability", "published_log_evidence_gain", "y", "x", "area"),
    *("area_error", "mass_msun", "mass_within_1_kpc_msun"),
    *("twins", "false_alarm_probability", "planted", "detected", "detectable_50_area", "detectable_90_area"),
    *("detectable_50_msun", "detectable_90_msun", "problem"),
]
"""Places in arcsec from the lens, areas in arcsec^2: pi times the critical surface density turns them into masses.
`beside_control_` is the best mass added to a fit with the best negative mass, and `control_beside_mass_` the other way
round."""
DETECTION_RATE = 0.01
"""A planted mass is detected if its evidence is one that this part of the smooth twins exceeds, at most."""
STRONG = 10.0
"""Planted masses of this predicted significance tell about errors of place and mass."""


class LensTwins(NamedTuple):
    """The fit of a lens, and those of its twins.

    Attributes:
        fit: of the lens.
        smooth: the table of smooth twins.
        planted: that of twins with a planted mass.
    """

    fit: WrittenFit
    smooth: pd.DataFrame
    planted: pd.DataFrame

    @property
    def gain(self) -> float:
        """The gain in log evidence by the best mass; minus infinity if there is none."""
        masses = self.fit.numbers["masses"]
        return masses[0]["log_evidence_gain"] if masses else -np.inf

    def trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Predicted significances of planted masses, and whether each was detected."""
        if self.fit.scan is None or not len(self.planted) or not len(self.smooth):
            return np.zeros(0), np.zeros(0, bool)
        limit = calibration.threshold(self.smooth, DETECTION_RATE)
        predicted = calibration.predicted_significance(self.fit.scan, self.planted)
        return predicted, calibration.detected(self.planted, limit)


def lens_fits_table(lenses: Mapping[tuple[str, str], LensTwins]) -> pd.DataFrame:
    """The table of all lenses, by the name of their set and their own.

    The significance at which masses are detected comes from the twins of a lens, or, if they are too few, from those of
    all lenses together.
    """
    trials = [lens.trials() for lens in lenses.values()]
    together = calibration.detection(*(np.concatenate(part) for part in zip(*trials, strict=True))) if trials else None
    lines = [
        {"set": name, "lens": label} | _line(label, lens, calibration.detection(*own) or together)
        for ((name, label), lens), own in zip(lenses.items(), trials, strict=True)
    ]
    return with_control_probability(pd.DataFrame(lines).reindex(columns=COLUMNS))


def above_control(table: pd.DataFrame) -> int:
    """How many lenses have more evidence for a mass than for a negative mass, each beside the other."""
    mass, control = table["beside_control_log_evidence_gain"], table["control_beside_mass_log_evidence_gain"]
    return int((mass > control.fillna(-np.inf)).sum())


def with_control_probability(table: pd.DataFrame) -> pd.DataFrame:
    """The table with how often a lens has as much evidence for a negative mass as each has for a mass.

    Of masses it is the evidence beside the best negative mass of their lens, and of negative masses that beside the
    best mass. With n lenses whose fits explain their frames, it is (1 + number of these with at least this control) /
    (1 + n).
    """
    explained = table["explains_frame"].fillna(False).astype(bool)
    controls = table["control_beside_mass_log_evidence_gain"][explained].to_numpy(float)
    gains = table["beside_control_log_evidence_gain"].where(explained)
    return table.assign(control_probability=gains.map(lambda gain: calibration.exceedance(gain, controls), "ignore"))


def _line(label: str, lens: LensTwins, detection: Detection | None) -> dict[str, Any]:
    numbers, published = lens.fit.numbers, published_values(label)
    line: dict[str, Any] = {
        "published_einstein_radius": published.get("einstein_radius_arcsec"),
        "published_log_evidence_gain": published.get("log_evidence_gain"),
    }
    if lens.fit.scan is None:
        return line | {"problem": numbers["problem"]}
    values = numbers["lens"]
    for name in ("einstein_radius", "slope"):
        line |= {name: values[name]["value"], f"{name}_error": values[name]["error"]}
    line |= {"axis_ratio": values["axis_ratio"], "significance": numbers["scan"]["significance"]}
    line["shear"] = float(np.hypot(*(values[f"shear_{part}"]["value"] for part in (1, 2))))
    line |= {name: numbers["fit"][name] for name in ("reduced_chi_square", "explains_frame")}
    if numbers["masses"]:
        best = numbers["masses"][0]
        line |= {"log_evidence_gain": lens.gain, "y": best["y_arcsec"], "x": best["x_arcsec"]}
        line |= {"area": best["area_arcsec2"], "area_error": best["area_error_arcsec2"]}
        line |= {name: best.get(name) for name in ("mass_msun", "mass_within_1_kpc_msun")}
    if numbers["controls"]:
        line["control_log_evidence_gain"] = max(control["log_evidence_gain"] for control in numbers["controls"])
    for kind, column in (("mass_beside_control", "beside_control"), ("control_beside_mass", "control_beside_mass")):
        if numbers[kind]:
            line[f"{column}_log_evidence_gain"] = numbers[kind]["log_evidence_gain"]
    line |= {"twins": len(lens.smooth), "planted": len(lens.planted), "detected": int(lens.trials()[1].sum())}
    if len(lens.smooth):
        line["false_alarm_probability"] = calibration.false_alarm_probability(lens.gain, lens.smooth)
    if detection is not None:
        smallest, per_area = float(lens.fit.scan.area_sigma.min()), numbers["scan"].get("msun_per_arcsec2", np.nan)
        for level, significance in (("50", detection.half), ("90", detection.most)):
            line[f"detectable_{level}_area"] = significance * smallest
            line[f"detectable_{level}_msun"] = significance * smallest * per_area
    return line


def published_values(label: str) -> dict[str, Any]:
    """What is published of a lens: a line of `published_lenses.csv`; empty if there is none."""
    table = pd.read_csv(PUBLISHED, comment="#")
    own = table[table["name"].map(_plain) == _plain(label)]
    return {str(name): value for name, value in own.iloc[0].dropna().items()} if len(own) else {}


def _plain(name: str) -> str:
    """A name of a lens without the survey: `SDSS J0946+1006` is `J0946+1006`."""
    return name.upper().replace("SDSS", "").replace("SLACS", "").strip(" _")


def planted_errors(lens: LensTwins) -> pd.DataFrame:
    """Errors of place, arcsec, and mass, relative to it, of detected masses, with their predicted significance."""
    predicted, found = lens.trials()
    own = lens.planted[found] if len(found) else lens.planted[:0]
    offset = np.hypot(own["y"] - own["true_y"], own["x"] - own["true_x"])
    mass = own["area"] / own["true_area"] - 1
    return pd.DataFrame({"predicted": predicted[found], "offset": offset, "mass_error": mass})


def rank_correlation(table: pd.DataFrame) -> tuple[float, int]:
    """Spearman's correlation of our gains in evidence with the published ones, and the number of lenses."""
    known = table.dropna(subset=["log_evidence_gain", "published_log_evidence_gain"])
    if len(known) < 3:
        return float("nan"), len(known)
    found = spearmanr(known["log_evidence_gain"], known["published_log_evidence_gain"])
    return float(found.statistic), len(known)
