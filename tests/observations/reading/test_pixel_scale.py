"""The pixel scale of FITS headers: all forms of a WCS, keywords, info.json, and what contradicts or cannot be read."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.observations.reading.pixel_scale import SCALE_KEYWORDS, pixel_scale, stated_scales

DEG = 0.05 / 3600
SKY = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 81.0, "CRPIX2": 81.0}
SIZE = {"NAXIS": 2, "NAXIS1": 161, "NAXIS2": 161}
CD = SKY | {"CD1_1": -DEG, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": DEG}
IN_ARCSEC = {"CUNIT1": "arcsec", "CUNIT2": "arcsec"}
XY = {"CTYPE1": "XOFFSET", "CTYPE2": "YOFFSET", "CUNIT1": "deg", "CUNIT2": "deg", "CRPIX1": 81.0, "CRPIX2": 81.0}
NOWHERE = Path("no/image.fits")


def header_of(cards):
    header = fits.Header()
    for key, value in cards.items():
        header[key] = value  # or value and comment
    return header


def scale_of(cards, path=NOWHERE, override=None, **others):
    with warnings.catch_warnings(action="error"):  # what astropy warns of is silenced
        return pixel_scale(path, header_of(cards), override, **others)


def refusal(cards, path=NOWHERE):
    with pytest.raises(ValueError, match=path.name) as error:
        scale_of(cards, path)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    assert "--pixel-scale" in message
    return message


# --- WCS -------------------------------------------------------------------------------------------------------------


@st.composite
def headers(draw):
    """The scale in arcsec, and a header that states it."""
    scale, angle = draw(st.floats(0.002, 9.0)), np.radians(draw(st.floats(0, 360)))
    unit = units.Unit(draw(st.sampled_from(["deg", "arcmin", "arcsec", "mas", "rad"])))
    step = (scale * units.arcsec).to_value(unit)
    parity = draw(st.sampled_from([-1.0, 1.0]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    cards = dict(SIZE)
    cards |= draw(st.sampled_from([SKY, XY, {**SKY, "CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"}]))
    cards |= {f"CUNIT{i}": unit.to_string() for i in (1, 2)}
    cards |= {f"CRVAL{i}": 0.0 for i in (1, 2)}  # in any unit
    form = draw(st.sampled_from(["CD", "PC", "PC only", "PC00", "CROTA2", "CDELT"]))
    signs = np.array([parity, 1.0])
    for i, j in np.ndindex(2, 2):
        if form == "CD":
            cards[f"CD{i + 1}_{j + 1}"] = step * signs[i] * turn[i, j]
        if form == "PC only":
            cards[f"PC{i + 1}_{j + 1}"] = step * signs[i] * turn[i, j]
        if form in ("PC", "PC00"):
            cards[f"PC{i + 1}_{j + 1}" if form == "PC" else f"PC00{i + 1}00{j + 1}"] = turn[i, j]
    if form not in ("CD", "PC only"):
        cards |= {"CDELT1": step * parity, "CDELT2": step}
    if form == "PC only":
        cards |= {"CDELT1": 1.0, "CDELT2": 1.0}
    if form == "CROTA2":
        cards["CROTA2"] = float(np.degrees(angle))
    return scale, cards


@given(headers())
@hypothesis_settings(max_examples=100, deadline=None)
def test_each_form_unit_rotation_and_parity_gives_the_same_scale(stated):
    scale, cards = stated
    assert scale_of(cards) == pytest.approx(scale, rel=1e-4)
    with warnings.catch_warnings(action="ignore"):
        wcs = WCS(fits.Header(cards), naxis=2)
        by_astropy = [
            (s * u).to_value("arcsec") for s, u in zip(proj_plane_pixel_scales(wcs), wcs.wcs.cunit, strict=True)
        ]
    assert scale_of(cards) == pytest.approx(np.mean(by_astropy), rel=1e-4)


@pytest.mark.parametrize(
    "cards",
    [
        pytest.param(SKY | {"PC1_1": -DEG, "PC2_2": DEG, "CDELT1": 1.0, "CDELT2": 1.0}, id="PC with CDELT of 1"),
        pytest.param(SKY | {"PC1_1": -DEG, "PC2_2": DEG}, id="PC without CDELT"),
        pytest.param(SKY | IN_ARCSEC | {"CDELT1": -0.05, "CDELT2": 0.05}, id="CUNIT arcsec"),
        pytest.param(SKY | {"CDELT1": -50.0, "CDELT2": 50.0, "CUNIT1": "mas", "CUNIT2": "MAS"}, id="CUNIT mas"),
        pytest.param(SKY | {"CDELT1": -0.05, "CUNIT1": "ARCSECONDS", "CDELT2": DEG, "CUNIT2": " DEG "}, id="two units"),
        pytest.param(CD | {"CDELT1": 1.0, "CDELT2": 1.0}, id="CD with dummy CDELT"),
        pytest.param(CD | {"CDELT1": 0.1, "CDELT2": 0.1}, id="CD overrides CDELT, as the standard says"),
        pytest.param(CD | {"PC1_1": 1.0, "PC2_2": 1.0, "CDELT1": 1.0, "CDELT2": 1.0}, id="CD with dummy PC"),
        pytest.param(SKY | {"CD1_2": DEG, "CD2_1": DEG}, id="CD turned by 90 degrees"),
        pytest.param(SKY | {"CD1_1": "-1.388888889E-5", "CD2_2": DEG}, id="number in quotes"),
        pytest.param(SKY | {"CD1_1": -DEG}, id="CD1_1 alone"),
        pytest.param({"CDELT1": DEG, "CDELT2": DEG}, id="CDELT without a type is in degrees"),
        pytest.param({"CDELT1": DEG}, id="CDELT1 alone"),
        pytest.param(XY | {"CDELT1": DEG, "CDELT2": DEG}, id="as oddlens writes it"),
        pytest.param(CD | {"NAXIS": 4, "NAXIS3": 1, "NAXIS4": 1, "CTYPE3": "FREQ", "CTYPE4": "STOKES"}, id="four axes"),
        pytest.param(
            {"NAXIS": 3, "NAXIS1": 1, "NAXIS2": 9, "NAXIS3": 9, "CTYPE1": "FREQ", "CTYPE2": "RA---SIN"}
            | {"CTYPE3": "DEC--SIN", "CDELT1": 1e9, "CDELT2": -DEG, "CDELT3": DEG},
            id="degenerate first axis",
        ),
        pytest.param(CD | {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-4}, id="SIP"),
        pytest.param(CD | {"A_ORDER": 2, "B_ORDER": 2}, id="SIP without its type"),
        pytest.param(CD | {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.0, "PV2_1": 1.0}, id="TPV"),
        pytest.param(CD | {"PV1_1": 1.0, "PV1_2": 0.01}, id="TAN with PV"),
        pytest.param(CD | {"CPDIS1": "LOOKUP", "CPDIS2": "LOOKUP", "DP1": "EXTVER: 1"}, id="look-up distortion"),
        pytest.param(CD | {"CTYPE1": "RA---TAB", "CTYPE2": "DEC--TAB", "PS1_0": "TABLE", "PS1_1": "x"}, id="TAB"),
        pytest.param(CD | {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN"}, id="declination first"),
        pytest.param(CD | {"CRVAL2": 95.0}, id="impossible position on the sky"),
        pytest.param({"CTYPE1A": "RA---TAN", "CTYPE2A": "DEC--TAN", "CD1_1A": DEG, "CD2_2A": DEG}, id="alternate"),
        pytest.param(
            {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CD1_1": 0.05, "CD2_2": 0.05, "GS_WCS": "Jac"}, id="GalSim"
        ),
    ],
)
def test_forms_of_a_wcs(cards):
    assert scale_of(SIZE | cards) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CDELT1": 1.0, "CDELT2": 1.0},
        {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CD1_1": -1.0, "CD2_2": 1.0, "CD1_2": 0.0, "LTM1_1": 1.0},
        {"CTYPE1": "PIXEL", "CTYPE2": "PIXEL", "CDELT1": 2.0, "CDELT2": 2.0},
        {"CUNIT1": "pixel", "CUNIT2": "pixel", "CDELT1": 0.5, "CDELT2": 0.5},
        {"CTYPE1P": "LINEAR", "CTYPE2P": "LINEAR", "CDELT1P": 2.0, "CDELT2P": 2.0},
        {"RADESYS": "ICRS", "EQUINOX": 2000.0, "CRPIX1": 1.0, "XPIXSZ": 9.0},
    ],
)
def test_a_header_that_says_nothing_of_scale(cards):
    assert scale_of(SIZE | cards) is None


@pytest.mark.parametrize(
    ("cards", "named"),
    [
        (SKY, ["RA---TAN", "CDELT"]),
        (SKY | {"CDELT1": 1.0, "CDELT2": 1.0}, ["CDELT", "default"]),
        (SKY | {"CDELT1": 0.05, "CDELT2": 0.05}, ["CDELT", "180 arcsec", "0.05 arcsec"]),  # arcsec without CUNIT
        (SKY | {"CDELT1": 0.0, "CDELT2": 0.0}, ["CDELT"]),
        ({"CDELT1": 0.0, "CDELT2": 0.0}, ["CDELT"]),
        (SKY | {"CD1_1": DEG, "CD1_2": DEG, "CD2_1": DEG, "CD2_2": DEG}, ["CD", "singular"]),
        (CD | {"CD1_1": "nan"}, ["CD1_1", "nan"]),
        (CD | {"CD1_1": True}, ["CD1_1", "True"]),
        (CD | {"CD1_1": None}, ["CD1_1", "empty"]),
        (CD | {"CUNIT1": "furlong"}, ["furlong"]),
        (CD | {"CUNIT1": "pixel", "CUNIT2": "pixel"}, ["pixel"]),
        ({"CDELT1": 0.5, "CDELT2": 0.5, "CUNIT1": "kpc", "CUNIT2": "kpc"}, ["kpc"]),
        (CD | {"CD2_2": 1.02 * DEG}, ["0.05 x 0.051"]),
        (CD | {"CD1_2": 0.1 * DEG}, ["not square"]),  # a parallelogram
        (CD | {"CTYPE2": "FREQ"}, ["RA---TAN", "FREQ"]),
        (CD | {"CTYPE1": "WAVE", "CTYPE2": "LINEAR"}, ["WAVE"]),
        (CD | {"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"}, ["XYZ"]),
        (CD | {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRPIX2": -60 / DEG}, ["0.025 x 0.05"]),  # cos 60 degrees
        (CD | {"PC1_1": 1.0, "PC2_2": 1.0, "CDELT1": -2 * DEG, "CDELT2": 2 * DEG}, ["CD", "0.05", "PC", "0.1"]),
    ],
)
def test_a_wcs_that_cannot_be_read_is_refused(cards, named):
    message = refusal(SIZE | cards)
    assert all(name in message for name in named), message


@pytest.mark.parametrize("card", ["CDELT1  = 1.0E-5.3", "PIXSCALE= 0..05", "CDELT1  =", "PIXSCALE=", "CD1_1 = ,5"])
def test_a_damaged_card_is_refused(card):
    header = fits.Header.fromstring("".join(text.ljust(80) for text in (card, "CDELT2  = 1.38E-5")))
    with pytest.raises(ValueError, match=card[:5]):
        pixel_scale(NOWHERE, header, None)


def test_a_keyword_that_is_given_twice_with_two_values_is_refused():
    header = fits.Header([("PIXSCALE", 0.05), ("PIXSCALE", 0.13)])
    with pytest.raises(ValueError, match=r"PIXSCALE.*0\.05.*0\.13"):
        pixel_scale(NOWHERE, header, None)


# --- keywords and info.json ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", SCALE_KEYWORDS)
def test_keywords_alone_and_beside_a_wcs(key):
    cards = {key if len(key) <= 8 else f"HIERARCH {key}": 0.05}
    assert scale_of(cards) == 0.05
    assert scale_of(CD | cards) == 0.05
    message = refusal(CD | dict.fromkeys(cards, 0.13))
    assert all(name in message for name in (key, "0.13", "CD", "0.05"))


@pytest.mark.parametrize(
    ("cards", "scale"),
    [
        ({"PIXSCALE": "0.05"}, 0.05),
        ({"PIXSCALE": (50, "[mas/pixel]")}, 0.05),
        ({"PIXSCALE": (DEG, "degrees per pixel")}, 0.05),
        ({"PXSCAL1": (-1.22, "[arcsec/pix] at CRPIX1"), "PXSCAL2": (1.22, "[arcsec/pix]")}, 1.22),
        ({"PIXSIZE": (0.05, "arcsec")}, 0.05),
        (CD | {"PIXSCALE": 50.0}, 0.05),
        (CD | {"PIXSCALE": 0.0504}, 0.05),
        (CD | {"PIXSCALE": DEG}, 0.05),
        (CD | {"PIXSIZE": 13.5}, 0.05),
        (CD | {"PIXSIZE1": (13.5, "pixel size (microns)")}, 0.05),
        ({"PIXSIZE1": (13.5, "pixel size (microns)")}, None),
        ({"PIXSCAL1": 0.185, "PIXSCAL2": 0.185, "PIXSIZE": 13.5}, 0.185),
        ({"PIXSCALE": (0.05, "arcsec, degraded by 2")}, 0.05),
    ],
)
def test_units_of_keywords(cards, scale):
    assert scale_of(cards) == (scale if scale is None else pytest.approx(scale, rel=1e-6))


@pytest.mark.parametrize(
    ("cards", "named"),
    [
        ({"PIXSCALE": 50.0}, ["PIXSCALE", "50", "mas", "0.05"]),
        ({"PIXSCALE": DEG}, ["PIXSCALE", "1.38889e-05", "deg", "0.05"]),
        ({"PIXSCALE": 0.0}, ["PIXSCALE"]),
        ({"PIXSCALE": -0.05}, ["PIXSCALE", "-0.05"]),
        ({"PIXSCALE": "nan"}, ["PIXSCALE", "nan"]),
        ({"PIXSCALE": "unknown"}, ["PIXSCALE", "unknown"]),
        ({"PIXSCALE": (0.3, "kpc")}, ["PIXSCALE", "kpc"]),
        ({"PIXSIZE": 0.05}, ["PIXSIZE"]),
        ({"PIXSCAL1": 0.05, "PIXSCAL2": 0.06}, ["PIXSCAL1", "PIXSCAL2", "0.06"]),
        (CD | {"PIXSCALE": -1}, ["PIXSCALE"]),
        (CD | {"PIXSCALE": 130.0}, ["PIXSCALE", "130", "0.05"]),
        (CD | {"PIXSCALE": (50.0, "arcsec")}, ["PIXSCALE", "50", "arcsec"]),
    ],
)
def test_keywords_that_contradict_or_cannot_be_read(cards, named):
    message = refusal(cards)
    assert all(name in message for name in named), message


@pytest.mark.parametrize(
    ("content", "scale"),
    [
        ('{"pixel_scale": 0.05, "sigma": NaN}', 0.05),
        ('{"pixel_scale": "0.05"}', 0.05),
        ('{"pixel_scale": null, "redshift": 0.5}', None),
        ("{}", None),
    ],
)
def test_info_json(tmp_path, content, scale):
    (tmp_path / "info.json").write_text(content)
    assert scale_of({}, tmp_path / "data.fits") == scale
    assert scale_of(CD, tmp_path / "data.fits") == 0.05


@pytest.mark.parametrize("content", ["0", "-0.05", "50", "NaN", "true", "[0.05, 0.05]", '"?"', "1" + 400 * "0"])
def test_a_scale_of_info_json_that_cannot_be_read(tmp_path, content):
    (tmp_path / "info.json").write_text(f'{{"pixel_scale": {content}}}')
    assert "pixel_scale of info.json" in refusal(CD, tmp_path / "data.fits")


@pytest.mark.parametrize("content", ["[0.05]", '{"pixel_scale": 0.13', "\xff", "[" * 100_000])
def test_info_json_that_cannot_be_read(tmp_path, content):
    (tmp_path / "info.json").write_text(content, encoding="latin-1")
    assert "info.json" in refusal({}, tmp_path / "data.fits")


def test_info_json_that_contradicts_the_header(tmp_path):
    (tmp_path / "info.json").write_text(json.dumps({"pixel_scale": 0.13}))
    message = refusal(CD | {"PIXSCALE": 50}, tmp_path / "data.fits")
    assert all(name in message for name in ("info.json", "0.13", "CD", "0.05", "PIXSCALE (mas)"))


def test_only_an_override_settles_a_contradiction(tmp_path):
    (tmp_path / "info.json").write_text("{")
    path = tmp_path / "data.fits"
    assert scale_of(CD | {"PIXSCALE": 0.13}, path, override=0.2) == 0.2


def test_the_primary_header_counts_if_the_image_has_no_scale_of_its_own():
    assert scale_of({}, primary=fits.Header({"PIXSCALE": 0.05})) == 0.05
    assert scale_of(CD, primary=fits.Header({"PIXSCALE": 0.13})) == 0.05


def test_all_sources_are_told():
    scales = stated_scales(NOWHERE, fits.Header(CD | {"PIXSCALE": 50, "SECPIX": 0.05}))
    assert [scale.source for scale in scales] == ["the WCS (CD)", "PIXSCALE (mas)", "SECPIX"]
    assert [scale.arcsec for scale in scales] == pytest.approx([0.05] * 3)


# --- any header ------------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        *("CDELT1", "CDELT2", "CD1_1", "CD2_2", "CD1_2", "PC1_1", "PC001001", "CRPIX1", "CROTA2", "PV2_1"),
        *("CTYPE1", "CTYPE2", "CUNIT1", "PIXSCALE", "PIXSIZE", "CTYPE1A", "CD1_1A"),
    ]
)
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.none(),
    st.sampled_from(["", "deg", "RA---TAN", "DEC--TAN", "RA---COE", "RA---ZPN", "LINEAR", "as", "1e400", "inf", "m2"]),
)


@given(st.dictionaries(KEYS, VALUES), st.booleans())
@example({"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN", "CDELT1": DEG}, False)
@example({"CRPIX1": 1e300}, True)
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_header_gives_a_usable_scale_or_none_or_a_refusal(cards, on_sky):
    refused, scale = str(NOWHERE), None
    try:
        scale = scale_of((CD if on_sky else {}) | cards)
    except ValueError as error:
        refused = str(error)
    assert str(NOWHERE) in refused
    assert len(refused.splitlines()) == 1
    assert scale is None or 0 < scale < 10


def test_astropy_wcs_is_imported_only_for_a_wcs_on_the_sky():
    code = (
        "import sys; from pathlib import Path; from astropy.io import fits\n"
        "from oddlens.observations.reading.pixel_scale import pixel_scale\n"
        f"assert pixel_scale(Path('x'), fits.Header({XY | {'CDELT1': DEG, 'CDELT2': DEG, 'PIXSCALE': 0.05}}), None)\n"
        "assert 'astropy.wcs' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
