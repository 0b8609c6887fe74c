"""The camera: point-spread function, unit of brightness, and noise. The noise has a random stream for each image."""

from typing import Any

import numpy as np
from scipy import optimize, special

from oddlens.lensing import psf_files
from oddlens.lensing.simulation import Camera, Psf

Columns = dict[str, np.ndarray]

MAX_EXACT_ELECTRONS = 2.0**24
"""Images are float32, which represents whole numbers of electrons exactly up to this one."""
SMALL_MEAN = 10.0
"""Poisson counts with a smaller mean are found by single steps of the distribution function."""
_AIRY_ZERO = special.jn_zeros(1, 1)[0]
_AIRY_ZERO_PER_FWHM = 1.2196698912665045 / 1.0289939699621880  # both in wavelength / aperture


def psf_profile(profile: str, r: np.ndarray, beta: np.ndarray | float = 0.0) -> np.ndarray:
    """The PSF at distances r from its centre, in units of its full width at half maximum. It is 1 at the centre."""
    if profile == "gaussian":
        return np.exp(-4 * np.log(2) * r**2)
    if profile == "moffat":
        return (1 + (2 ** (1 / beta) - 1) * (2 * r) ** 2) ** -beta
    v = np.maximum(r * _AIRY_ZERO / _AIRY_ZERO_PER_FWHM, 1e-9)
    return (2 * special.j1(v) / v) ** 2


def psf_of_file(camera: Camera) -> np.ndarray | None:
    """The kernel of a camera whose PSF is in a file, [k, k]; None for a profile.

    Raises:
        FileNotFoundError, ValueError: see `psf_files.kernel`.
    """
    psf = camera.psf
    if psf.kernel is not None:
        return psf_files.checked("camera.psf.kernel", np.array(psf.kernel))
    if psf.file is None:
        return None
    return psf_files.kernel(psf.file, camera.pixel_scale_arcsec, psf.pixel_scale_arcsec, psf.pixels)


def with_psf(camera: Camera, kernel: np.ndarray | None = None) -> Camera:
    """The camera with the kernel itself instead of the file of its PSF, so that it can be used where that is missing.

    Args:
        kernel: the PSF; by default it is read.
    """
    if camera.psf.file is None:
        return camera
    kernel = psf_of_file(camera) if kernel is None else kernel
    assert kernel is not None
    return camera.model_copy(update={"psf": Psf(kernel=kernel.tolist())})


def with_psf_itself(simulation: dict[str, Any]) -> dict[str, Any]:
    """A simulation as plain data, with the kernel instead of the file of its PSF."""
    camera = Camera.model_validate(simulation["camera"])
    return simulation if camera.psf.file is None else {**simulation, "camera": with_psf(camera).plain()}


def psf_pixels(camera: Camera) -> int:
    """The side of the PSF's kernel in pixels."""
    kernel = psf_of_file(camera)
    return int(camera.psf.pixels or 0) if kernel is None else len(kernel)


def psf_fwhm_arcsec(camera: Camera, q: Columns) -> np.ndarray:
    """Full width at half maximum of the PSF of each image, [n]."""
    kernel = psf_of_file(camera)
    if kernel is None:
        return q["psf_fwhm_arcsec"]
    return np.full(len(q["exposure_s"]), psf_files.fwhm_pixels(kernel) * camera.pixel_scale_arcsec)


def typical_psf(camera: Camera) -> Columns:
    """The medians of the priors of a PSF's profile, [1] each; empty for that of a file."""
    priors = {"psf_fwhm_arcsec": camera.psf.fwhm_arcsec, "psf_moffat_beta": camera.psf.moffat_beta}
    return {name: np.array([prior.quantile(np.array(0.5))]) for name, prior in priors.items() if prior is not None}


