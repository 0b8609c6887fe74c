"""Print a page as PDF with a browser."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from oddlens.files.artefacts import atomic_write

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 120


def print_pdf(source: Path, path: Path) -> str:
    """Print a page as PDF if there is a browser, and return the path or the reason why there is none.

    A PDF of an earlier page is deleted.
    """
    path.unlink(missing_ok=True)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return f"no PDF: none of {', '.join(BROWSERS)} is on the PATH"
    options = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-pdf-header-footer"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox does not run as root
    with TemporaryDirectory() as profile:
        pdf = Path(profile, "page.pdf")
        command = [browser, *options, f"--user-data-dir={profile}", f"--print-to-pdf={pdf}", source.resolve().as_uri()]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
            content = pdf.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            return f"no PDF: {browser} could not print the page ({type(error).__name__})"
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return str(path)
