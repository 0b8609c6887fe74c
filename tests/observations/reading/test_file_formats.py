"""Formats by first bytes: what is read, and what is refused with what to do."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from oddlens.observations.reading import file_formats, image_files
from tiny_models import rings, write_fits

IMAGE = rings(1, 3)[0]


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def picture_bytes(kind):
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * np.clip(IMAGE, 0, 1))).save(file, kind)
    return file.getvalue()


def archive_bytes(mode, name="lens.fits"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def zip_bytes(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


def compressed(path, kind):
    """The FITS file of `IMAGE` at a path, compressed."""
    if kind == "fpack":
        units = [fits.PrimaryHDU(), fits.CompImageHDU(np.flipud(IMAGE), quantize_level=0, compression_type="GZIP_2")]
        fits.HDUList(units).writeto(path)
    else:
        content = write_fits(path.with_suffix(".plain"), IMAGE).read_bytes()
        path.write_bytes({"gzip": gzip, "bzip2": bz2, "xz": lzma}[kind].compress(content))
    return path


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "fpack"])
def test_compressed_fits_is_read_whatever_its_name(tmp_path, kind):
    path = compressed(tmp_path / "image.dat", kind)
    assert file_formats.detect(path) == "FITS"
    (stack,) = image_files.read(path)
    np.testing.assert_array_equal(stack.images[0], IMAGE)


def test_arrays_are_read_whatever_their_name(tmp_path):
    (tmp_path / "a.fits").write_bytes(npy_bytes(IMAGE))
    np.savez_compressed(tmp_path / "b.npz", images=IMAGE)
    (tmp_path / "b.npz").rename(tmp_path / "b")
    with h5py.File(tmp_path / "c.npy", "w", userblock_size=1024) as file:
        file["images"] = IMAGE
    for name, expected in {"a.fits": "NPY", "b": "NPZ", "c.npy": "HDF5"}.items():
        assert file_formats.detect(tmp_path / name) == expected
        (stack,) = image_files.read(tmp_path / name)
        np.testing.assert_array_equal(stack.images[0], IMAGE)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
REFUSED = {
    "png": (picture_bytes("PNG"), "a PNG picture"),
    "jpeg": (picture_bytes("JPEG"), "a JPEG picture"),
    "tiff": (picture_bytes("TIFF"), "a TIFF picture"),
    "webp": (picture_bytes("WEBP"), "a WebP picture"),
    "tar": (archive_bytes("w"), "tar xf"),
    "tar.gz": (archive_bytes("w:gz"), "tar xf"),
    "tar.bz2": (archive_bytes("w:bz2"), "tar xf"),
    "zip": (zip_bytes(c_fits=b"SIMPLE"), "unzip"),
    "empty zip": (zip_bytes(), "it is empty"),
    "cut zip": (zip_bytes(c_fits=b"SIMPLE")[:-30], "damaged ZIP"),
    "torch": (zip_bytes(data_pkl=b"\x80\x02"), "PyTorch"),
    "old torch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00", "a pickle"),
    "npy.gz": (gzip.compress(npy_bytes(IMAGE)), "gunzip"),
    "npy.xz": (lzma.compress(npy_bytes(IMAGE)), "unxz"),
    "text.gz": (gzip.compress(b"x,y\n1,2\n"), "but text ('x,y 1,2')"),
    "cut.gz": (gzip.compress(os.urandom(5000))[:200], "damaged"),
    "cut.fits.bz2": (bz2.compress(b"SIMPLE" + os.urandom(5000))[:2000], "damaged"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "unzstd"),
    "html": (b"\n<!DOCTYPE html><html><title>404 Not Found</title>", "a web page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page or XML"),
    "lfs": (LFS, "git lfs pull"),
    "annex": (b"/annex/objects/SHA256E-s1--aa.fits\n", "git annex get"),
    "empty": (b"", "0 bytes"),
    "zeros": (bytes(4000), "zero bytes"),
    "csv": (b"name,pixel_scale_arcsec,data\na,0.05,a.fits\n", "text ('name,"),
    "latin": ("# \u00e9toile\n".encode("latin-1"), "first bytes"),
    "matlab": (b"MATLAB 7.3 MAT-file".ljust(512) + file_formats.HDF5, "axes are reversed"),
    "asdf": (b"#ASDF 1.0.0\n", "asdf"),
    "safetensors": (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"a":', "safetensors"),
    "random": (bytes(range(200, 250)), "c8 c9 ca"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named_in_one_line(tmp_path, name):
    content, words = REFUSED[name]
    path = tmp_path / "odd name.fits"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="odd name") as error:
        file_formats.detect(path)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_pipes_devices_folders_and_lost_links_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing.fits")
    for path, words in [(tmp_path / "pipe", "a pipe"), (file_formats.Path("/dev/zero"), "a device")]:
        with pytest.raises(ValueError, match=words):
            file_formats.detect(path)
    with pytest.raises(ValueError, match="a folder"):
        file_formats.detect(tmp_path)
    for path, words in [("link", "nothing.fits"), ("none", "no file"), ("../a/none.fits", "no file")]:
        with pytest.raises(FileNotFoundError, match=words):
            file_formats.detect(tmp_path / path)
    with pytest.raises(FileNotFoundError, match="download it"):
        file_formats.detect(file_formats.Path("https://example.org/lens.fits"))


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_decompression_bombs_are_refused_by_their_unpacked_size(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(file_formats, "MAX_BYTES", 2**24)
    path = tmp_path / "bomb.fits"
    path.write_bytes({"gzip": gzip, "bzip2": bz2, "xz": lzma}[kind].compress(b"SIMPLE" + bytes(2**24)))
    assert path.stat().st_size < 2**16
    with pytest.raises(ValueError, match="unpacks to more than"):
        file_formats.detect(path)


@given(st.binary(max_size=40), st.sampled_from([b"", *(c.magic for c in file_formats.COMPRESSIONS), b"PK\x03\x04"]))
@hypothesis_settings(max_examples=100, deadline=None)
def test_any_bytes_have_a_format_or_are_refused_in_one_line(tmp_path_factory, content, magic):
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(magic + content)
    try:
        assert file_formats.detect(path) in set(file_formats.FORMATS.values()) | {"NPZ"}
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
