"""Real frames, brought to the geometry of simulated images.

A frame is made as like a data set's images as can be: the lens's own light and other objects removed, blurred to the
data set's PSF, resampled to its pixels, brought to its brightness and noise. Row 0 is the top, as in the shards.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from astropy.modeling import fitting, models
from scipy import fft, ndimage
from threadpoolctl import threadpool_limits

from oddlens.data.randomness import stream
from oddlens.data.shards import Shard
from oddlens.lensing.camera import noise_sigma, psf_profile
from oddlens.lensing.camera import sky as sky_of
from oddlens.lensing.simulation import Camera, Simulation
from oddlens.observations import image_files
from oddlens.observations.image_files import DATA, SAME_SCALE
from oddlens.observations.lens_index import Lens
from oddlens.schema.section import Section

CENTRE_ARCSEC = 0.7
"""The lens centre is the brightest point within this distance of the middle of the frame."""
CUSP_ARCSEC, LIGHT_ARCSEC, LIGHT_PIXELS = 0.2, 5.0, 5000
"""The lens light is fitted between these radii, on a lattice of about so many pixels."""
CORE_ARCSEC = 0.35
"""What is left of the lens light within this radius follows no Sersic profile and is set to zero."""
SPOT_ARCSEC, SPOT_SIGMA, SPOT_CONTRAST = 0.3, 10, 10
"""A pixel that is so many times as bright as the median within such a box, and so many sigma above it, is a cosmic ray
or a star. Arcs are wider, and what is bright on them stands on them; a lensed point that stands alone goes, too."""
NOISE_TRUST = 2
"""A noise map that is off by more than this factor from the scatter of the frame's border is brought to that."""
COVERED = 0.7
"""The part of the side of a data set's field that a frame must cover around the lens; what is beyond has no light."""
BRIGHT_PERCENTILE = 99.5
"""The brightness of an image: the value that so many per cent of its pixels stay below."""
CAUTION = (
    "A high score is not a detection: real lenses differ from simulated ones in much besides dark matter (source "
    "shapes, ring radii, what is left of the lens light, noise), and figures of real lenses measure that gap first."
)


@dataclass(frozen=True)
class Frame:
    """A real lens, arrays [h, w] in the units of its file; `sigma` is the noise, `masked` what is not to be used."""

    name: str
    image: np.ndarray
    sigma: np.ndarray
    masked: np.ndarray
    psf: np.ndarray | None
    pixel_scale_arcsec: float
    light: np.ndarray | None = None
    """The lens's own light, if a model of it is given."""
    annulus_arcsec: tuple[float, float] | None = None
    """If given, only what lies between these radii is looked at, and no lens light is subtracted."""
    notes: tuple[str, ...] = field(default=())
    """What was done to it, in sentences."""

    def offsets_arcsec(self, centre: tuple[float, float]) -> np.ndarray:
        """Distances of the pixels from a row and a column, [2, h, w]."""
        return (np.indices(self.image.shape) - np.reshape(centre, (2, 1, 1))) * self.pixel_scale_arcsec


class Target(Section):
    """What a data set's images look like."""

    dataset: str
    camera: Camera
    exposure_s: float
    sky: float  # electrons / s / pixel
    brightness: float  # the median over smooth images of what `BRIGHT_PERCENTILE` says, electrons / s / pixel
    seed: int  # of the noise that is added

    @classmethod
    def of(cls, found: Sequence[Shard]) -> Self:
        """That of smooth validation images, whose camera is taken to be their median one."""
        about = found[0].attributes
        camera = Simulation.model_validate(json.loads(about["simulation"])).camera
        names = ("exposure_s", "sky_per_arcsec2", "zero_point_mag")
        typical = {name: np.median(np.concatenate([shard.group("truth")[name] for shard in found])) for name in names}
        bright = [np.percentile(shard.images, BRIGHT_PERCENTILE, axis=(1, 2)) for shard in found]
        return cls(
            dataset=about["dataset"],
            camera=camera,
            exposure_s=float(typical["exposure_s"]),
            sky=float(sky_of(camera, typical)),
            brightness=float(np.median(np.concatenate(bright))),
            seed=int(about["seed"]),
        )


# --- 1. read ---------------------------------------------------------------------------------------------------------


