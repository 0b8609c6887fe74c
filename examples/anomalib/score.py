"""Train a model of anomalib on an exported data set, and write its scores for a row of outside scores.

    python examples/anomalib/score.py results/smoke/export/model_a --model Padim --out padim.csv

It runs in an environment of its own (`environment.yaml`, `requirements.txt`) and imports nothing of oddlens. The images
are the PNGs of `make export`; see docs/outside_detectors.md for what that costs, and for the row of the config.
"""

import argparse
import csv
import inspect
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

MODELS = ("Dfkde", "Dfm", "Fastflow", "Ganomaly", "Padim", "Patchcore")
"""Models whose score of an image does not depend on other images, and that need no download (see `--pretrained`)."""
COLUMNS = ("dataset", "training_set", "seed", "pool", "class", "index", "score")
WITH_BACKBONE = ("Dfkde", "Dfm", "Padim", "Patchcore")
"""Models whose backbone can be another one."""
PADIM_FEATURES = 100
"""Channels that `Padim` draws of those of its layers, as of a ResNet-18."""
CLEAN_SET = "none-0"
"""The training set without anomalies."""


class ExportedImage(NamedTuple):
    """A PNG of the export, and the name of its image in the study."""

    path: Path
    pool: str
    cls: str
    index: int


def read_export(root: Path) -> list[ExportedImage]:
    """The images that `metadata.csv` lists in the folder `png` of an export. The number in a file's name is its index.

    Raises:
        ValueError: if a file has no number, or does not exist.
    """
    images = []
    with open(root / "metadata.csv", encoding="utf-8", newline="") as table:
        for line in csv.DictReader(table):
            path, number = root / line["file_name"], re.search(r"(\d+)\.\w+$", line["file_name"])
            if number is None or not path.is_file():
                raise ValueError(f"{path} does not exist or has no number: run make export again")
            images.append(ExportedImage(path, line["role"], line["label"], int(number[1])))
    return images


def training_images(images: Sequence[ExportedImage], split: Path | None, training_set: str) -> list[Path]:
    """The files that a model is trained on: all of the training pool, or those of a training set of the study.

    Args:
        split: the table `results/<study>/splits/<dataset>/seed-<seed>.csv`, which lists the study's training sets.

    Raises:
        ValueError: if the table has no such training set, or names an image that was not exported.
    """
    if split is None:
        return [image.path for image in images if image.pool == "train"]
    by_name = {(image.pool, image.cls, image.index): image.path for image in images}
    with open(split, encoding="utf-8", newline="") as table:
        lines = csv.DictReader(line for line in table if not line.startswith("#"))
        if training_set not in (lines.fieldnames or ()):
            known = ", ".join(lines.fieldnames or ())
            raise ValueError(f"{split} has no training set '{training_set}': it has {known}")
        names = [(line["pool"], line["class"], int(line["index"])) for line in lines if line[training_set] == "1"]
    if missing := [name for name in names if name not in by_name]:
        raise ValueError(f"{split} has the image {'/'.join(map(str, missing[0]))}, which was not exported")
    return [by_name[name] for name in names]


def write_scores(path: Path, lines: Iterable[dict[str, Any]], comment: str) -> None:
    """Write the table, under a temporary name until it is complete."""
    temporary = path.with_name(f".{path.name}.part")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(f"# {comment}\n")
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
    temporary.replace(path)


def score_lines(
    images: Iterable[ExportedImage], scores: dict[Path, float], **names: str | int
) -> Iterator[dict[str, Any]]:
    """The lines of the test and validation images.

    Args:
        scores: by resolved path.
        names: `dataset`, `training_set` and `seed`.
    """
    for image in images:
        if image.pool in ("test", "validation"):
            score = f"{scores[image.path.resolve()]:.9g}"
            yield {**names, "pool": image.pool, "class": image.cls, "index": image.index, "score": score}


def load_weights(backbone: Any, path: Path) -> None:
    """Load a safetensors file of the weights of a network, by timm's names, into its features, without network.

    Raises:
        ValueError: if the file is of another network.
    """
    from safetensors.torch import load_file

    given, wanted = load_file(path), backbone.state_dict()
    if missing := [name for name in wanted if name not in given or given[name].shape != wanted[name].shape]:
        raise ValueError(f"{path} is of another network: it has no {missing[0]} {tuple(wanted[missing[0]].shape)}")
    backbone.load_state_dict({name: given[name] for name in wanted})


