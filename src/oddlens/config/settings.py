"""The config as typed models: where its sections, defaults and ranges live (a data set's simulation: `lensing/simulation.py`).

Two kinds of section are not written out here, because one file should be enough to add a member: the priors of a class
are `Priors` in `lensing/substructure/<class>.py`, and the settings of a detector are the keyword-only arguments of its
constructor in `detectors/<detector>.py`.
"""

import ast
import fnmatch
import itertools
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    create_model,
    field_validator,
    model_validator,
)

from oddlens.data.randomness import stream
from oddlens.data.training_sets import CLEAN, LABELLED, MIXED, training_set_name
from oddlens.lensing import substructure_classes
from oddlens.lensing.simulation import Simulation, extras
from oddlens.schema.config_errors import ConfigError, must_be_plain, nearest, shown, validated
from oddlens.schema.section import Section

_HERE = Path(__file__).parents[1]
PRESETS = _HERE.parents[1] / "config" / "presets"
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
MOST_CANDIDATES, MOST_SHARDS = 100_000, 100_000
"""Combinations of a sweep, and shards of a class: Snakemake could not plan more."""
CLEAN_SET, LABELLED_SET = training_set_name(CLEAN, 0), training_set_name(LABELLED, 0.5)


# --- data sets ---------------------------------------------------------------------------------------------------


class Images(Section):
    """How many images the pools hold: per class, where a pool has several."""

    train: PositiveInt
    contaminant: NonNegativeInt
    validation: PositiveInt
    test: Annotated[int, Field(ge=2)]
    per_shard: PositiveInt = 10_000

    @model_validator(mode="after")
    def _shards_can_be_planned(self) -> "Images":
        images = max(self.train, self.contaminant, self.validation, self.test)
        if images > MOST_SHARDS * self.per_shard:
            raise ValueError(
                f"{images} images in shards of {self.per_shard} are more than {MOST_SHARDS} shards: raise per_shard"
            )
        return self


