"""Whether training with the real noise of a frame gives back what real noise takes from detectors.

    python benchmarks/noise_training.py results/default model_a resources/real-lenses/index.csv \\
        "COSJ100024+015334 F444W" "SDSSJ0946+1006" --out results/noise_training

Test lenses get the empirical noise of a frame, as in docs/real.md. They are scored by models that were trained on

* white: the data set's own noise, which is white;
* variance: white noise as strong as that of the frame;
* real: the frame's own noise;
* real, left half, where test lenses have the noise of the right half: as it is, or scaled to be as strong;
* real, 10 % contaminants, as in a study: without remedy and with two;
* whitened: as real, but training and test images are multiplied by C^-1/2, where C is the covariance of the noise.

Two upper bounds know the true smooth lens. `oracle` is that of a study, which takes noise for white. `oracle, cov`
knows its covariance: its score of a residual r is the power of C^-1 r, smoothed with the point-spread function.

Scores are kept in the folder of the results, so a run that was stopped goes on. With --tables they are printed only.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from oddlens.config.study import read_study
from oddlens.data import shards, splits
from oddlens.data.randomness import stream, torch_seed
from oddlens.data.training_sets import CLEAN_SET, MIXED, training_set_name
from oddlens.detectors.blocks.residuals import smoothed
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.fitting import known_camera
from oddlens.detectors.interface.image_module import SIGMA_PER_FWHM, KnownCamera
from oddlens.files.progress import say
from oddlens.lensing import render
from oddlens.lensing.camera import noise_sigma
from oddlens.lensing.psf_files import fwhm_pixels
from oddlens.lensing.simulated_images import simulate_images
from oddlens.lensing.simulation import Simulation
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations.empirical_noise import EmpiricalNoise, add_noise, measure_noise
from oddlens.observations.hints import CONFIG_WORDING
from oddlens.observations.lens_index import read_lenses, with_unique_labels
from oddlens.observations.real_lenses import match_lenses
from oddlens.observations.simulated_set import SimulatedSet
from oddlens.observations.target import Target
from oddlens.statistics import metrics

CONFIG = Path(__file__).parents[1] / "config" / "config.yaml"
CLASSES = (SMOOTH, "cdm", "vortex")
CONTAMINATED_SET = training_set_name(MIXED, 0.1)
REMEDIES = ("none", "loe_soft", "trim")
BATCH = 250
ORACLE_LENSES = 250
"""Lenses that the oracle with a covariance scores: each has a covariance of its own."""
NO_NOISE = EmpiricalNoise.of(np.zeros((1, 1, 8, 8)), np.zeros((1, 2), int), 0.0)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: with the noise of a `frame`, or of the data set if that is empty."""

    row: str
    seed: int
    frame: str = ""
    noise: str = "white"
    training_set: str = CLEAN_SET
    robust: str = "none"

    @property
    def stem(self) -> str:
        """The name of the file of its scores."""
        parts = (self.row, f"seed-{self.seed}", self.frame, self.noise, self.training_set, self.robust)
        return "_".join(part.replace(" ", "-") for part in parts if part)


