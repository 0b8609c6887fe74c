"""Score the test and validation images with all models of one row: shards and models to tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.decomposition import PCA

from oddlens.data import shards, splits
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY, add_weak_deflection
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import INPUTS, SCORE_BATCH, SIGMA_PER_FWHM, Detector
from oddlens.files.artefacts import write_arrays, write_table
from oddlens.files.progress import Progress, say
from oddlens.statistics.sample_quality import MEASURES, compared
from oddlens.training.loop import pick_device

EXAMPLES = 2
"""Twins whose images go into the gallery."""
VISIBLE = 1.0
"""A pixel is odd if the noise-free images of twins differ by more than this many deviations of its noise."""
MAPPED = 512
"""Twins of each class whose anomaly maps are judged."""
DRAWN, SHOWN = 1000, 8
"""Images that a model draws of itself to be compared with real ones, and those of them that are shown."""
PLACED = 300
"""Test images of each class whose codes are shown."""


def score(
    model_paths: list[str],
    shard_paths: list[str],
    *,
    input: str,
    residual_paths: list[str],
    fitting_model_path: str | None,
    scores_path: str | Path,
    findings_path: str | Path,
    pixels_path: str | Path,
    samples_path: str | Path,
    examples_path: str | Path,
    row: str,
    trained: str,
    scoring: Mapping[str, Any],
    dataset: str,
    smooth: str,
    seed: int,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Write the tables of scores, of findings, of anomaly maps' AUCs, of how real drawn images are, and examples of the
    first model.

    The scores have a row per image (`pool`, `class`, `index`) and a column per model (`<training_set>/<seed>`), of NaN if its
    training diverged. Pseudo-anomalies (`oddlens.data.pseudo_anomalies`) of the validation images are a class of their own.
    Findings have a row
    per model and image, in the order of the scores. The examples are
    arrays [class, example, pixels, pixels]: `images`, `truth` (what the noise-free image has beyond its smooth twin's),
    and of the first model that did not diverge, if the detector has such ideas, `reconstructions` and `maps`; what
    `Twins.masses` has; the two
    leading principal components of `codes` [class, image, 2] and the `norms` of codes [class, image]; and what it drew
    of itself, `drawn` [n, pixels, pixels] and in the course of its training `album` [stages, n, pixels, pixels].

    Args:
        input: what the models see: images, or one of `INPUTS`.
        residual_paths: of the same shards with what a fit of physics leaves over, if that is what the models see.
        fitting_model_path: the model of that fit.
        trained: the row that the models were trained for; another than `row` if that only scores in another way.
        scoring: the settings that are read by the score alone.
        smooth: the class that is normal.
        seed: the master seed, for the pseudo_anomalies.
    """
    torch.set_num_threads(threads)
    with TemporaryDirectory() as scratch:
        pool = Twins(shards.read_all(shard_paths, scratch), smooth, dataset, seed)
        if fitting_model_path:
            explainer = loading.load(fitting_model_path)[0].to(pick_device(device))
            pool.explained(residual_paths, explainer, input, scratch)
        table, findings, pixels, samples, diverged = pool.scored.copy(), [], [], [], {}
        examples: dict[str, np.ndarray] = {}
        progress = Progress(len(model_paths) * len(table))
        for path in model_paths:
            model, about = loading.load(path, **scoring)
            if (about["row"], about["dataset"]) != (trained, dataset):
                raise ValueError(f"{path} is of {about['row']} on {about['dataset']}, not of {trained} on {dataset}")
            model.to(pick_device(device))
            column = f"{about['training_set']}/{about['seed']}"
            try:
                if about["diverged"]:
                    raise FloatingPointError(about["diverged"])
                name = {"training_set": about["training_set"], "seed": about["seed"]}
                table[column], found = pool.examined(model)
                if found:
                    findings.append(pool.scored.assign(**name, **found))
                pixels += [{**name, **found} for found in pool.pixel_aucs(model)]
                if (drawn := model.imagined(DRAWN, seed)) is not None:
                    samples.append({**name, **compared(drawn, *pool.smooth_images(DRAWN))})
                examples = examples or pool.examples(model) | _of_itself(model, drawn)
            except FloatingPointError as error:
                table[column], diverged[column] = np.nan, str(error)
            progress.advance(len(table))
            say(
                f"{row} on {dataset}, {about['training_set']}, seed {about['seed']}: {len(table)} images scored, {progress}"
            )
        examples = examples or pool.examples(None)
    write_table(scores_path, table, kind="scores", dataset=dataset, detector=row, diverged=diverged)
    told = pd.concat(findings or [pd.DataFrame(columns=[*splits.IDENTITY, "training_set", "seed"])], ignore_index=True)
    write_table(findings_path, told, kind="findings", dataset=dataset, detector=row)
    columns = ["training_set", "seed", "class", "pixel_auc", "pixel_auc_error", "images"]
    write_table(pixels_path, pd.DataFrame(pixels, columns=columns), kind="pixels", dataset=dataset, detector=row)
    likeness = pd.DataFrame(samples, columns=["training_set", "seed", *MEASURES])
    write_table(samples_path, likeness, kind="samples", dataset=dataset, detector=row)
    write_arrays(examples_path, examples, dataset=dataset, detector=row, classes=",".join(pool.classes))


