"""What a detector is. The methods in `Detector` that carry a body are written once, here, and never overridden.

A detector writes a constructor whose keyword-only arguments are its settings in the config, `objectives` (what is
trained), `anomaly` (the score), and what it needs of the hooks `prepare`, `conclude`, `reconstruct` and `oddness`.
It never sees a label, unless it is a ceiling that says so in `needs`.
"""

import copy
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from oddlens.data.randomness import torch_seed
from oddlens.files.progress import say
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.training.checkpoints import History
from oddlens.training.images import Images
from oddlens.training.loop import Epoch, Objective, global_generators, train
from oddlens.training.robust import ASSUMED_CONTAMINATION

SCORE_BATCH = 256
"""Images scored at once."""
FORMAT = 5
"""Of saved models; raised when the meaning of their tensors changes."""
SAMPLE = 2000
"""Training images that the brightness is measured on, and images looked at at once."""
SIGMA_PER_FWHM = 1 / math.sqrt(8 * math.log(2))
NO_NOISE = 1e-3
"""The standard deviation, in units of `scale`, that is assumed of images without noise."""
INPUTS = ("residual", "scan")
"""What other detectors may see instead of images: what the best smooth lens leaves over, in units of its noise; and how
significant a mass would be at each place."""
OTHER_SCALE = 100
"""Images whose typical peak differs by more than this factor from that of the training set are in other units."""


class Camera(NamedTuple):
    """What is known of how the images were taken, in their units.

    A pixel of expected brightness m has the noise variance gain * m + background; then the full width at half maximum
    of the point-spread function, in pixels (0: unknown). Where the light of a lens galaxy was subtracted, its noise is
    still there and not in this; nor is it known whether neighbouring pixels' noise is correlated.
    """

    gain: float = 0.0
    background: float = 0.0
    psf_fwhm_pixels: float = 0.0


NOTHING_KNOWN = Camera()


class OtherFormat(ValueError):
    """A saved detector of another version of this package."""


