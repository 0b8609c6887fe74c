"""PSF matching and resampling: an image on a frame's pixels as the camera of a data set observes it."""

import numpy as np
from scipy import fft

from oddlens.lensing.camera import psf_kernels, psf_pixels, psf_profile, typical_psf
from oddlens.lensing.psf_files import interpolated
from oddlens.lensing.simulation import Camera
from oddlens.observations.frames import Frame


def target_psf(shape: tuple[int, int], pixel_scale_arcsec: float, camera: Camera) -> np.ndarray:
    """The (median) PSF of a camera at another pixel scale, [*shape], truncated at the same size.

    Its sum is 1, and its peak is on pixel (0, 0).
    """
    y, x = (fft.fftfreq(n, 1 / n) * pixel_scale_arcsec for n in shape)
    psf, half, scale = camera.psf, psf_pixels(camera) * camera.pixel_scale_arcsec / 2, camera.pixel_scale_arcsec
    if psf.profile is None:
        own = psf_kernels(camera, {})[0]
        kernel = interpolated(own, y[:, None] / scale, x / scale)
    else:
        widths = typical_psf(camera)
        fwhm, beta = (float(widths.get(name, np.zeros(1))[0]) for name in ("psf_fwhm_arcsec", "psf_moffat_beta"))
        kernel = psf_profile(psf.profile, np.hypot(y[:, None], x) / fwhm, beta)
    kernel *= np.outer(np.abs(y) < half, np.abs(x) < half)
    return kernel / kernel.sum()


def matching_kernel(psf: np.ndarray | None, target: np.ndarray, floor: float = 0.01) -> np.ndarray:
    """The kernel that turns images with one PSF into images with another, as `rfft2`; without a PSF, the target.

    It is the regularised ratio of the transfer functions, T conj(P) (1 + floor^2) / (|P|^2 + floor^2). A target that is
    wider than the PSF has little power at the frequencies where the PSF has none; `floor` limits the ratio there.

    Args:
        psf: [k, l].
        target: [h, w], its peak on pixel (0, 0).
    """
    wanted = fft.rfft2(target)
    if psf is None:
        return wanted
    padded = np.zeros(target.shape)
    padded[: psf.shape[0], : psf.shape[1]] = psf
    row, column = np.unravel_index(np.argmax(padded), padded.shape)
    present = fft.rfft2(np.roll(padded, (-int(row), -int(column)), axis=(0, 1)))
    return wanted * present.conj() * (1 + floor**2) / (np.abs(present) ** 2 + floor**2)


def pixel_overlaps(count: int, centre: float, pixels: int, ratio: float) -> np.ndarray:
    """The fraction of each of `count` frame pixels that lies in each of `pixels` new pixels, along one axis.

    New pixels are `ratio` frame pixels wide, and their middle is at `centre`. Frame pixel k is [k - 1/2, k + 1/2].

    Returns an array [pixels, count].
    """
    edges = centre + (np.arange(pixels + 1) - pixels / 2) * ratio
    left = np.arange(count) - 0.5
    return np.clip(np.minimum(edges[1:, None], left + 1) - np.maximum(edges[:-1, None], left), 0, None)


def to_camera(
    frame: Frame, image: np.ndarray, centre: tuple[int, int], camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """An image [h, w] on the frame's pixels as the camera observes it, and the variance of the frame's noise in it.

    Both are [pixels, pixels]. Flux is conserved. The variance is approximate: frame pixels count as independent, which
    drizzled ones are not, and the square of (kernel times new pixel) is averaged over the positions of the new pixel's
    edges within a frame pixel.

    Args:
        centre: row and column of the frame that become the middle of the image.
    """
    ratio = camera.pixel_scale_arcsec / frame.pixel_scale_arcsec
    reach = max([int(psf_pixels(camera) * ratio / 2) + 2, *(() if frame.psf is None else frame.psf.shape)])
    (height, width), shape = image.shape, tuple(fft.next_fast_len(n + reach) for n in image.shape)

    def convolved(array: np.ndarray, transfer: np.ndarray) -> np.ndarray:
        return fft.irfft2(fft.rfft2(array, shape) * transfer, shape)[:height, :width]

    kernel = matching_kernel(frame.psf, target_psf(shape, frame.pixel_scale_arcsec, camera))
    box = np.outer(*(np.roll(pixel_overlaps(n, n // 2, 1, ratio)[0], -(n // 2)) for n in shape))
    squared = fft.rfft2(fft.irfft2(kernel * fft.rfft2(box), shape) ** 2)
    rows, columns = (pixel_overlaps(n, c, camera.pixels, ratio) for n, c in zip(image.shape, centre, strict=True))
    variance = rows @ convolved(np.where(frame.masked, 0.0, frame.sigma**2), squared) @ columns.T / ratio**2
    return rows @ convolved(image, kernel) @ columns.T, np.clip(variance, 0, None)
