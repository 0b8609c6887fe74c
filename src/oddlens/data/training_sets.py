"""The names of training sets: a contaminant and its fraction, as in `none-0` or `mixed-0.05`."""

CLEAN = "none"
"""The contaminant of the clean training set."""
LABELLED = "labelled"
"""The contaminant of the labelled training set: all anomalies there are, and as many smooth images."""
MIXED = "mixed"
"""The contaminant that has all anomaly classes in equal parts."""


def training_set_name(contaminant: str, fraction: float) -> str:
    """The name of a training set: a column of split tables, and a part of file names."""
    return f"{contaminant}-{fraction:g}"


def parse_training_set(name: str) -> tuple[str, float]:
    """The contaminant and the fraction of a training set's name."""
    contaminant, _, fraction = name.rpartition("-")
    return contaminant, float(fraction)


CLEAN_SET, LABELLED_SET = training_set_name(CLEAN, 0), training_set_name(LABELLED, 0.5)
"""The training sets that a row has without contamination, and with labels."""