def read_frame(path: Path, pixel_scale_arcsec: float | None = None, **others: Path | None) -> Frame:
    """The frame of a file, or of data.fits in a folder; see `imagefiles.read`.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unfit, or no pixel scale is given anywhere.
    """
    stacks = list(image_files.read(path, pixel_scale_arcsec=pixel_scale_arcsec, others=others))
    if (count := sum(len(stack.labels) for stack in stacks)) > 1:
        raise ValueError(f"{path} holds {count} images: say which by path#NAME in an index (config/README.md)")
    stack = stacks[0]
    if stack.pixel_scale_arcsec is None:
        raise ValueError(f"{path}: no pixel scale. {image_files.SCALE_STANDS}")
    name = path.resolve().name if path.is_dir() else path.parent.resolve().name if path.name == DATA else path.stem
    return frame_of(name, stack.images[0], stack.pixel_scale_arcsec, **stack.beside)


def read_lens(lens: Lens) -> Frame:
    """The frame that an index describes; or any other, with what lies beside it.

    Raises:
        FileNotFoundError, ValueError: if something is missing or unfit.
    """
    if lens.problem:
        raise ValueError(lens.problem)
    if not lens.indexed:
        frame = read_frame(Path(lens.paths["data"]), lens.pixel_scale_arcsec)
    else:
        assert lens.pixel_scale_arcsec is not None
        arrays = {kind: image_files.one(path) for kind, path in lens.paths.items()}
        if "psf" in arrays:
            arrays["psf"] = image_files.unit_psf(lens.paths["psf"], arrays["psf"])
        image = arrays.pop("data")
        if "noise" not in arrays and (noise := image_files.counted_noise(lens.paths["data"], image)) is not None:
            arrays["noise"] = noise
        frame = frame_of(lens.label, image, lens.pixel_scale_arcsec, **arrays)
    return without_spots(replace(frame, name=lens.label, annulus_arcsec=lens.annulus_arcsec))


def frame_of(
    name: str,
    image: np.ndarray,
    pixel_scale_arcsec: float,
    psf: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    lens_light: np.ndarray | None = None,
) -> Frame:
    """A frame of what was read. Pixels that are not finite or have no noise count as masked; without a noise map the
    noise is that of the border, and the background of a map that is far off is brought to that.

    Raises:
        ValueError: if they do not go together, or nothing is left.
    """
    for what, array in (("noise map", noise), ("mask", mask), ("lens light", lens_light)):
        if array is not None and array.shape != image.shape:
            raise ValueError(f"{name} has {image.shape} pixels and its {what} {array.shape}: they must agree")
    image = image.astype(np.float64)
    masked = ~np.isfinite(image) | (False if mask is None else mask != 0)
    masked |= False if noise is None else ~(np.isfinite(noise) & (noise > 0))
    if masked.all():
        raise ValueError(f"{name}: every pixel is masked or not finite")
    masked |= False if lens_light is None else ~np.isfinite(lens_light)
    image = np.where(np.isfinite(image), image, 0.0)
    border = image[_border(masked)]
    notes: tuple[str, ...] = ()
    measured = 1.4826 * float(np.median(np.abs(border - np.median(border))))
    sigma = np.where(masked, 1.0, measured if noise is None else noise)
    if not sigma.all():
        raise ValueError(f"{name} has a border without noise: give its noise map with --noise")
    if noise is not None and measured > 0:
        told = float(np.median(sigma[_border(masked)]))
        if not 1 / NOISE_TRUST < told / measured < NOISE_TRUST:
            sigma = np.where(masked, 1.0, np.sqrt(measured**2 + np.clip(sigma**2 - told**2, 0, None)))
            notes = (f"The noise map says {told / measured:.2g} times the scatter of the border, which is taken.",)
    light = None if lens_light is None else np.where(np.isfinite(lens_light), lens_light, 0.0)
    return Frame(name, image, sigma, masked, psf, pixel_scale_arcsec, light, notes=notes)