class Images:
    """The noise-free images of a data set, which are simulated again from their names and kept in a folder."""

    def __init__(self, study: Path, dataset: str, kept: Path):
        self.study, self.dataset, self.kept = study, dataset, kept
        kept.mkdir(parents=True, exist_ok=True)

    def shard(self, pool: str, cls: str) -> shards.Shard:
        """The first shard of a class in a pool."""
        return shards.read(self.study / "shards" / self.dataset / pool / cls / "000.h5")

    def noise_free(self, pool: str, cls: str, count: int) -> np.ndarray:
        """The first images without noise, [count, pixels, pixels]."""
        path = self.kept / f"{self.dataset}_{pool}_{cls}_{count}.npy"
        if not path.exists():
            shard = self.shard(pool, cls)
            simulation = Simulation.model_validate_json(shard.attributes["simulation"])
            rendered, seed = render.renderer(simulation.camera, cls), int(shard.attributes["seed"])
            batches = np.split(shard.arrays["index"][:count], range(BATCH, count, BATCH))
            parts = [simulate_images(simulation, rendered, seed, self.dataset, pool, cls, batch) for batch in batches]
            assert np.array_equal(parts[0].images[:9], shard.images[:9]), f"{pool} {cls} is another simulation"
            np.save(path, np.concatenate([part.noise_free for part in parts]).astype(np.float32))
        return np.load(path)[:count]

    @cached_property
    def test(self) -> np.ndarray:
        """Noise-free test images, [classes, n, pixels, pixels]."""
        return np.stack([self.shard("test", cls).arrays["noise_free"] for cls in CLASSES])

    @cached_property
    def camera(self) -> KnownCamera:
        """The camera of the training images."""
        return known_camera(self.shard("train", SMOOTH).table)

    def training(self, training_set: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The training images of a set, with the data set's noise and without noise."""
        table = self._split(seed)
        observed, exact = [], []
        for (pool, cls), members in table[table[training_set] == 1].groupby(["pool", "class"], sort=True):
            rows, images = np.sort(members["index"].to_numpy()), self.shard(pool, cls).images
            observed.append(images[rows])
            exact.append(self.noise_free(pool, cls, len(images) if pool == "train" else 1000)[rows])
        return np.concatenate(observed), np.concatenate(exact)

    def _split(self, seed: int) -> pd.DataFrame:
        """The clean and the contaminated training set of a seed; contaminants are the first of their pools."""
        shard = self.shard("train", SMOOTH)
        return splits.split(
            [CLEAN_SET, CONTAMINATED_SET],
            seed=int(shard.attributes["seed"]),
            replica=seed,
            dataset=self.dataset,
            images=len(shard.images),
            smooth=SMOOTH,
            train=range(len(shard.images)),
            contaminants=dict.fromkeys(CLASSES[1:], range(1000)),
            known={},
        )


class Frames:
    """The noise of frames on the pixels of a data set."""

    def __init__(self, index: Path, labels: list[str], target: Target):
        entries = [entry for entry in with_unique_labels(read_lenses(index, "frame")) if entry.label in labels]
        lenses, failures = match_lenses(entries, target, CONFIG_WORDING)
        if failures or len(lenses) < len(labels):
            raise ValueError(f"not all of {labels} can be matched: {failures}")
        self.noise = {lens.label: measure_noise(lens.matched, target) for lens in lenses}
        self.pixels, self.seed = target.camera.pixels, target.seed
        self.halves: dict[str, dict[str, EmpiricalNoise]] = {}
        for label, noise in self.noise.items():
            try:
                left, right = noise.halves()
                ratio = np.sqrt(right.variance / left.variance)
                scaled = EmpiricalNoise.of(ratio * left.windows, left.positions, left.independent_tiles)
                self.halves[label] = {"left": left, "right": right, "scaled": scaled}
                say(f"{label}: the noise of the right half is {ratio:.2f} times that of the left half")
            except ValueError as error:
                say(f"{label}: {error}; training and test images share all tiles")

    def on_images(self, label: str) -> tuple[float, float]:
        """The mean and the variance of the noise of images, which tiles are put on."""
        noise = self.noise[label].sample(500, self.pixels, stream(self.seed, "variance"))
        return float(noise.mean()), float(noise.var())

    def covariance(self, label: str) -> np.ndarray:
        """That of the pixels of an image, [pixels^2, pixels^2], if noise is the same everywhere."""
        wide = self.noise[label].sample(200, 4 * self.pixels, stream(self.seed, "covariance"))
        power = np.mean(np.abs(np.fft.fft2(wide, s=(8 * self.pixels, 8 * self.pixels))) ** 2, axis=0)
        lagged = np.fft.ifft2(power).real / (4 * self.pixels) ** 2
        y, x = (index.ravel() for index in np.indices((self.pixels, self.pixels)))
        return lagged[y[:, None] - y, x[:, None] - x]


class Whitening:
    """Multiplies images by C^-1/2.

    Args:
        covariance: C, [pixels^2, pixels^2].
        psf: the point-spread function, [k, k].
    """

    def __init__(self, covariance: np.ndarray, psf: np.ndarray):
        values, vectors = np.linalg.eigh(covariance)
        self.matrix = (vectors / np.sqrt(values)) @ vectors.T
        pixels = int(np.sqrt(len(covariance)))
        middle = slice(pixels // 2 - len(psf) // 2, pixels // 2 + len(psf) // 2 + 1)
        point = np.zeros((1, pixels, pixels))
        point[0, middle, middle] = psf
        self.camera = KnownCamera(0.0, 1.0, fwhm_pixels(self(point)[0, middle, middle]))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Images [..., pixels, pixels] with white noise of the variance 1."""
        return (images.reshape(-1, len(self.matrix)) @ self.matrix).reshape(images.shape).astype(np.float32)


class Experiment:
    """Trains models and scores test images; `scores` is the folder of what is done."""

    def __init__(self, images: Images, frames: Frames, scores: Path):
        self.images, self.frames, self.scores = images, frames, scores
        self.study = read_study([CONFIG])
        self.variance = {label: frames.on_images(label)[1] for label in frames.noise}
        self.white_variance = images.camera.background
        scores.mkdir(parents=True, exist_ok=True)

    def noisy(self, exact: np.ndarray, label: str, noise: str, *name: str | int) -> np.ndarray:
        """Images [n, pixels, pixels] with noise of a kind."""
        tiles = {"real": self.frames.noise[label], "variance": NO_NOISE, **self.frames.halves.get(label, {})}[noise]
        dark = self.variance[label] if noise == "variance" else self.white_variance
        count, exposure = len(exact), 1 / self.images.camera.gain
        rng = stream(self.frames.seed, "noise training", *name)
        return add_noise(exact, np.full(count, exposure), np.full(count, dark), tiles, rng)

    def camera(self, label: str) -> KnownCamera:
        """What an observer of the frame, if it is one, knows of the camera."""
        background = max(self.variance.get(label, 0.0), self.white_variance)
        return self.images.camera._replace(background=background)

    def whitening(self, label: str) -> "Whitening":
        """What makes the noise of a frame white."""
        light = self.images.noise_free("train", SMOOTH, len(self.images.shard("train", SMOOTH).images)).mean(axis=0)
        missing = max(0.0, self.white_variance - self.frames.noise[label].variance)
        covariance = self.frames.covariance(label) + np.diag(light.ravel() * self.images.camera.gain + missing)
        return Whitening(covariance, self.images.shard("train", SMOOTH).arrays["psf"])

    def tests(self, label: str) -> Iterator[tuple[str, np.ndarray]]:
        """The test images of a frame, [classes, n, pixels, pixels], by the kind of their noise."""
        for noise in ("real", *(["right"] if label in self.frames.halves else [])):
            yield noise, np.stack([self.noisy(exact, label, noise, "test") for exact in self.images.test])

    def run(self, recipe: Recipe) -> None:
        """Train a model, and keep its scores [classes, n] of the test images by the frame and its noise."""
        path = self.scores / f"{recipe.stem}.npz"
        if path.exists():
            return
        observed, exact = self.images.training(recipe.training_set, recipe.seed)
        camera, change = self.camera(recipe.frame), np.asarray
        if recipe.frame:
            kind = "real" if recipe.noise == "whitened" else recipe.noise
            observed = self.noisy(exact, recipe.frame, kind, "train", recipe.seed)
        if recipe.noise == "whitened":
            whitening = self.whitening(recipe.frame)
            camera, change = whitening.camera, whitening
        row = self.study.detectors[recipe.row]
        model = loading.detector(row.detector).build(
            observed.shape[-1], seed=torch_seed(recipe.seed, "noise training"), **row.settings
        )
        training = row.training.plain() | {"robust": recipe.robust}
        model.fit(change(observed), seed=torch_seed(recipe.seed, "noise training"), camera=camera, training=training)
        found = {}
        if not recipe.frame:
            white = np.stack([self.images.shard("test", cls).images for cls in CLASSES])
            found["|white"] = self._score(model, white, np.sqrt(self.white_variance))
        for label in [recipe.frame] if recipe.frame else self.frames.noise:
            for noise, images in self.tests(label):
                found[f"{label}|{noise}"] = self._score(model, change(images), np.sqrt(self.camera(label).background))
        np.savez(path, **found)
        say(recipe.stem)

    def _score(self, model: loading.Detector, images: np.ndarray, dark_sigma: float) -> np.ndarray:
        flat, truth = images.reshape(-1, *images.shape[2:]), None
        if model.needs == "truth":
            smooth = np.tile(self.images.test[0], (len(images), 1, 1))
            exposure = 1 / self.images.camera.gain
            truth = smooth, noise_sigma(smooth, np.asarray(exposure), np.asarray(dark_sigma**2 * exposure))
        return model.score(flat, truth=truth).reshape(images.shape[:2])

    def run_covariance_oracle(self, label: str) -> None:
        """Keep the scores [classes, n] of the oracle that knows the covariance of a frame's noise."""
        path = self.scores / f"{Recipe('oracle, cov', 0, label, 'real').stem}.npz"
        if path.exists():
            return
        images = next(self.tests(label))[1][:, :ORACLE_LENSES]
        smooth, camera = self.images.test[0, :ORACLE_LENSES], self.images.camera
        covariance = torch.from_numpy(self.frames.covariance(label)).double()
        missing = max(0.0, self.white_variance - self.frames.noise[label].variance)
        scores = np.empty(images.shape[:2])
        for k, model in enumerate(smooth):
            light = torch.from_numpy(np.clip(model, 0, None)).double().flatten() * camera.gain
            factor = torch.linalg.cholesky(covariance + torch.diag(light + missing))
            residuals = torch.from_numpy(images[:, k] - model).double().flatten(1)
            weighted = torch.cholesky_solve(residuals.T, factor).T.reshape(images[:, k].shape)
            blurred = smoothed(weighted[:, None], camera.psf_fwhm_pixels * SIGMA_PER_FWHM)
            scores[:, k] = blurred.square().sum(dim=(1, 2, 3)).numpy()
        np.savez(path, **{f"{label}|real": scores})
        say(f"{label}: oracle with covariance")


def recipes(labels: list[str], halves: list[str], rows: list[str], seeds: list[int]) -> Iterator[Recipe]:
    """All models, those that matter most first."""
    for row in rows:
        for seed in seeds:
            yield Recipe(row, seed)
            for label in labels:
                yield Recipe(row, seed, label, "variance")
                yield Recipe(row, seed, label, "real")
                for robust in REMEDIES if (row, label) == (rows[0], labels[0]) else ():
                    yield Recipe(row, seed, label, "real", CONTAMINATED_SET, robust)
                yield Recipe(row, seed, label, "whitened")
                for noise in ("right", "left", "scaled") if label in halves else ():
                    yield Recipe(row, seed, label, noise)


def auc(files: list[Path], name: str, cls: int) -> str:
    """The mean AUC over seeds of a class against smooth lenses, and half of its 95 % interval over lenses."""
    scores = np.stack([np.load(file)[name] for file in files])  # [seeds, classes, n]
    lens = np.arange(scores.shape[-1])
    areas = metrics.areas(scores[:, 0], scores[:, cls], lens, lens)
    mean = areas.combined(np.full((1, len(files)), 1 / len(files)))
    return f"{mean.auc[0]:.3f} ± {metrics.HALF_WIDTH_SIGMA * np.sqrt(mean.variance[0]):.3f}"


def print_tables(scores: Path, labels: list[str], rows: list[str]) -> None:
    """Print a table for each frame from the scores that are there."""
    said = {
        "white": "white",
        "variance": "white, as strong",
        "real": "real",
        "right": "real, right half",
        "left": "real, left half",
        "scaled": "real, left half, as strong",
        "whitened": "whitened",
    }
    kinds = [(noise, CLEAN_SET, "none") for noise in said]
    kinds += [("real", CONTAMINATED_SET, robust) for robust in REMEDIES]
    tests = [("", "white")] + [(label, noise) for label in labels for noise in ("real", "right")]
    print("| noise of test lenses | row | trained on noise | seeds | `cdm` | `vortex` |")
    print("|---|---|---|---|---|---|")
    for label, tested in tests:
        for row in ["oracle, cov", "oracle", *rows]:
            for noise, training_set, robust in kinds:
                recipe = Recipe(row, 0, "" if noise == "white" else label, noise, training_set, robust)
                found = sorted(scores.glob(f"{recipe.stem.replace('seed-0', 'seed-*')}.npz"))
                if row.startswith("oracle") and noise == "white" and label:
                    continue
                name = f"{label}|{tested}"
                if not (found := [file for file in found if name in np.load(file)]):
                    continue
                columns = [auc(found, name, cls) for cls in (1, 2)]
                of_test = label.split()[-1] + (", right half" if tested == "right" else "") if label else tested
                share = ", 10 % contaminants" if training_set == CONTAMINATED_SET else ""
                remedy = f", `{robust}`" if robust != "none" else ""
                trained = "" if row.startswith("oracle") else f"{said[noise]}{share}{remedy}"
                cells = [of_test, f"`{row}`", trained, str(len(found)), *columns]
                print("| " + " | ".join(cells) + " |")


def main(options: argparse.Namespace) -> None:
    """Train what is missing, and print the tables."""
    scores = options.out / "scores"
    if not options.tables:
        simulated = SimulatedSet.read(options.study, options.dataset)
        frames = Frames(options.index, options.frames, simulated.target)
        experiment = Experiment(Images(options.study, options.dataset, options.out / "images"), frames, scores)
        for label in options.frames:
            noise, (mean, variance) = frames.noise[label], frames.on_images(label)
            ratios = [np.sqrt(each / experiment.white_variance) for each in (noise.variance, variance)]
            say(
                f"{label}: {noise.independent_tiles:.0f} tiles, scatter {ratios[0]:.1f} times that of the sky, "
                f"{ratios[1]:.1f} times on images, mean on images {mean / np.sqrt(noise.variance):.2f} of the scatter"
            )
            experiment.run_covariance_oracle(label)
            experiment.run(Recipe("oracle", 0, label, "real"))
        experiment.run(Recipe("oracle", 0))
        for recipe in recipes(options.frames, list(frames.halves), options.rows, options.seeds):
            experiment.run(recipe)
    print_tables(scores, options.frames, options.rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="results/STUDY of a study whose images are simulated")
    parser.add_argument("dataset")
    parser.add_argument("index", type=Path, help="the index of the frames")
    parser.add_argument("frames", nargs="+", help="their labels; the first is contaminated, too")
    parser.add_argument("--rows", nargs="+", default=["dcae", "pca", "infonce", "aae"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path, default=Path("results/noise_training"))
    parser.add_argument("--tables", action="store_true", help="print the tables of what is done")
    torch.set_num_threads(1)
    main(parser.parse_args())
