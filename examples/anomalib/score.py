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


def train_and_score(
    files: Sequence[Path], folders: Sequence[Path], *, model: str, seed: int, epochs: int, pretrained: bool
) -> dict[Path, float]:
    """The score of each image in some folders, by resolved path, of a model that is trained on some files.

    No image serves for validation and scores are not normalised, so that no score depends on another test image.
    """
    from anomalib import models
    from anomalib.data import Folder, PredictDataset
    from anomalib.engine import Engine
    from lightning.pytorch import seed_everything

    seed_everything(seed, workers=True)
    kind = getattr(models, model)
    weights = {"pre_trained": pretrained} if "pre_trained" in inspect.signature(kind).parameters else {}
    detector = kind(post_processor=False, evaluator=False, visualizer=False, **weights)
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
    chosen = parser.parse_args(given)
    if chosen.training_sets != [CLEAN_SET] and chosen.splits is None:
        parser.error("--training-sets needs --splits, which lists the images of each set")
    return chosen


def main() -> None:
    """Train a model for each seed and training set, and write all scores."""
    chosen = arguments()
    images = read_export(chosen.export / "png")
    folders = sorted({image.path.parent for image in images if image.pool in ("test", "validation")})
    how = {"model": chosen.model, "epochs": chosen.epochs, "pretrained": chosen.pretrained}
    lines: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        split = chosen.splits / f"seed-{seed}.csv" if chosen.splits else None
        for training_set in chosen.training_sets:
            files = training_images(images, split, training_set)
            scores = train_and_score(files, folders, seed=seed, **how)
            dataset = chosen.dataset or chosen.export.resolve().name
            lines += score_lines(images, scores, dataset=dataset, training_set=training_set, seed=seed)
    import anomalib

    write_scores(chosen.out, lines, f"anomalib {anomalib.__version__}, {how}")
    print(f"{len(lines)} scores: {chosen.out}")


if __name__ == "__main__":
    main()
