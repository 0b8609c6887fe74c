"""A job of the workflow: its log, its errors, and the record that it leaves when it succeeds.

No stage imports this, so that it is in no fingerprint: another record is no reason to train again.
"""

import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, Any

from oddlens.files.downloads import CannotDownload
from oddlens.files.io_errors import CannotWrite, writing
from oddlens.files.progress import say
from oddlens.provenance import records
from oddlens.provenance.environment import code


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run the block as a job: log what it prints, and record what it made of what.

    Args:
        snakemake: what Snakemake hands to a script.
    """
    log = snakemake.log[0]
    with log_to(log):
        records.place(log).unlink(missing_ok=True)
        code()  # before the block imports what it runs
        yield
        records.write(records.place(log), record(snakemake))


@contextmanager
def log_to(path: str) -> Iterator[None]:
    """Send all that the block, its processes and its libraries print to a log file, an uncaught error's traceback too.

    Raises:
        SystemExit: with one line instead of a traceback, if a file cannot be written or downloaded.
    """
    try:
        with writing(path), open(path, "w", buffering=1) as log, _outputs_to(log):
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
    """Python's own output, and the descriptors that processes inherit and C writes to."""
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
    """What is to be remembered of a job, when it is done."""
    params, wildcards = dict(snakemake.params.items()), dict(snakemake.wildcards.items())
    made = records.here()
    trainings = [wildcards["replica"]] if "replica" in wildcards else snakemake.config["contamination"]["seeds"]
    return {
        "rule": snakemake.rule,
        "wildcards": wildcards,
        "params": params,
        "config": snakemake.config,
        "seeds": {"master": snakemake.config["seed"], "trainings": [int(seed) for seed in trainings]},
        **made,
        "code": {**made["code"], "source": params["source"]},
        "inputs": _checksums(snakemake.input),
        "outputs": _checksums(snakemake.output),
    }


def _checksums(paths: Iterable[str]) -> dict[str, str | None]:
    return {path: records.checksum(path) for path in dict.fromkeys(map(str, paths))}
