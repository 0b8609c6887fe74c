"""Plain masks and bit masks: which pixels must not be used, and which masks are refused."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.observations.reading import mask_planes
from oddlens.observations.reading.mask_planes import unusable

HSC = ["BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "SUSPECT", "NO_DATA"]
PAN_STARRS = {"MSKNAM00": "FLAT", "MSKVAL00": 2, "MSKNAM01": "SPIKE", "MSKVAL01": 512}
PAN_STARRS |= {"MSKNAM02": "MASK.VALUE", "MSKVAL02": 8575}


def header_of(planes):
    header = fits.Header()
    for bit, plane in enumerate(planes):
        header[f"MP_{plane}" if len(plane) < 6 else f"HIERARCH MP_{plane}"] = bit
    return header


def forbidden(values, header=(), name="MASK", dtype=None):
    mask = np.asarray(values, dtype)
    found = unusable(mask, fits.Header(header), name)
    assert found.shape == mask.shape
    assert found.dtype == bool
    return found.tolist()


def refusal(values, header=(), name="MASK", dtype=None):
    with pytest.raises(ValueError, match=name) as error:
        unusable(np.asarray(values, dtype), fits.Header(header), name)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[False, True]], [[False, True]]),
        ([[0, 1]], [[False, True]]),
        ([[0.0, 0.2, 1.0]], [[False, True, True]]),
        ([[0.0, np.nan]], [[False, True]]),
        (np.array([[0, 255]], np.uint8), [[False, True]]),
        (np.array([[0, -1]], ">i2"), [[False, True]]),
        ([[0, 65535]], [[False, True]]),
        ([[0, 0]], [[False, False]]),
    ],
)
def test_plain_masks(values, expected):
    assert forbidden(values) == expected
    assert forbidden(values, name="image.fits#DQ") == expected


@pytest.mark.parametrize("values", [[0, 32], [0, 1, 2], [0, 1, 32], [0, 1.5], [1, 2, 3], [0, 1, 255], [0, -2]])
def test_values_that_can_be_read_in_two_ways_are_refused(values):
    message = refusal([values])
    assert "--mask" in message
    assert f"{max(values, key=abs):g}" in message


@pytest.mark.parametrize("values", [np.array([[1j]]), np.array([["a"]]), np.array([[np.inf, 0]])])
def test_what_is_no_mask_is_refused(values):
    assert "--mask" in refusal(values)


@pytest.mark.parametrize("dtype", ["i4", ">i4", "u2", "f4"])
def test_only_planes_that_forbid_count(dtype):
    values = [[0, *(1 << bit for bit in range(len(HSC)))]]
    expected = [False, *(plane not in ("INTRP", "DETECTED", "DETECTED_NEGATIVE") for plane in HSC)]
    assert forbidden(values, header_of(HSC), dtype=dtype) == [expected]


@given(st.permutations([*mask_planes.RUBIN_UNUSABLE, *mask_planes.RUBIN_USABLE]), st.data())
@hypothesis_settings(max_examples=50, deadline=None)
def test_planes_are_told_by_their_names_and_not_by_their_bits(planes, data):
    chosen = data.draw(st.lists(st.sampled_from(planes)))
    value = sum({1 << planes.index(plane) for plane in chosen})
    expected = any(plane in mask_planes.RUBIN_UNUSABLE for plane in chosen)
    assert forbidden([[value]], header_of(planes), dtype=np.int64) == [[expected]]


def test_the_highest_bit_of_a_signed_mask_is_a_plane():
    planes = [*(f"X{k}" for k in range(31)), "SAT"]
    assert forbidden([[0, -(2**31)]], header_of(planes), dtype=np.int32) == [[False, True]]


def test_planes_of_unknown_meaning_are_refused_only_where_they_are_set():
    header = header_of([*HSC, "CLOUDY"])
    assert forbidden([[0, 32, 1]], header) == [[False, False, True]]
    assert "CLOUDY (bit 9)" in refusal([[0, 512]], header)
    assert "bit 12" in refusal([[0, 4096]], header)


def test_a_damaged_plane_is_refused():
    assert "MP_BAD" in refusal([[0, 1]], {"MP_BAD": "zero"})
    with pytest.raises(ValueError, match="MP_BAD"):
        unusable(np.ones((1, 1), int), fits.Header.fromstring("MP_BAD  = 0..1".ljust(80)), "MASK")


@pytest.mark.parametrize("telescope", ["JWST", "ROMAN", "Euclid"])
@pytest.mark.parametrize("name", ["DQ", "VIS_FLAG", "image.fits[DQ,1]"])
def test_do_not_use_of_jwst_roman_and_euclid(telescope, name):
    values = [[0, 1, 2, 4, 5, 1 << 24]]
    assert forbidden(values, {"TELESCOP": telescope}, name) == [[False, True, False, False, True, False]]


def test_unsigned_32_bit_flags_without_a_telescope_are_those_of_jwst():
    assert forbidden([[0, 4, 5]], name="DQ", dtype=np.uint32) == [[False, False, True]]
    assert "TELESCOP" in refusal([[0, 4, 5]], name="DQ", dtype=np.int16)


@pytest.mark.parametrize(
    ("cards", "usable"),
    [
        ({"INSTRUME": "ACS"}, [64]),
        ({"INSTRUME": "WFC3", "DETECTOR": "UVIS"}, [64]),
        ({"INSTRUME": "WFC3", "DETECTOR": "IR"}, [64, 512, 2048]),
    ],
)
def test_flags_of_hst(cards, usable):
    flags = [1 << bit for bit in range(15)]
    expected = [flag not in usable for flag in flags]
    assert forbidden([flags], {"TELESCOP": "HST", **cards}, "DQ", np.int16) == [expected]
    assert forbidden([[-(2**15), 64 + 16]], {"TELESCOP": "HST", **cards}, "DQ", np.int16) == [[True, True]]


@pytest.mark.parametrize("cards", [{"TELESCOP": "HST", "INSTRUME": "WFPC2"}, {"TELESCOP": "VLT"}, {}])
def test_flags_of_unknown_instruments_are_refused(cards):
    refusal([[0, 4]], cards, "DQ")


def test_flags_count_only_in_units_of_flags():
    refusal([[0, 4]], {"TELESCOP": "JWST"}, "MASK")


def test_flags_of_the_dark_energy_survey():
    header = {"TELESCOP": "CTIO 4.0-m telescope", "INSTRUME": "DECam"}
    assert forbidden([[0, 1, 4, 32, 36, 16, 2048, 64]], header, "MSK") == [
        [False, True, False, False, False, True, False, True]
    ]


def test_pan_starrs_states_which_planes_are_unusable():
    assert forbidden([[0, 2, 512, 514, 0x4000]], PAN_STARRS) == [[False, True, False, True, False]]
