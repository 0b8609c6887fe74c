"""Write the camera of a real frame as a config file (`oddlens.observations.frame_camera`)."""

from pathlib import Path

import numpy as np
import yaml
from astropy.io import fits

from oddlens.files.artefacts import atomic_write
from oddlens.lensing.simulation import Camera
from oddlens.observations.frame_camera import FrameCamera
from oddlens.schema.config_errors import validated

CONFIG_FILE, PSF_FILE = "camera.yaml", "psf.fits"


def write_camera(folder: Path, camera: FrameCamera, dataset: str, zero_point_mag: float, pixels: int | None) -> Path:
    """Write a config with the camera of a data set, and the PSF that it names; returns the path of the config.

    Args:
        zero_point_mag, pixels: see `FrameCamera.settings`.

    Raises:
        ValueError: if simulated images cannot have so many pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    psf, config = folder / PSF_FILE, folder / CONFIG_FILE
    settings = camera.settings(zero_point_mag, str(psf), pixels)
    validated(Camera, {"over_sampling": 1, **settings}, "camera")
    with atomic_write(psf) as temporary, temporary.open("wb") as file:
        fits.PrimaryHDU(camera.psf[::-1].astype(np.float32)).writeto(file)  # FITS has row 0 at the bottom
    with atomic_write(config) as temporary:
        temporary.write_text(yaml.safe_dump({"datasets": {dataset: {"camera": settings}}}, sort_keys=False))
    return config
