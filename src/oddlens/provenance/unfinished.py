"""What to say when a run fails: the jobs that did not finish, the last lines of their logs, and what to do."""

from pathlib import Path

from oddlens.provenance import records

LAST_LINES = 12
MAX_JOBS = 3


def unfinished_jobs(study: Path) -> list[Path]:
    """The logs of jobs that the last run of a study started and did not finish, in the order of their last lines.

    A job that finishes writes a record beside its log. The config is written when a run starts.
    """
    start = (study / "config.yaml").stat().st_mtime
    logs = [
        log
        for log in (study / "logs").rglob("*.log")
        if log.stat().st_mtime >= start and not records.path_for(log).exists()
    ]
    return sorted(logs, key=lambda log: log.stat().st_mtime)


def failure_text(study: Path) -> str:
    """The last lines of the logs of unfinished jobs, and what to do."""
    logs = unfinished_jobs(study)
    parts = [f"{log}\n{_last_lines(log)}" for log in logs[:MAX_JOBS]]
    if len(logs) > MAX_JOBS:
        parts.append("\n".join(["and", *map(str, logs[MAX_JOBS:])]))
    where = f"{len(logs)} job{'s' * (len(logs) != 1)} did not finish." if logs else "The run failed; see above."
    advice = "Correct what the log says and run the same command again: finished jobs are kept."
    return "\n\n".join([where, *parts, advice])


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").rstrip().splitlines()[-LAST_LINES:]
    return "\n".join(f"  | {line}" for line in lines or ["(empty)"])
