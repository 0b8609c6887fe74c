"""The progress bar of `make study`: `snakemake --logger study`, which `make setup` puts on the import path.

It extends snakemake-logger-plugin-rich: the number of jobs and the time left stand beside the bar, the rules that run
now below it, and a failed job takes one line, because the workflow shows the last lines of its log at the end.

Snakemake imports this package at each start, whatever its `--logger` is, so its command line is checked here, too.
"""

import sys
import time
from pathlib import Path
from statistics import mean

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text
from snakemake_logger_plugin_rich import LogHandler as RichLogHandler
from snakemake_logger_plugin_rich import events
from snakemake_logger_plugin_rich.event_handler import EventHandler

from snakemake_logger_plugin_study import command_line

if "snakemake" in Path(sys.argv[0]).parts[-2:] and (lines := command_line.problems(sys.argv[1:])):  # or __main__.py
    sys.exit("\n".join(lines))

TOTAL = "Total Progress"
"""The name of the bar of all jobs."""


class LogHandler(RichLogHandler):
    """Receives Snakemake's log records."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.progress.columns = (
            TextColumn("[bold blue]{task.description}"),
            BarColumn(bar_width=None, complete_style="green", finished_style="green"),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TimeLeft(),
        )
        self.event_handler = StudyEvents(
            console=self.console,
            progress=self.progress,
            live_display=self.live_display,
            dryrun=self.settings.dryrun,
            verbose=self.settings.verbose,
        )


class TimeLeft(ProgressColumn):
    """The estimated time left, which `StudyEvents` sets."""

    def render(self, task: Task) -> Text:
        """The text of a bar; empty before the first job has finished."""
        return Text(task.fields.get("left", ""), style="dim")


class StudyEvents(EventHandler):
    """Counts jobs and measures how long those of each rule take."""

    def __init__(self, *, progress: Progress, **options) -> None:
        super().__init__(progress=progress, **options)
        self.started: dict[int, float] = {}
        self.seconds: dict[str, list[float]] = {}

    def handle_run_info(self, event_data: events.RunInfo, **kwargs) -> None:
        """Start the bars, with no running job; the base class starts them with one."""
        super().handle_run_info(event_data, **kwargs)
        for task in self.progress.tasks:
            self.progress.update(task.id, active=0)

    def _display_job_summary(self, per_rule_job_counts: dict[str, int], total_job_count: int) -> None:
        if self.dryrun:
            super()._display_job_summary(per_rule_job_counts, total_job_count)

    def handle_job_info(self, event_data: events.JobInfo, **kwargs) -> None:
        """A job starts."""
        self.started[event_data.jobid] = time.monotonic()
        super().handle_job_info(event_data, **kwargs)

    def handle_job_finished(self, event_data: events.JobFinished, **kwargs) -> None:
        """A job has finished."""
        super().handle_job_finished(event_data, **kwargs)
        if event_data.job_id in self.started:
            rule = self.jobs_info[event_data.job_id]["rule"]
            self.seconds.setdefault(rule, []).append(time.monotonic() - self.started.pop(event_data.job_id))
            self._hide_idle(rule)
            self._estimate()

    def handle_job_error(self, event_data: events.JobError, **kwargs) -> None:
        """A job has failed."""
        job = self.jobs_info.get(event_data.jobid, {"rule": "a job", "wildcards": {}, "log": []})
        self.started.pop(event_data.jobid, None)
        words = " ".join([job["rule"], *(f"{name}={value}" for name, value in (job["wildcards"] or {}).items())])
        self.console.print(Text(f"failed: {words}", style="bold red"))

    def _hide_idle(self, rule: str) -> None:
        """Show the bars of rules with running jobs only."""
        running = {self.jobs_info[job]["rule"] for job in self.started}
        self.progress_display.set_visible(rule, rule in running)

    def _estimate(self) -> None:
        """Set the time left: open jobs times the mean time of their rule, or of all jobs, over the running jobs."""
        overall = mean(second for seconds in self.seconds.values() for second in seconds)
        work = sum(
            (counts["total"] - counts["completed"]) * mean(self.seconds.get(rule, [overall]))
            for rule, counts in self.rule_counts.items()
        )
        minutes = round(work / max(len(self.started), 1) / 60)
        left = f"about {minutes} min left" if minutes else "less than 1 min left"
        self.progress.update(self.progress_display.rule_tasks[TOTAL], left=left if work else "")
