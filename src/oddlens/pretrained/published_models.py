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
from oddlens.statistics.false_alarm import false_alarm

if TYPE_CHECKING:
    from oddlens.observations.target import Target

FOLDER = packaged("pretrained", "models")
"""The models of the project."""
MINI_SET = "mini.h5"
SUFFIX = ".safetensors"
TOLERANCE = 0.01
"""Largest difference between equal scores, in units of the standard deviation of smooth lenses' scores."""


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

    def score(self, images: np.ndarray) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels] in electrons / s; higher is more anomalous.

        Raises:
            ValueError: if the images have another shape or hold values that the detector does not take.
        """
        return self.detector.score(images)

    def anomaly_maps(self, images: np.ndarray) -> np.ndarray | None:
        """Anomaly maps of images [n, pixels, pixels], same shape; None if the detector has none."""
        return self.detector.anomaly_maps(images) if isinstance(self.detector, MapsAnomalies) else None

    def reconstructions(self, images: np.ndarray) -> np.ndarray | None:
        """Reconstructions of images [n, pixels, pixels], same shape and unit; None if the detector has none."""
        return self.detector.reconstructions(images) if isinstance(self.detector, Reconstructs) else None

    def false_alarm_probability(self, scores: np.ndarray) -> np.ndarray:
        """The probability [m] that a smooth lens scores as high as `scores` [m] or higher."""
        return false_alarm(scores, self.smooth_scores)

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
    difference = model.difference(model.score(read_arrays(mini)[0]["images"]), expected)
    return (
        f"{model.name}: scores of {len(expected)} images differ by at most {difference:.1g} standard deviations of "
        "smooth lenses' scores",
        difference <= TOLERANCE,
    )