def psf_kernels(camera: Camera, q: Columns) -> np.ndarray:
    """The PSF sampled at pixel centres, with the sum 1: [n, k, k], or [1, k, k] if all n images share one.

    The kernel is not averaged over pixels, because the image already is.
    """
    psf, kernel = camera.psf, psf_of_file(camera)
    if kernel is not None:
        return kernel[None]
    assert psf.profile is not None
    assert psf.fwhm_arcsec is not None
    assert psf.pixels is not None
    widths = np.stack([q["psf_fwhm_arcsec"], q.get("psf_moffat_beta", np.zeros_like(q["psf_fwhm_arcsec"]))], axis=1)
    if all(prior is None or prior.kind == "fixed" for prior in (psf.fwhm_arcsec, psf.moffat_beta, psf.width_ratio)):
        widths = widths[:1]
    fwhm, beta = widths[:, 0, None, None], widths[:, 1, None, None]
    offset = (np.arange(psf.pixels) - psf.pixels // 2) * camera.pixel_scale_arcsec
    kernel = psf_profile(psf.profile, np.hypot(offset[:, None], offset) / fwhm, beta)
    return kernel / kernel.sum(axis=(1, 2), keepdims=True)


def true_psf_kernels(camera: Camera, q: Columns) -> np.ndarray:
    """The PSF that images are made with, [n or 1, k, k]. It is that of `psf_kernels`, but for a mis-set one."""
    if "psf_width_ratio" not in q:
        return psf_kernels(camera, q)
    return psf_kernels(camera, {**q, "psf_fwhm_arcsec": q["psf_fwhm_arcsec"] * q["psf_width_ratio"]})


def dark_sigma(camera: Camera, q: Columns) -> np.ndarray:
    """Standard deviation of the noise of a pixel without light, electrons / s / pixel, [n]."""
    zero = np.zeros_like(q["exposure_s"])
    return noise_sigma(zero, q["exposure_s"], sky(camera, q), q.get("read_noise_electrons", zero))


def electrons_per_flux(q: Columns) -> np.ndarray:
    """Electrons / s of an object with the flux 1, which is AB magnitude 25."""
    return 10 ** (0.4 * (q["zero_point_mag"] - 25))


def sky(camera: Camera, q: Columns) -> np.ndarray:
    """Sky background, electrons / s / pixel."""
    return q["sky_per_arcsec2"] * electrons_per_flux(q) * camera.pixel_scale_arcsec**2


def noise_sigma(image: np.ndarray, exposure_s: np.ndarray, sky: np.ndarray, read_electrons: np.ndarray | float = 0.0):
    """Standard deviation of the noise of pixels, electrons / s / pixel.

    Correlated noise (`camera.noise_correlation_pixels`) has the same variance, averaged over the correlation length.

    Args:
        image: light of the pixels, electrons / s / pixel.
        sky: electrons / s / pixel.
        read_electrons: standard deviation of the read noise, electrons.
    """
    return np.sqrt((np.clip(image, 0, None) + sky) / exposure_s + (read_electrons / exposure_s) ** 2)


def expose(
    image: np.ndarray,
    rng: np.random.Generator,
    *,
    exposure_s: float,
    sky: float,
    read_electrons: float = 0.0,
    correlation_pixels: float = 0.0,
) -> np.ndarray:
    """A noisy, sky-subtracted image [h, w], electrons / s / pixel, of a noise-free one in the same units.

    Noise that is correlated, as after drizzling, is the noise of independent pixels, smoothed with a Gaussian that
    keeps its variance. For this, the image is continued by reflection.

    Args:
        rng: the random stream of the image.
        sky: electrons / s / pixel.
        read_electrons: standard deviation of the read noise, electrons.
        correlation_pixels: standard deviation of the Gaussian.

    Raises:
        ValueError: a pixel collects more electrons than an image can represent.
    """
    margin = int(np.ceil(3 * correlation_pixels))
    mean = (np.clip(np.pad(image, margin, mode="reflect"), 0, None) + sky) * exposure_s
    if not mean.max() < MAX_EXACT_ELECTRONS / 2:  # NaN too; half, for the noise
        raise ValueError(
            f"a pixel collects {mean.max():.3g} electrons; at most {MAX_EXACT_ELECTRONS / 2:.3g} are allowed: lower "
            "camera.exposure_s or the brightness of source, lens light or sky"
        )
    noise = poisson_quantile(rng.random(mean.shape), mean) - mean
    if read_electrons > 0:
        noise += read_electrons * special.ndtri(np.clip(rng.random(mean.shape), 2.0**-53, None))
    if correlation_pixels > 0:
        noise = _smoothed(noise, correlation_pixels)
    inside = mean[margin : margin + image.shape[0], margin : margin + image.shape[1]]
    return (inside + noise) / exposure_s - sky


def _correlation(width: float) -> np.ndarray:
    """A Gaussian out to three standard deviations, whose squares sum to 1, so that it keeps the variance of noise."""
    margin = int(np.ceil(3 * width))
    weights = np.exp(-0.5 * (np.arange(-margin, margin + 1) / width) ** 2)
    return weights / np.sqrt(np.sum(weights**2))


def correlation_width(correlation: float) -> float:
    """The `noise_correlation_pixels` with which neighbouring pixels have this correlation, above 0 and below 0.95."""

    def excess(width: float) -> float:
        weights = _correlation(width)
        return float(weights[1:] @ weights[:-1]) - correlation

    return float(optimize.brentq(excess, 0.15, 5.0))


def _smoothed(noise: np.ndarray, width: float) -> np.ndarray:
    """White noise with a margin, [h + margin, w + margin], smoothed along both axes, [h, w]."""
    weights = _correlation(width)
    for axis in (0, 1):
        noise = np.lib.stride_tricks.sliding_window_view(noise, len(weights), axis=axis) @ weights
    return noise


def decorrelation(pixels: int, width: float) -> np.ndarray:
    """A matrix [pixels, pixels] that whitens correlated noise of uniform variance along one axis."""
    if width == 0:
        return np.eye(pixels)
    weights = _correlation(width)
    rows = np.stack([np.pad(weights, (k, pixels - 1 - k)) for k in range(pixels)])
    return np.linalg.inv(np.linalg.cholesky(rows @ rows.T))


def poisson_quantile(u: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The smallest k with P(K <= k) >= u for K ~ Poisson(mean), elementwise and exact.

    Inversion, unlike rejection sampling, maps one uniform number to one count, and is monotonic in the mean. So twins
    have the same noise, also where their light differs. The integer part of the expansion of Giles (2016, ACM TOMS 42,
    10) in 1 / sqrt(mean) is the answer, except where the expansion is close to a whole number or the mean is small.
    There the exact distribution function is evaluated in single steps.

    Raises:
        ValueError: a mean is not finite.
    """
    u, mean = np.clip(u, 2.0**-53, 1 - 2.0**-53), np.asarray(mean, np.float64)
    if not np.isfinite(mean).all():
        raise ValueError(f"{np.sum(~np.isfinite(mean))} of {mean.size} pixels have a mean that is not finite")
    z, root = special.ndtri(u), np.sqrt(np.maximum(mean, 1.0))
    z2 = z * z
    x = mean + root * z + (1 / 3 + z2 / 6) - (z / 36 + z * z2 / 72) / root
    x += (-8 / 405 + z2 * (7 / 810 + z2 / 270)) / (root * root)
    k = np.maximum(np.floor(x), 0.0)
    error = (1 / 40 + z2 * (1 / 80 + z2 / 160)) / (root * root)  # that of the expansion without its last term
    doubtful = np.nonzero((mean < SMALL_MEAN) | (np.abs(x - np.rint(x)) < error))
    for step, at_least in ((+1, 0), (-1, 1)):  # up while P(K <= k) < u, then down while P(K <= k - 1) >= u
        todo = doubtful
        while todo[0].size:
            below = _below(k[todo] - at_least, u[todo], mean[todo])
            todo = tuple(axis[below if step > 0 else ~below] for axis in todo)
            k[todo] += step
    return k


def _below(k: np.ndarray, u: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Whether P(K <= k) < u; P is 0 for negative k."""
    return (k < 0) | (special.pdtr(np.maximum(k, 0), mean) < u)
