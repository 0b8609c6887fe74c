"""A conda channel in a folder: empty packages with a name and a version, and a working Python."""

import bz2
import hashlib
import io
import json
import platform
import sys
import sysconfig
import tarfile
from pathlib import Path


def write(folder: Path, versions: dict[str, str]) -> None:
    """Write a channel that holds each package in one version, and this Python.

    The Python is a virtual environment, so its `sys.prefix` is where it is installed. It imports the packages of the
    Python that runs this function, so the other packages can be empty.
    """
    subdir = folder / "noarch"
    subdir.mkdir(parents=True)
    packages = dict(_package(subdir, name, version) for name, version in versions.items())
    packages |= [_package(subdir, "python", platform.python_version(), _python())]
    (subdir / "repodata.json").write_text(json.dumps({"info": {"subdir": "noarch"}, "packages": packages}))


def _python() -> dict[str, bytes | Path]:
    """The files of the package, and the target of the link `bin/python`."""
    interpreter = Path(sys._base_executable)
    library = Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    seen = "\n".join(path for path in sys.path if path.endswith("site-packages"))
    return {
        "bin/python": interpreter,
        "pyvenv.cfg": f"home = {interpreter.parent}\n".encode(),
        f"{library}/host.pth": seen.encode(),
    }


def _package(folder: Path, name: str, version: str, content: dict[str, bytes | Path] | None = None):
    """Write one package. Returns its file name and its entry in the index of the channel."""
    content = content or {}
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": "noarch"}
    index["noarch"] = "generic"
    paths = [_path(path, what) for path, what in content.items()]
    about = {"index": index, "paths": {"paths": paths, "paths_version": 1}}
    files = {f"info/{part}.json": json.dumps(value).encode() for part, value in about.items()} | content
    packed = bz2.compress(_tar(files))
    file = f"{name}-{version}-0.tar.bz2"
    (folder / file).write_bytes(packed)
    return file, index | {"sha256": hashlib.sha256(packed).hexdigest(), "size": len(packed)}


def _path(path: str, what: bytes | Path) -> dict[str, str | int]:
    if isinstance(what, Path):
        return {"_path": path, "path_type": "softlink"}
    return {
        "_path": path,
        "path_type": "hardlink",
        "sha256": hashlib.sha256(what).hexdigest(),
        "size_in_bytes": len(what),
    }


def _tar(files: dict[str, bytes | Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, what in files.items():
            entry = tarfile.TarInfo(name)
            if isinstance(what, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(what)
                archive.addfile(entry)
            else:
                entry.size = len(what)
                archive.addfile(entry, io.BytesIO(what))
    return buffer.getvalue()
