"""The camera of the user's own images: as stated, as estimated from the training images, and as used."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from oddlens.config.files_dataset import Files
from oddlens.files.artefacts import read_table, write_table
from oddlens.files.progress import say
from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.background import border
from oddlens.observations.camera_estimate import CameraEstimate, contradictions, estimate_camera
from oddlens.observations.sample.columns import CAMERA
from oddlens.observations.sample.images import read_images
from oddlens.observations.sample.sample import Sample

MAX_IMAGES = 500
"""Training images from which the camera is estimated, evenly spaced over the pool."""
ESTIMATED = {"noise_gain": "gain", "noise_background": "background"}
"""Quantities of the camera that images tell, and their names in the estimate."""
CORRELATION = "lag1_correlation"


def camera(
    path: str | Path, sample: Sample, files: Files, dataset: str, assumed_scale_arcsec: float | None = None
) -> None:
    """Write the table of the camera: a line for each of `columns.CAMERA` and the correlation of neighbouring pixels.

    Args:
        assumed_scale_arcsec: the pixel scale that detectors which fit lenses assume.

    Raises:
        ValueError: if no training image can be read, a quantity is missing, or a stated value contradicts the images
            and is not trusted.
    """
    rows = sample.table[sample.table["pool"] == "train"]
    rows = rows.iloc[:: -(-len(rows) // MAX_IMAGES)]
    images = list(read_images(rows, files, neighbours=sample.sheet is None))
    pixels = [image.pixels for image in images if image.pixels is not None]
    if not pixels:
        raise ValueError(f"{dataset}: no training image can be read. The first: {images[0].problem}")
    scales = [image.pixel_scale_arcsec for image in images if image.pixel_scale_arcsec is not None]
    scale = scales[0] if scales else None
    if assumed_scale_arcsec and scale and not np.isclose(scale, assumed_scale_arcsec, rtol=SCALE_TOLERANCE):
        raise ValueError(
            f"{dataset}: simulation.camera.pixel_scale_arcsec is {assumed_scale_arcsec:g}, but the images have pixels "
            f"of {scale:g} arcsec: what is assumed must have the pixels of the images"
        )
    stated = _stated(files, rows, scale)
    estimate = estimate_camera(np.stack(pixels))
    scatter = float(np.median([_border_variance(image) for image in pixels]))
    disagreements = list(
        contradictions({quantity: stated[name] for name, quantity in ESTIMATED.items() if name in stated}, estimate)
    )
    if disagreements and not files.camera.trust:
        raise ValueError(
            "\n".join(
                f"{dataset}: {line}; if the stated value is right, set files.camera.trust" for line in disagreements
            )
        )
    table = _table(files, stated, estimate, scatter)
    for line in (*estimate.notes, *disagreements):
        say(f"{dataset}: {line}")
    notes = [*estimate.notes, *(f"{name}: {reason}" for name, reason in estimate.unknown.items()), *disagreements]
    if "noise_background" not in stated and not np.isfinite(estimate.background):
        notes.append(f"The background in use, {scatter:.3g}, is from neighbouring pixels at their borders.")
    write_table(path, table, kind="camera", dataset=dataset, images=len(pixels), notes=notes)


def read_camera(path: str | Path) -> dict[str, float]:
    """What is used of the camera, by `columns.CAMERA`."""
    used = read_table(path, "camera")[0].set_index("quantity")["used"]
    return {name: float(used[name]) for name in CAMERA}


def _stated(files: Files, rows: pd.DataFrame, scale: float | None) -> dict[str, float]:
    """What the config or, for the median training image, the sheet states of the camera, by `columns.CAMERA`."""
    given = files.camera
    stated = {} if given.exposure_s is None else {"noise_gain": 1 / given.exposure_s}
    stated |= {} if given.background is None else {"noise_background": given.background}
    if given.psf_fwhm_arcsec is not None:
        if scale is None:
            raise ValueError(
                "files.camera.psf_fwhm_arcsec needs a pixel scale, which no file states: set files.pixel_scale_arcsec"
            )
        stated["psf_fwhm_pixels"] = given.psf_fwhm_arcsec / scale
    for name in CAMERA:
        if rows[name].notna().any():
            stated[name] = float(rows[name].median())
    return stated


def _border_variance(image: np.ndarray) -> float:
    """Half the variance of the differences between neighbouring pixels at the border, where light hardly changes."""
    edge = border(np.isfinite(image))
    differences = np.diff(image, axis=1)[edge[:, 1:] & edge[:, :-1]]
    return float(stats.median_abs_deviation(differences, scale="normal") ** 2 / 2)


def _table(files: Files, stated: Mapping[str, float], estimate: CameraEstimate, scatter: float) -> pd.DataFrame:
    estimated = {name: getattr(estimate, quantity) for name, quantity in ESTIMATED.items()}
    errors = {name: estimate.errors.get(quantity) for name, quantity in ESTIMATED.items()}
    unknown: dict[str, float] = {"noise_gain": 0.0, "noise_background": scatter, "psf_fwhm_pixels": 0.0}
    used = unknown | {name: value for name, value in estimated.items() if np.isfinite(value)} | dict(stated)
    if files.camera.noise == "none":
        used["noise_gain"] = 0.0
    if files.camera.noise == "known" and (missing := [name for name in CAMERA[:2] if name not in stated]):
        keys = {"noise_gain": "exposure_s", "noise_background": "background"}
        raise ValueError(
            f"files.camera.noise is known, but {' and '.join(keys[name] for name in missing)} is not stated: give it "
            f"there, give the column {missing[0]} in the sheet, or set noise to estimated"
        )
    lines = [(name, stated.get(name), estimated.get(name), errors.get(name), used[name]) for name in CAMERA]
    lines.append((CORRELATION, None, estimate.lag1_correlation, estimate.errors.get(CORRELATION), None))
    return pd.DataFrame(lines, columns=["quantity", "stated", "estimated", "error", "used"]).astype(
        dict.fromkeys(["stated", "estimated", "error", "used"], float)
    )