def _of_itself(model: Detector, drawn: np.ndarray | None) -> dict[str, np.ndarray]:
    """What a model drew of itself."""
    found = {"drawn": None if drawn is None else drawn[:SHOWN], "album": model.pictures()}
    return {name: array for name, array in found.items() if array is not None}


class Twins:
    """Test and validation images, each with its twin, the smooth image of the same lens, source and noise; and pseudo_anomalies.

    `scored` names all images that get a score, pseudo_anomalies last.
    """

    def __init__(self, pool: shards.Pool, smooth: str, dataset: str, seed: int):
        self.table, self.images = pool.table, pool.images
        self.seen = self.images  # by models
        self.noise_free, self.sigma = pool.pixels["noise_free"], pool.pixels["sigma"]
        names = pool.table[splits.IDENTITY]
        place = pd.Series(names.index, index=pd.MultiIndex.from_frame(names))
        self.twin = place[list(names.assign(**{"class": smooth}).itertuples(index=False, name=None))].to_numpy()
        self.classes = [smooth, *sorted(set(names["class"]) - {smooth})]
        self.perturbed = np.flatnonzero(pool.table["pool"] == "validation")
        blur = SIGMA_PER_FWHM * float(pool.table["psf_fwhm_pixels"].median())
        self.pseudo_anomalies = add_weak_deflection(self.images[self.perturbed], blur, dataset, seed)
        self.scored = pd.concat(
            [names, names.loc[self.perturbed].assign(**{"class": PSEUDO_ANOMALY})], ignore_index=True
        )

    def explained(self, paths: list[str], explainer: Detector, kind: str, scratch: str) -> None:
        """Let models see what is left of the images, which is in the shards `paths`, and of the pseudo_anomalies."""
        place = Path(scratch, "explained")
        place.mkdir()
        self.seen = shards.read_all(paths, place).images
        left = explainer.leftovers(self.pseudo_anomalies)
        assert left is not None
        self.pseudo_anomalies = left[:, INPUTS.index(kind)]

    def of(self, cls: str, count: int) -> np.ndarray:
        """The rows of the first test images of a class."""
        return np.flatnonzero((self.table["pool"] == "test") & (self.table["class"] == cls))[:count]

    def examined(self, model: Detector) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The scores and findings of all images, pseudo_anomalies last, in parts that memory holds."""
        parts = np.array_split(np.arange(len(self.table)), -(-len(self.table) // (8 * SCORE_BATCH)))
        found = [model.examined(self.seen[rows], truth=self.truth(model, rows)) for rows in parts]
        found.append(model.examined(self.pseudo_anomalies, truth=self.truth(model, self.perturbed)))
        scores, findings = zip(*found, strict=True)
        return np.concatenate(scores), {
            name: np.concatenate([part[name] for part in findings]) for name in model.findings
        }

    def truth(self, model: Detector, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """What a model that needs the truth is told: the smooth twins without noise, and the noise's deviation."""
        return (self.noise_free[self.twin[rows]], self.sigma[rows]) if model.needs == "truth" else None

    def difference(self, rows: np.ndarray) -> np.ndarray:
        """What noise-free images have beyond their twins."""
        return self.noise_free[rows] - self.noise_free[self.twin[rows]]

    def pixel_aucs(self, model: Detector) -> Iterator[dict]:
        """How well anomaly maps rank pixels in which twins differ above the others, by class: mean over images."""
        for cls in self.classes[1:]:
            rows = self.of(cls, MAPPED)
            maps = model.maps(self.seen[rows], truth=self.truth(model, rows))
            if maps is None:
                return
            odd = np.abs(self.difference(rows)) > VISIBLE * self.sigma[rows]
            aucs = _pixel_auc(maps.reshape(len(rows), -1), odd.reshape(len(rows), -1))
            if len(aucs) > 1:
                error = aucs.std(ddof=1) / np.sqrt(len(aucs))
                yield {"class": cls, "pixel_auc": aucs.mean(), "pixel_auc_error": error, "images": len(aucs)}

    def smooth_images(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Normal images of the test and of the validation pool."""
        return self.seen[self.of(self.classes[0], count)], self.seen[self.perturbed[:count]]

    def codes(self, model: Detector) -> dict[str, np.ndarray]:
        """Where the codes of some test images of each class lie, in two components, and how long they are."""
        found = [model.embedded(self.seen[self.of(cls, PLACED)]) for cls in self.classes]
        if any(codes is None for codes in found):
            return {}
        codes = np.stack(found)  # type: ignore[arg-type]  # [class, image, number]
        flat = codes.reshape(-1, codes.shape[-1])
        if flat.shape[1] == 1:
            flat = np.pad(flat, ((0, 0), (0, 1)))
        places = PCA(2, svd_solver="full").fit(flat[: codes.shape[1]]).transform(flat)
        return {
            "codes": places.reshape(*codes.shape[:2], 2).astype(np.float32),
            "norms": np.linalg.norm(codes, axis=-1),
        }

    def examples(self, model: Detector | None) -> dict[str, np.ndarray]:
        """The first test images of each class, and what a model makes of them, if there is one."""
        rows = np.concatenate([self.of(cls, EXAMPLES) for cls in self.classes])
        images = np.asarray(self.images[rows])
        found = {"images": images, "truth": self.difference(rows)}
        if model:
            seen = np.asarray(self.seen[rows])
            drawn = model.reconstructed(seen) if self.seen is self.images else None
            maps = model.maps(seen, truth=self.truth(model, rows))
            found |= {name: made for name, made in (("reconstructions", drawn), ("maps", maps)) if made is not None}
            found |= self.masses(model, rows)
        shape = (len(self.classes), -1)
        found = {name: array.reshape(*shape, *array.shape[1:]) for name, array in found.items()}
        return found | (self.codes(model) if model else {})

    def masses(self, model: Detector, rows: np.ndarray) -> dict[str, np.ndarray]:
        """What a model that finds masses leaves over of images, how significant masses are and how heavy they must be
        to be found, pixel by pixel; and where the heaviest is, pixels up and right of the middle, NaN where none is."""
        left, least = model.leftovers(self.images[rows]), model.sensitivities(self.images[rows])
        if left is None or least is None or model.simulation is None:
            return {}
        of = self.table.loc[rows]
        places = of[["heaviest_y_arcsec", "heaviest_x_arcsec"]].where(of["heaviest_mass_msun"] > 0)
        places /= model.simulation["camera"]["pixel_scale_arcsec"]
        least = least / of["area_per_msun"].to_numpy()[:, None, None]
        return {
            **dict(zip(INPUTS, left.swapaxes(0, 1), strict=True)),
            "least_msun": least,
            "heaviest": places.to_numpy(),
        }


def _pixel_auc(maps: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """The AUC of the pixels of each image [n, pixels] by their ranks (Mann & Whitney), where it has both kinds."""
    count = odd.sum(axis=1)
    both = (count > 0) & (count < odd.shape[1])
    maps, odd, count = maps[both], odd[both], count[both]
    above = (stats.rankdata(maps, axis=1) * odd).sum(axis=1) - count * (count + 1) / 2
    return above / (count * (odd.shape[1] - count))
