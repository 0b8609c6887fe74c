"""Score a real lens with a study's detectors: `python -m oddlens.real PATH --study results/default`.

A frame is made as like a data set's images as can be: the lens's own light and other objects removed, blurred to the
data set's PSF, resampled to its pixels, brought to its brightness and noise. Row 0 is the top, as in the shards.
"""

import argparse
import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.modeling import fitting, models
from matplotlib.figure import Figure
from scipy import fft, ndimage
from threadpoolctl import threadpool_limits

from oddlens import detectors, figures, shards, tables
from oddlens.cells import CLEAN, cell_name
from oddlens.chance import false_alarm, one_in
from oddlens.detectors.base import INPUTS
from oddlens.lensing.camera import noise_sigma, psf_profile
from oddlens.lensing.camera import sky as sky_of
from oddlens.lensing.substructure import SMOOTH
from oddlens.lensing.world import Camera, World
from oddlens.randomness import stream
from oddlens.tables.findings import FLAGS
from oddlens.training import pick_device

CENTRE_ARCSEC = 0.7
"""The lens centre is the brightest point within this distance of the middle of the frame."""
CUSP_ARCSEC, LIGHT_ARCSEC, LIGHT_PIXELS = 0.2, 5.0, 5000
"""The lens light is fitted between these radii, on a lattice of about so many pixels."""
CORE_ARCSEC = 0.35
"""What is left of the lens light within this radius follows no Sersic profile and is set to zero."""
BRIGHT_PERCENTILE = 99.5
"""The brightness of an image: the value that so many per cent of its pixels stay below."""
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

    def offsets_arcsec(self, centre: tuple[float, float]) -> np.ndarray:
        """Distances of the pixels from a row and a column, [2, h, w]."""
        return (np.indices(self.image.shape) - np.reshape(centre, (2, 1, 1))) * self.pixel_scale_arcsec


@dataclass(frozen=True)
class Target:
    """What a data set looks like; `images` [n, pixels, pixels] are its smooth validation images."""

    dataset: str
    images: np.ndarray
    camera: Camera
    exposure_s: float
    sky: float  # electrons / s / pixel
    seed: int


# --- 1. read ---------------------------------------------------------------------------------------------------------


def read_frame(path: Path, pixel_scale_arcsec: float | None = None, **others: Path | None) -> Frame:
    """The frame of a file, or of data.fits in a folder; `others` (psf, noise, mask) go before the files beside it.

    Pixels that are not finite or have no noise count as masked. Without a noise map the noise is that of the border.

    Raises:
        FileNotFoundError, ValueError: if a file is missing or unfit, or no pixel scale is given anywhere.
    """
    path = path / "data.fits" if path.is_dir() else path
    image, header = _read_image(path)
    found = {kind: others.get(kind) or path.with_name(file) for kind, file in SIBLINGS.items()}
    psf, noise, mask = (_read_image(p)[0] if others.get(k) or p.is_file() else None for k, p in found.items())
    for kind, array in (("noise", noise), ("mask", mask)):
        if array is not None and array.shape != image.shape:
            raise ValueError(f"{found[kind]} has {array.shape} pixels and {path} has {image.shape}: they must agree")
    if psf is not None and not (np.isfinite(psf).all() and psf.sum() > 0):
        raise ValueError(f"{found['psf']} has pixels that are not finite, or no positive sum: it is no PSF")
    masked = ~np.isfinite(image) | (False if mask is None else mask != 0)
    masked |= False if noise is None else ~(np.isfinite(noise) & (noise > 0))
    if masked.all():
        raise ValueError(f"{path}: every pixel is masked or not finite")
    image = np.where(np.isfinite(image), image, 0.0)
    sigma = np.where(masked, 1.0, border_sigma(image, masked) if noise is None else noise)
    if not sigma.all():
        raise ValueError(f"{path} has a border without noise: give its noise map with --noise")
    return Frame(
        name=path.parent.resolve().name if path.name == "data.fits" else path.stem,
        image=image,
        sigma=sigma,
        masked=masked,
        psf=None if psf is None else psf / psf.sum(),
        pixel_scale_arcsec=_pixel_scale_arcsec(path, header, pixel_scale_arcsec),
    )


