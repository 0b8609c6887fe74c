"""Write the camera of a real frame as settings of a data set: its pixels, PSF, noise, and the correlation of its noise.

Simulated lenses then look as that frame shows them. The settings are a config file that is laid over another:
snakemake --configfile config/physics.yaml camera/camera.yaml
"""

import argparse
import sys
from pathlib import Path

from oddlens.cli import reading
from oddlens.files.names import printable

HELP = "write the camera of a real frame as settings of a data set"
EXAMPLES = (
    "oddlens camera lens/data.fits --zero-point 25.94 --of model_c --out like_lens",
    "oddlens camera lens.fits --psf psf.fits --noise noise.fits --pixel-scale 0.05 --zero-point 25.94 --pixels 64",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens camera`."""
    parser.add_argument("frame", help="a FITS file, or a folder with data.fits; with its noise map and PSF")
    parser.add_argument(
        "--zero-point", type=float, required=True, metavar="MAG", help="AB magnitude of 1 electron / s in this frame"
    )
    parser.add_argument(
        "--of", default="model_a", metavar="DATASET", help="the data set of the config; default: %(default)s"
    )
    parser.add_argument("--pixels", type=int, help="side of the simulated images; default: that of the frame")
    parser.add_argument("--exposure", type=float, metavar="S", help="if the noise map does not tell it")
    parser.add_argument("--out", type=Path, default=Path("camera"), help="folder of the files; default: %(default)s")
    reading.add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write `camera.yaml` and `psf.fits`, and print what was measured."""
    from oddlens.observations.frame_camera import camera_of_frame
    from oddlens.observations.frames import read_frame
    from oddlens.stages.frame_camera import write_camera

    camera = camera_of_frame(read_frame(arguments.frame, reading.reading(arguments)), arguments.exposure)
    path = write_camera(arguments.out, camera, arguments.of, arguments.zero_point, arguments.pixels)
    for note in camera.notes:
        print(printable(note), file=sys.stderr)
    correlation = camera.noise_correlation_pixels
    print(
        f'{camera.pixels} pixels of {camera.pixel_scale_arcsec:g}", PSF of {len(camera.psf)} pixels, '
        f"exposure {camera.exposure_s:.4g} s, sky {camera.sky:.4g} electrons / s / pixel, "
        + (f"noise correlated over {correlation:g} pixels" if correlation else "uncorrelated noise")
    )
    print(f"Written: {path}")
    return 0
