"""A job of the workflow: its log, its errors, and the record that it writes when it succeeds.

No stage imports this module, so it is in no fingerprint: a change of the record does not make any job run again.
"""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any

from oddlens.files.downloads import CannotDownload
from oddlens.files.io_errors import CannotWrite, explain_io_errors
from oddlens.files.progress import say
from oddlens.provenance import records
from oddlens.provenance.environment import code_version


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run the block as a job: its output goes to the log, and its inputs and outputs are recorded if it succeeds.

    Args:
        snakemake: the object `snakemake` that Snakemake defines in a script.
    """
    log = snakemake.log[0]
    with log_to(log):
        records.path_for(log).unlink(missing_ok=True)
        code_version()  # before the block imports the code of its stage
        yield
        records.write(records.path_for(log), record(snakemake))


@contextmanager
def log_to(path: str) -> Iterator[None]:
    """Send the output of the block, of its child processes and of its libraries to a log file.

    The traceback of an uncaught error goes there, too.

    Raises:
        SystemExit: with one line instead of a traceback, if a file cannot be written or downloaded.
    """
    try:
        with explain_io_errors(path), open(path, "w", buffering=1) as log, _outputs_to(log):
            try:
                yield
            except (CannotDownload, CannotWrite) as error:
                say(str(error))
                raise
            except BaseException:
                traceback.print_exc()
                raise
    except (CannotDownload, CannotWrite) as error:
        sys.exit(str(error))


@contextmanager
def _outputs_to(log: IO[str]) -> Iterator[None]:
    """Redirect Python's output, and the file descriptors that child processes inherit and C libraries write to."""
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    for descriptor, _ in kept:
        os.dup2(log.fileno(), descriptor)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            yield
    finally:
        for descriptor, before in kept:
            os.dup2(before, descriptor)
            os.close(before)


def record(snakemake: Any) -> records.Record:
    """The record of a finished job; see `oddlens.provenance.records`."""
    params, wildcards = dict(snakemake.params.items()), dict(snakemake.wildcards.items())
    process = records.this_process()
    trainings = [wildcards["replica"]] if "replica" in wildcards else snakemake.config["contamination"]["seeds"]
    return {
        "rule": snakemake.rule,
        "wildcards": wildcards,
        "params": params,
        "config": snakemake.config,
        "seeds": {"master": snakemake.config["seed"], "trainings": [int(seed) for seed in trainings]},
        **process,
        "code": {**process["code"], "source": params["source"]},
        "inputs": _checksums(snakemake.input),
        "outputs": _checksums(snakemake.output),
    }


def _checksums(paths: Iterable[str]) -> dict[str, str | None]:
    return {path: records.checksum(path) for path in dict.fromkeys(map(str, paths))}
