"""Frames: images of real lenses with their noise, PSF and mask.

Reading a frame includes what all later steps need: unusable pixels are masked, the sky is subtracted, the noise level
is checked against the scatter of the border, and bright spots (cosmic rays, stars) are masked. Row 0 is the top, as in
the shards.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from oddlens.observations.background import Background, border, measure_background, sky_level
from oddlens.observations.centre import find_centre
from oddlens.observations.lens_index import LensEntry
from oddlens.observations.masks import CORE_ARCSEC, check_lens_is_visible, unusable_pixels
from oddlens.observations.reading import image_files
from oddlens.observations.reading.image_stacks import DEFAULT_READING, ImageStack, Reading
from oddlens.observations.reading.neighbours import DATA_FILE
from oddlens.observations.reading.pixel_scale import SCALE_HELP
from oddlens.observations.reading.references import Reference

SPOT_ARCSEC, SPOT_SIGMA, SPOT_CONTRAST = 0.3, 10, 10
"""A pixel is a cosmic ray or a star if it is `SPOT_CONTRAST` times as bright as the median of a box of `SPOT_ARCSEC`,
and `SPOT_SIGMA` above it. Arcs are wider than the box, and bright pixels on an arc have a bright median. An isolated
lensed point source is masked, too."""
DEAD_SIGMA = 20
"""A pixel that lies further below the sky, in units of the border's scatter, is dead or has a value that marks it."""
NOISE_TOLERANCE = 2
"""A noise map that differs from the scatter of the frame's border by more than this factor is not trusted."""


@dataclass(frozen=True)
class Frame:
    """An image of a real lens. Arrays are [h, w], in the units of the file."""

    name: str
    image: np.ndarray
    """Without sky; 0 where masked."""
    sigma: np.ndarray
    """Standard deviation of the noise."""
    masked: np.ndarray
    """Whether a pixel must not be used."""
    psf: np.ndarray | None
    pixel_scale_arcsec: float
    lens_light: np.ndarray | None = None
    """A model of the lens light, if one is given."""
    annulus_arcsec: tuple[float, float] | None = None
    """Inner and outer radius. If given, pixels outside this annulus are ignored, and no lens light is subtracted."""
    notes: tuple[str, ...] = field(default=())
    """Sentences that describe how the frame was changed."""

    def offsets_arcsec(self, centre: tuple[float, float]) -> np.ndarray:
        """Offsets (y, x) of the pixels from a row and a column, [2, h, w]."""
        return (np.indices(self.image.shape) - np.reshape(centre, (2, 1, 1))) * self.pixel_scale_arcsec


# --- files -----------------------------------------------------------------------------------------------------------


def read_frame(reference: str | Path, reading: Reading = DEFAULT_READING) -> Frame:
    """The frame of a reference to one image: a file, a part of it, or a folder (`image_files.read`).

    Bright spots are not masked here.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unsuitable, or if the pixel scale is unknown.
    """
    stack = image_files.read_single(reference, reading)
    if stack.pixel_scale_arcsec is None:
        raise ValueError(f"{reference}: the pixel scale is unknown. {SCALE_HELP}")
    path = Reference.parse(reference).path
    in_folder = path.parent.resolve().name if path.name == DATA_FILE else path.stem
    name = path.resolve().name if path.is_dir() else in_folder
    return frame_of(stack, 0, name)


def frame_of(stack: ImageStack, k: int, name: str, lens_light: np.ndarray | None = None) -> Frame:
    """The frame of an image of a stack; its notes say what belongs to it.

    Raises:
        ValueError: see `make_frame`.
    """
    assert stack.pixel_scale_arcsec is not None
    arrays = stack.companions.of_image(k, len(stack.images))
    frame = make_frame(name, stack.images[k], stack.pixel_scale_arcsec, lens_light=lens_light, **arrays)
    return replace(frame, notes=(*stack.companions.notes, *frame.notes))


def read_lens(entry: LensEntry) -> Frame:
    """The frame of an entry of an index, or of a single image with its companion files; bright spots are masked.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unsuitable, or if the entry has a `problem`.
    """
    if entry.problem:
        raise ValueError(entry.problem)
    if entry.indexed:
        frame = _read_indexed(entry)
    else:
        named = {kind: Path(path) for kind, path in entry.paths.items() if kind != "data"}
        reading = replace(entry.reading, pixel_scale_arcsec=entry.pixel_scale_arcsec, companions=named)
        frame = read_frame(entry.paths["data"], reading)
    return mask_bright_spots(replace(frame, name=entry.label, annulus_arcsec=entry.annulus_arcsec))


def _read_indexed(entry: LensEntry) -> Frame:
    """The frame of files that an index names; other files next to them are not used."""
    named = {kind: Path(path) for kind, path in entry.paths.items() if kind not in ("data", "lens_light")}
    reading = Reading(pixel_scale_arcsec=entry.pixel_scale_arcsec, companions=named, neighbours=False)
    stack = image_files.read_single(entry.paths["data"], reading)
    light = image_files.read_single(entry.paths["lens_light"]).images[0] if "lens_light" in entry.paths else None
    return frame_of(stack, 0, entry.label, light)


# --- masks and noise -------------------------------------------------------------------------------------------------


