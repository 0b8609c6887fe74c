"""The format of a file, by its first bytes and not by its name; for formats that are not read, what to do.

FITS, HDF5, NPY and NPZ files are read. FITS files may be compressed by gzip, bzip2, xz or fpack, which astropy unpacks.
"""

import bz2
import gzip
import lzma
import os
import shlex
import stat
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FORMATS = {b"SIMPLE": "FITS", b"\x93NUMPY": "NPY", b"\x89HDF\r\n\x1a\n": "HDF5", b"oddlens sha256": "HDF5"}
"""Formats that are read, by their first bytes. An HDF5 file of oddlens begins with its checksum."""
PICTURES = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"II+\x00": "TIFF"}
"""Pictures, which are read only where numbers without a unit will do (`pictures`)."""
HDF5 = b"\x89HDF\r\n\x1a\n"
MAX_SIDE_PIXELS = 2048
"""The longest side of an image that is read."""
MAX_BYTES = 2**31
"""The largest size of the unpacked content of a file."""
HEAD_BYTES = 1024
"""The bytes that determine the format."""


class Compression(NamedTuple):
    """A compression of whole files: its name, its first bytes, and how to unpack it."""

    name: str
    magic: bytes
    open: Callable[..., Any]
    command: str


COMPRESSIONS = (
    Compression("gzip", b"\x1f\x8b", gzip.open, "gunzip"),
    Compression("bzip2", b"BZh", bz2.open, "bunzip2"),
    Compression("xz", b"\xfd7zXZ\x00", lzma.open, "unxz"),
)

AS_NUMBERS = "save its images as numbers by numpy.save"
PICTURE = "pictures have no unit and often their own stretch: give the FITS or NPY file that it was made from"
NOT_READ = (
    (0, b"\x89PNG", "a PNG picture", PICTURE),
    (0, b"\xff\xd8\xff", "a JPEG picture", PICTURE),
    (0, b"GIF8", "a GIF picture", PICTURE),
    (8, b"WEBP", "a WebP picture", PICTURE),
    (0, b"II*\x00", "a TIFF picture", PICTURE),
    (0, b"MM\x00*", "a TIFF picture", PICTURE),
    (0, b"II+\x00", "a TIFF picture", PICTURE),
    (0, b"%PDF", "a PDF document", "give the FITS or NPY file of the image"),
    (257, b"ustar", "a tar archive", "unpack it: tar xf {file}"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it: 7z x {file}"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "unpack it: unrar x {file}"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it: unzstd {file}"),
    (0, b"\x1f\x9d", "compressed by compress", "unpack it: uncompress {file}"),
    (0, b"MATLAB 7.3", "a MATLAB file", "its axes are reversed: " + AS_NUMBERS + ", with the axes [n, h, w]"),
    (0, b"MATLAB 5.0", "a MATLAB file", "read it by scipy.io.loadmat, and " + AS_NUMBERS),
    (0, b"#ASDF", "an ASDF file", "read it by the package asdf, and " + AS_NUMBERS),
    (0, b"PAR1", "a Parquet table", "read it by pandas, and " + AS_NUMBERS),
    (0, b"CDF", "a NetCDF file", "read it by xarray, and " + AS_NUMBERS),
    (0, b"XTENSION", "a FITS extension without its primary header", "write it as a FITS file of its own by astropy"),
    (8, b'{"', "a safetensors file", "this is the format of models; give a file of images"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "it only stands for the file: run git lfs pull"),
    (0, b"version https://hawser", "a Git LFS pointer", "it only stands for the file: run git lfs pull"),
    (0, b"/annex/objects/", "a git-annex pointer", "it only stands for the file: run git annex get"),
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", "a PyTorch file", "read it by torch.load, and " + AS_NUMBERS),
    *((0, b"\x80" + bytes([k]), "a pickle", "it can run code and is not read: " + AS_NUMBERS) for k in range(1, 6)),
)
"""Formats that are not read: place and value of their first bytes, what the file is, and what to do."""
WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<error")
URLS = ("http:/", "https:/", "ftp:/", "s3:/", "gs:/")


def detect(path: Path, pictures: bool = False) -> str:
    """The format of a file: FITS, HDF5, NPY or NPZ.

    Args:
        path: of the file.
        pictures: whether PNG, JPEG and TIFF will do, too.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file has another format, is no regular file, is empty or damaged, or unpacks to more than
            `MAX_BYTES`. The message says what it is and what to do.
    """
    _check_regular(path)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if known := _known(head, FORMATS | PICTURES if pictures else FORMATS):
        return known
    for compression in COMPRESSIONS:
        if head.startswith(compression.magic):
            return _compressed(path, compression)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    what = _described(head)
    if what is None and _has_user_block(path):
        return "HDF5"
    kind, advice = what or _unknown(head)
    raise ValueError(f"{path} is {kind}: {advice.replace('{file}', shlex.quote(str(path)))}")


