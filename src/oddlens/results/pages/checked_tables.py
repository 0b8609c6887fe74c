"""Read the result tables of a study and check them, for pages that combine several studies."""

from functools import cache
from io import StringIO
from pathlib import Path

import pandas as pd

from oddlens.files.artefacts import DamagedFile
from oddlens.results.tables import (
    bins,
    contamination,
    decoys,
    detection,
    false_alarm_probabilities,
    false_alarms,
    findings,
    fit_convergence,
    fractions,
    localisation,
    population,
    real,
    regression,
    triage,
)

REQUIRED_COLUMNS = {
    **{"bins": bins.COLUMNS, "contamination": contamination.COLUMNS, "false_alarms": false_alarms.COLUMNS},
    **{"false_alarm_probabilities": false_alarm_probabilities.COLUMNS, "findings": findings.COLUMNS},
    **{"fit_convergence": fit_convergence.COLUMNS, "fractions": fractions.COLUMNS, "population": population.COLUMNS},
    **{"real": real.SCORE_COLUMNS, "real_noise": real.NOISE_COLUMNS, "real_claims": real.CLAIM_COLUMNS},
    **{"regression": regression.COLUMNS, "triage": triage.COLUMNS},
    **{"detection": detection.COLUMNS, "decoys": decoys.COLUMNS, "localisation": localisation.COLUMNS},
    "auc": ["dataset", "contaminant", "contamination", "detector", "seed", "anomaly", "auc", "status"],
    "summary": [
        *("dataset", "training", "contaminant", "contamination", "detector", "role", "anomaly", "seeds", "diverged"),
        *("auc", "auc_low", "auc_high", "seed_low", "seed_high", "tpr_at_fpr_01", "change", "change_low"),
        "change_high",
    ],
    "pairs": ["dataset", "training", "anomaly", "a", "b", "difference", "low", "high", "p_holm"],
    "published": ["dataset", "reproduces", "published", "training", "anomaly", "published_auc", "detector", "auc"],
}
"""The columns that pages use."""
TEXT_COLUMNS = {
    *("dataset", "training", "contaminant", "detector", "role", "anomaly", "status", "a", "b", "reproduces"),
    *("published", "calibration", "verdict", "class", "pool", "row", "target", "type", "initial_parameters", "lens"),
    *("object", "claimed", "frame", "problem", "rank", "summary", "id", "truth", "source", "kind", "decoy"),
}
"""The columns that hold text. All others hold numbers."""


@cache
def read_checked(path: Path, name: str) -> pd.DataFrame | None:
    """Read a result table; None if it does not exist or has no lines.

    Raises:
        DamagedFile: if the file is not a complete table with the required columns, or a column of numbers holds text.
    """
    if not path.is_file():
        return None
    try:
        text = path.read_text()
        table = pd.read_csv(StringIO(text), **(real.names_as_text(name) if name in real.NAME_COLUMNS else {}))
    except ValueError as error:
        raise DamagedFile(path, f"it is not a table ({str(error).splitlines()[0]})") from None
    if not text.endswith("\n"):
        raise DamagedFile(path, "it ends in the middle of a line")
    if not len(table):
        return None
    if missing := [column for column in REQUIRED_COLUMNS.get(name, []) if column not in table]:
        raise DamagedFile(path, f"it has no column {missing[0]}")
    for column in table.columns.difference(list(TEXT_COLUMNS)):
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise DamagedFile(path, f"its column {column} holds text instead of numbers")
    return table
