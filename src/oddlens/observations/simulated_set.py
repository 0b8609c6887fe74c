"""The simulated images of a data set that real lenses are compared with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from oddlens.data import shards
from oddlens.data.randomness import stream
from oddlens.lensing.camera import noise_sigma, sky
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations.empirical_noise import EmpiricalNoise, add_noise, measure_noise
from oddlens.observations.real_lenses import RealLens
from oddlens.observations.target import Target

MAX_TEST_IMAGES = 100
"""The number of test images of each class that get empirical noise."""


@dataclass(frozen=True)
class NoisyTwins:
    """Test images with the empirical noise of a frame. Twins have the same noise of the sky, as in the test pool."""

    frame: str
    """The label of the lens."""
    noise: EmpiricalNoise
    images: np.ndarray  # float32 [classes, n, pixels, pixels]


@dataclass(frozen=True)
class SimulatedSet:
    """A data set of a study: its typical image, and those test images that get empirical noise."""

    target: Target
    example: np.ndarray
    """A smooth image, [pixels, pixels]."""
    classes: list[str]
    """The classes of the test images, smooth first."""
    index: np.ndarray
    """The indices of the test images, the same for each class, [n]."""
    noise_free: np.ndarray  # [classes, n, pixels, pixels]
    exposure_s: np.ndarray  # [n]
    sky_variance: np.ndarray
    """Variance of the noise of each test image where it is dark, [n]."""

    @classmethod
    def read(cls, study: Path, dataset: str) -> Self:
        """Read a data set of a study.

        Raises:
            FileNotFoundError: if the data set has not been simulated.
        """
        paths = sorted((study / "shards" / dataset / "validation" / SMOOTH).glob("*.h5"))
        if not paths:
            raise FileNotFoundError(f"{study} has no validation images of '{dataset}': run the study again")
        validation = [shards.read(path) for path in paths]
        target = Target.from_shards(validation)
        folder = study / "shards" / dataset / "test"
        classes = [SMOOTH, *sorted({path.name for path in folder.iterdir()} - {SMOOTH})]
        tests = [shards.read(folder / name / "000.h5") for name in classes]
        truth = {name: array[:MAX_TEST_IMAGES] for name, array in tests[0].group("truth").items()}
        read_noise = truth.get("read_noise_electrons", 0.0)
        dark = noise_sigma(np.zeros(()), truth["exposure_s"], sky(target.camera, truth), read_noise)
        return cls(
            target=target,
            example=validation[0].images[0],
            classes=classes,
            index=tests[0].arrays["index"][:MAX_TEST_IMAGES],
            noise_free=np.stack([test.arrays["noise_free"][:MAX_TEST_IMAGES] for test in tests]),
            exposure_s=truth["exposure_s"],
            sky_variance=dark**2,
        )

    def with_noise_of(self, lens: RealLens) -> NoisyTwins:
        """The test images with the empirical noise of a real lens. The same random numbers are used for each lens.

        Raises:
            ValueError: if there are too few test images, or if the frame has too little empty background.
        """
        if len(self.index) < 2:
            raise ValueError(f"{self.target.dataset} has {len(self.index)} test images of each class, but 2 are needed")
        noise = measure_noise(lens.matched, self.target)
        streams = [stream(self.target.seed, "real noise") for _ in self.classes]
        images = [
            add_noise(noise_free, self.exposure_s, self.sky_variance, noise, rng)
            for noise_free, rng in zip(self.noise_free, streams, strict=True)
        ]
        return NoisyTwins(lens.label, noise, np.stack(images))
