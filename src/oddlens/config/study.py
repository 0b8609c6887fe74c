"""A study: a validated config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag, model_validator

from oddlens.config.config_files import read_config
from oddlens.config.contamination import Contamination, contamination_errors
from oddlens.config.dataset import Dataset
from oddlens.config.detection import Detection
from oddlens.config.detector_row import DetectorRow, batch_errors, fitting_row, label_errors, row_errors
from oddlens.config.external_row import ExternalRow, external_errors, is_external
from oddlens.config.files_dataset import FilesDataset
from oddlens.config.follow_up import FollowUp, follow_up_errors
from oddlens.config.inherited_errors import reported_once
from oddlens.config.left_out import left_out
from oddlens.config.merging import mapping, merged
from oddlens.config.names import Name
from oddlens.config.presets import with_presets
from oddlens.config.publish import publish_errors
from oddlens.config.real_lenses import RealLenses
from oddlens.config.regression import Regression, regression_errors
from oddlens.config.rows import resolved_rows
from oddlens.config.training import Training
from oddlens.data.pools import Pools
from oddlens.lensing import galaxy_images
from oddlens.lensing.camera import psf_of_file
from oddlens.schema.config_errors import ConfigError, ErrorCollector, must_be_plain, validated
from oddlens.schema.section import Section

AnyDataset = Annotated[
    Annotated[Dataset, Tag("[simulated]")] | Annotated[FilesDataset, Tag("[files]")],
    Discriminator(lambda value: "[files]" if isinstance(value, FilesDataset) or _has_files(value) else "[simulated]"),
]
"""A data set: one with the key `files` has the user's own images, any other is simulated."""


class Study(Section):
    """A validated config: presets, sweeps and rows are resolved, and all sections fit together."""

    study: Name
    """The name of the study. Its results lie in `results/<study>`."""
    seed: NonNegativeInt
    """The master seed of all randomness."""
    datasets: dict[Name, AnyDataset]
    """The data sets. A study that only fits real lenses has none."""
    contamination: Contamination
    training: Training
    detectors: Annotated[dict[Name, DetectorRow], Field(min_length=1)]
    """The rows of the comparison."""
    only: list[str] | None = None
    """The rows of `detectors` that are compared, by name or pattern. The default is all."""
    regression: Annotated[dict[Name, Regression], Field(default_factory=dict)]
    """Networks that estimate parameters of lens and dark matter."""
    fit_convergence: PositiveInt = 200
    """Test images of each class whose fits are compared with fits that start from the truth."""
    detection: Detection = Field(default_factory=Detection)
    """The tables of detected fractions at fixed false-alarm rates."""
    real: Annotated[dict[Name, RealLenses], Field(default_factory=dict)]
    """Real lenses to be scored and fitted."""
    follow_up: Annotated[dict[str, FollowUp], Field(default_factory=dict)]
    """For each data set, the most anomalous images that are fitted again."""
    publish: Annotated[dict[str, list[str]], Field(default_factory=dict)]
    """For each data set, the rows whose first models are published in `pretrained/`."""
    external: Annotated[dict[Name, ExternalRow], Field(default_factory=dict)]
    """The rows of outside scores. In a config they are among `detectors`."""

    @model_validator(mode="after")
    def _sections_fit_together(self) -> "Study":
        errors = [
            *pool_errors(self, {name: dataset.pools for name, dataset in self.simulated.items()}),
            *row_errors(self.detectors, self.contamination),
            *regression_errors(self.regression, self.simulated, self.detectors),
            *external_errors(self.external, self.datasets),
            *follow_up_errors(self.follow_up, self.simulated, [*self.detectors, *self.external]),
            *publish_errors(self.publish, self.simulated, self.detectors),
        ]
        scored = {name: entry for name, entry in self.real.items() if not entry.fit}
        needs_simulation = {"regression": self.regression, "real": scored}
        if not self.datasets and not self.real:
            errors.append("datasets: there is none; only a study that fits real lenses needs none")
        errors += [
            f"{section}: needs a data set that is simulated, and this study has none"
            for section, entries in needs_simulation.items()
            if entries and not self.simulated
        ]
        if errors:
            raise ConfigError("\n".join(errors))
        return self

    @property
    def simulated(self) -> dict[str, Dataset]:
        """The data sets that are simulated."""
        return {name: dataset for name, dataset in self.datasets.items() if isinstance(dataset, Dataset)}

    @property
    def of_files(self) -> dict[str, FilesDataset]:
        """The data sets of the user's own images."""
        return {name: dataset for name, dataset in self.datasets.items() if isinstance(dataset, FilesDataset)}

    @property
    def fitting_row(self) -> str | None:
        """The row whose lens fit makes the residual inputs of other rows."""
        return fitting_row(self.detectors)


