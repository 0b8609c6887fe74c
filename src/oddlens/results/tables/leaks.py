"""The table of leaks of the user's own data sets."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.files.artefacts import read_table
from oddlens.statistics.leak_findings import Finding

COLUMNS = ["dataset", "kind", "check", "compared", "auc", "error", "z", "count", "severity", "example", "remedy"]


def findings_table(dataset: str, findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings of one data set, a line each."""
    lines = []
    for finding in findings:
        found = finding.separation
        numbers = (found.auc, found.error, found.z) if found else (np.nan, np.nan, np.nan)
        count = None if found else finding.count
        texts = (finding.severity, finding.example, finding.remedy)
        lines.append((dataset, finding.kind, finding.check, finding.compared, *numbers, count, *texts))
    return pd.DataFrame(lines, columns=COLUMNS).astype({"count": "Int64"})


def leaks_table(paths: Iterable[str | Path]) -> pd.DataFrame:
    """`leaks.csv`: a line for each check of each data set of the user's own images.

    `kind` is one of those in `oddlens.statistics.leak_findings`. `compared` names two pools or classes, or one pool.
    For duplicates, `count` is the number of pairs. For the others, `auc` tells how well the fact, alone, separates both
    groups (1/2 if not at all), `error` is its standard deviation if both groups were alike, and `z` its significance.
    `severity` is `leak` for what ends a strict study, `warning`, or `none`. `example` has the files of the first pair,
    or typical values of both groups, and `remedy` what to do.
    """
    tables = [read_table(path, "leaks")[0] for path in paths]
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)
