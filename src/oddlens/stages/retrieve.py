"""Download the public files of real lenses."""

from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile

from oddlens.files.artefacts import atomic_write
from oddlens.files.downloads import download, has_checksum
from oddlens.files.progress import say


def retrieve(folder: str | Path, files: Mapping[str, tuple[str, str]], *, index: str | Path) -> None:
    """Bring files of real lenses into a folder, and the index that describes them.

    Files that are there with the right checksum are kept; nothing is downloaded if all are.

    Args:
        files: of each path in the folder the SHA-256 and the address.
        index: the CSV that describes the lenses (`oddlens.observations.lens_index`); its copy is `index.csv`.

    Raises:
        CannotDownload: if an address cannot be reached, or gives another file.
    """
    folder = Path(folder)
    for name, (sha256, url) in files.items():
        if has_checksum(folder / name, sha256):
            continue
        say(f"downloading {url}")
        download(url, folder / name, sha256)
    with atomic_write(folder / "index.csv") as temporary:
        copyfile(index, temporary)