class Dataset(Simulation):
    """One data set: a simulation, and how many images of it are in each pool."""

    images: Images
    reproduces: Literal["model_a", "model_b"] | None = None
    """The published data set whose figures it is held against; by default the one of its own name, if there is one."""

    @property
    def classes(self) -> list[str]:
        """All classes of the test pool, `smooth` first."""
        return [substructure_classes.SMOOTH, *self.substructure]

    def pools(self) -> dict[str, list[str]]:
        """The classes of each pool."""
        anomalies = list(self.substructure)
        return {
            "train": [substructure_classes.SMOOTH],
            "contaminant": anomalies if self.images.contaminant else [],
            "validation": [substructure_classes.SMOOTH],
            "test": self.classes,
        }

    def shards(self, pool: str) -> list[int]:
        """The numbers of the shards of each class in a pool."""
        return list(range(-(-getattr(self.images, pool) // self.images.per_shard)))


# --- what is trained ---------------------------------------------------------------------------------------------


class Training(Section):
    """How the one loop trains; each detector row can override any of it."""

    epochs: NonNegativeInt = 20
    batch_size: PositiveInt = 128
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gradient_clip: NonNegativeFloat = 0.0
    augmentation: Literal["none", "symmetries"] = "none"
    robust: Literal["none", "trim", "refine", "loe_hard", "loe_soft"] = "none"
    assumed_contamination: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    checkpoint_s: NonNegativeFloat = 30.0


class Contamination(Section):
    """Which training sets are made: for each contaminant the fractions n_anomalous / n_total, for each seed.

    The uncontaminated set is always there.
    """

    fractions: dict[str, list[Annotated[float, Field(ge=1e-4, le=0.5)]]]
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)]
    images: PositiveInt

    @field_validator("seeds", "fractions")
    @classmethod
    def _no_repeats(cls, value: Any) -> Any:
        for entries in value.values() if isinstance(value, dict) else [value]:
            if len(set(entries)) < len(entries):
                raise ValueError(f"{entries!r} names something twice")
        return value


class Row(Section):
    """One row of the comparison: a detector with its settings and its way of training."""

    detector: str
    training: Training
    settings: dict[str, Any]
    labels: Annotated[dict[str, PositiveInt], Field(default_factory=dict)]
    """How many images of a contaminant it is told are odd; the supervised ceiling gets as many smooth ones."""
    ablates: str | None = None
    sweep: str | None = None
    """The sweep that it is a candidate of."""
    contaminated: bool = True
    input: Literal["images", "residual", "scan"] = "images"
    """What it sees: images, or what the study's fit of physics leaves over of them
    (`oddlens.stages.residual_inputs`)."""

    @property
    def role(self) -> str:
        """What the row is for: `detector`, `control`, `reference`, `upper_bound`, `ablation` or `candidate`."""
        if self.ablates or self.sweep:
            return "ablation" if self.ablates else "candidate"
        return _declared(_HERE / "detectors" / f"{self.detector}.py", "role") or "detector"

    @property
    def what(self) -> str:
        """What the detector is, in a sentence."""
        return summary(self.detector)


class FollowUp(Section):
    """The oddest test images of a row, to be fitted again with and without a mass (`oddlens.stages.follow_up`)."""

    row: str
    lenses: Annotated[int, Field(ge=1, le=20)] = 3
    live: Annotated[int, Field(ge=50)] = 150
    """Points of the nested sampler."""


class Regression(Section):
    """One row of the regression: a network that estimates numbers of lens and dark matter (`oddlens.regression`)."""

    input: Literal["images", "residual", "scan"] = "images"
    """What it sees, as for detectors."""
    images: PositiveInt = 4000
    """Of each class, at most: the first of the pools `train` and `contaminant`."""
    held_out: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """The part of these that is not learned from, and calibrates."""
    bins: Annotated[int, Field(ge=2, le=256)] = 32
    width: Annotated[int, Field(ge=8)] = 16
    """Of fewer maps PyTorch's backward convolutions crash on some processors (2.11, AVX-512)."""
    stride: PositiveInt = 2
    autoencoder: bool = False
    """Whether it also sees what an autoencoder of smooth lenses leaves over."""
    learning_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-4
    training: Training

    @property
    def network(self) -> dict[str, Any]:
        """The settings of the network."""
        return {key: getattr(self, key) for key in ("width", "stride", "autoencoder", "learning_rate", "weight_decay")}


class RealLenses(Section):
    """Real lenses to be scored (`oddlens.observations.lens_index`)."""

    path: str
    """An index, a folder with one or with data.fits, or a frame."""
    claimed: Annotated[list[str], Field(default_factory=list)]
    """Lenses with a claimed substructure, beside those that the index marks."""
    annulus_arcsec: Annotated[list[NonNegativeFloat], Field(min_length=2, max_length=2)] | None = None
    """Look at what lies between these radii alone, and fit no lens light."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _inside_out(self) -> "RealLenses":
        if self.annulus_arcsec and not self.annulus_arcsec[0] < self.annulus_arcsec[1]:
            raise ValueError(f"annulus_arcsec is {self.annulus_arcsec}: the first radius must be the smaller")
        return self


class Study(Section):
    """The whole config."""

    study: Name
    seed: NonNegativeInt
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    contamination: Contamination
    training: Training
    detectors: Annotated[dict[Name, Row], Field(min_length=1)]
    only: list[str] | None = None
    regression: Annotated[dict[Name, Regression], Field(default_factory=dict)]
    fit_convergence: PositiveInt = 200
    """Of so many test images of each class, fits are compared with those from the truth."""
    real: Annotated[dict[Name, RealLenses], Field(default_factory=dict)]
    follow_up: Annotated[dict[str, FollowUp], Field(default_factory=dict)]
    """Of each data set whose oddest images are looked at closely."""
    publish: Annotated[dict[str, list[str]], Field(default_factory=dict)]
    """Of each data set the rows whose first model goes into pretrained/."""

    @model_validator(mode="after")
    def _pieces_fit(self) -> "Study":
        for name, dataset in self.datasets.items():
            if self.contamination.images > dataset.images.train:
                raise ValueError(
                    f"contamination.images is {self.contamination.images}, more than datasets.{name}.images.train "
                    f"= {dataset.images.train}: raise the pool or lower the set"
                )
            anomalies = list(dataset.substructure)
            if not anomalies:
                raise ValueError(f"datasets.{name}.substructure: there is no anomaly class left to be found")
            for contaminant, fractions in self.contamination.fractions.items():
                if contaminant not in (*anomalies, MIXED):
                    raise ValueError(
                        f"contamination.fractions: unknown contaminant '{contaminant}' for data set '{name}'. "
                        + nearest(contaminant, [*anomalies, MIXED])
                    )
                shares = len(anomalies) if contaminant == MIXED else 1
                needed = max((-(-round(p * self.contamination.images) // shares) for p in fractions), default=0)
                if needed > dataset.images.contaminant:
                    raise ValueError(
                        f"datasets.{name}.images.contaminant is {dataset.images.contaminant}, but contaminating "
                        f"{self.contamination.images} images with {max(fractions):.0%} {contaminant} takes {needed} "
                        "of a class: raise it or lower contamination.images"
                    )
        rounded = [
            p for ps in self.contamination.fractions.values() for p in ps if round(p * self.contamination.images) < 1
        ]
        if rounded:
            raise ValueError(
                f"contamination.fractions: {min(rounded):g} of {self.contamination.images} images is none: raise either"
            )
        if len(set(self.training_sets())) < len(self.training_sets()):
            raise ValueError("contamination.fractions: two fractions agree to six digits, so their files would collide")
        for name in self.detectors:
            if LABELLED_SET in self.training_sets_of(name) and not all(
                d.images.contaminant for d in self.datasets.values()
            ):
                raise ValueError(f"detectors.{name} learns from labels: every data set needs images.contaminant > 0")
            batch, images = self.detectors[name].training.batch_size, self.contamination.images
            if LABELLED_SET not in self.training_sets_of(name) and batch > images:
                raise ValueError(
                    f"detectors.{name}.training.batch_size is {batch}, more than contamination.images = {images}: "
                    "lower it"
                )
            if self.detectors[name].input != "images":
                if takes_simulation(self.detectors[name].detector) or needs(self.detectors[name].detector) == "truth":
                    raise ValueError(f"detectors.{name}.input: {self.detectors[name].detector} needs images themselves")
                if self.fitting_row is None:
                    raise ValueError(
                        f"detectors.{name}.input is {self.detectors[name].input}, and no row fits lenses: add one of "
                        f"{_fitting()}, or name it in `only`, too"
                    )
            if (base := self.detectors[name].ablates) and base not in self.detectors:
                raise ValueError(f"detectors.{name} ablates '{base}', which `only` leaves out: name it too")
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> "Study":
        for name, row in self.detectors.items():
            if row.labels and not takes_labels(row.detector):
                able = ", ".join(filter(takes_labels, detectors()))
                raise ValueError(f"detectors.{name}.labels: {row.detector} can make nothing of labels; {able} can")
            for dataset, given in self.datasets.items():
                anomalies = list(given.substructure)
                for kind in row.labels:
                    if kind not in (*anomalies, MIXED):
                        raise ValueError(
                            f"detectors.{name}.labels: unknown class '{kind}' for data set '{dataset}'. "
                            + nearest(kind, [*anomalies, MIXED])
                        )
                hidden = [
                    _by_class({kind: round(p * self.contamination.images)}, anomalies)
                    for kind, fractions in self.contamination.fractions.items()
                    for p in fractions
                ]
                labels = self.labels_of(name, dataset)
                if (smooth := labels.pop(substructure_classes.SMOOTH)) > given.images.train:
                    raise ValueError(
                        f"datasets.{dataset}.images.train is {given.images.train}, but detectors.{name}.labels tells "
                        f"{smooth} odd images and takes as many smooth ones: raise it"
                    )
                for cls, told in labels.items():
                    most = max((amounts[cls] for amounts in hidden), default=0)
                    if told and told + most > given.images.contaminant:
                        raise ValueError(
                            f"datasets.{dataset}.images.contaminant is {given.images.contaminant}, but {most} {cls} "
                            f"hide in a training set and detectors.{name}.labels tells {told} others: raise it"
                        )
        return self

    @model_validator(mode="after")
    def _can_be_followed(self) -> "Study":
        for dataset, asked in self.follow_up.items():
            if dataset not in self.datasets:
                raise ValueError(f"follow_up: unknown data set '{dataset}'. {nearest(dataset, self.datasets)}")
            if asked.row not in self.detectors:
                raise ValueError(
                    f"follow_up.{dataset}.row: unknown row '{asked.row}'. {nearest(asked.row, self.detectors)}"
                )
            if beyond := extras(self.datasets[dataset]):
                raise ValueError(
                    f"follow_up.{dataset}: the data set has {', '.join(beyond)}, and the lens models that are fitted have "
                    "not: leave it out"
                )
        return self

    @model_validator(mode="after")
    def _regression_can_learn(self) -> "Study":
        for name, row in self.regression.items():
            where = f"regression.{name}"
            if row.input != "images" and self.fitting_row is None:
                raise ValueError(f"{where}.input is {row.input}, and no row fits lenses: add one of {_fitting()}")
            if row.training.robust != "none":
                raise ValueError(f"{where}.training.robust is {row.training.robust}: its labels are true, take none")
            for dataset, given in self.datasets.items():
                if not given.images.contaminant:
                    raise ValueError(f"{where} learns from labels: datasets.{dataset}.images.contaminant must be > 0")
                fewest = min(row.images, given.images.train, given.images.contaminant)
                learnt = fewest - round(row.held_out * fewest)
                if learnt < row.bins:
                    raise ValueError(
                        f"{where}.bins is {row.bins}, but of {dataset} it learns from {learnt} images of a class: "
                        "lower it, or raise the images"
                    )
        return self

    @model_validator(mode="after")
    def _models_stand_alone(self) -> "Study":
        for dataset, rows in self.publish.items():
            if dataset not in self.datasets:
                raise ValueError(f"publish: unknown data set '{dataset}'. {nearest(dataset, self.datasets)}")
            for name in rows:
                if name not in self.detectors:
                    raise ValueError(f"publish.{dataset}: unknown row '{name}'. {nearest(name, self.detectors)}")
                row = self.detectors[name]
                if row.input != "images" or needs(row.detector) == "truth":
                    raise ValueError(f"publish.{dataset}: {name} scores no images alone, but what only a study knows")
        return self

    @property
    def fitting_row(self) -> str | None:
        """The row whose fits leave over what rows with another `input` see: the first that fits lenses."""
        return next((name for name, row in self.detectors.items() if takes_simulation(row.detector)), None)

    def training_sets(self) -> list[str]:
        """The names of all training sets of each seed, the clean one first."""
        contaminated = [
            training_set_name(kind, p)
            for kind, fractions in self.contamination.fractions.items()
            for p in sorted(fractions)
        ]
        labelled = [LABELLED_SET] if any(needs(row.detector) == "labels" for row in self.detectors.values()) else []
        return [CLEAN_SET, *contaminated, *labelled]

    def training_sets_of(self, name: str) -> list[str]:
        """The training sets of a row: all without labels or only the clean one; the labelled one if it needs labels."""
        row = self.detectors[name]
        if needs(row.detector) == "labels":
            return [LABELLED_SET]
        return (
            [training_set for training_set in self.training_sets() if training_set != LABELLED_SET]
            if row.contaminated
            else [CLEAN_SET]
        )

    def labels_of(self, name: str, dataset: str) -> dict[str, int]:
        """Of how many images of each class of a data set a row is told the label; smooth ones are for the ceiling."""
        row = self.detectors[name]
        odd = _by_class(row.labels, list(self.datasets[dataset].substructure))
        return {substructure_classes.SMOOTH: sum(odd.values()) if needs(row.detector) == "labels" else 0, **odd}

    def rows(self) -> dict[str, dict[str, Any]]:
        """What tables, figures and pages are told of each row."""
        return {
            name: {
                "role": row.role,
                "ablates": row.ablates,
                "sweep": row.sweep,
                "varied": self.varied(name),
                "what": row.what,
            }
            for name, row in self.detectors.items()
        }

    def known(self, dataset: str) -> dict[str, int]:
        """Of how many images of each class of a data set some row is told the label; without those of which none is."""
        rows = [self.labels_of(name, dataset) for name in self.detectors]
        most = {cls: max(row[cls] for row in rows) for cls in self.datasets[dataset].classes}
        return {cls: count for cls, count in most.items() if count}

    def scorers(self) -> dict[str, dict[str, Any]]:
        """The rows that can score an image whose truth nobody knows, and how: the row whose models they have, the
        training set by which they are judged, the settings that only their score reads, what they see, and which row
        explains it."""
        return {
            name: {
                "trained": self.trained(name),
                "training_set": self.training_sets_of(name)[0],
                "scoring": {key: row.settings[key] for key in scoring(row.detector)},
                "input": row.input,
                "fitting_row": self.fitting_row,
            }
            for name, row in self.detectors.items()
            if needs(row.detector) != "truth"
        }

    def exposures(self) -> dict[str, str]:
        """The data sets whose simulations differ in nothing but the exposure, and the first of those that are so alike."""
        alike: dict[str, list[str]] = {}
        for name, dataset in self.datasets.items():
            simulation = {key: value for key, value in dataset.plain().items() if key in Simulation.model_fields}
            simulation["camera"] = {key: value for key, value in simulation["camera"].items() if key != "exposure_s"}
            alike.setdefault(str(simulation), []).append(name)
        return {name: names[0] for names in alike.values() if len(names) > 1 for name in names}

    def varied(self, name: str) -> dict[str, Any]:
        """The settings of a candidate in which the others of its sweep differ."""
        row = self.detectors[name]
        others = [other.settings for other in self.detectors.values() if row.sweep and other.sweep == row.sweep]
        return {key: value for key, value in row.settings.items() if any(other[key] != value for other in others)}

    def trained(self, name: str) -> str:
        """The row whose models a row scores with: the first that is trained alike, on at least the same sets.

        Rows that differ only in what their scores read need no models of their own.
        """

        def recipe(row: Row) -> tuple:
            # Refining trains anew without what scored highest, so there the score is a part of the training.
            only_scored = () if row.training.robust == "refine" else scoring(row.detector)
            drawn = {k: v for k, v in row.settings.items() if k not in only_scored}
            return row.detector, drawn, row.training, row.labels, row.input

        like = (other for other, row in self.detectors.items() if recipe(row) == recipe(self.detectors[name]))
        return next(other for other in like if set(self.training_sets_of(name)) <= set(self.training_sets_of(other)))


def _by_class(amounts: dict[str, int], classes: list[str]) -> dict[str, int]:
    """Amounts of contaminants as amounts of classes: a mixture has the classes in turn."""
    mixed = amounts.get(MIXED, 0)
    return {cls: amounts.get(cls, 0) + (mixed + len(classes) - 1 - k) // len(classes) for k, cls in enumerate(classes)}


# --- detectors: settings are read from the constructor, without importing torch -------------------------------------

_ANNOTATIONS = {
    name: getattr(pydantic, name)
    for name in ("Field", "PositiveInt", "PositiveFloat", "NonNegativeInt", "NonNegativeFloat")
} | {"Annotated": Annotated, "Literal": Literal, "bool": bool, "float": float, "int": int, "list": list, "str": str}


def detectors() -> list[str]:
    """The names of all detectors: the files of the folder."""
    return sorted(f.stem for f in (_HERE / "detectors").glob("[!_]*.py"))


@cache
def summary(name: str, folder: str = "detectors") -> str:
    """The first sentence of the file of a detector (or of a class, in `lensing/substructure`): what it is."""
    text = ast.get_docstring(ast.parse((_HERE / folder / f"{name}.py").read_text())) or name
    return " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


@cache
def _detector_class(path: Path) -> tuple[ast.Module, ast.ClassDef]:
    """A file of a detector and the class that it defines, parsed and not imported."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Detector") for base in node.bases):
            return tree, node
    raise TypeError(f"{path} defines no subclass of Detector")


