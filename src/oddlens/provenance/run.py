"""Files that a whole run writes: the config before the first job, and Snakemake's own report after the last one."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from oddlens.files.artefacts import atomic_write
from oddlens.files.io_errors import check_writable, explain_io_errors

EMBEDDED_PAGE = re.compile(r"data:text/html;[^,]*?filename=([^;,]+);base64,[\w+/=]*")
"""A page inside Snakemake's own report, which gives its name."""


def begin(study: Path, config: Mapping[str, Any]) -> None:
    """Write the config to the study's folder, and check that jobs can write in each of its subfolders.

    Raises:
        CannotWrite: if the config cannot be written, or a subfolder is not writable.
    """
    with atomic_write(study / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    for folder, _, _ in os.walk(study):
        check_writable(Path(folder, "*"))


def finish(study: Path, snakefile: str, log: Path) -> None:
    """Write Snakemake's own report of the study, `workflow.html`, browsable by data set and figure.

    The pages of the study, which are beside it, are linked: Chromium refuses embedded pages of more than 2 MB.

    Raises:
        CannotWrite: if the report or the log cannot be written.
        CalledProcessError: if Snakemake fails; the reason is in the log.
    """
    command = [sys.executable, "-m", "snakemake", "--nolock", "--snakefile", snakefile]
    with explain_io_errors(log), log.open("w") as output, atomic_write(study / "workflow.html") as temporary:
        page = temporary.with_suffix(".html")  # Snakemake accepts no other suffix
        command += ["--configfile", str(study / "config.yaml"), "--replace-workflow-config", "--report", str(page)]
        try:
            subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=True)
            page.write_text(with_linked_pages(page.read_text(encoding="utf-8"), study), encoding="utf-8")
            page.replace(temporary)
        finally:
            page.unlink(missing_ok=True)


def with_linked_pages(report: str, folder: Path) -> str:
    """A report of Snakemake in which pages that a folder has are their names, relative to it, and not their content."""
    return EMBEDDED_PAGE.sub(lambda page: page[1] if (folder / page[1]).is_file() else page[0], report)
