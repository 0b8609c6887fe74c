"""Take away the lock of a run that was killed: no Snakemake is at work in this folder any more.

Looks at this machine only, so it is for `make`, not for runs on a cluster's shared disk; there, `snakemake --unlock`.
"""

import os
import shutil
from pathlib import Path

import psutil

LOCKS = Path(".snakemake/locks")


def at_work() -> bool:
    """Whether another Snakemake runs in the working directory."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        program = [Path(word).name for word in (process.info["cmdline"] or [])[:3]]  # python [-m] snakemake
        if process.info["pid"] not in own and process.info["cwd"] == os.getcwd() and "snakemake" in program:
            return True
    return False


if LOCKS.is_dir() and any(LOCKS.iterdir()) and not at_work():
    shutil.rmtree(LOCKS)
    print("took away the lock that a killed run had left")
