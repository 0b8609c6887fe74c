"""What the curves of the page need beside scores: AUCs by training set and seed, and completeness by mass."""

from typing import Any

import numpy as np
import pandas as pd

from oddlens.results.tables.detection import preferred_masses

AUC_COLUMNS = ["dataset", "detector", "contaminant", "contamination", "seed", "anomaly", "auc", "auc_low", "auc_high"]
MASS_COLUMNS = ["dataset", "detector", "class", "false_alarm_rate", "mass", "detected", "low", "high", "images"]
MASS_COLUMNS += ["bin_low", "bin_high"]


def auc_facts(auc: pd.DataFrame) -> list[list[Any]]:
    """The lines of the table `auc` of models that converged, by `AUC_COLUMNS`."""
    return auc.dropna(subset="auc")[AUC_COLUMNS].to_numpy(object).tolist()


def mass_facts(detection: pd.DataFrame, injected: pd.DataFrame | None) -> list[list[Any]]:
    """Detected fractions by mass, by `MASS_COLUMNS`: in bins of the mass of simulated substructure, whose `mass` is
    their middle, and, as the class `injected`, of masses that were added to images, which have no bin.

    Args:
        detection: the table `detection`.
        injected: the table `completeness`, if the study has one.
    """
    bins = preferred_masses(detection).rename(columns={"detected_low": "low", "detected_high": "high"})
    parts = [bins.assign(mass=np.sqrt(bins["bin_low"] * bins["bin_high"]))]
    if injected is not None:
        ends = {"completeness": "detected", "completeness_low": "low", "completeness_high": "high"}
        parts.append(injected.rename(columns={"mass_msun": "mass", **ends}).assign(**{"class": "injected"}))
    table = pd.concat([part.reindex(columns=MASS_COLUMNS) for part in parts if len(part)] or [bins[:0]])
    table = table.reindex(columns=MASS_COLUMNS).dropna(subset="detected")
    return table[table["mass"] > 0].to_numpy(object).tolist()
