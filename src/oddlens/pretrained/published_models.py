"""Published models: a trained detector and its card, by name or by file.

    oddlens.load("model_a/aae").score(images)

pretrained/{dataset}/{detector}.safetensors   a saved detector whose `about` is the card
pretrained/{dataset}/{detector}.md            the card as text (`oddlens.pretrained.cards`)
pretrained/{dataset}/mini.h5                  some test images; the cards hold their scores
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector
from oddlens.detectors.interface.capabilities import MapsAnomalies, Reconstructs
from oddlens.files.packaged import packaged
from oddlens.observations.units import ExpectedPixels, check_set, unit_problems
from oddlens.pretrained.array_inputs import as_images, as_numbers
from oddlens.statistics.false_alarm import false_alarm

if TYPE_CHECKING:
    from oddlens.observations.target import Target

FOLDER = packaged("pretrained", "models")
"""The models of the project."""
MINI_SET = "mini.h5"
SUFFIX = ".safetensors"
TOLERANCE = 0.01
"""Largest difference between equal scores, in units of the standard deviation of smooth lenses' scores."""

CAMERA_PRIORS = ("exposure_s", "sky_per_arcsec2", "zero_point_mag", "read_noise_electrons")
"""Keys of a camera that the noise depends on. They are mappings if they vary between images."""


@dataclass(frozen=True)
class PublishedModel:
    """A trained detector with its card: the geometry of its images and the scores of smooth lenses."""

    name: str
    detector: Detector
    card: dict[str, Any]

    @property
    def pixels(self) -> int:
        """Pixels on a side of its images."""
        return self.detector.pixels

    @property
    def pixel_scale_arcsec(self) -> float:
        """Pixel scale of its images."""
        return self.card["target"]["camera"]["pixel_scale_arcsec"]

    @cached_property
    def target(self) -> "Target":
        """Geometry, brightness and noise to which real frames are brought."""
        from oddlens.observations.target import Target

        return Target.model_validate(self.card["target"])

    @cached_property
    def smooth_scores(self) -> np.ndarray:
        """Scores [n] of smooth validation lenses."""
        return np.array(self.card["smooth_scores"], np.float32)

    @cached_property
    def expected_pixels(self) -> ExpectedPixels:
        """Brightness and noise of its images. The noise is unknown if the camera varies or correlates it."""
        scale, gain, background = (float(getattr(self.detector, name)) for name in ("scale", "gain", "background"))
        camera = self.card["target"]["camera"]
        varies = any(isinstance(camera.get(name), dict) for name in CAMERA_PRIORS)
        if varies or camera["noise"] != "poisson" or camera.get("noise_correlation_pixels"):
            return ExpectedPixels(scale)
        return ExpectedPixels(scale, gain * scale, background * scale**2)

    def score(self, images: Any) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels] in electrons / s; higher is more anomalous.

        Args:
            images: an array, a tensor of any device, or a list of them. One image [pixels, pixels] gives one score,
                [1]. Masked pixels become NaN.

        Raises:
            ValueError: if the images have another shape, are not in electrons / s (`oddlens.observations.units`), or
                hold values that the detector does not take. `detector.score` does not check the unit of each image.
        """
        stack = as_images(images, self.pixels, self.detector.masks)
        check_set(stack)
        for k, problem in enumerate(unit_problems(stack, self.expected_pixels)):
            if problem:
                raise ValueError(f"image {k}: {problem}")
        return self.detector.score(stack)

    def anomaly_maps(self, images: Any) -> np.ndarray | None:
        """Anomaly maps [n, pixels, pixels] of images as `score` takes them; None if the detector has none."""
        stack = as_images(images, self.pixels, self.detector.masks)
        return self.detector.anomaly_maps(stack) if isinstance(self.detector, MapsAnomalies) else None

    def reconstructions(self, images: Any) -> np.ndarray | None:
        """Reconstructions [n, pixels, pixels] of images as `score` takes them; None if the detector has none."""
        stack = as_images(images, self.pixels, self.detector.masks)
        return self.detector.reconstructions(stack) if isinstance(self.detector, Reconstructs) else None

    def false_alarm_probability(self, scores: Any) -> Any:
        """The probability that a smooth lens scores as high as `scores` or higher.

        One score gives a float, an array, a tensor or a list of scores gives an array of its shape.

        Raises:
            ValueError: if the scores are no numbers.
        """
        array = as_numbers(scores, "scores")
        probability = false_alarm(np.atleast_1d(array), self.smooth_scores)
        return probability if array.ndim else float(probability[0])

    def difference(self, scores: np.ndarray, expected: np.ndarray) -> float:
        """The largest difference of two sets of scores, in standard deviations of smooth lenses' scores."""
        return float(np.abs(np.asarray(scores) - np.asarray(expected)).max() / self.smooth_scores.std())


def names(folder: Path = FOLDER) -> list[str]:
    """The names of all models in a folder."""
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob(f"*/*{SUFFIX}"))


def path_of(name: str | Path, folder: Path = FOLDER) -> Path:
    """The file of a model, by its name or its path.

    Raises:
        FileNotFoundError: if there is no such model; the message has the nearest name.
    """
    path = Path(name)
    if path.suffix == SUFFIX:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        return path
    known = names(folder)
    if str(name) not in known:
        from oddlens.schema.config_errors import nearest

        hint = nearest(str(name), known) if known else "The folder has no models. Give the path of a .safetensors file."
        raise FileNotFoundError(f"there is no model '{name}' in {folder}. {hint}")
    return folder / f"{name}{SUFFIX}"


def load(name: str | Path, folder: Path = FOLDER) -> PublishedModel:
    """A published model by its name (`model_a/aae`) or its file.

    Raises:
        FileNotFoundError: if there is no such model; the message has the nearest name.
        ValueError: if the file is damaged or has no card.
    """
    path = path_of(name, folder)
    detector, about = loading.load(path)
    if "smooth_scores" not in about:
        raise ValueError(f"{path} is a model of a study and has no card: name its row under `publish` in the config")
    return PublishedModel(about["name"], detector, about)


def digest(path: Path | str) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(name: str, folder: Path = FOLDER) -> tuple[str, bool]:
    """Score the mini set of a model again; returns a line to print, and whether the scores agree with the card.

    Raises:
        OSError, ValueError: if the model or the mini set is missing or damaged.
    """
    from oddlens.files.artefacts import read_arrays
    from oddlens.pretrained.cards import text

    path, model = path_of(name, folder), load(name, folder)
    mini, card = path.with_name(MINI_SET), path.with_suffix(".md")
    if digest(mini) != model.card["mini"]["sha256"]:
        return f"{model.name}: {mini} is not the mini set of the card (its checksum differs)", False
    if card.read_text() != text(model.card):
        return f"{model.name}: {card} differs from the card in {path}", False
    expected = model.card["mini"]["scores"]
    difference = model.difference(model.detector.score(read_arrays(mini)[0]["images"]), expected)
    return (
        f"{model.name}: scores of {len(expected)} images differ by at most {difference:.1g} standard deviations of "
        "smooth lenses' scores",
        difference <= TOLERANCE,
    )
