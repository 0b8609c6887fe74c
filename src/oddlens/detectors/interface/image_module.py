"""A PyTorch module on square images of a known camera: units, noise and batches.

NumPy arrays [n, pixels, pixels] in electrons / s / pixel are outside; inside, images are tensors [n, 1, pixels, pixels]
in units of `scale`.
"""

import math
from collections.abc import Callable
from typing import ClassVar, Literal, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.data.randomness import torch_seed
from oddlens.training.images import TrainingImages

BATCH_SIZE = 256
"""Images in a batch that is scored."""
SAMPLE_SIZE = 2000
"""Training images that units are measured on, and images that are checked at once."""
SIGMA_PER_FWHM = 1 / math.sqrt(8 * math.log(2))
ASSUMED_NOISE, MIN_NOISE = 1e-3, 1e-5
"""The standard deviation of the noise of images whose camera states none, and the least that counts as stated, in units
of `scale`."""
MAX_SCALE_RATIO = 100
"""Images whose median peak differs by more than this factor from `scale` are in other units and are refused."""


class KnownCamera(NamedTuple):
    """What an observer knows of the camera, in the units of the images.

    A pixel of expected brightness m has the noise variance gain * m + background. The noise of subtracted lens light
    and correlations between the noise of neighbouring pixels are not included.
    """

    gain: float = 0.0
    background: float = 0.0
    psf_fwhm_pixels: float = 0.0
    """The full width at half maximum of the point-spread function; 0: unknown."""


UNKNOWN_CAMERA = KnownCamera()


