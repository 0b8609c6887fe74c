"""Published models: a detector and its card, by name or by file.

    oddlens.load("model_a/aae").score(images)

pretrained/{dataset}/{detector}.safetensors   a model as any other (`oddlens.detectors`), whose `about` is its card
pretrained/{dataset}/{detector}.md            the card as text (`oddlens.pretrained.cards`)
pretrained/{dataset}/mini.h5                  some test images, whose scores the cards hold
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector
from oddlens.statistics.false_alarm import false_alarm

if TYPE_CHECKING:
    from oddlens.observations.frames import Target

_HERE = Path(__file__).parents[1]
FOLDER = next(
    (place for place in (_HERE.parents[1] / "pretrained", _HERE / "models") if place.is_dir()), Path("pretrained")
)
"""Of the project, or where an installed package has them."""
MINI = "mini.h5"
SUFFIX = ".safetensors"
AGREE = 0.01
"""Scores agree if they differ by no more than this part of the scatter (standard deviation) of smooth lenses'."""


@dataclass(frozen=True)
class Pretrained:
    """A trained detector that knows what its images look like and how smooth lenses score."""

    name: str
    detector: Detector
    card: dict[str, Any]

    @property
    def pixels(self) -> int:
        """On a side of its images."""
        return self.detector.pixels

    @property
    def pixel_scale_arcsec(self) -> float:
        """Of its images."""
        return self.card["target"]["camera"]["pixel_scale_arcsec"]

    @cached_property
    def target(self) -> "Target":
        """What its images look like, for frames that are brought to that."""
        from oddlens.observations.frames import Target  # pulls in astropy's models, which few need

        return Target.model_validate(self.card["target"])

    @cached_property
    def smooth(self) -> np.ndarray:
        """Scores of smooth lenses that it did not learn from, [n]."""
        return np.array(self.card["smooth"], np.float32)

    def score(self, images: np.ndarray) -> np.ndarray:
        """Anomaly scores [n], float32, of images [n, pixels, pixels] in electrons / s; higher is odder.

        Raises:
            ValueError: the images are not what it takes.
        """
        return self.detector.score(images)

    def maps(self, images: np.ndarray) -> np.ndarray | None:
        """Where images [n, pixels, pixels] are odd, same shape; None if the detector cannot say."""
        return self.detector.maps(images)

    def false_alarm(self, scores: np.ndarray) -> np.ndarray:
        """The probability that a smooth lens scores as high or higher, of scores [m]."""
        return false_alarm(scores, self.smooth)

    def apart(self, scores: np.ndarray, others: np.ndarray) -> float:
        """By how much of the scatter of smooth lenses' scores two sets of scores differ at most."""
        return float(np.abs(np.asarray(scores) - np.asarray(others)).max() / self.smooth.std())


def names(folder: Path = FOLDER) -> list[str]:
    """Of all models in a folder."""
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.glob(f"*/*{SUFFIX}"))


def path_of(name: str | Path, folder: Path = FOLDER) -> Path:
    """The file of a model, by its name or its path.

    Raises:
        FileNotFoundError: if there is none; with the nearest name.
    """
    written = Path(name)
    if written.suffix == SUFFIX:
        if not written.is_file():
            raise FileNotFoundError(f"there is no file {written}")
        return written
    known = names(folder)
    if str(name) not in known:
        from oddlens.schema.config_errors import nearest

        hint = nearest(str(name), known) if known else "There is none at all; a .safetensors file may be named."
        raise FileNotFoundError(f"there is no model '{name}' in {folder}. {hint}")
    return folder / f"{name}{SUFFIX}"


def load(name: str | Path, folder: Path = FOLDER) -> Pretrained:
    """A published model by its name (`model_a/aae`) or its file.

    Raises:
        FileNotFoundError: if there is none; with the nearest name.
        ValueError: if the file is damaged, or a model without a card.
    """
    path = path_of(name, folder)
    detector, about = loading.load(path)
    if "smooth" not in about:
        raise ValueError(f"{path} is a model of a study, without a card: name it in the config's `publish`")
    return Pretrained(about["name"], detector, about)


def digest(path: Path | str) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(name: str, folder: Path = FOLDER) -> tuple[str, bool]:
    """Whether a model scores the mini set beside it as its card says, in words and as such.

    Raises:
        OSError, ValueError: if model or mini set are missing or damaged.
    """
    from oddlens.files.artefacts import read_arrays
    from oddlens.pretrained.cards import text

    path, model = path_of(name, folder), load(name, folder)
    mini = path.with_name(MINI)
    if digest(mini) != model.card["mini"]["sha256"]:
        return f"{mini} is not the mini set that {model.name} was scored on", False
    if path.with_suffix(".md").read_text() != text(model.card):
        return f"{path.with_suffix('.md')} is not the card that {model.name} holds", False
    apart = model.apart(model.score(read_arrays(mini)[0]["images"]), model.card["mini"]["scores"])
    found = (
        f"{len(model.card['mini']['scores'])} images, scores differ by at most {apart:.1g} of smooth lenses' scatter"
    )
    return f"{model.name}: {found}", apart <= AGREE
