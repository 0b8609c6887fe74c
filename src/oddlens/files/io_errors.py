"""Errors of writing, told so that they can be mended: which file, why, and what to do."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WHY = {
    errno.ENOSPC: "the disk is full ({free:,.1f} MB are left in {folder}, too few for it): free some space",
    errno.EDQUOT: "your quota of disk space in {folder} is used up: free some space",
    errno.EFBIG: "files may not be so large in {folder}: see `ulimit -f`, and what the file system allows",
    errno.EROFS: "{folder} is on a read-only file system: mount it for writing, or run in a copy elsewhere",
    errno.EACCES: "you may not write in {folder}, which belongs to {owner}: change that by chown or chmod, or run in a "
    "folder of your own",
}
_WHY[errno.EPERM] = _WHY[errno.EACCES]
_NUMBER = re.compile(r"(?:errno = |os error |\[Errno )(\d+)")
"""How libraries that raise errors of their own (safetensors, HDF5) say the system's."""


class CannotWrite(OSError):
    """A file that could not be written, for a reason that lies outside the program; the message is one line."""

    def __init__(self, path: Path | str, number: int):
        folder = next(place for place in Path(path).absolute().parents if os.path.isdir(place))
        free = shutil.disk_usage(folder).free / 1e6
        why = _WHY[number].format(free=free, folder=folder, owner=_owner(folder))
        super().__init__(f"{path} cannot be written: {why}. Then run it again: what is finished is kept.")
        self.made_of = str(path), number

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return type(self), self.made_of  # on its way from a process that trains beside others


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Tell any error of the system that keeps the block from writing `path` in one line.

    Raises:
        CannotWrite: instead of the error, where it says that the disk is full or that writing is not allowed.
    """
    try:
        yield
    except Exception as error:
        causes = list(_causes(error))
        told = next((cause for cause in causes if isinstance(cause, CannotWrite)), None)
        if told:
            raise told from None
        number = next((n for cause in causes if (n := _number(cause, Path(path))) in _WHY), None)
        if number is None:
            raise
        raise CannotWrite(path, number) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException, path: Path) -> int | None:
    """The system's number of an error, unless it speaks of another file than the one that is written."""
    name = getattr(error, "filename", None)
    if isinstance(name, str) and not _belongs(Path(name), path):
        return None
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else None


def _belongs(name: Path, path: Path) -> bool:
    """Whether a file is the one that is written, a folder on the way to it, or the temporary one (or inside that)."""
    return name in (path, *path.parents) or any(part.startswith(f".{path.name}.") for part in name.parts)


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except KeyError:  # a user without a name here
        return f"user {os.stat(folder).st_uid}"