def pool_errors(study: Study, pools: Mapping[str, Pools]) -> list[str]:
    """Conflicts of the training sets and labels of a study with the pools of data sets, one line each."""
    errors = list(contamination_errors(study.contamination, pools))
    for name, of_dataset in pools.items():
        unable = left_out(study.detectors, study.datasets[name], of_dataset)
        able = {row: entry for row, entry in study.detectors.items() if row not in unable}
        errors += label_errors(able, name, of_dataset, study.contamination)
        errors += batch_errors(able, name, of_dataset) if of_dataset.as_given else []
    return list(dict.fromkeys(errors))


def psf_errors(study: Study) -> list[str]:
    """The files of point-spread functions that cannot be used, one line each."""
    assumed = {f"{name}.simulation": d.simulation for name, d in study.of_files.items() if d.simulation is not None}
    variants = {f"{name}.variants.{v}": d.simulation_of(v) for name, d in study.simulated.items() for v in d.variants}
    errors = []
    for name, simulation in {**study.simulated, **assumed, **variants}.items():
        try:
            psf_of_file(simulation.camera)
        except (OSError, ValueError) as error:
            errors.append(f"datasets.{name}.camera.psf: {error}")
    return errors


def galaxy_errors(study: Study) -> list[str]:
    """The catalogues of galaxies that cannot be simulated from, one line each."""
    errors = []
    variants = {f"{name}.variants.{v}": d.simulation_of(v) for name, d in study.simulated.items() for v in d.variants}
    for name, simulation in {**study.simulated, **variants}.items():
        try:
            if simulation.source.images:
                galaxy_images.prepared(simulation.source.images)
        except (OSError, ValueError) as error:
            errors.append(f"datasets.{name}.source.images: {error}")
    return errors


def parse_study(config: dict[str, Any]) -> Study:
    """The study of a config as YAML holds it.

    Raises:
        ConfigError: all errors found, one line each: the key, the value, what is allowed, and the nearest known name.
    """
    must_be_plain(config)
    sections = {key: _entries(config, key) for key in ("datasets", "detectors")}
    try:
        return _resolved(config, sections)
    except ConfigError as error:
        raise ConfigError("\n".join(reported_once(str(error).splitlines(), config))) from None


def _resolved(config: dict[str, Any], sections: dict[str, Any]) -> Study:
    """The study of a config, with its named sections."""
    errors, datasets, rows, external = ErrorCollector(), {}, {}, {}
    common = config.get("training")
    training = merged({}, mapping({} if common is None else common, "training"))
    for name, section in sections["datasets"].items():  # presets first: a null removes what a preset gives
        with errors.collecting():
            datasets[name] = _with_presets(section, f"datasets.{name}")
    with errors.collecting():
        rows = resolved_rows(sections["detectors"], config.get("only"), config.get("seed"), training)
        external = {name: rows.pop(name) for name in list(rows) if is_external(rows[name])}
        if config.get("external"):
            raise ConfigError("external: rows of outside scores are among detectors: detectors: {<row>: {scores: ...}}")
        if external and not rows:
            raise ConfigError("detectors: all rows have outside scores: add one that is trained here, such as random")
    errors.raise_collected()
    others = merged({}, {key: value for key, value in config.items() if key not in sections})
    resolved = {
        "datasets": datasets,
        "detectors": rows,
        "external": external,
        "regression": _regression(others, training),
    }
    return validated(Study, others | resolved)


def read_study(files: Sequence[Path]) -> Study:
    """The study of config files, each laid over those before it.

    Raises:
        OSError, ValueError: if a file cannot be read, or the config is invalid.
    """
    return parse_study(read_config(files))


def _with_presets(section: dict[str, Any], where: str) -> dict[str, Any]:
    """A data set, or the `simulation` of one with files, laid over the presets that it names."""
    if not _has_files(section):
        return with_presets(section, where)
    section = {key: value for key, value in section.items() if value is not None}
    if others := [key for key in ("preset", *Dataset.model_fields) if key in section and key != "inject"]:
        raise ConfigError(
            f"{where}: it has files, and {', '.join(others)} of a simulated data set: set these to null, put what lens "
            "fits assume under `simulation`, or use another name"
        )
    simulation = section.get("simulation")
    if simulation is None:
        return section
    within = f"{where}.simulation"
    return section | {"simulation": with_presets(mapping(simulation, within), within)}


def _has_files(section: Any) -> bool:
    return isinstance(section, dict) and section.get("files") is not None


def _entries(config: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The named sections of a config, without those that are null."""
    named = mapping(config.get(key), key)
    return {name: mapping(entry, f"{key}.{name}") for name, entry in named.items() if entry is not None}


def _regression(config: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
    """The rows of the regression, each with its own training laid over the common one.

    The common `robust` does not apply: it is for training sets without labels.
    """
    common = {key: value for key, value in training.items() if key != "robust"}
    rows = mapping(config.get("regression", {}), "regression")
    return {
        name: {
            **mapping(row, f"regression.{name}"),
            "training": {**common, **mapping(row.get("training", {}), f"regression.{name}.training")},
        }
        for name, row in rows.items()
    }
