"""What a run writes itself: the study's config before the first job, Snakemake's own report after the last."""

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from oddlens.files.artefacts import replacing
from oddlens.files.io_errors import CannotWrite, writing


def begin(study: Path, config: Mapping[str, Any]) -> None:
    """Write the config into the study's folder, and see that jobs can write there.

    Raises:
        CannotWrite: if they could not.
    """
    with replacing(study / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    for folder, _, _ in os.walk(study):
        if not os.access(folder, os.W_OK | os.X_OK):
            read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
            raise CannotWrite(Path(folder, "*"), errno.EROFS if read_only else errno.EACCES)


def finish(study: Path, snakefile: str, log: Path) -> None:
    """Make Snakemake's own report of the study, browsable by data set and figure.

    Raises:
        CannotWrite: if it cannot be written.
        CalledProcessError: if Snakemake cannot make it; the log says why.
    """
    command = [sys.executable, "-m", "snakemake", "--nolock", "--snakefile", snakefile]
    with writing(log), log.open("w") as said, replacing(study / "workflow.html") as temporary:
        page = temporary.with_suffix(".html")  # Snakemake wants it so
        command += ["--configfile", str(study / "config.yaml"), "--report", str(page)]
        try:
            subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=True)
            page.replace(temporary)
        finally:
            page.unlink(missing_ok=True)
