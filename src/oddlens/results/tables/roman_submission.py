"""The submission file of rung 1 of the Roman Data Challenge: for each lens, whether it has substructure.

The file is CSV with the columns `ID,has_substructure`. The challenge compares it with its key row by row, so rows are
in the order of the key, and reads any text as true, so the answers are 0 and 1. The format is described in
https://github.com/ahuang314/Roman_Data_Challenge.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.files.artefacts import atomic_write
from oddlens.schema.config_errors import nearest

ID = "ID"
COLUMNS = (ID, "has_substructure")
PROBABILITY = "false_alarm_probability"
SYSTEM = r"strong_lens_\d+"
"""The name of a lens, anywhere in the reference to an image."""
MAX_NAMES = 5
"""Most IDs in a message."""


def write_roman_submission(path: Path, ids: Sequence[str], has_substructure: Sequence[bool] | np.ndarray) -> None:
    """Write a submission, a line for each lens, in this order.

    Args:
        path: of the file, which the challenge wants to be called `{team}_rung1_submission{n}.csv`.
        ids: integers or `strong_lens_...`, as in the key.
        has_substructure: truth values, or 0 and 1.

    Raises:
        ValueError: if IDs are repeated or have another form, or if the answers are no truth values.
    """
    answers = np.asarray(has_substructure)
    if answers.dtype.kind not in "biuf" or not np.isin(answers, (0, 1)).all():
        raise ValueError(f"has_substructure must be truth values, or 0 and 1: they are {answers.dtype}, {answers[:3]}")
    if len(ids) != len(answers) or not len(ids):
        raise ValueError(f"there are {len(ids)} IDs and {len(answers)} answers: each ID needs one")
    numbered(ids)
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(zip(ids, answers.astype(int).tolist(), strict=True))


def submission(
    probabilities: Mapping[str, float], alarm: float, key: Sequence[str] | None = None, missing: int | None = None
) -> tuple[list[str], np.ndarray]:
    """IDs in the order of the key, and whether the false-alarm probability of each is at most `alarm`.

    Args:
        probabilities: by ID; NaN if an image has none.
        alarm: the false-alarm probability up to which a lens is said to have substructure.
        key: IDs in the wanted order, also in another form (`7` for `strong_lens_00000007`); default: as they come.
        missing: the answer for IDs of the key without a probability.

    Raises:
        ValueError: if IDs are missing and there is no answer for them, or if there are others than those of the key.
    """
    if not 0 < alarm < 1:
        raise ValueError(f"the false-alarm probability is {alarm:g}: it must be above 0 and below 1")
    known = {number: probabilities[name] for number, name in numbered(list(probabilities)).items()}
    wanted = numbered(list(key) if key is not None else list(probabilities))
    if others := [str(number) for number in known if number not in wanted]:
        raise ValueError(f"{len(others)} lenses are not in the key: {_some(others)}")
    values = np.array([known.get(number, np.nan) for number in wanted], float)
    unknown = np.isnan(values)
    if unknown.any() and missing is None:
        names = [name for name, lacking in zip(wanted.values(), unknown, strict=True) if lacking]
        raise ValueError(
            f"{len(names)} lenses have no false-alarm probability: {_some(names)}. Choose --missing 0 or 1"
        )
    return list(wanted.values()), np.where(unknown, bool(missing), values <= alarm)


def read_probabilities(path: Path, column: str = PROBABILITY, band: str = "") -> dict[str, float]:
    """The false-alarm probabilities of a table by ID: of `oddlens score --csv`, or the ranking of a study.

    The ID is in the column ID, or else in the first column whose values all name a system, such as a reference.

    Args:
        path: of the CSV file.
        column: with the probabilities; in a ranking `consensus`, or `p_` and the name of a row.
        band: only the lines of this band, by a column `band` or the end of the reference, `..._F129`.

    Raises:
        ValueError: if the table has no such columns or lines, or several lines for a lens.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    if column not in table:
        raise ValueError(f"{path} has no column '{column}': choose --column. {nearest(column, list(map(str, table)))}")
    names = [name for name in table if name == ID or table[name].str.contains(SYSTEM).all()]
    if not names:
        raise ValueError(f"{path} has no column ID, and none in which each line has strong_lens_ and a number")
    name = ID if ID in names else names[0]
    if band:
        of_band = table["band"] == band if "band" in table else table[name].str.endswith(f"_{band}")
        table = table[of_band]
    if table.empty:
        raise ValueError(f"{path} has no line{f' of the band {band}' if band else ''}")
    ids = [found[-1] if (found := re.findall(SYSTEM, text)) else text for text in table[name]]
    repeated = pd.Series(ids)[pd.Series(ids).duplicated()].unique()
    if len(repeated):
        raise ValueError(
            f"{path}: {len(repeated)} lenses have several lines ({_some(list(repeated))}): choose one --band, or give "
            "a table with one image of each"
        )
    values = pd.to_numeric(table[column].replace("", "nan"), errors="coerce")
    return dict(zip(ids, map(float, values), strict=True))


def read_key(path: Path) -> list[str]:
    """The IDs of a key, or of a template, in its order and as they are written.

    Raises:
        ValueError: if it has no column ID.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", comment="#")
    if ID not in table:
        raise ValueError(f"{path} has no column {ID}, only {', '.join(map(str, table.columns))}")
    return list(table[ID])


def numbered(ids: Sequence[str]) -> dict[int, str]:
    """IDs by their number: `7`, `strong_lens_7` and `strong_lens_00000007` are one lens.

    Raises:
        ValueError: if one has another form, or if two are one lens.
    """
    found: dict[int, str] = {}
    for name in map(str, ids):
        match = re.fullmatch(r"(?:strong_lens_)?(\d+)", name)
        if match is None:
            raise ValueError(f"the ID '{name}' must be an integer or strong_lens_ and an integer")
        number = int(match[1])
        if number in found:
            raise ValueError(f"the IDs '{found[number]}' and '{name}' are one lens")
        found[number] = name
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