def _file_below(tree: ast.Module, detector: ast.ClassDef) -> Path:
    """The file of the class that a detector builds on."""
    modules = {a.name: n.module for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    return _HERE.parent / f"{str(modules[ast.unparse(detector.bases[0])]).replace('.', '/')}.py"


def _declared(path: Path, name: str) -> Any:
    """A class attribute of a detector as written in its file, or in that of the class below it; None if in neither."""
    tree, detector = _detector_class(path)
    for node in detector.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    below = _file_below(tree, detector)
    return _declared(below, name) if below.name != "base.py" else None


def needs(name: str) -> str | None:
    """What a detector is told beyond images; see `Detector.needs`."""
    return _declared(_HERE / "detectors" / f"{name}.py", "needs")


def takes_simulation(name: str) -> bool:
    """Whether a detector is told the simulation of its data set; see `Detector.takes_simulation`."""
    return bool(_declared(_HERE / "detectors" / f"{name}.py", "takes_simulation"))


def _fitting() -> str:
    """The detectors that fit lenses, in words."""
    return ", ".join(name for name in detectors() if takes_simulation(name))


def semi_supervised(name: str) -> bool:
    """Whether a detector can make use of images known to be odd; see `Detector.semi_supervised`."""
    return bool(_declared(_HERE / "detectors" / f"{name}.py", "semi_supervised"))


def takes_labels(name: str) -> bool:
    """Whether a detector learns from labels, be it from a few or as a ceiling."""
    return semi_supervised(name) or needs(name) == "labels"


def scoring(name: str) -> tuple[str, ...]:
    """The settings of a detector that only its score reads; see `Detector.scoring`."""
    return _declared(_HERE / "detectors" / f"{name}.py", "scoring") or ()


def detector_settings(name: str) -> type[Section]:
    """The settings of a detector as a model, made from the keyword-only arguments of its constructor.

    If that passes on `**others`, those of the class below it are settings too, but for those of equal names. The files
    are parsed, not imported: Snakemake's process checks the config and must not load torch for it, nor need it.
    Annotations may use the types of `_ANNOTATIONS` and the builtin ones.
    """
    fields: dict[str, Any] = {}
    for argument, default in _keywords(_HERE / "detectors" / f"{name}.py"):
        if argument.annotation is None:
            raise TypeError(f"detector {name}: annotate '{argument.arg}', the config is checked against it")
        annotation = _evaluated(argument.annotation)
        fields.setdefault(argument.arg, (annotation, ... if default is None else ast.literal_eval(default)))
    return create_model(f"{name} settings", __base__=Section, **fields)


def _evaluated(node: ast.expr) -> Any:
    """An annotation of a detector's settings: names of `_ANNOTATIONS`, what they are called with, and literals."""
    match node:
        case ast.Name(id=name) if name in _ANNOTATIONS:
            return _ANNOTATIONS[name]
        case ast.Subscript(value=kind, slice=inner):
            return _evaluated(kind)[_evaluated(inner)]
        case ast.Tuple(elts=entries):
            return tuple(map(_evaluated, entries))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _evaluated(left) | _evaluated(right)
        case ast.Call(func=kind, args=[], keywords=given):
            return _evaluated(kind)(**{str(keyword.arg): ast.literal_eval(keyword.value) for keyword in given})
    return ast.literal_eval(node)


def _keywords(path: Path) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """The keyword-only arguments of a constructor with their defaults, and of the one that it passes others on to."""
    tree, detector = _detector_class(path)
    for node in detector.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            if node.args.kwarg:
                yield from _keywords(_file_below(tree, detector))


def _like(name: str, rows: dict[str, dict[str, Any]], above: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row as written, laid over the row that it is like or that it ablates."""
    own = {key: value for key, value in rows[name].items() if key != "sweep"}
    for key in ("like", "ablates"):
        base = own.pop(key, None)
        if base is None:
            continue
        if not isinstance(base, str) or base not in rows:
            raise ConfigError(f"detectors.{name}.{key}: there is no row '{base}'. {nearest(str(base), rows)}")
        if base in (*above, name):
            raise ConfigError(f"detectors.{name}.{key}: it builds on itself ({' -> '.join((*above, name, base))})")
        own = merged(_like(base, rows, (*above, name)), own)
    return {"detector": name, **merged({}, own)}


def _swept(rows: dict[str, dict[str, Any]], seed: Any) -> dict[str, dict[str, Any]]:
    """The rows, those with a `sweep` replaced by its candidates: `trials` draws from the grid of all values."""
    found: dict[str, dict[str, Any]] = {}
    for name, row in rows.items():
        if "sweep" not in row:
            found[name] = row
            continue
        where = f"detectors.{name}.sweep"
        common = {key: value for key, value in row.items() if key not in ("sweep", "trials")}
        if "like" not in row:
            common.setdefault("detector", name)
        grid = _mapping(row["sweep"], where)
        if not grid or not all(isinstance(values, list) and values for values in grid.values()):
            raise ConfigError(f"{where}: must map settings to lists of their values (got {shown(grid)})")
        if (count := math.prod(map(len, grid.values()))) > MOST_CANDIDATES:
            raise ConfigError(f"{where}: has {count} combinations; {MOST_CANDIDATES} are the most: list fewer values")
        every = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        trials = row.get("trials", count)
        if not isinstance(trials, int) or not 2 <= trials <= count:
            raise ConfigError(
                f"detectors.{name}.trials: must be 2 to the {count} combinations of the sweep (got {shown(trials)})"
            )
        drawn = sorted(stream(seed, "sweep", name).choice(count, trials, replace=False))
        candidates = {f"{name}_{k:02d}": {**common, **every[j], "sweep": name} for k, j in enumerate(drawn, 1)}
        if both := sorted(candidates.keys() & {*rows, *found}):
            raise ConfigError(f"{where}: makes a row '{both[0]}', and another has that name: rename either")
        found |= candidates
    return found


def _row(
    name: str, given: dict[str, Any], training: dict[str, Any], ablates: str | None, sweep: str | None
) -> dict[str, Any]:
    """A row with its own `training` laid over the common one, and the other keys checked by the detector."""
    detector, given = given["detector"], {key: value for key, value in given.items() if key != "detector"}
    if detector not in detectors():
        raise ConfigError(f"detectors.{name}: unknown detector '{detector}'. {nearest(str(detector), detectors())}")
    own = _mapping(given.pop("training", {}), f"detectors.{name}.training")
    labels = given.pop("labels", {})
    contaminated = given.pop("contaminated", ablates is None)
    seen = given.pop("input", "images")
    extra = ["detector", "training", "labels", "like", "ablates", "contaminated", "input"]
    settings = validated(detector_settings(detector), given, f"detectors.{name}", extra=extra)
    return {
        "detector": detector,
        "training": {**training, **own},
        "settings": settings.plain(),
        "labels": labels,
        "ablates": ablates,
        "sweep": sweep,
        "contaminated": contaminated,
        "input": seen,
    }


# --- from plain data to a study ------------------------------------------------------------------------------------


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`, section by section.

    A prior is replaced whole ({uniform: ...} over {normal: ...} is no union), and a null removes what lies below.
    """
    result = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and not _is_prior(value):
            result[key] = merged(result[key] if isinstance(result.get(key), dict) else {}, value)
        else:
            result[key] = value
    return {key: value for key, value in result.items() if value is not None}


def _is_prior(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(next(iter(value.values())), list)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: must map names to their settings (got {shown(value)})")
    return value


def _laid(below: dict[str, Any], section: dict[str, Any], where: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """A data set laid over `below` and the presets that it names, each over those before; presets may name presets."""
    section = dict(section)
    named = section.pop("preset", [])
    for preset in named if isinstance(named, list) else [named]:
        if preset in above:
            raise ConfigError(f"{where}.preset: '{preset}' builds on itself ({' -> '.join((*above, preset))})")
        known = {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}
        if not isinstance(preset, str) or preset not in known:
            raise ConfigError(f"{where}.preset: unknown preset '{preset}'. {nearest(str(preset), known)}")
        below = _laid(below, yaml.safe_load(known[preset].read_text()), f"presets.{preset}", (*above, preset))
    return merged(below, section)


def simulation(*presets: str, above: dict[str, Any] | None = None) -> Simulation:
    """The simulation of some presets, each laid over those before it, and of what is laid over them all."""
    return validated(Simulation, _laid({}, {"preset": list(presets), **(above or {})}, "simulation"))


def study(config: dict[str, Any]) -> Study:
    """The validated study of a config as YAML holds it.

    Raises:
        ConfigError: all mistakes found, one a line: the key, the value, what is allowed, and the nearest right name.
    """
    must_be_plain(config)
    config = dict(config)
    for key in ("datasets", "detectors"):
        config[key] = {n: _mapping(v, f"{key}.{n}") for n, v in _mapping(config.get(key), key).items() if v is not None}
    # Presets first: a null in a data set removes what its preset gives.
    config["datasets"] = {n: _laid({}, d, f"datasets.{n}") for n, d in config["datasets"].items()}
    swept = config["detectors"]
    rows = _swept(swept, config.get("seed"))
    chosen: set[str] = set()
    only = config.get("only") or ["*"]
    if not isinstance(only, list):
        raise ConfigError(f"only: must list rows (got {shown(only)})")
    for pattern in only:
        if not (matching := fnmatch.filter([*swept, *rows], str(pattern))):
            raise ConfigError(f"only: there is no row '{pattern}' in detectors. {nearest(str(pattern), swept)}")
        chosen.update(matching)
    config["detectors"] = {name: _like(name, rows) for name, row in rows.items() if {name, row.get("sweep")} & chosen}
    config = merged({}, config)
    training = _mapping(config.get("training", {}), "training")
    config["detectors"] = {
        name: _row(name, row, training, rows[name].get("ablates"), rows[name].get("sweep"))
        for name, row in config["detectors"].items()
    }
    common = {key: value for key, value in training.items() if key != "robust"}  # a remedy for what has no labels
    config["regression"] = {
        name: {
            **_mapping(row, f"regression.{name}"),
            "training": {**common, **_mapping(row.get("training", {}), f"regression.{name}.training")},
        }
        for name, row in _mapping(config.get("regression", {}), "regression").items()
    }
    return validated(Study, config)
