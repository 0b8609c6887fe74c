"""What an image of a file is, from its name: science, noise, mask, PSF, or something that is not observed.

Names are those that instruments and tools write: HST and JWST (SCI, ERR, DQ, WHT, CTX, CON, VAR_POISSON), LSST and HSC
(IMAGE, MASK, VARIANCE), Euclid (VIS_BGSUB, VIS_RMS, VIS_PSF), MUSE (DATA, STAT), STPSF (OVERSAMP, DET_SAMP), PyAutoLens
(DATA, NOISE_MAP, PSF, OVER_SAMPLE_SIZE_LP) and oddlens. A name may also have a band, before or after (`VIS_RMS`,
`PSF_F814W`), and a number (`SCI2`). The same rules read the names of files that are next to an image.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

SCIENCE, NOISE, VARIANCE, INVERSE_VARIANCE = "science", "noise", "variance", "inverse variance"
WEIGHT, MASK, PSF, OTHER, UNKNOWN = "weight", "mask", "psf", "other", "unknown"

NAMES = {
    SCIENCE: "SCI SCIENCE DATA IMAGE IMG BGSUB BKGSUB SKYSUB CUTOUT STAMP COADD PRIMARY",
    NOISE: "NOISE NOISE_MAP NOISEMAP ERR ERROR ERRORS RMS RMS_MAP SIGMA UNC UNCERT UNCERTAINTY STD STDEV",
    VARIANCE: "VAR VARIANCE STAT VARMAP",
    INVERSE_VARIANCE: "IVAR INVVAR IVM",
    WEIGHT: "WHT WEIGHT WGT WEIGHTS WEIGHT_MAP WEIGHTMAP",
    MASK: "MASK DQ DQF FLAG FLAGS FLG BITMASK BPM BADPIX BAD_PIXEL_MASK MASK_EXTRA_GALAXIES",
    PSF: "PSF PRF PSF_KERNEL KERNEL OVERSAMP DET_SAMP OVERDIST DET_DIST",
    OTHER: (
        "CTX CON CONTEXT SAMP TIME AREA WMAP NIMG NEXP EXP EXPTIME EXPMAP EXPOSURE COVERAGE COV BKG BACKGROUND SKY "
        "VAR_POISSON VAR_RNOISE VAR_FLAT OVER_SAMPLE_SIZE SEG SEGM SEGMAP SEGMENTATION MODEL RESIDUAL RESIDUALS "
        "NOISEFREE NOISE_FREE NOISELESS TWIN KAPPADIF THUMBNAIL PREVIEW RGB WAVELENGTH PSF_VARIANCE_MAP PSF_VAR "
        "POSITIONS INFO"
    ),
}
"""Names by role, in upper case, with `_` between words."""
ROLE_OF = {name: role for role, names in NAMES.items() for name in names.split()}
BAND = re.compile(
    r"(?:(?:DES|DECAM|HSC|LSST|SDSS|CFIS|CFHT|KIDS|NIR|NISP|UKIDSS|VISTA|WFC3|ACS|NIRCAM|WFI|EUCLID)_)*"
    r"(?:VIS|F\d{3,4}[A-Z]{0,2}|[UGRIZYJHK])"
)
"""Names of bands. An image whose name is a band is a science image of that band."""


@dataclass(frozen=True)
class Role:
    """What an image is, and what it belongs to."""

    kind: str
    """One of the constants of this module."""
    band: str = ""
    """The rest of the name, in upper case: a band, or the object to which a file belongs."""
    version: int = 1


def role_of(name: str, version: int = 1) -> Role:
    """The role of an image by its name. A name that has two roles, or none, is `UNKNOWN`; no name is `SCIENCE`."""
    words = [word for word in re.split(r"[^\w+]+|_+", name.upper()) if word]
    if not words:
        return Role(SCIENCE, version=version)
    rest, kinds = words, []
    while rest and (found := _longest(rest)):
        kind, rest, number = found
        kinds.append(kind)
        version = number or version
    band = "_".join(rest)
    if not kinds:
        return Role(SCIENCE if BAND.fullmatch(band) else UNKNOWN, band, version)
    special = {kind for kind in kinds if kind != SCIENCE}  # IMAGE_NOISE is the noise of an image
    if OTHER in special:
        return Role(OTHER, band, version)
    return Role(UNKNOWN if len(special) > 1 else (special or {SCIENCE}).pop(), band, version)


def _longest(words: list[str]) -> tuple[str, list[str], int] | None:
    """The role of the longest part at the end or the beginning of a name, the other words, and the number after it."""
    for part, rest in _parts(words):
        match = re.fullmatch(r"(.*?)_?(\d{0,3})", "_".join(part))
        assert match
        if "_".join(part) in ROLE_OF:
            return ROLE_OF["_".join(part)], rest, 0
        if match[1] in ROLE_OF:
            return ROLE_OF[match[1]], rest, int(match[2] or 0)
    return None


def _parts(words: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    for length in range(len(words), 0, -1):
        yield words[-length:], words[:-length]
        if length < len(words):
            yield words[:length], words[length:]
