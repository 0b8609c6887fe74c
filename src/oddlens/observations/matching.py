"""Matching of frames to a data set, so that a real lens looks like one of its simulated images.

The steps: subtract the lens light, match the PSF, resample to the pixels of the data set, scale to its brightness, and
add noise where the frame has less than the data set.
"""

from dataclasses import dataclass

import numpy as np

from oddlens.data.randomness import stream
from oddlens.lensing.camera import noise_sigma
from oddlens.lensing.grids import SCALE_TOLERANCE
from oddlens.observations.frames import Frame, lens_centre
from oddlens.observations.lens_light import lens_light, subtract_lens_light
from oddlens.observations.masks import CORE_ARCSEC
from oddlens.observations.resampling import target_psf, to_camera
from oddlens.observations.target import BRIGHTNESS_PERCENTILE, Target

MIN_COVERAGE = 0.7
"""The part of the side of the data set's field that a frame must cover around the lens; the rest has no light."""
MIN_SIGNAL_TO_NOISE = 5
"""The signal-to-noise ratio of the brightest pixels without lens light. That of empty sky is about 4."""
CAUTION = (
    "A high score is not a detection: real lenses differ from simulated ones in much besides dark matter (source "
    "shapes, ring radii, lens-light residuals, noise), and scores of real lenses measure that gap first."
)


@dataclass(frozen=True)
class MatchedFrame:
    """A frame and its image as the data set would show it."""

    frame: Frame
    centre: tuple[int, int]
    """Row and column of the lens in the frame."""
    lens_light: np.ndarray
    """The lens light that was subtracted, [h, w]."""
    image: np.ndarray
    """float32 [pixels, pixels], electrons / s."""
    brightness_factor: float
    """The factor by which the frame's brightness was multiplied."""
    noisier_fraction: float
    """The fraction of the pixels whose real noise is larger than the simulated noise."""
    description: str
    """How the frame was changed, in sentences."""


def match_frame(frame: Frame, target: Target) -> MatchedFrame:
    """Match a frame to a data set.

    Raises:
        ValueError: if the frame is too small or its pixels are too large, if its lens light cannot be fitted, or if no
            light above the noise remains after subtraction.
        RuntimeError: if the fit of the lens light fails.
    """
    centre = lens_centre(frame)
    check_field(frame, centre, target)
    light = lens_light(frame, centre)
    arcs = subtract_lens_light(frame, centre, light)
    image, noisier, factor = match_brightness_and_noise(frame, arcs, centre, target)
    return MatchedFrame(frame, centre, light, image, factor, noisier, describe(frame, target, noisier))


def check_field(frame: Frame, centre: tuple[int, int], target: Target) -> None:
    """Check that a frame is at least as fine as the data set, and covers enough of its field around the lens.

    Raises:
        ValueError: if not.
    """
    scale = target.camera.pixel_scale_arcsec
    if frame.pixel_scale_arcsec > (1 + SCALE_TOLERANCE) * scale:
        raise ValueError(
            f'{frame.name} has pixels of {frame.pixel_scale_arcsec:g}", larger than the {scale:g}" of '
            f"{target.dataset}: give an image with smaller pixels, or use a data set with larger ones"
        )
    needed = target.camera.pixels * target.camera.pixel_scale_arcsec
    room = min(min(c + 0.5, n - c - 0.5) for c, n in zip(centre, frame.image.shape, strict=True))
    if 2 * room * frame.pixel_scale_arcsec < MIN_COVERAGE * needed:
        height, width = (n * frame.pixel_scale_arcsec for n in frame.image.shape)
        raise ValueError(
            f'{frame.name} is {height:.2f}" x {width:.2f}" with the lens at row {centre[0]} from the top, column '
            f'{centre[1]}; {target.dataset} shows {needed:.2f}" x {needed:.2f}" around the lens, and at least '
            f"{MIN_COVERAGE:.0%} of each side are needed: give a larger cut-out"
        )


def match_brightness_and_noise(
    frame: Frame, arcs: np.ndarray, centre: tuple[int, int], target: Target
) -> tuple[np.ndarray, float, float]:
    """Resample a lens-light-subtracted image, scale it to the data set's brightness, and add the missing noise.

    All frames get the same realisation of white noise, scaled to what each pixel lacks. A score therefore depends on
    the frame only, not on its name, its unit or its sky, and the ranks of lenses do not depend on different noise.

    Args:
        arcs: the frame's image without lens light, [h, w].

    Returns:
        The image, float32 [pixels, pixels]; the fraction of pixels that are noisier than simulated; and the factor by
        which the brightness was multiplied.

    Raises:
        ValueError: if the image has no light above its noise.
    """
    image, variance = to_camera(frame, arcs, centre, target.camera)
    bright = float(np.percentile(image, BRIGHTNESS_PERCENTILE))
    noise = float(np.sqrt(np.median(variance[variance > 0]))) if variance.any() else 0.0
    if bright <= MIN_SIGNAL_TO_NOISE * noise:
        raise ValueError(
            f"{frame.name}: no light remains around the lens after its own light is subtracted: the brightest pixels "
            f"have {bright / noise if noise else 0:.1f} times the noise, at least {MIN_SIGNAL_TO_NOISE} are needed: "
            "check the image, its mask and its pixel scale"
        )
    factor = target.brightness / bright
    image, variance = image * factor, variance * factor**2
    wanted = noise_sigma(image, np.asarray(target.exposure_s), np.asarray(target.sky)) ** 2
    normal = stream(target.seed, "real").standard_normal(image.shape)
    noisy = image + normal * np.sqrt(np.clip(wanted - variance, 0, None))
    return noisy.astype(np.float32), float((variance > wanted).mean()), factor


def describe(frame: Frame, target: Target, noisier_fraction: float) -> str:
    """How a frame was matched to a data set, and its shortcomings, in sentences."""
    camera = target.camera
    wider = frame.psf is not None and frame.psf.max() < target_psf((99, 99), frame.pixel_scale_arcsec, camera).max()
    inner, outer = frame.annulus_arcsec or (CORE_ARCSEC, 0)
    removed = f'all but {inner:g}" to {outer:g}" around the lens' if outer else f'lens light and the inner {inner:g}"'
    shape = camera.psf.profile or "measured"
    side = min(frame.image.shape) * frame.pixel_scale_arcsec / (camera.pixels * camera.pixel_scale_arcsec)
    parts = [
        f"{target.dataset}: {removed} removed, {frame.masked.mean():.1%} of the frame masked,",
        f"{'blurred by' if frame.psf is None else 'PSF matched to'} the data set's PSF ({shape}),",
        f'pixels of {frame.pixel_scale_arcsec:g}" resampled to {camera.pixel_scale_arcsec:g}", brightness and noise',
        "matched to the data set.",
        "No PSF was given, so the image is blurrier than simulated ones." if frame.psf is None else "",
        "The frame's PSF is wider than the data set's: the image was partly deconvolved." if wider else "",
        f"The frame covers {side:.0%} of the field's side; the rest has only noise." if side < 1 else "",
        *frame.notes,
        f"In {noisier_fraction:.1%} of the pixels the noise exceeds the simulated noise." if noisier_fraction else "",
    ]
    return " ".join(part for part in parts if part)