def _border(masked: np.ndarray) -> np.ndarray:
    """The usable pixels in the outer tenth of a frame on each side; all usable ones if there are none."""
    outer = ~masked
    outer[tuple(slice(max(1, n // 10), n - max(1, n // 10)) for n in masked.shape)] = False
    return outer if outer.any() else ~masked


def without_spots(frame: Frame) -> Frame:
    """The frame with cosmic rays and stars masked, but for the core of the lens."""
    box = 2 * max(1, round(SPOT_ARCSEC / 2 / frame.pixel_scale_arcsec)) + 1
    usual = ndimage.median_filter(np.where(frame.masked, 0.0, frame.image), box)
    excess = (frame.image - usual) / frame.sigma
    bright = (excess > SPOT_SIGMA) & (frame.image > SPOT_CONTRAST * usual) & ~frame.masked
    spots = ndimage.binary_propagation(bright, np.ones((3, 3)), mask=(excess > 3) & ~frame.masked)
    spots &= np.hypot(*frame.offsets_arcsec(lens_centre(frame))) > CORE_ARCSEC
    if not spots.any():
        return frame
    count = ndimage.label(spots, np.ones((3, 3)))[1]
    note = f"{count} bright spot{'s' if count > 1 else ''} masked (cosmic rays, stars)."
    return replace(frame, masked=frame.masked | spots, notes=(*frame.notes, note))


# --- 2. lens light ---------------------------------------------------------------------------------------------------


def lens_centre(frame: Frame) -> tuple[int, int]:
    """Row and column of the brightest point, smoothed over 0.1 arcsec, near the middle of the frame."""
    smoothed = ndimage.gaussian_filter(np.where(frame.masked, 0, frame.image), 0.1 / frame.pixel_scale_arcsec)
    height, width = frame.image.shape
    near = np.hypot(*frame.offsets_arcsec(((height - 1) / 2, (width - 1) / 2))) <= CENTRE_ARCSEC
    row, column = np.unravel_index(np.argmax(np.where(near, smoothed, -np.inf)), smoothed.shape)
    return int(row), int(column)


def lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """Two Sersic profiles and a constant, fitted to the frame; its units.

    Arcs lie above the fit, so pixels two sigma above it are left out and the fit is repeated until few change; sigma
    includes 3 % of the model, since no galaxy is two Sersic profiles.
    """
    y, x = frame.offsets_arcsec(centre)
    radius = np.hypot(y, x)
    usable = ~frame.masked & (radius > CUSP_ARCSEC) & (radius < LIGHT_ARCSEC)
    usable &= (np.indices(radius.shape) % max(1, round(np.sqrt(usable.sum() / LIGHT_PIXELS))) == 0).all(axis=0)
    if usable.sum() < 100:
        raise ValueError(f"{frame.name}: {usable.sum()} usable pixels around the lens are too few to fit its light")
    unit = float(np.percentile(frame.image[usable], 99))
    image, sigma = frame.image / unit, frame.sigma / unit
    model = models.Const2D(0.0) + _sersic(0.1, 2.0, 1.0) + _sersic(1.0, 0.3, 3.0)
    used, total = usable, sigma
    for _ in range(8):
        with warnings.catch_warnings(), threadpool_limits(1):  # on a busy machine BLAS's threads wait for each other
            warnings.simplefilter("ignore")  # that it might converge better: the picture shows whether it is good
            fitter = fitting.TRFLSQFitter()
            model = fitter(model, x[used], y[used], image[used], weights=1 / total[used], maxiter=100, acc=1e-4)
        light = model(x, y)
        total = np.hypot(sigma, 0.03 * np.abs(light))
        before, used = used, usable & (image - light < 2 * total) & (image - light > -4.5 * total)
        if (used != before).sum() < 0.002 * usable.sum():
            break
    return light * unit


def _sersic(amplitude: float, radius_arcsec: float, index: float) -> models.Sersic2D:
    bounds = {"amplitude": (0, None), "r_eff": (0.02, 20), "n": (0.3, 8), "ellip": (0, 0.8)}
    bounds |= {"x_0": (-0.6, 0.6), "y_0": (-0.6, 0.6)}
    return models.Sersic2D(amplitude, radius_arcsec, index, 0, 0, 0.2, 1.0, bounds=bounds)


def own_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """The light of the lens: as given, or as fitted; none, if only an annulus is looked at."""
    if frame.annulus_arcsec:
        return np.zeros(frame.image.shape)
    return lens_light(frame, centre) if frame.light is None else frame.light


def without_lens_light(frame: Frame, centre: tuple[int, int], light: np.ndarray | None = None) -> np.ndarray:
    """The frame less its lens light (by default its own), zero in the core, outside an annulus, and where masked."""
    radius = np.hypot(*frame.offsets_arcsec(centre))
    inner, outer = frame.annulus_arcsec or (CORE_ARCSEC, np.inf)
    light = own_light(frame, centre) if light is None else light
    return np.where((radius < inner) | (radius > outer) | frame.masked, 0.0, frame.image - light)


# --- 3. and 4. PSF and pixels ----------------------------------------------------------------------------------------


def target_psf(shape: tuple[int, int], pixel_scale_arcsec: float, camera: Camera) -> np.ndarray:
    """The data set's (median) PSF at another pixel scale, cut off at the same size, sum 1, its peak on pixel (0, 0)."""
    y, x = (fft.fftfreq(n, 1 / n) * pixel_scale_arcsec for n in shape)
    psf, half = camera.psf, camera.psf.pixels * camera.pixel_scale_arcsec / 2
    fwhm, beta = (float(p.quantile(np.array(0.5))) if p else 0.0 for p in (psf.fwhm_arcsec, psf.moffat_beta))
    kernel = psf_profile(psf.profile, np.hypot(y[:, None], x) / fwhm, beta)
    kernel *= np.outer(np.abs(y) < half, np.abs(x) < half)
    return kernel / kernel.sum()


def matching_kernel(psf: np.ndarray | None, target: np.ndarray, floor: float = 0.01) -> np.ndarray:
    """What turns images of one PSF into images of another, as `rfft2`; without a PSF, the target itself.

    A PSF wide beside the frame's has little power where the frame's has none; `floor` tames what is left.
    """
    wanted = fft.rfft2(target)
    if psf is None:
        return wanted
    padded = np.zeros(target.shape)
    padded[: psf.shape[0], : psf.shape[1]] = psf
    row, column = np.unravel_index(np.argmax(padded), padded.shape)
    had = fft.rfft2(np.roll(padded, (-int(row), -int(column)), axis=(0, 1)))
    return wanted * had.conj() * (1 + floor**2) / (np.abs(had) ** 2 + floor**2)


def overlaps(count: int, centre: float, pixels: int, ratio: float) -> np.ndarray:
    """Which share of each of `count` frame pixels lies in each of `pixels` pixels of another size, [pixels, count].

    The new ones are `ratio` frame pixels wide, their middle is at `centre`; frame pixel k is [k - 1/2, k + 1/2].
    """
    edges = centre + (np.arange(pixels + 1) - pixels / 2) * ratio
    left = np.arange(count) - 0.5
    return np.clip(np.minimum(edges[1:, None], left + 1) - np.maximum(edges[:-1, None], left), 0, None)


def to_camera(
    frame: Frame, lensed: np.ndarray, centre: tuple[int, int], camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """An image on the frame's pixels as the camera shows it, and its variance: both [pixels, pixels], flux conserved.

    The variance is approximate: frame pixels count as independent, which they are not where a frame was drizzled, and
    the square of (kernel times new pixel) is averaged over where in a frame pixel the new pixel's edges fall.
    """
    ratio = camera.pixel_scale_arcsec / frame.pixel_scale_arcsec
    reach = max([int(camera.psf.pixels * ratio / 2) + 2, *(() if frame.psf is None else frame.psf.shape)])
    (height, width), shape = lensed.shape, tuple(fft.next_fast_len(n + reach) for n in lensed.shape)

    def convolved(array: np.ndarray, transfer: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(array, shape) * transfer, shape)[:height, :width]

    kernel = matching_kernel(frame.psf, target_psf(shape, frame.pixel_scale_arcsec, camera))
    box = np.outer(*(np.roll(overlaps(n, n // 2, 1, ratio)[0], -(n // 2)) for n in shape))
    squared = fft.rfft2(fft.irfft2(kernel * fft.rfft2(box), shape) ** 2)
    rows, columns = (overlaps(n, c, camera.pixels, ratio) for n, c in zip(lensed.shape, centre, strict=True))
    variance = rows @ convolved(np.where(frame.masked, 0.0, frame.sigma**2), squared) @ columns.T / ratio**2
    return rows @ convolved(lensed, kernel) @ columns.T, np.clip(variance, 0, None)


# --- 5. brightness and noise -----------------------------------------------------------------------------------------


def match(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], target: Target) -> tuple[np.ndarray, float, float]:
    """A frame without its lens light as the data set would show it; the share of pixels noisier than simulated; and the
    factor that its brightness was multiplied by.

    Raises:
        ValueError: if the frame shows no light there.
    """
    image, variance = to_camera(frame, lensed, centre, target.camera)
    bright = float(np.percentile(image, BRIGHT_PERCENTILE))
    if bright <= 0:
        raise ValueError(f"{frame.name}: no light is left around the lens when its own is removed")
    factor = target.brightness / bright
    image, variance = image * factor, variance * factor**2
    wanted = noise_sigma(image, np.asarray(target.exposure_s), np.asarray(target.sky)) ** 2
    normal = stream(target.seed, "real", frame.name).standard_normal(image.shape)
    noisy = image + normal * np.sqrt(np.clip(wanted - variance, 0, None))
    return noisy.astype(np.float32), float((variance > wanted).mean()), factor


def check_field(frame: Frame, centre: tuple[int, int], target: Target) -> None:
    """Raise a ValueError if the frame covers too little of the data set's field around the lens, or is coarser."""
    wanted = target.camera.pixel_scale_arcsec
    if frame.pixel_scale_arcsec > (1 + SAME_SCALE) * wanted:
        raise ValueError(
            f'{frame.name} has pixels of {frame.pixel_scale_arcsec:g}" and {target.dataset} has {wanted:g}": what is '
            "coarser cannot be brought to it"
        )
    needed = target.camera.pixels * target.camera.pixel_scale_arcsec
    room = min(min(c + 0.5, n - c - 0.5) for c, n in zip(centre, frame.image.shape, strict=True))
    if 2 * room * frame.pixel_scale_arcsec < COVERED * needed:
        height, width = (n * frame.pixel_scale_arcsec for n in frame.image.shape)
        raise ValueError(
            f'{frame.name} is {height:.2f}" x {width:.2f}" with the lens at row {centre[0]} from the top, column '
            f'{centre[1]}; {target.dataset} shows {needed:.2f}" x {needed:.2f}" around it, of which {COVERED:.0%} '
            "a side are needed: give a larger cut-out"
        )


def bring(frame: Frame, target: Target) -> tuple[np.ndarray, str]:
    """A frame as the data set would show it, float32 [pixels, pixels], and what was done to it.

    Raises:
        ValueError: if that cannot be done.
    """
    centre = lens_centre(frame)
    check_field(frame, centre, target)
    image, too_noisy, _ = match(frame, without_lens_light(frame, centre), centre, target)
    return image, told(frame, target, too_noisy)


def told(frame: Frame, target: Target, too_noisy: float) -> str:
    """What was done to the frame for one data set, and what is not as it should be."""
    camera = target.camera
    wide = frame.psf is not None and frame.psf.max() < target_psf((99, 99), frame.pixel_scale_arcsec, camera).max()
    inner, outer = frame.annulus_arcsec or (CORE_ARCSEC, 0)
    removed = f'all but {inner:g}" to {outer:g}" around the lens' if outer else f'lens light and the inner {inner:g}"'
    side = min(frame.image.shape) * frame.pixel_scale_arcsec / (camera.pixels * camera.pixel_scale_arcsec)
    parts = [
        f"{target.dataset}: {removed} removed, {frame.masked.mean():.1%} of the frame",
        f"masked, {'blurred by' if frame.psf is None else 'PSF matched to'} the data set's",
        f'({camera.psf.profile}), pixels of {frame.pixel_scale_arcsec:g}" resampled to',
        f'{camera.pixel_scale_arcsec:g}", brightness and noise brought to those of the data set.',
        "No PSF was given, so the image is blurrier than simulated ones." if frame.psf is None else "",
        "The frame's PSF is wider than the data set's: it was partly deconvolved." if wide else "",
        f"The frame covers {side:.0%} of the field's side; beyond there is only noise." if side < 1 else "",
        *frame.notes,
        f"In {too_noisy:.1%} of the pixels the real noise is larger than the simulated." if too_noisy else "",
    ]
    return " ".join(part for part in parts if part)
