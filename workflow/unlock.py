"""Remove the lock of a killed run, if no other Snakemake runs in this folder.

Only this machine is searched for one, so `make` uses this script. On a cluster's shared disk use `snakemake --unlock`.
"""

import os
import shutil
from pathlib import Path

import psutil

LOCKS = Path(".snakemake/locks")


def another_run() -> bool:
    """Whether another Snakemake runs in the working directory."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        program = [Path(word).name for word in (process.info["cmdline"] or [])[:3]]  # python [-m] snakemake
        if process.info["pid"] not in own and process.info["cwd"] == os.getcwd() and "snakemake" in program:
            return True
    return False


if LOCKS.is_dir() and any(LOCKS.iterdir()) and not another_run():
    shutil.rmtree(LOCKS)
    print("removed the lock of a killed run")
