"""The names of training sets: a contaminant and its fraction, as in `none-0` or `mixed-0.05`."""

CLEAN = "none"
"""The contaminant of an uncontaminated training set."""
LABELLED = "labelled"
"""The contaminant of the training set of those that are told the labels: every anomaly there is, and as many normal."""
MIXED = "mixed"
"""The contaminant that is every anomaly class in equal parts."""


def training_set_name(contaminant: str, fraction: float) -> str:
    """The name of a training set among those of a seed; a column of split tables, a part of file names."""
    return f"{contaminant}-{fraction:g}"


def parse_training_set(name: str) -> tuple[str, float]:
    """The contaminant and the fraction that a name holds."""
    contaminant, _, fraction = name.rpartition("-")
    return contaminant, float(fraction)