class Detector(nn.Module):
    """An anomaly detector on square images.

    Inside, images are tensors [n, 1, pixels, pixels] in units of `scale`, the brightness that 1 in 1000 of the training
    pixels exceeds; one number for a whole training set, so that brightness stays a property of each image.
    The camera is known too: `gain` and `background` of its noise in those units, and the standard deviation `blur` of
    the Gaussian nearest to its point-spread function, in pixels. `level` is the mean brightness of a pixel.
    """

    role: ClassVar[Literal["detector", "control", "reference", "upper_bound"]] = "detector"
    """What the detector is for in a comparison: a `control` should be blind, a `reference` is a general method, and an
    `upper_bound` uses information that no detector has."""
    needs: ClassVar[Literal["labels", "truth"] | None] = None
    """What an upper bound needs beside images: the labels of its training images, or each image's true smooth model."""
    takes_simulation: ClassVar[bool] = False
    """Whether its constructor takes the simulation of the data set, too: its lenses, sources and camera, as plain data."""
    semi_supervised: ClassVar[bool] = False
    """Whether a few images that are known to be odd can be made use of (`Batch.odd`)."""
    scoring: ClassVar[tuple[str, ...]] = ()
    """Settings that only the score reads: rows of a config that differ in no others share their models."""
    masks: ClassVar[bool] = False
    """Whether pixels that are NaN count as not observed; elsewhere they are refused."""
    findings: ClassVar[tuple[str, ...]] = ()
    """What it finds in an image beside its score, by name. If it has `doubtful`, that is 1 where the score says
    nothing; `at_bounds`, 1 where only what the simulation cannot have explains the image."""
    scale: Tensor
    gain: Tensor
    background: Tensor
    blur: Tensor
    level: Tensor
    settings: dict[str, Any]
    simulation: dict[str, Any] | None

    def __init__(self, pixels: int):
        super().__init__()
        self.pixels = pixels
        for name in ("scale", "gain", "background", "blur", "level"):
            self.register_buffer(name, torch.ones(()))

    # --- what a detector writes ---------------------------------------------------------------------------------

    def objectives(self) -> list[Objective]:
        """What is trained, in order, on each batch; nothing by default."""
        return []

    def anomaly(self, images: Tensor) -> Tensor:
        """Scores [n] of scaled images [n, 1, pixels, pixels]; higher is odder, each from its own image alone.

        A detector that has `findings` gives [n, 1 + findings], the score first; what it does not know is NaN.
        A detector that needs the truth gets it as two more channels: the smooth model, and the noise's deviation.
        """
        raise NotImplementedError

    def prepare(self, images: Images, generator: torch.Generator) -> None:
        """Before training, with all training images."""

    def conclude(self, images: Images, generator: torch.Generator) -> None:
        """After training, likewise."""

    def reconstruct(self, images: Tensor) -> Tensor | None:
        """What the detector takes the images for, same shape and units; None if it has no such idea."""
        return None

    def oddness(self, images: Tensor) -> Tensor | None:
        """An anomaly map [n, 1, pixels, pixels], higher is odder; None if the detector cannot say where."""
        return None

    def embed(self, images: Tensor) -> Tensor | None:
        """Codes [n, latent] of scaled images; None if the detector has no such idea."""
        return None

    @property
    def at_once(self) -> int:
        """How many images are scored at once.

        Every batch is filled up to it, so that no image's score depends on how many others came.
        """
        return SCORE_BATCH

    def imagine(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Images [count, 1, pixels, pixels] that it draws of itself, as the camera takes them; None if it cannot."""
        return None

    def unexplained(self, images: Tensor) -> Tensor | None:
        """Images in which only what it cannot explain is left, one for each of `INPUTS` [n, inputs, pixels, pixels], in
        units of their noise; None if it explains nothing."""
        return None

    def sensitivity(self, images: Tensor) -> Tensor | None:
        """The least mass that it would find at each place, as Einstein radius squared [n, pixels, pixels] in arcsec^2,
        NaN where it does not look; None if it finds no masses."""
        return None

    def album(self) -> Tensor | None:
        """What it drew of itself in the course of its training, [stages, n, 1, pixels, pixels]; None if it does not."""
        return None

    # --- what every detector does -------------------------------------------------------------------------------

    @final
    def variance(self, expected: Tensor) -> Tensor:
        """The noise variance of pixels of some expected brightness."""
        return self.gain * expected.clamp(min=0) + self.background

    @final
    def see(self, images: Tensor, stabilised: bool = True) -> Tensor:
        """Images in units of their noise: of each pixel's own if `stabilised`, else of the mean pixel's.

        Stabilised, they are the integral of 1 / sigma over brightness (Anscombe 1948), whose noise is 1 everywhere.
        """
        if stabilised:
            return 2 * images / (self.variance(images).sqrt() + self.background.sqrt())
        return images / self.variance(self.level).sqrt()

    @final
    def show(self, seen: Tensor, stabilised: bool = True) -> Tensor:
        """Back from `see`; exact where an image is not negative."""
        if stabilised:
            return seen * self.background.sqrt() + self.gain * seen.square() / 4
        return seen * self.variance(self.level).sqrt()

    @final
    @classmethod
    def build(cls, pixels: int, *, seed: int = 0, simulation: dict[str, Any] | None = None, **settings: Any) -> Self:
        """An untrained detector for images of `pixels` x `pixels`; its initial weights are a function of the seed.

        `simulation` is for one that `takes_simulation`.
        """
        if cls.takes_simulation != (simulation is not None):
            raise ValueError(f"{cls.__name__} {'needs' if cls.takes_simulation else 'takes no'} simulation of lenses")
        with global_generators(torch_seed(seed, "weights")):
            detector = cls(pixels, *([] if simulation is None else [simulation]), **settings)
        detector.settings, detector.simulation = settings, simulation
        return detector

    @final
    def fit(
        self,
        images: np.ndarray,
        *,
        seed: int,
        rows: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        odd: np.ndarray | None = None,
        camera: Camera = NOTHING_KNOWN,
        device: str | torch.device = "cpu",
        training: Mapping[str, Any] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        checkpoint: Path | None = None,
    ) -> History:
        """Learn from images [n, pixels, pixels], which may be mapped from a file; they are not copied as a whole.

        Args:
            rows: which of the images; all by default.
            labels: 1 for odd, by row, for a detector that needs labels; a regression has several, [rows, histograms].
            odd: other rows, of images that are known to be odd, for a detector that is `semi_supervised`.
            camera: what is known of it; all its images count as taken alike.
            training: the settings of `oddlens.training.loop.train`.
            checkpoint: training goes on from this file if it is there, to equal results.

        Returns the mean loss of each objective in each epoch.

        Raises:
            Diverged: a loss is no longer finite.
            ValueError: the images are not what this detector takes, or too few for a batch.
        """
        rows = self._check(images, rows)
        if (self.needs == "labels") != (labels is not None):
            raise ValueError(f"{type(self).__name__} {'needs' if self.needs == 'labels' else 'takes no'} labels")
        if odd is not None:
            if not self.semi_supervised:
                raise ValueError(f"{type(self).__name__} can make nothing of images that are known to be odd")
            if both := np.intersect1d(rows, odd).tolist():
                raise ValueError(f"image {both[0]} is among the training images and among those known to be odd")
            self._check(images, odd)
        self.to(device)
        given = dict(training or {})
        fresh = copy.deepcopy(self.state_dict())

        def learn(kept: np.ndarray, checkpoint: Path | None) -> History:
            view = Images(images, rows[kept], None if labels is None else labels[kept], device, odd)
            self._measure(view, camera)
            with torch.no_grad():
                self.prepare(view, _generator(seed, "prepare", device))
            history = train(self, self.objectives(), view, seed=seed, on_epoch=on_epoch, checkpoint=checkpoint, **given)
            with torch.no_grad():
                self.eval()
                self.conclude(view, _generator(seed, "conclude", device))
            return history

        everything = np.arange(len(rows))
        history = learn(everything, checkpoint)
        if given.get("robust") == "refine":
            worst = round(given.get("assumed_contamination", ASSUMED_CONTAMINATION) * len(rows))
            say(f"  once more from the start, without the {worst} images that are odd to the first")
            kept = np.sort(np.argsort(self.score(images, rows=rows), kind="stable")[: len(rows) - worst])
            self.load_state_dict(fresh)
            history = learn(kept, checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-refined"))
        return history

    @final
    def score(
        self,
        images: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        truth: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels] (or some rows); higher is more anomalous.

        Args:
            truth: for a detector that needs it, the noise-free smooth model and the noise's deviation of each image.

        Raises:
            FloatingPointError: a score is not finite.
            ValueError: the images are not what this detector takes.
        """
        return self.examined(images, rows=rows, truth=truth)[0]

    @final
    def examined(
        self,
        images: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        truth: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The scores, as `score` gives them, and the `findings` [n] of a detector that has any."""
        found = self._map(images, self.anomaly, rows, truth)
        scores, *others = found.T if self.findings else (found,)
        if not np.isfinite(scores).all():
            raise FloatingPointError(
                f"{type(self).__name__} scores {np.sum(~np.isfinite(scores))} images as not finite"
            )
        return scores, dict(zip(self.findings, others, strict=True))

    @final
    def reconstructed(self, images: np.ndarray) -> np.ndarray | None:
        """What the detector takes images [n, pixels, pixels] for, in their units, or None."""
        if type(self).reconstruct is Detector.reconstruct:
            return None
        return self._map(images, lambda batch: self.reconstruct(batch)[:, 0] * self.scale)  # type: ignore[index]

    @final
    def maps(self, images: np.ndarray, truth: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray | None:
        """Anomaly maps of images [n, pixels, pixels], same shape, higher is odder; or None."""
        if type(self).oddness is Detector.oddness:
            return None
        return self._map(images, lambda batch: self.oddness(batch)[:, 0], None, truth)  # type: ignore[index]

    @final
    def embedded(self, images: np.ndarray) -> np.ndarray | None:
        """Codes [n, latent] of images [n, pixels, pixels], or None."""
        if type(self).embed is Detector.embed:
            return None
        return self._map(images, self.embed)  # type: ignore[arg-type]

    @final
    def leftovers(self, images: np.ndarray) -> np.ndarray | None:
        """What is left of images [n, pixels, pixels] for each of `INPUTS`, [n, inputs, pixels, pixels], or None."""
        if type(self).unexplained is Detector.unexplained:
            return None
        return self._map(images, self.unexplained)  # type: ignore[arg-type]

    @final
    def sensitivities(self, images: np.ndarray) -> np.ndarray | None:
        """The least Einstein radius squared, arcsec^2, that would be found at each pixel of images, or None."""
        if type(self).sensitivity is Detector.sensitivity:
            return None
        return self._map(images, self.sensitivity)  # type: ignore[arg-type]

    @final
    @torch.no_grad()
    def imagined(self, count: int, seed: int) -> np.ndarray | None:
        """Images [count, pixels, pixels] that it draws of itself, in the units of its training images; or None."""
        self.eval()
        drawn = self.imagine(count, _generator(seed, "imagine", self.scale.device))
        return None if drawn is None else (drawn[:, 0].float() * self.scale).cpu().numpy()

    @final
    def pictures(self) -> np.ndarray | None:
        """The album [stages, n, pixels, pixels], likewise."""
        album = self.album()
        return None if album is None else (album[:, :, 0] * self.scale).cpu().numpy()

    @final
    def save(self, path: Path | str, **about: Any) -> None:
        """Write the detector as safetensors; `about` is kept in its header as JSON beside what loading needs."""
        header = {
            "format": FORMAT,
            "detector": type(self).__module__.rpartition(".")[2],
            "pixels": self.pixels,
            "settings": self.settings,
            "simulation": self.simulation,
            "about": about,
        }
        write_tensors(path, self.state_dict(), header)

    def _measure(self, images: Images, camera: Camera) -> None:
        """Set the units by the training images, and the camera in these units."""
        pixels = images.some(SAMPLE).flatten()
        pixels = pixels[~pixels.isnan()]
        scale = pixels.kthvalue(len(pixels) - max(1, len(pixels) // 1000) + 1).values
        if not scale > 0:
            raise ValueError(f"the brightest training pixels are at {scale:g}: these are no images of light")
        images.measured(scale)
        values = {
            "scale": scale,
            "gain": camera.gain / scale,
            "background": max(camera.background / scale**2, scale.new_tensor(NO_NOISE**2)),
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
        rows = self._check(images, rows, self.scale.item())
        if (self.needs == "truth") != (truth is not None):
            raise ValueError(f"{type(self).__name__} {'needs' if self.needs == 'truth' else 'takes no'} truth")
        self.eval()
        results, size = [], self.at_once
        for start in range(0, len(rows), size):
            chosen = rows[start : start + size]
            filled = np.pad(chosen, (0, size - len(chosen)), mode="edge")
            channels = np.stack([array[filled] for array in (images, *(truth or ()))], axis=1)
            batch = torch.from_numpy(channels.astype(np.float32)).to(self.scale.device) / self.scale
            results.append(function(batch)[: len(chosen)].float().cpu().numpy())
        return np.concatenate(results)

    def _check(self, images: np.ndarray, rows: np.ndarray | None, scale: float | None = None) -> np.ndarray:
        """The rows, if they hold images that this detector takes; `scale` is the brightness that it knows."""
        if images.ndim != 3 or images.shape[1:] != (self.pixels, self.pixels):
            raise ValueError(f"images have shape {images.shape}; this detector takes (n, {self.pixels}, {self.pixels})")
        if not np.issubdtype(images.dtype, np.floating):
            raise ValueError(f"images are {images.dtype}; this detector takes floats, in electrons / s / pixel")
        rows = np.arange(len(images)) if rows is None else rows
        if not len(rows):
            raise ValueError("there are no images")
        parts = (images[part] for part in np.array_split(rows, -(-len(rows) // SAMPLE)))
        low, high = (np.fmin, np.fmax) if self.masks else (np.minimum, np.maximum)  # the first two pass over NaN
        extremes = [[bound.reduce(part, axis=(1, 2)) for bound in (low, high)] for part in parts]
        lowest, peaks = np.concatenate(extremes, axis=1)
        bad = ~np.isfinite(lowest + peaks)
        if bad.any():
            what = "infinite pixels, or none that is not NaN" if self.masks else "pixels that are not finite"
            raise ValueError(f"image {rows[bad][0]} has {what}; mask or replace them first")
        if scale and not 1 / OTHER_SCALE < np.median(peaks) / scale < OTHER_SCALE:
            raise ValueError(
                f"the images peak at {np.median(peaks):.3g} (median), those of the training set at about {scale:.3g}: "
                "bring them to the same units"
            )
        return rows


def _generator(seed: int, name: str, device: str | torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(torch_seed(seed, name))


def read_model(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the header of a saved detector.

    Raises:
        DamagedFile: if it is truncated, altered, or no detector.
        OtherFormat: if it was written by a version whose files this one does not read.
    """
    tensors, header = read_tensors(path)
    if header.get("format") != FORMAT:
        found = header.get("format", 1)
        raise OtherFormat(f"{path} is a model of format {found}; this version reads {FORMAT}: train it anew")
    return tensors, header