def _known(head: bytes, formats: Mapping[bytes, str] = FORMATS) -> str | None:
    return next((name for magic, name in formats.items() if head.startswith(magic)), None)


def _check_regular(path: Path) -> None:
    """Raise an error if a path is no file, or not one that can be read more than once."""
    if str(path).startswith(URLS):
        raise FileNotFoundError(f"there is no file {path}: addresses are not read, download it first")
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise FileNotFoundError(f"there is no file {path.readlink()}, to which {path} is a link") from error
        raise FileNotFoundError(f"there is no file {path}") from error
    if stat.S_ISDIR(mode):
        raise ValueError(f"{path} is a folder: give the files in it, or a folder with data.fits")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is a pipe or a device: copy its content to a file first")


def _compressed(path: Path, compression: Compression) -> str:
    """FITS, if that is what the file unpacks to.

    Raises:
        ValueError: if not, or if it is damaged or unpacks to too much.
    """
    try:
        with compression.open(path) as file:
            head = file.read(HEAD_BYTES)
            size = len(head)
            while head.startswith(b"SIMPLE") and size <= MAX_BYTES and (part := file.read(2**20)):
                size += len(part)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} is compressed by {compression.name} and damaged ({error}): get it again") from error
    if size > MAX_BYTES:
        raise ValueError(f"{path} unpacks to more than {MAX_BYTES / 2**30:g} GiB: cut out the images")
    if head.startswith(b"SIMPLE"):
        return "FITS"
    inside = _known(head) or (_described(head) or _unknown(head))[0]
    command = "tar xf" if inside == "a tar archive" else compression.command
    raise ValueError(
        f"{path} is compressed by {compression.name} (inside is {inside}): unpack it: "
        f"{command} {shlex.quote(str(path))}"
    )


def _zip(path: Path) -> str:
    """NPZ, which is a ZIP archive of NPY files.

    Raises:
        ValueError: if the archive holds other files, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is a damaged ZIP archive ({error}): get it again") from error
    if names and all(name.endswith(".npy") for name in names):
        return "NPZ"
    if any(name.endswith("data.pkl") for name in names):
        raise ValueError(f"{path} is a PyTorch file, a pickle: read it by torch.load, and {AS_NUMBERS}")
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    raise ValueError(
        f"{path} is a ZIP archive ({listed or 'it is empty'}): unpack it (unzip {shlex.quote(str(path))}) and give "
        "its files"
    )


def _has_user_block(path: Path) -> bool:
    """Whether an HDF5 file follows after 512, 1024, 2048 ... bytes of another program."""
    size, offset = path.stat().st_size, 512
    with path.open("rb") as file:
        while offset < size:
            file.seek(offset)
            if file.read(len(HDF5)) == HDF5:
                return True
            offset *= 2
    return False


def _described(head: bytes) -> tuple[str, str] | None:
    """What a file is that is not read, and what to do; None if it is not known."""
    if not head:
        return "empty (0 bytes)", "write or download it again"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(WEB_PAGE):
        return "a web page or XML", "the download probably failed, its text has the reason: download it again"
    for offset, magic, kind, advice in NOT_READ:
        if head[offset : offset + len(magic)] == magic:
            return kind, advice
    return None


def _unknown(head: bytes) -> tuple[str, str]:
    """What can be said of a file of an unknown format."""
    other, readable = "not FITS, HDF5, NPY or NPZ", "give a file of one of these formats"
    if not head.strip(b"\0"):
        return f"{other} but {len(head)} zero bytes, perhaps more", "write or download it again"
    try:
        text = head[:-4].decode() if len(head) == HEAD_BYTES else head.decode()  # a character may be cut
    except UnicodeDecodeError:
        text = ""
    if text and all(character.isprintable() or character.isspace() for character in text):
        return f"{other} but text ({' '.join(text.split())[:40]!r})", readable
    return f"{other}: its first bytes are {head[:8].hex(' ')}", readable


def too_large(where: Path | str, side: int) -> str:
    """The error message for an image with too many pixels."""
    return (
        f"{where} has an image of {side} pixels on a side; at most {MAX_SIDE_PIXELS} are allowed: cut out about "
        "10 arcsec around the lens"
    )
