"""Score a real lens with a study's detectors: `python -m oddlens.real PATH --study results/default`.

A frame is made as like a data set's images as can be: the lens's own light and other objects removed, blurred to the data
set's PSF, resampled to its pixels, scaled to its brightness, and given its noise. Frames are turned so that row 0 is
the top, as in the shards.
"""

import argparse
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.modeling import fitting, models
from matplotlib.figure import Figure
from scipy import fft, ndimage

from oddlens import detectors, figures, shards, tables
from oddlens.cells import CLEAN, cell_name
from oddlens.lensing.camera import noise_sigma
from oddlens.lensing.substructure import SMOOTH
from oddlens.lensing.world import Camera, World
from oddlens.randomness import stream
from oddlens.train import pick_device

CENTRE_ARCSEC = 0.7
"""The lens centre is the brightest point within this distance of the middle of the frame."""
LIGHT_ARCSEC, CUSP_ARCSEC, LIGHT_PIXELS = 5.0, 0.2, 8000
"""The lens light is fitted between these radii, on a lattice of about so many pixels."""
CORE_ARCSEC = 0.35
"""What is left of the lens light within this radius follows no Sersic profile and is set to zero."""
BRIGHT_PERCENTILE = 99.5
"""The brightness of an image: the value that this share of its pixels stays below."""
SIBLINGS = {"psf": "psf.fits", "noise": "noise_map.fits", "mask": "mask_extra_galaxies.fits"}


@dataclass(frozen=True)
class Frame:
    """A real lens, arrays [h, w] in the units of its file; `sigma` is the noise, `masked` what is not to be used."""

    name: str
    image: np.ndarray
    sigma: np.ndarray
    masked: np.ndarray
    psf: np.ndarray | None
    pixel_scale_arcsec: float


class Target(NamedTuple):
    """What the images of a data set look like; `images` [n, pixels, pixels] are its simulated smooth validation images."""

    dataset: str
    images: np.ndarray
    camera: Camera
    exposure_s: float
    sky: float  # electrons / s / pixel
    seed: int


class Matched(NamedTuple):
    """A real lens as a data set would show it, and the share of its pixels that are noisier than the simulated ones."""

    image: np.ndarray  # [pixels, pixels], electrons / s / pixel
    too_noisy: float


# --- 1. read ---------------------------------------------------------------------------------------------------------


def read_frame(path: Path, pixel_scale_arcsec: float | None = None, **others: Path | None) -> Frame:
    """The frame of a file, or of data.fits in a folder; `others` (psf, noise, mask) go before the files beside it.

    Pixels that are not finite or have no noise count as masked. Without a noise map the noise is that of the border.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unfit, or no pixel scale is given anywhere.
    """
    path = path / "data.fits" if path.is_dir() else path
    name = path.parent.resolve().name if path.name == "data.fits" else path.stem
    image, header = _read_image(path)
    found = {kind: others.get(kind) or path.with_name(file) for kind, file in SIBLINGS.items()}
    psf, noise, mask = (_read_image(p)[0] if others.get(k) or p.is_file() else None for k, p in found.items())
    for kind, array in (("noise", noise), ("mask", mask)):
        if array is not None and array.shape != image.shape:
            raise ValueError(f"{found[kind]} has {array.shape} pixels and {path} has {image.shape}: they must agree")
    if psf is not None and not (np.isfinite(psf).all() and psf.sum() > 0):
        raise ValueError(f"{found['psf']} has pixels that are not finite, or no positive sum: it is no PSF")
    masked = ~np.isfinite(image) | (np.zeros(image.shape, bool) if mask is None else ~(mask == 0))
    if noise is not None:
        masked |= ~(np.isfinite(noise) & (noise > 0))
    if masked.all():
        raise ValueError(f"{path}: every pixel is masked or not finite")
    image = np.where(np.isfinite(image), image, 0.0)
    sigma = np.full(image.shape, border_sigma(image, masked)) if noise is None else np.where(masked, 1.0, noise)
    scale = _pixel_scale_arcsec(path, header, pixel_scale_arcsec)
    return Frame(name, image, sigma, masked, None if psf is None else psf / psf.sum(), scale)


