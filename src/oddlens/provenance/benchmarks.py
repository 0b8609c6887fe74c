"""The cost of the jobs of a study: a table of each rule's time, cores and memory (`benchmarks/jobs.py` prints it).

Snakemake measures the jobs of the rules that have a `benchmark`, and writes one line a job below `benchmarks/`.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Measured(NamedTuple):
    """One job, as Snakemake measured it."""

    seconds: float
    cores: float
    """The mean number of cores at work."""
    memory_mb: float
    """The largest resident memory."""


def read(study: Path) -> dict[str, list[Measured]]:
    """The jobs of a study, by rule.

    Raises:
        ValueError: if there are none.
    """
    folder = study / "benchmarks"
    rules = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = {rule: [_measured(path) for path in sorted((folder / rule).rglob("*.tsv"))] for rule in rules}
    if not any(found.values()):
        raise ValueError(f"{folder} holds no measured jobs: run the study, or name the folder of one that has run")
    return found


def _measured(path: Path) -> Measured:
    """The one line of a file; a job that is over before Snakemake looks at it has no memory and no load."""
    with path.open(newline="") as file:
        line = next(csv.DictReader(file, delimiter="\t"))
    memory, load = (float(line[key]) if line[key] not in ("-", "NA") else 0.0 for key in ("max_rss", "mean_load"))
    return Measured(float(line["s"]), load / 100, memory)


def table(jobs: Iterable[tuple[str, Sequence[Measured]]]) -> str:
    """A Markdown table: for each rule the number of jobs, their times, cores and memory."""
    lines = [
        "| rule | jobs | median s | longest s | hours in all | cores | memory, GB |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule, measured in jobs:
        seconds = [job.seconds for job in measured]
        cores, memory = median(job.cores for job in measured), max(job.memory_mb for job in measured) / 1000
        lines.append(
            f"| {rule} | {len(measured)} | {median(seconds):.3g} | {max(seconds):.3g} | {sum(seconds) / 3600:.2g} "
            f"| {cores:.2g} | {memory:.2g} |"
        )
    return "\n".join(lines)