def make_detector(
    model: str, *, backbone: str | None, weights: Path | None, pretrained: bool, coreset: float | None
) -> Any:
    """A model of anomalib, with its own backbone or another one of timm, whose features are random without weights."""
    import timm
    from anomalib import models

    kind = getattr(models, model)
    names = inspect.signature(kind).parameters
    settings: dict[str, Any] = {"pre_trained": pretrained} if "pre_trained" in names else {}
    settings |= {"coreset_sampling_ratio": coreset} if coreset else {}
    if backbone:
        layers = [info["module"] for info in timm.create_model(backbone, features_only=True).feature_info.info]
        settings |= {"backbone": backbone, **_layers(model, layers)}
    detector = kind(post_processor=False, evaluator=False, visualizer=False, **settings)
    if weights:
        load_weights(detector.model.feature_extractor.feature_extractor, weights)
    return detector


def _layers(model: str, layers: Sequence[str]) -> dict[str, Any]:
    """The settings of a model for the layers of a backbone that has five, as those of a ResNet: the same of each."""
    return {
        "Dfkde": {"layers": layers[4:]},
        "Dfm": {"layer": layers[3]},
        "Padim": {"layers": layers[1:4], "n_features": PADIM_FEATURES},
        "Patchcore": {"layers": layers[2:4]},
    }[model]


def train_and_score(files: Sequence[Path], folders: Sequence[Path], detector: Any, epochs: int) -> dict[Path, float]:
    """The score of each image in some folders, by resolved path, of a model that is trained on some files.

    No image serves for validation and scores are not normalised, so that no score depends on another test image.
    """
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine

    with tempfile.TemporaryDirectory() as scratch:
        good = Path(scratch, "train", "good")
        good.mkdir(parents=True)
        for k, file in enumerate(files):
            shutil.copyfile(file, good / f"{k:06d}{file.suffix}")
        data = Folder(
            name="exported",
            root=good.parent,
            normal_dir="good",
            test_split_mode="none",
            val_split_mode="none",
            num_workers=0,
        )
        engine = Engine(max_epochs=epochs, default_root_dir=Path(scratch, "engine"), logger=False)
        data.setup()
        engine.fit(detector, train_dataloaders=data.train_dataloader())  # as a data module it would need validation
        scores = {}
        for folder in folders:
            for batch in engine.predict(detector, dataset=PredictDataset(folder)) or []:
                values = batch.pred_score.flatten().tolist()
                scores |= {Path(path).resolve(): value for path, value in zip(batch.image_path, values, strict=True)}
    return scores


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="results/<study>/export/<data set>")
    parser.add_argument("--model", choices=MODELS, default="Padim")
    parser.add_argument("--out", type=Path, default=Path("scores.csv"))
    parser.add_argument("--dataset", help="default: the name of the folder")
    parser.add_argument("--splits", type=Path, help="results/<study>/splits/<data set>: train on the study's own sets")
    parser.add_argument("--training-sets", nargs="+", default=[CLEAN_SET], help="with --splits, such as mixed-0.1")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--pretrained", action="store_true", help="ImageNet weights, which are downloaded")
    parser.add_argument("--backbone", help="a network of timm, such as tf_efficientnet_lite0; default: the model's own")
    parser.add_argument("--weights", type=Path, help="its weights, a safetensors file, instead of a download")
    parser.add_argument("--coreset", type=float, help="the fraction of patches that Patchcore keeps; default: 0.1")
    chosen = parser.parse_args(given)
    if chosen.training_sets != [CLEAN_SET] and chosen.splits is None:
        parser.error("--training-sets needs --splits, which lists the images of each set")
    if (chosen.backbone or chosen.weights) and chosen.model not in WITH_BACKBONE:
        parser.error(f"--backbone and --weights are for {', '.join(WITH_BACKBONE)}")
    if chosen.coreset and chosen.model != "Patchcore":
        parser.error("--coreset is for Patchcore")
    if chosen.pretrained and chosen.weights:
        parser.error("--pretrained downloads weights, and --weights names a file: give one of them")
    return chosen


def main() -> None:
    """Train a model for each seed and training set, and write all scores."""
    chosen = arguments()
    import anomalib
    from lightning.pytorch import seed_everything

    images = read_export(chosen.export / "png")
    folders = sorted({image.path.parent for image in images if image.pool in ("test", "validation")})
    how = {name: getattr(chosen, name) for name in ("model", "backbone", "weights", "pretrained", "coreset")}
    lines: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        split = chosen.splits / f"seed-{seed}.csv" if chosen.splits else None
        for training_set in chosen.training_sets:
            files = training_images(images, split, training_set)
            seed_everything(seed, workers=True)
            scores = train_and_score(files, folders, make_detector(**how), chosen.epochs)
            dataset = chosen.dataset or chosen.export.resolve().name
            lines += score_lines(images, scores, dataset=dataset, training_set=training_set, seed=seed)
    how |= {"weights": chosen.weights and chosen.weights.name, "epochs": chosen.epochs}
    about = ", ".join(f"{name} {value}" for name, value in how.items() if value)
    write_scores(chosen.out, lines, f"anomalib {anomalib.__version__}, {about}")
    print(f"{len(lines)} scores: {chosen.out}")


if __name__ == "__main__":
    main()