def _read_image(path: Path) -> tuple[np.ndarray, fits.Header]:
    """The first image of a FITS file, float64, row 0 the top, and its header."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with fits.open(path) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim == 2:
                    return np.flipud(unit.data).astype(np.float64), unit.header
    except OSError as error:
        raise ValueError(f"{path} cannot be read as FITS ({error})") from error
    raise ValueError(f"{path} holds no image of two dimensions")


def _pixel_scale_arcsec(path: Path, header: fits.Header, given: float | None) -> float:
    """Arcsec per pixel: as given, or else as header and info.json say, who must not disagree by more than 1 %."""
    if given is not None:
        return given
    degrees = np.hypot(header["CD1_1"], header.get("CD2_1", 0)) if "CD1_1" in header else abs(header.get("CDELT1", 0))
    info = path.with_name("info.json")
    said = {
        "header": float(header.get("PIXSCALE", 3600 * degrees)),
        "info.json": float(json.loads(info.read_text()).get("pixel_scale", 0)) if info.is_file() else 0.0,
    }
    said = {where: scale for where, scale in said.items() if 0 < scale < 10}
    if not said:
        raise ValueError(
            f"{path}: no pixel scale. Give --pixel-scale in arcsec, or PIXSCALE (arcsec), CD1_1 or CDELT1 (degrees) in "
            f'the header, or {{"pixel_scale": ...}} in {info}'
        )
    if max(said.values()) > 1.01 * min(said.values()):
        raise ValueError(f"{path}: pixel scales disagree, {said} arcsec: say which with --pixel-scale")
    return next(iter(said.values()))


def border_sigma(image: np.ndarray, masked: np.ndarray) -> float:
    """The noise in the outer tenth of a frame on each side, from the median deviation; image's units."""
    inside = np.zeros(image.shape, bool)
    inside[tuple(slice(max(1, n // 10), n - max(1, n // 10)) for n in image.shape)] = True
    border = image[~inside & ~masked] if (~inside & ~masked).any() else image[~masked]
    return 1.4826 * float(np.median(np.abs(border - np.median(border))))


# --- 2. lens light ---------------------------------------------------------------------------------------------------


def lens_centre(frame: Frame) -> tuple[int, int]:
    """Row and column of the brightest point, smoothed over 0.1 arcsec, near the middle of the frame."""
    smoothed = ndimage.gaussian_filter(np.where(frame.masked, 0, frame.image), 0.1 / frame.pixel_scale_arcsec)
    middle = ((frame.image.shape[0] - 1) / 2, (frame.image.shape[1] - 1) / 2)
    near = np.hypot(*_offsets_arcsec(frame, middle)) <= max(CENTRE_ARCSEC, frame.pixel_scale_arcsec)
    row, column = np.unravel_index(np.argmax(np.where(near, smoothed, -np.inf)), smoothed.shape)
    return int(row), int(column)


def _offsets_arcsec(frame: Frame, centre: tuple[float, float]) -> np.ndarray:
    """Distances from a row and a column, [2, h, w]."""
    return (np.indices(frame.image.shape) - np.reshape(centre, (2, 1, 1))) * frame.pixel_scale_arcsec


def lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """Two concentric Sersic profiles and a constant, fitted to the frame; its units.

    Arcs lie above the fit, so pixels two sigma above it are left out and the fit is repeated until few change; sigma
    includes 3 % of the model, since no galaxy is two Sersic profiles.
    """
    y, x = _offsets_arcsec(frame, centre)
    radius = np.hypot(y, x)
    usable = ~frame.masked & (radius > CUSP_ARCSEC) & (radius < LIGHT_ARCSEC)
    usable &= (np.indices(radius.shape) % max(1, round(np.sqrt(usable.sum() / LIGHT_PIXELS))) == 0).all(axis=0)
    if usable.sum() < 100:
        raise ValueError(f"{frame.name}: {usable.sum()} usable pixels around the lens are too few to fit its light")
    unit = float(np.percentile(frame.image[usable], 99))
    image, sigma = frame.image / unit, frame.sigma / unit
    model = models.Const2D(0.0) + _sersic(0.1, 2.0, 1.0) + _sersic(1.0, 0.3, 3.0)
    model.x_0_2.tied, model.y_0_2.tied = lambda m: m.x_0_1, lambda m: m.y_0_1
    used, total = usable, sigma
    for _ in range(8):
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that it might converge better: whether it is good enough, the picture shows
            fitter = fitting.TRFLSQFitter()
            model = fitter(model, x[used], y[used], image[used], weights=1 / total[used], maxiter=300, acc=1e-5)
        light = model(x, y)
        total = np.hypot(sigma, 0.03 * np.abs(light))
        before, used = used, usable & (image - light < 2 * total) & (image - light > -4.5 * total)
        if (used != before).sum() < 0.002 * usable.sum():
            break
    return light * unit


def _sersic(amplitude: float, radius_arcsec: float, index: float):
    limits = {"amplitude": (0, None), "r_eff": (0.02, 20), "n": (0.3, 8), "ellip": (0, 0.8)}
    bounds = limits | {"x_0": (-0.2, 0.2), "y_0": (-0.2, 0.2)}
    return models.Sersic2D(amplitude, radius_arcsec, index, 0, 0, 0.2, 1.0, bounds=bounds)


def without_lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """The frame less its lens light, zero in the core and where it is masked."""
    core = np.hypot(*_offsets_arcsec(frame, centre)) < CORE_ARCSEC
    return np.where(core | frame.masked, 0.0, frame.image - lens_light(frame, centre))


# --- 3. and 4. PSF and pixels ----------------------------------------------------------------------------------------


def airy(shape: tuple[int, int], pixel_scale_arcsec: float, camera: Camera) -> np.ndarray:
    """The data set's PSF at another pixel scale, cut off at the same radius, summing to 1, centred on pixel (0, 0)."""
    y, x = (fft.fftfreq(n, 1 / n) * pixel_scale_arcsec for n in shape)
    half = camera.psf_pixels * camera.pixel_scale_arcsec / 2
    kernel = models.AiryDisk2D(1.0, 0.0, 0.0, camera.psf_first_zero_arcsec)(*np.meshgrid(x, y))
    kernel *= np.outer(np.abs(y) < half, np.abs(x) < half)
    return kernel / kernel.sum()


def matching_kernel(psf: np.ndarray | None, target: np.ndarray, floor: float = 0.01) -> np.ndarray:
    """What turns images of one PSF into images of another, as `rfft2`; without a PSF, the target itself.

    An Airy pattern has no power beyond 1.22 / first zero, so the quotient is tame; `floor` tames what lies below it.
    """
    wanted = fft.rfft2(target)
    if psf is None:
        return wanted
    padded = np.zeros(target.shape)
    padded[: psf.shape[0], : psf.shape[1]] = psf
    peak = np.unravel_index(np.argmax(padded), padded.shape)
    had = fft.rfft2(np.roll(padded, (-int(peak[0]), -int(peak[1])), axis=(0, 1)))
    return wanted * had.conj() * (1 + floor**2) / (np.abs(had) ** 2 + floor**2)


def overlaps(count: int, centre: float, pixels: int, ratio: float) -> np.ndarray:
    """Which share of each of `count` frame pixels lies in each of `pixels` larger or smaller ones, [pixels, count].

    The new pixels are `ratio` frame pixels wide and their middle is at `centre`, where frame pixel k is [k - 1/2, k + 1/2].
    """
    edges = centre + (np.arange(pixels + 1) - pixels / 2) * ratio
    left = np.arange(count) - 0.5
    shared = np.minimum(edges[1:, None], left + 1) - np.maximum(edges[:-1, None], left)
    return np.clip(shared, 0, None)


def to_camera(
    image: np.ndarray,
    variance: np.ndarray,
    psf: np.ndarray | None,
    scale: float,
    centre: tuple[int, int],
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Image and variance [pixels, pixels] as the camera's PSF and pixels show them; `scale` is the frame's, arcsec.

    Flux is conserved. The variance takes the noise of neighbouring frame pixels as independent, and convolves with the
    square of kernel times new pixel, averaged over where the new pixels' edges fall: approximate, and too small for
    drizzled frames.
    """
    ratio = camera.pixel_scale_arcsec / scale
    reach = max(int(camera.psf_pixels * ratio / 2) + 2, *(() if psf is None else psf.shape))
    shape = (fft.next_fast_len(image.shape[0] + reach), fft.next_fast_len(image.shape[1] + reach))
    kernel = matching_kernel(psf, airy(shape, scale, camera))
    height, width = image.shape

    def convolved(array: np.ndarray, transfer: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(array, shape) * transfer, shape)[:height, :width]

    box = [np.roll(overlaps(n, n // 2, 1, ratio)[0], -(n // 2)) for n in shape]
    effective = fft.irfft2(kernel * fft.rfft2(np.outer(*box)), shape)
    rows, columns = (overlaps(n, c, camera.pixels, ratio) for n, c in zip(image.shape, centre, strict=True))
    spread = rows @ convolved(variance, fft.rfft2(effective**2)) @ columns.T / ratio**2
    return rows @ convolved(image, kernel) @ columns.T, np.clip(spread, 0, None)


# --- 5. brightness and noise -----------------------------------------------------------------------------------------


def read_target(study: Path, dataset: str) -> Target:
    """What a data set of a study looks like, from its validation shards."""
    paths = sorted((study / "shards" / dataset / "validation" / SMOOTH).glob("*.h5"))
    if not paths:
        raise FileNotFoundError(f"{study} has no validation images of '{dataset}': run `make study` first")
    pool = shards.read_all(paths)
    camera = World.model_validate(json.loads(pool.attributes["world"])).camera
    exposure, sky = (float(np.median(pool.arrays[f"truth/{name}"])) for name in ("exposure_s", "sky_per_arcsec2"))
    area = camera.pixel_scale_arcsec**2
    return Target(dataset, pool.images, camera, exposure, sky * area, int(pool.attributes["seed"]))


def match(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], target: Target) -> Matched:
    """A frame without its lens light as the data set would show it.

    Raises:
        ValueError: if the frame does not cover the data set's field of view, or shows no light there.
    """
    _check_field(frame, centre, target)
    variance = np.where(frame.masked, 0.0, frame.sigma**2)
    image, variance = to_camera(lensed, variance, frame.psf, frame.pixel_scale_arcsec, centre, target.camera)
    bright = float(np.percentile(image, BRIGHT_PERCENTILE))
    if bright <= 0:
        raise ValueError(f"{frame.name}: no light is left around the lens when its own is removed")
    factor = float(np.median(np.percentile(target.images, BRIGHT_PERCENTILE, axis=(1, 2)))) / bright
    image, variance = image * factor, variance * factor**2
    wanted = noise_sigma(image, np.asarray(target.exposure_s), np.asarray(target.sky)) ** 2
    normal = stream(target.seed, "real", frame.name).standard_normal(image.shape)
    noisy = image + normal * np.sqrt(np.clip(wanted - variance, 0, None))
    return Matched(noisy.astype(np.float32), float((variance > wanted).mean()))


def _check_field(frame: Frame, centre: tuple[int, int], target: Target) -> None:
    needed = target.camera.pixels * target.camera.pixel_scale_arcsec
    rooms = [min(c + 0.5, n - c - 0.5) for c, n in zip(centre, frame.image.shape, strict=True)]
    if 2 * min(rooms) * frame.pixel_scale_arcsec < needed - 1e-6:
        height, width = (n * frame.pixel_scale_arcsec for n in frame.image.shape)
        raise ValueError(
            f'{frame.name} is {height:.2f}" x {width:.2f}" with the lens at row {centre[0]} from the top, column '
            f'{centre[1]}; {target.dataset} needs {needed:.2f}" x {needed:.2f}" around the lens: give a larger cut-out'
        )


# --- 6. scores -------------------------------------------------------------------------------------------------------


def percentile(score: float, among: np.ndarray) -> float:
    """How many per cent of the scores lie below this one; ties count half. 100: all of them."""
    return 100 * float(((among < score) + 0.5 * (among == score)).mean())


def model_paths(study: Path, dataset: str) -> dict[str, list[Path]]:
    """The models trained without contamination, by detector, a path for each seed."""
    found = sorted((study / "models" / dataset).glob(f"*/seed-*/{cell_name(CLEAN, 0)}.safetensors"))
    if not found:
        raise FileNotFoundError(f"{study} has no trained models for '{dataset}': run `make study` first")
    rows = sorted({path.parts[-3] for path in found})
    return {row: [path for path in found if path.parts[-3] == row] for row in rows}


def percentiles(image: np.ndarray, target: Target, paths: dict[str, list[Path]]) -> pd.DataFrame:
    """The image's percentile among the simulated smooth ones: a row for each detector and seed."""
    rows = []
    for detector, seeds in paths.items():
        for path in seeds:
            model, about = detectors.load(path)
            scores = model.to(pick_device("auto")).score(np.concatenate([image[None], target.images]))
            rows.append((target.dataset, detector, about["seed"], percentile(scores[0], scores[1:])))
    return pd.DataFrame(rows, columns=["dataset", "detector", "seed", "percentile"])


def rebuilt_by_best(study: Path, image: np.ndarray, dataset: str, paths: dict[str, list[Path]]):
    """Of the detectors that rebuild images the one with the best clean AUC, and what it makes of this; or None."""
    order = list(paths)
    if (study / "tables" / "auc.csv").is_file():
        auc = pd.read_csv(study / "tables" / "auc.csv")
        clean = auc[(auc["dataset"] == dataset) & (auc["contaminant"] == CLEAN) & (auc["anomaly"] == tables.ALL)]
        means = clean.groupby("detector")["auc"].mean()
        order.sort(key=lambda detector: -means.get(detector, 0.0))
    for detector in order:
        rebuilt = detectors.load(paths[detector][0])[0].reconstructed(image[None])
        if rebuilt is not None:
            return detector, rebuilt[0]
    return None


# --- 7. picture and words --------------------------------------------------------------------------------------------


def picture(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], rows: list[tuple]) -> Figure:
    """A row for each (target, matched, rebuilt): frame, less lens light, as the data set shows it, a simulated one, rebuilt."""
    figure, axes = figures.plt.subplots(len(rows), 6, figsize=(12, 2.25 * len(rows)), squeeze=False)
    for line, (target, matched, rebuilt) in zip(axes, rows, strict=True):
        half = target.camera.pixels * target.camera.pixel_scale_arcsec / 2 / frame.pixel_scale_arcsec
        view = tuple(slice(max(0, round(c - half)), round(c + half) + 1) for c in centre)
        top, typical = float(matched.image.max()), target.images[0]
        raw, arcs = np.arcsinh(frame.image / (3 * np.median(frame.sigma)))[view], lensed[view]
        panels = [
            ("frame (asinh)", raw, (raw.min(), raw.max())),
            ("lens light removed", arcs, (0, np.percentile(arcs, 99.8))),
            (f"as in {target.dataset}", matched.image, (0, top)),
            ("a simulated one", typical, (0, float(typical.max()))),
        ]
        if rebuilt is not None:
            panels += [(f"rebuilt by {rebuilt[0]}", rebuilt[1], (0, top))]
            panels += [("residual", matched.image - rebuilt[1], (-0.25 * top, 0.25 * top))]
        for axis, (title, panel, (low, high)) in zip(line, panels, strict=False):
            colours = figures.DIFFERENCES if title == "residual" else figures.IMAGES
            axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
            axis.set_title(title)
        for axis in line:
            axis.set_axis_off()
    figure.suptitle(frame.name, fontsize=11)
    figure.tight_layout(pad=0.4)
    return figure


def told(frame: Frame, target: Target, matched: Matched) -> str:
    """What was done to the frame for one data set, and what was not as it should be."""
    camera = target.camera
    blur = "was unknown, so it was blurred twice," if frame.psf is None else "was matched"
    text = (
        f'{target.dataset}: lens light (two Sersic profiles) and the inner {CORE_ARCSEC}" removed, {frame.masked.mean():.1%} '
        f'masked; the PSF {blur} to an Airy pattern of {camera.psf_first_zero_arcsec:g}"; {frame.pixel_scale_arcsec:g}" '
        f'resampled to {camera.pixel_scale_arcsec:g}" pixels; brightness and noise brought to those of the data set.'
    )
    if matched.too_noisy:
        text += f" In {matched.too_noisy:.1%} of the pixels the real noise was already larger than the simulated."
    if frame.psf is not None:
        at_scale = airy((99, 99), frame.pixel_scale_arcsec, camera).max()
        text += (
            " Its PSF is wider than the data set's: it was partly deconvolved." if frame.psf.max() < at_scale else ""
        )
    return text


CAUTION = (
    "A high percentile is not a detection. 100 means odder than every simulated smooth lens, and real lenses differ from "
    "all simulated ones in much besides dark matter: source shapes, ring radii, what is left of the lens light, noise. "
    "The percentiles measure that gap first."
)


def score_real(study: Path, frame: Frame, datasets: list[str]) -> str:
    """Write `real/<name>.csv` and `.png` in the study's folder; what there is to say."""
    centre = lens_centre(frame)
    lensed = without_lens_light(frame, centre)
    found, rows, texts = [], [], []
    for dataset in datasets:
        target, paths = read_target(study, dataset), model_paths(study, dataset)
        matched = match(frame, lensed, centre, target)
        found.append(percentiles(matched.image, target, paths))
        rows.append((target, matched, rebuilt_by_best(study, matched.image, dataset, paths)))
        texts.append(told(frame, target, matched))
    table = pd.concat(found)
    place = study / "real" / frame.name
    tables.write(f"{place}.csv", table)
    with figures.plt.rc_context(figures.STYLE):
        figures.save(picture(frame, lensed, centre, rows), f"{place}.png")
    means = table.pivot_table(index="detector", columns="dataset", values="percentile", sort=False).rename_axis(
        columns=None
    )
    title = f"{frame.name}: percentile of its score among the simulated smooth lenses, mean over seeds"
    return "\n\n".join(
        [title, means.to_string(float_format="{:.1f}".format), *texts, CAUTION, f"{place}.png, {place}.csv"]
    )


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m oddlens.real", description=__doc__.partition("\n")[0])
    parser.add_argument("path", help="a FITS file, or a folder with data.fits")
    parser.add_argument("--study", type=Path, default=Path("results/default"), help="a study's folder")
    parser.add_argument("--dataset", action="append", help="score with this data set alone (may be repeated)")
    for kind, file in SIBLINGS.items():
        parser.add_argument(f"--{kind}", type=Path, help=f"FITS; default: {file} beside the frame, if there")
    parser.add_argument("--pixel-scale", type=float, help="arcsec; default: from the header or from info.json")
    given = parser.parse_args(argv)
    try:
        if not given.path:
            raise ValueError("no frame given: make score-real FITS=path")
        datasets = given.dataset or sorted(folder.name for folder in (given.study / "shards").glob("*"))
        if not datasets:
            raise FileNotFoundError(f"{given.study} has no images and models: run `make study` first")
        others = {kind: getattr(given, kind) for kind in SIBLINGS}
        print(score_real(given.study, read_frame(Path(given.path), given.pixel_scale, **others), datasets))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot score this: {error}")


if __name__ == "__main__":
    main()