def make_frame(
    name: str,
    image: np.ndarray,
    pixel_scale_arcsec: float,
    psf: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    lens_light: np.ndarray | None = None,
) -> Frame:
    """A frame from arrays [h, w] of any number type.

    Pixels that cannot be used are masked (`masks.unusable_pixels`). The sky is subtracted: the level of the border of
    the image, less the lens light if it is given, so that a wide halo is not taken for sky. A constant that is added to
    the image therefore changes nothing. Without a noise map, the noise is the scatter of the border. If a noise map
    differs from that scatter by more than `NOISE_TOLERANCE`, its background is replaced by the scatter. A larger map is
    scaled; a smaller one may lack the background alone, so that what it adds for bright pixels is kept.

    Args:
        mask: not 0 where a pixel must not be used.

    Raises:
        ValueError: if the shapes differ, no pixel is usable, the lens is masked, or the border has no scatter and there
            is no noise map.
    """
    for kind, array in (("noise map", noise), ("mask", mask), ("lens light", lens_light)):
        if array is not None and array.shape != image.shape:
            raise ValueError(f"{name}: the image has {image.shape} pixels, the {kind} {array.shape}: they must agree")
    image = image.astype(np.float64)
    noise, lens_light = (None if array is None else array.astype(np.float64) for array in (noise, lens_light))
    masked, notes = unusable_pixels(image, noise, mask, lens_light)
    if masked.all():
        raise ValueError(
            f"{name}: no pixel is usable, all are masked, not finite or constant: check the image and its mask, in "
            "which 1 (anything but 0) means that a pixel is not used"
        )
    notes.append(check_lens_is_visible(name, masked, mask, pixel_scale_arcsec))
    image = np.where(masked, 0.0, image)
    if lens_light is not None:
        lens_light = np.where(masked, 0.0, lens_light)
        level = sky_level(lens_light, ~masked)  # of its halo, or of a sky in the model
        image, lens_light = (np.where(masked, 0.0, array - level) for array in (image, lens_light))
    background = measure_background(image if lens_light is None else image - lens_light, ~masked, pixel_scale_arcsec)
    image = np.where(masked, 0.0, image - background.level)
    sigma, noise_note = _noise(name, background, masked, noise)
    notes += [noise_note, *background.notes(float(np.median(sigma[border(~masked)])))]
    dead = image < -DEAD_SIGMA * np.maximum(sigma, background.spread)
    notes.append(f"{dead.sum()} pixels far below the sky masked (dead pixels)." if dead.any() else "")
    return Frame(
        name, image, sigma, masked | dead, psf, pixel_scale_arcsec, lens_light, notes=tuple(filter(None, notes))
    )


def _noise(name: str, background: Background, masked: np.ndarray, noise: np.ndarray | None) -> tuple[np.ndarray, str]:
    """The standard deviation of the noise [h, w], 1 where masked, and a note if it is not that of the noise map."""
    measured = background.noise
    sigma = np.where(masked, 1.0, measured if noise is None else noise)
    if not sigma.all():
        raise ValueError(
            f"{name}: the border of the image has no scatter to measure the noise from (it has no noise, faint pixels "
            "are cut off, or integers are too coarse): give a noise map"
        )
    if noise is None or measured <= 0:
        return sigma, ""
    stated = float(np.median(sigma[border(~masked)]))
    if 1 / NOISE_TOLERANCE < stated / measured < NOISE_TOLERANCE:
        return sigma, ""
    scale = min(1.0, measured / stated)
    sigma = np.where(masked, 1.0, np.hypot(measured, scale * np.sqrt(np.clip(sigma**2 - stated**2, 0, None))))
    ratio = f"{stated / measured:.2g}"
    return sigma, f"The background of the noise map is {ratio} times the scatter of the border; the scatter is used."


def mask_bright_spots(frame: Frame) -> Frame:
    """The frame with cosmic rays and stars masked, except within `CORE_ARCSEC` of the lens centre."""
    box = 2 * max(1, round(SPOT_ARCSEC / 2 / frame.pixel_scale_arcsec)) + 1
    nearest = ndimage.distance_transform_edt(frame.masked, return_distances=False, return_indices=True)
    median = ndimage.median_filter(frame.image[tuple(nearest)], box)
    excess = (frame.image - median) / frame.sigma
    bright = (excess > SPOT_SIGMA) & (frame.image > SPOT_CONTRAST * median) & ~frame.masked
    spots = ndimage.binary_propagation(bright, np.ones((3, 3)), mask=(excess > 3) & ~frame.masked)
    spots &= np.hypot(*frame.offsets_arcsec(lens_centre(frame))) > CORE_ARCSEC
    if not spots.any():
        return frame
    count = ndimage.label(spots, np.ones((3, 3)))[1]
    note = f"{count} bright spot{'s' if count > 1 else ''} masked (cosmic rays, stars)."
    return replace(frame, masked=frame.masked | spots, notes=(*frame.notes, note))


def lens_centre(frame: Frame) -> tuple[int, int]:
    """Row and column of the lens; see `centre.find_centre`."""
    return find_centre(frame.image, ~frame.masked, frame.pixel_scale_arcsec)