class ImageModule(nn.Module):
    """A module that takes images of `pixels` x `pixels`.

    Its buffers are fixed by the training images and their camera.

    scale       the brightness that 1 in 1000 of the training pixels exceeds. It is one number for all images, so that
                brightness stays a property of each image
    gain        a pixel of expected brightness m has the noise variance gain * m + background, in units of `scale`
    background  see `gain`
    blur        the standard deviation of the Gaussian nearest to the point-spread function, in pixels
    level       the mean brightness of a training pixel, in units of `scale`
    """

    needs: ClassVar[Literal["labels", "truth"] | None] = None
    """What an upper bound needs beside images: the labels of its training images, or each image's true smooth model."""
    masks: ClassVar[bool] = False
    """Whether NaN marks a pixel as not observed. If False, images with NaN are refused."""
    scale: Tensor
    gain: Tensor
    background: Tensor
    blur: Tensor
    level: Tensor

    def __init__(self, pixels: int):
        super().__init__()
        self.pixels = pixels
        for name in ("scale", "gain", "background", "blur", "level"):
            self.register_buffer(name, torch.ones(()))

    @property
    def batch_size(self) -> int:
        """The number of images in a batch.

        The last batch is padded to it, so that the score of an image does not depend on how many others are scored.
        """
        return BATCH_SIZE

    @property
    def images_at_once(self) -> int:
        """The largest number of images that a function gets: a multiple of `batch_size`."""
        return self.batch_size

    @final
    def variance(self, expected: Tensor) -> Tensor:
        """The noise variance of pixels with an expected brightness."""
        return self.gain * expected.clamp(min=0) + self.background

    @final
    def stabilise(self, images: Tensor, per_pixel: bool = True) -> Tensor:
        """Images in units of their noise.

        If `per_pixel`, the unit is the noise of each pixel: the variance-stabilised image is the integral of 1 / sigma
        over brightness (Anscombe 1948), whose noise is 1 everywhere. Else it is the noise of the mean pixel.
        """
        if per_pixel:
            return 2 * images / (self.variance(images).sqrt() + self.background.sqrt())
        return images / self.variance(self.level).sqrt()

    @final
    def unstabilise(self, stabilised: Tensor, per_pixel: bool = True) -> Tensor:
        """The inverse of `stabilise`; exact for brightness that is not negative."""
        if per_pixel:
            return stabilised * self.background.sqrt() + self.gain * stabilised.square() / 4
        return stabilised * self.variance(self.level).sqrt()

    def _set_units(self, images: TrainingImages, camera: KnownCamera) -> None:
        """Measure the units on the training images, and convert the camera to them."""
        pixels = images.evenly_spaced(SAMPLE_SIZE).flatten()
        pixels = pixels[~pixels.isnan()]
        scale = pixels.kthvalue(len(pixels) - max(1, len(pixels) // 1000) + 1).values
        if not scale > 0:
            raise ValueError(
                f"the brightest training pixels are {scale:g}; they must be positive: are these images of light?"
            )
        images.set_scale(scale)
        background = camera.background / scale**2
        values = {
            "scale": scale,
            "gain": camera.gain / scale,
            "background": background if background > MIN_NOISE**2 else scale.new_tensor(ASSUMED_NOISE**2),
            "blur": camera.psf_fwhm_pixels * SIGMA_PER_FWHM,
            "level": pixels.mean() / scale,
        }
        for name, value in values.items():
            getattr(self, name).fill_(value)

    @torch.no_grad()
    def _map(
        self,
        images: np.ndarray,
        function: Callable[[Tensor], Tensor],
        rows: np.ndarray | None = None,
        truth: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """A function of scaled images, batch by batch."""
        rows = self._check(images, rows, self.scale.item())
        if (self.needs == "truth") != (truth is not None):
            raise ValueError(f"{type(self).__name__} {'needs' if self.needs == 'truth' else 'takes no'} truth")
        self.eval()
        results, size = [], self.images_at_once
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            padded = np.pad(chosen, (0, -len(chosen) % self.batch_size), mode="edge")
            channels = np.stack([array[padded] for array in (images, *(truth or ()))], axis=1)
            batch = torch.from_numpy(channels.astype(np.float32)).to(self.scale.device) / self.scale
            results.append(function(batch)[: len(chosen)].float().cpu().numpy())
        return np.concatenate(results)

    def _check(self, images: np.ndarray, rows: np.ndarray | None, scale: float | None = None) -> np.ndarray:
        """The rows; all by default.

        Raises:
            ValueError: the images are not of the shape, type or unit of this module, or have pixels that are not
            finite.
        """
        if not isinstance(images, np.ndarray) or np.ma.is_masked(images):
            raise ValueError(f"images are a {type(images).__name__}; this detector takes an array without a mask")
        if images.ndim != 3 or images.shape[1:] != (self.pixels, self.pixels):
            raise ValueError(f"images have shape {images.shape}; this detector takes (n, {self.pixels}, {self.pixels})")
        if not np.issubdtype(images.dtype, np.floating):
            raise ValueError(f"images are {images.dtype}; this detector takes floats, in electrons / s / pixel")
        rows = np.arange(len(images)) if rows is None else rows
        if not len(rows):
            raise ValueError("there are no images")
        parts = (images[part] for part in np.array_split(rows, -(-len(rows) // SAMPLE_SIZE)))
        low, high = (np.fmin, np.fmax) if self.masks else (np.minimum, np.maximum)  # the first two ignore NaN
        extremes = [[bound.reduce(part, axis=(1, 2)) for bound in (low, high)] for part in parts]
        lowest, peaks = np.concatenate(extremes, axis=1)
        bad = ~np.isfinite(lowest + peaks)
        if bad.any():
            problem = "infinite pixels, or none that is not NaN" if self.masks else "pixels that are not finite"
            raise ValueError(f"image {rows[bad][0]} has {problem}; mask or replace them first")
        if scale and not 1 / MAX_SCALE_RATIO < np.median(peaks) / scale < MAX_SCALE_RATIO:
            raise ValueError(
                f"the images peak at {np.median(peaks):.3g} (median), those of the training set at about {scale:.3g}: "
                "bring them to the same units"
            )
        return rows


def seeded_generator(seed: int, name: str, device: str | torch.device) -> torch.Generator:
    """A generator whose state is a function of the seed and a name."""
    return torch.Generator(device).manual_seed(torch_seed(seed, name))
