"""Errors while a file is written, explained in one line: which file, the reason, and what to do."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full ({free:,.1f} MB are left in {folder}, too few for it): free some space",
    errno.EDQUOT: "your quota of disk space in {folder} is used up: free some space",
    errno.EFBIG: "the file is larger than {folder} allows: check `ulimit -f` and the limits of the file system",
    errno.EROFS: "{folder} is on a read-only file system: mount it for writing, or run in a copy elsewhere",
    errno.EACCES: "you may not write in {folder}, which belongs to {owner}: change that by chown or chmod, or run in a "
    "folder of your own",
}
_REASONS[errno.EPERM] = _REASONS[errno.EACCES]
_ERROR_NUMBER = re.compile(r"(?:errno = |os error |\[Errno )(\d+)")
"""The formats in which safetensors and HDF5 include the system's error number in their own errors."""


class CannotWrite(OSError):
    """A file could not be written for a reason outside the program, such as a full disk. The message is one line."""

    def __init__(self, path: Path | str, number: int):
        folder = next(parent for parent in Path(path).absolute().parents if os.path.isdir(parent))
        free = shutil.disk_usage(folder).free / 1e6
        reason = _REASONS[number].format(free=free, folder=folder, owner=_owner(folder))
        super().__init__(f"{path} cannot be written: {reason}. Then run the command again: finished files are kept.")
        self.arguments = str(path), number

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return type(self), self.arguments  # joblib pickles it on its way from a worker process


def check_writable(path: Path) -> None:
    """Check that a file can be written in its folder, which exists.

    Raises:
        CannotWrite: if not.
    """
    folder = path.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWrite(path, errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES)


@contextmanager
def explain_io_errors(path: Path | str) -> Iterator[None]:
    """Replace system errors that keep the block from writing `path` by `CannotWrite`. Other errors pass unchanged.

    Raises:
        CannotWrite: if the disk is full, or if writing is not allowed.
    """
    try:
        yield
    except Exception as error:
        chain = list(_error_chain(error))
        explained = next((cause for cause in chain if isinstance(cause, CannotWrite)), None)
        if explained:
            raise explained from None
        number = next((n for cause in chain if (n := _error_number(cause, Path(path))) in _REASONS), None)
        if number is None:
            raise
        raise CannotWrite(path, number) from error


def _error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its cause, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _error_number(error: BaseException, path: Path) -> int | None:
    """The system's number of an error; None if there is none, or if the error concerns another file than `path`."""
    name = getattr(error, "filename", None)
    if isinstance(name, str) and not _belongs_to(Path(name), path):
        return None
    if isinstance(error, OSError) and error.errno:
        return error.errno
    match = _ERROR_NUMBER.search(str(error))
    return int(match[1]) if match else None


def _belongs_to(name: Path, path: Path) -> bool:
    """Whether `name` is `path`, one of its parent folders, or its temporary file or folder (or a file inside that)."""
    return name in (path, *path.parents) or any(part.startswith(f".{path.name}.") for part in name.parts)


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:  # the user id has no name on this machine
        return f"user {os.stat(folder).st_uid}"
