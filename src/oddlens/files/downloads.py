"""Downloads of public files, verified by their checksums."""

import hashlib
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path

from oddlens.files.artefacts import atomic_write

ATTEMPTS = 3
TIMEOUT_S = 60


class CannotDownload(OSError):
    """A file that could not be downloaded; the message is one line."""


def has_checksum(path: Path, sha256: str) -> bool:
    """Whether a file exists and has this SHA-256."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def download(url: str, path: Path, sha256: str) -> None:
    """Download a file; `path` is written only when all of it has arrived and its SHA-256 is right.

    Raises:
        CannotDownload: if the address cannot be reached, or gives another file.
        CannotWrite: if `path` cannot be written.
    """
    content = _read(url)
    received = hashlib.sha256(content).hexdigest()
    if received != sha256:
        raise CannotDownload(f"{url} has the SHA-256 {received}, not {sha256}: the file was changed or cut short")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def _read(url: str) -> bytes:
    """The content of an address, which is asked for up to `ATTEMPTS` times."""
    reason: object = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
                return response.read()
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
    raise CannotDownload(
        f"{url} cannot be downloaded ({reason}). Check the network and run it again, or put the file in place yourself."
    )