def _read_image(path: Path) -> tuple[np.ndarray, fits.Header]:
    """The first image of a FITS file, float64, row 0 the top, and its header."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with fits.open(path) as units:
            for unit in units:
                if unit.is_image and unit.data is not None and unit.data.ndim == 2:
                    return np.flipud(unit.data).astype(np.float64), unit.header
    except (OSError, TypeError) as error:  # TypeError: a truncated file
        raise ValueError(f"{path} cannot be read as FITS ({error})") from error
    raise ValueError(f"{path} holds no image of two dimensions")


def _pixel_scale_arcsec(path: Path, header: fits.Header, given: float | None) -> float:
    """Arcsec per pixel: as given, or else as header and info.json say, who must agree within 1 %."""
    degrees = np.hypot(header["CD1_1"], header.get("CD2_1", 0)) if "CD1_1" in header else abs(header.get("CDELT1", 0))
    info = path.with_name("info.json")
    said = {
        "header": float(header.get("PIXSCALE", 3600 * degrees)),
        "info.json": float(json.loads(info.read_text()).get("pixel_scale", 0)) if info.is_file() else 0.0,
    }
    said = {w: s for w, s in (said if given is None else {"--pixel-scale": given}).items() if 0 < s < 10}
    if not said:
        raise ValueError(
            f"{path}: no pixel scale. Give --pixel-scale in arcsec, or PIXSCALE (arcsec), CD1_1 or CDELT1 (degrees) in "
            f'the header, or {{"pixel_scale": ...}} (arcsec) in {info}'
        )
    if max(said.values()) > 1.01 * min(said.values()):
        raise ValueError(f"{path}: the pixel scales disagree, {said} arcsec: say which with --pixel-scale")
    return next(iter(said.values()))


def border_sigma(image: np.ndarray, masked: np.ndarray) -> float:
    """The noise in the outer tenth of a frame on each side, from the median deviation; image's units."""
    outer = ~masked
    outer[tuple(slice(max(1, n // 10), n - max(1, n // 10)) for n in image.shape)] = False
    border = image[outer if outer.any() else ~masked]
    return 1.4826 * float(np.median(np.abs(border - np.median(border))))


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


def without_lens_light(frame: Frame, centre: tuple[int, int]) -> np.ndarray:
    """The frame less its lens light, zero in the core and where it is masked."""
    core = np.hypot(*frame.offsets_arcsec(centre)) < CORE_ARCSEC
    return np.where(core | frame.masked, 0.0, frame.image - lens_light(frame, centre))


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


def read_target(study: Path, dataset: str) -> Target:
    """What a data set of a study looks like, from its validation shards."""
    paths = sorted((study / "shards" / dataset / "validation" / SMOOTH).glob("*.h5"))
    if not paths:
        raise FileNotFoundError(f"{study} has no validation images of '{dataset}': run `make study` first")
    found = [shards.read(path) for path in paths]
    about, truth = found[0].attributes, pd.concat([shard.table for shard in found])
    camera = World.model_validate(json.loads(about["world"])).camera
    typical = {name: np.asarray(truth[name].median()) for name in ("exposure_s", "sky_per_arcsec2", "zero_point_mag")}
    images, sky = np.concatenate([shard.images for shard in found]), float(sky_of(camera, typical))
    return Target(dataset, images, camera, float(typical["exposure_s"]), sky, int(about["seed"]))


def match(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], target: Target) -> tuple[np.ndarray, float]:
    """A frame without its lens light as the data set would show it, and the share of pixels noisier than simulated.

    Raises:
        ValueError: if the frame shows no light there.
    """
    image, variance = to_camera(frame, lensed, centre, target.camera)
    bright = float(np.percentile(image, BRIGHT_PERCENTILE))
    if bright <= 0:
        raise ValueError(f"{frame.name}: no light is left around the lens when its own is removed")
    factor = float(np.median(np.percentile(target.images, BRIGHT_PERCENTILE, axis=(1, 2)))) / bright
    image, variance = image * factor, variance * factor**2
    wanted = noise_sigma(image, np.asarray(target.exposure_s), np.asarray(target.sky)) ** 2
    normal = stream(target.seed, "real", frame.name).standard_normal(image.shape)
    noisy = image + normal * np.sqrt(np.clip(wanted - variance, 0, None))
    return noisy.astype(np.float32), float((variance > wanted).mean())


def check_field(frame: Frame, centre: tuple[int, int], target: Target) -> None:
    """Raise a ValueError if the frame does not cover the data set's field of view around the lens."""
    needed = target.camera.pixels * target.camera.pixel_scale_arcsec
    room = min(min(c + 0.5, n - c - 0.5) for c, n in zip(centre, frame.image.shape, strict=True))
    if 2 * room * frame.pixel_scale_arcsec < needed - 1e-6:
        height, width = (n * frame.pixel_scale_arcsec for n in frame.image.shape)
        raise ValueError(
            f'{frame.name} is {height:.2f}" x {width:.2f}" with the lens at row {centre[0]} from the top, column '
            f'{centre[1]}; {target.dataset} needs {needed:.2f}" x {needed:.2f}" around the lens: give a larger cut-out'
        )


# --- 6. scores -------------------------------------------------------------------------------------------------------


def percentile(score: float, among: np.ndarray) -> float:
    """How many per cent of the scores lie below this one; ties count half."""
    return 100 * float(np.sum(among < score) + np.sum(among <= score)) / (2 * len(among))


def model_paths(study: Path, dataset: str) -> dict[str, list[Path]]:
    """The models trained without contamination, by detector, a path for each seed."""
    found = sorted((study / "models" / dataset).glob(f"*/seed-*/{cell_name(CLEAN, 0)}.safetensors"))
    if not found:
        raise FileNotFoundError(f"{study} has no trained models for '{dataset}': run `make study` first")
    return {row: [p for p in found if p.parts[-3] == row] for row in dict.fromkeys(p.parts[-3] for p in found)}


def percentiles(image: np.ndarray, target: Target, paths: dict[str, list[Path]]) -> pd.DataFrame:
    """The image's percentile among the simulated smooth ones and its `chance`, and what else a detector finds in it: a
    row for each detector and seed."""
    rows = []
    for detector, path in ((detector, path) for detector, seeds in paths.items() for path in seeds):
        model, about = detectors.load(path)
        # Nobody knows the truth; there is nothing to know; or it must be explained first.
        if model.needs == "truth" or about["diverged"] or about["input"] != "images":
            continue
        scores, found = model.to(pick_device("auto")).examined(np.concatenate([image[None], target.images]))
        row = {"dataset": target.dataset, "detector": detector, "seed": about["seed"]}
        row |= {"percentile": percentile(scores[0], scores[1:]), "chance": false_alarm(scores[:1], scores[1:])[0]}
        rows.append(row | {name: values[0] for name, values in found.items()})
    return pd.DataFrame(rows)


def rebuilt(study: Path, image: np.ndarray, dataset: str, paths: dict[str, list[Path]]) -> dict[str, np.ndarray]:
    """What the detector with the best clean AUC among those that rebuild images makes of this one, what that leaves
    over, and how significant masses are, if it knows: images by their titles."""
    order = list(paths)
    if (study / "tables" / "auc.csv").is_file():
        auc = pd.read_csv(study / "tables" / "auc.csv")
        clean = auc[(auc["dataset"] == dataset) & (auc["contaminant"] == CLEAN) & (auc["anomaly"] == tables.ALL)]
        means = clean.groupby("detector")["auc"].mean()
        order.sort(key=lambda detector: -means.get(detector, 0.0))
    for detector, (model, about) in ((detector, detectors.load(paths[detector][0])) for detector in order):
        if about["diverged"] or about["input"] != "images":
            continue
        if (images := model.reconstructed(image[None])) is not None:
            made = {f"rebuilt by {detector}": images[0], "residual": image - images[0]}
            if (left := model.leftovers(image[None])) is not None:
                made["significance of a mass [σ]"] = left[0, INPUTS.index("scan")]
            return made
    return {}


# --- 7. picture and words --------------------------------------------------------------------------------------------


def picture(frame: Frame, lensed: np.ndarray, centre: tuple[int, int], rows: list[tuple]) -> Figure:
    """A row for each (target, image, rebuilt): frame, less lens light, as the data set shows it, simulated, rebuilt."""
    columns = 4 + max(len(made) for *_, made in rows)
    figure, axes = figures.plt.subplots(len(rows), columns, figsize=(2 * columns, 2.25 * len(rows)), squeeze=False)
    for line, (target, image, made) in zip(axes, rows, strict=True):
        half = target.camera.pixels * target.camera.pixel_scale_arcsec / 2 / frame.pixel_scale_arcsec
        view = tuple(slice(max(0, round(c - half)), round(c + half) + 1) for c in centre)
        raw, arcs = np.arcsinh(frame.image / (3 * np.median(frame.sigma[~frame.masked])))[view], lensed[view]
        panels = [
            (f"{frame.name} (asinh)", raw, raw.max()),
            ("lens light removed", arcs, np.percentile(arcs, 99.8)),
            (f"as in {target.dataset}", image, image.max()),
            (f"one of {target.dataset}", target.images[0], target.images[0].max()),
        ]
        panels += [(title, panel, image.max()) for title, panel in made.items()]
        for axis, (title, panel, top) in zip(line, panels, strict=False):
            colours, low, high = (figures.IMAGES, 0, top)
            if title == "residual":
                colours, low, high = (figures.DIFFERENCES, -top / 4, top / 4)
            if "[σ]" in title:
                colours, high = figures.MAPS, max(5.0, panel.max())
                title += f" to {high:.0f}"
            axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
            axis.set_title(title, fontsize=8)
        for axis in line:
            axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    return figure


CAUTION = (
    "100 means odder than every simulated smooth lens. A high percentile is not a detection: real lenses differ from "
    "simulated ones in much besides dark matter (source shapes, ring radii, what is left of the lens light, noise), "
    "and the figures measure that gap first."
)


def told(frame: Frame, target: Target, too_noisy: float) -> str:
    """What was done to the frame for one data set, and what is not as it should be."""
    camera = target.camera
    wide = frame.psf is not None and frame.psf.max() < target_psf((99, 99), frame.pixel_scale_arcsec, camera).max()
    parts = [
        f'{target.dataset}: lens light and the inner {CORE_ARCSEC}" removed, {frame.masked.mean():.1%} of the frame',
        f"masked, {'blurred by' if frame.psf is None else 'PSF matched to'} the data set's",
        f'({camera.psf.profile}), pixels of {frame.pixel_scale_arcsec:g}" resampled to',
        f'{camera.pixel_scale_arcsec:g}", brightness and noise brought to those of the data set.',
        "No PSF was given, so the image is blurrier than simulated ones." if frame.psf is None else "",
        "The frame's PSF is wider than the data set's: it was partly deconvolved." if wide else "",
        f"In {too_noisy:.1%} of the pixels the real noise is larger than the simulated." if too_noisy else "",
    ]
    return " ".join(part for part in parts if part)


def score_real(study: Path, frame: Frame, datasets: list[str]) -> str:
    """Write `real/<name>.csv` and `.png` in the study's folder; returns what there is to say."""
    centre = lens_centre(frame)
    goals = [(read_target(study, dataset), model_paths(study, dataset)) for dataset in datasets]
    for target, _ in goals:
        check_field(frame, centre, target)
    lensed = without_lens_light(frame, centre)
    found, rows, texts = [], [], []
    for target, paths in goals:
        image, too_noisy = match(frame, lensed, centre, target)
        found.append(percentiles(image, target, paths))
        rows.append((target, image, rebuilt(study, image, target.dataset, paths)))
        texts.append(told(frame, target, too_noisy))
    table = pd.concat(found)
    place = study / "real" / frame.name
    tables.write(f"{place}.csv", table)
    with figures.plt.rc_context(figures.STYLE):
        figures.save(picture(frame, lensed, centre, rows), f"{place}.png")
    means = table.groupby(["detector", "dataset"])[["percentile", "chance"]].mean()
    cells = means["percentile"].map("{:.1f}".format) + " (" + means["chance"].map(one_in) + ")"
    flags = table.reindex(columns=["detector", "dataset", *FLAGS]).groupby(["detector", "dataset"])[FLAGS].max()
    for flag in FLAGS:
        cells += np.where(flags[flag] == 1, f", {flag.replace('_', ' ')}", "")
    words = cells.unstack(fill_value="–").reset_index().rename_axis(columns=None).to_string(index=False)
    title = (
        f"{frame.name}: percentile of its score among the simulated smooth lenses, and how many score as high (means)"
    )
    return "\n\n".join([title, words, *texts, CAUTION, f"Written: {place}.png, {place}.csv"])


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m oddlens.real", description="Score a real lens.")
    parser.add_argument("path", help="a FITS file, or a folder with data.fits")
    parser.add_argument("--study", type=Path, default=Path("results/default"), help="a study's folder")
    parser.add_argument("--dataset", action="append", help="score by this data set alone (may be repeated)")
    for kind, file in SIBLINGS.items():
        parser.add_argument(f"--{kind}", type=Path, help=f"FITS; default: {file} beside the frame, if there")
    parser.add_argument("--pixel-scale", type=float, help="arcsec; default: from the header or from info.json")
    given = parser.parse_args(argv)
    try:
        if not given.path:
            raise ValueError("no frame given: make score-real FITS=path")
        datasets = given.dataset or sorted(
            folder.name for folder in (given.study / "shards").glob("[!.]*") if folder.is_dir()
        )
        if not datasets:
            raise FileNotFoundError(f"{given.study} has no images and models: run `make study` first")
        others = {kind: getattr(given, kind) for kind in SIBLINGS}
        print(score_real(given.study, read_frame(Path(given.path), given.pixel_scale, **others), datasets))
    except (OSError, ValueError) as error:
        sys.exit(f"cannot score this: {error}")


if __name__ == "__main__":
    main()
