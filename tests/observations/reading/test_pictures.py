"""PNG, JPEG and TIFF: grey as it is, colours by a channel, and nothing that can be read in two ways."""

import numpy as np
import pytest
from PIL import Image

from oddlens.observations.reading import neighbours, pictures
from oddlens.observations.reading.image_files import Reading, read, read_single

GREY = np.random.default_rng(1).integers(0, 256, (20, 16)).astype(np.uint8)
WIDE = GREY.astype(np.uint16) * 257 - 3  # wraps for 0
RGB = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def picture(path, **reading):
    return read_single(path, Reading(pictures=True, **reading))


def refusal(path, **reading):
    with pytest.raises(ValueError, match=r"\S") as error:
        picture(path, **reading)
    assert len(str(error.value).splitlines()) == 1
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("pixels", [GREY, WIDE, GREY.astype(np.float32) / 7])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_is_read_as_it_is(tmp_path, pixels, suffix):
    if suffix == "png" and pixels.dtype.kind == "f":
        return
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    stack = picture(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(stack.images, pixels[None])
    assert not stack.has_unit
    assert stack.pixel_scale_arcsec is None
    assert any("no unit" in note for note in stack.companions.notes)


def test_jpeg_is_told_to_be_lossy(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=95)
    stack = picture(tmp_path / "a.jpg")
    assert np.abs(stack.images[0].astype(float) - GREY).mean() < 20
    assert any("lossy" in note for note in stack.companions.notes)


def test_a_channel_of_colours_is_chosen_and_never_guessed(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    assert "luminance" in refusal(tmp_path / "a.png")
    for channel in range(3):
        np.testing.assert_array_equal(picture(tmp_path / "a.png", channel=channel).images[0], RGB[..., channel])
    grey = picture(tmp_path / "a.png", channel="luminance").images[0]
    np.testing.assert_allclose(grey, 0.299 * RGB[..., 0] + 0.587 * RGB[..., 1] + 0.114 * RGB[..., 2])
    for channel in (3, -1, "red"):
        assert str(channel) in refusal(tmp_path / "a.png", channel=channel)
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    assert "one channel" in refusal(tmp_path / "grey.png", channel=1)
    np.testing.assert_array_equal(picture(tmp_path / "grey.png", channel="luminance").images[0], GREY)


def two_pages(path):
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(GREY)])


def white_is_zero(path):
    Image.fromarray(WIDE).save(path, tiffinfo={262: 0})


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("viridis.png", lambda path: Image.fromarray(np.dstack([RGB, 0 * GREY + 255])).save(path), "transparency"),
        ("grey.png", lambda path: Image.fromarray(np.dstack([GREY, GREY])).save(path), "transparency"),
        ("key.png", lambda path: Image.fromarray(GREY).save(path, transparency=0), "transparency"),
        ("palette.png", lambda path: Image.fromarray(RGB).quantize(16).save(path), "palette"),
        ("bits.png", lambda path: Image.fromarray(GREY > 99).save(path), "neither grey nor RGB"),
        ("ink.jpg", lambda path: Image.fromarray(RGB).convert("CMYK").save(path), "CMYK"),
        ("tiny.png", lambda path: Image.fromarray(GREY[:5]).save(path), "at least 8"),
        ("large.png", lambda path: Image.new("L", (20, 3000)).save(path), "3000"),
        ("pages.tif", two_pages, "2 pages"),
        ("white.tif", white_is_zero, "0 is white"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, name, write, words):
    write(tmp_path / name)
    assert words in refusal(tmp_path / name, channel=0)


def test_sixteen_bits_of_colour_are_not_cut_to_eight(tmp_path):
    import struct
    import zlib

    rows = b"".join(b"\0" + struct.pack(">48H", *range(48)) for _ in range(16))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    content = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    assert "16 bits" in refusal(tmp_path / "a.png", channel=0)


def test_a_damaged_picture_is_refused_in_one_line(tmp_path):
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(GREY).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        assert "cannot be read" in refusal(tmp_path / name)


def test_a_turned_jpeg_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 3  # upside down
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95, exif=exif)
    assert picture(tmp_path / "a.jpg").images[0, 0, 0] > 100


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_pictures_are_refused_where_numbers_need_a_unit(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}")
    with pytest.raises(ValueError, match="pictures have no unit"):
        list(read(tmp_path / f"a.{suffix}"))


def test_the_quality_of_a_jpeg_is_among_its_names(tmp_path):
    names = set()
    for quality in (50, 90):
        Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=quality)
        names.add(pictures.read(tmp_path / "a.jpg", "JPEG").names)
    assert len(names) == 2


def test_files_next_to_a_picture_belong_to_it_by_their_names(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "lens.png")
    np.save(tmp_path / "lens_mask.npy", GREY > 250)
    np.save(tmp_path / "other.npy", GREY)
    np.testing.assert_array_equal(picture(tmp_path / "lens.png").companions.arrays["mask"], GREY > 250)
    for name, is_one in {"000_mask.png": True, "psf.tif": True, "000.png": False, "lens_noise.npz": True}.items():
        assert neighbours.is_companion(tmp_path / name) == is_one
