"""The results of a study, as far as its folder has them: config, tables, figures and records."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import yaml

from oddlens.config import comparison
from oddlens.config.study import Study, parse_study
from oddlens.provenance import environment, records
from oddlens.results.pages.checked_tables import REQUIRED_COLUMNS, read_checked
from oddlens.results.pages.formatting import embedded_image
from oddlens.results.tables.columns import ALL, TRAINING_SET, UNCONTAMINATED
from oddlens.schema.config_errors import ConfigError

MIN_TRAINING_IMAGES = 1000
"""Studies with fewer training images are trials, such as that of `make smoke`. They are used only if they are named."""


@dataclass(frozen=True)
class StudyResults:
    """The folder of a study, and its config."""

    folder: Path
    config: Study

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    @property
    def precedence(self) -> tuple:
        """A sort key: studies of several seeds first, then by training images and test images, most first, and by name.

        A single seed says nothing about the scatter between trainings.
        """
        sets = self.config.contamination
        test = max((d.images.test for d in self.config.simulated.values()), default=0)
        return len(sets.seeds) < 2, -sets.images, -test, self.name

    @property
    def rows(self) -> dict[str, dict]:
        """The role and other properties of each row."""
        return comparison.rows(self.config)

    @property
    def descriptions(self) -> dict[str, str]:
        """The description of each row."""
        return comparison.descriptions(self.config)

    def fits_lenses(self, row: str) -> bool:
        """Whether a row is a lens fit."""
        entry = self.config.detectors.get(row)
        return entry is not None and entry.fits_lenses

    def table(self, name: str) -> pd.DataFrame | None:
        """The lines of a result table about simulated data sets; None if there are none.

        Raises:
            DamagedFile: see `read_checked`.
        """
        table = self._every_line(name)
        if table is None or "dataset" not in table or not self.config.of_files:
            return table
        simulated = table[table["dataset"].isin(self.config.simulated)].reset_index(drop=True)
        return simulated if len(simulated) else None

    def _every_line(self, name: str) -> pd.DataFrame | None:
        return read_checked(self.folder / "tables" / f"{name}.csv", name)

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The lines of `summary.csv` on simulated data sets, against all anomalies after clean (or labelled) training.

        Rows that did not converge are left out.

        `kind` is the role of the row, or `physics` for a detector that fits lenses; `fits` says whether it fits lenses.
        """
        summary = self.table("summary")
        if summary is None:
            return pd.DataFrame(columns=[*REQUIRED_COLUMNS["summary"], "kind"])
        return self._with_kinds(summary)

    @cached_property
    def judged_own(self) -> pd.DataFrame:
        """The same lines on the user's own images. Data sets without labels have none."""
        summary = self._every_line("summary")
        if summary is None:
            return pd.DataFrame(columns=[*REQUIRED_COLUMNS["summary"], "kind"])
        return self._with_kinds(summary[summary["dataset"].isin(self.config.of_files)])

    def _with_kinds(self, summary: pd.DataFrame) -> pd.DataFrame:
        chosen = (summary["anomaly"] == ALL) & summary["contaminant"].isin(UNCONTAMINATED)
        lines = summary[chosen].dropna(subset="auc")
        fits = lines["detector"].map(self.fits_lenses).astype(bool) & lines["role"].isin(["detector", "ablation"])
        return lines.assign(kind=lines["role"].mask(fits & (lines["role"] == "detector"), "physics"), fits=fits)

    @property
    def has_ranking(self) -> bool:
        """Whether the user's own images have been scored."""
        return bool(self.config.of_files) and (self.folder / "tables" / "ranking.csv").is_file()

    def figure(self, *place: str) -> str | None:
        """A figure as a data URL; None if it does not exist."""
        path = self.folder.joinpath("figures", *place).with_suffix(".png")
        return embedded_image(path) if path.is_file() else None

    def simulation(self, dataset: str) -> dict:
        """The settings of the simulation of a data set."""
        plain = self.config.simulated[dataset].plain()
        return {section: plain[section] for section in ("lens", "source", "substructure", "camera")}

    def same_simulation(self, dataset: str, other: "StudyResults") -> bool:
        """Whether a data set has the same simulation in another study."""
        known = dataset in self.config.simulated and dataset in other.config.simulated
        return known and self.simulation(dataset) == other.simulation(dataset)

    @property
    def n_contaminated_sets(self) -> int:
        """The number of contaminated training sets with results."""
        summary = self.table("summary")
        if summary is None:
            return 0
        lines = summary[~summary["contaminant"].isin(UNCONTAMINATED) & summary["change"].notna()]
        return len(lines[TRAINING_SET].drop_duplicates())

    @cached_property
    def provenance(self) -> dict[str, list[str]]:
        """The `commits`, `versions`, `machines` and `gpus` of its jobs from their records.

        Without records, the commit in which the folder was last changed.
        """
        known = [record for record in records.read_all(self.folder).values() if record]
        if known:
            gpus = {record["machine"]["gpu"] for record in known} - {None}
            return {**records.summarise(known), "gpus": sorted(gpus)}
        folder = self.folder.resolve()
        last = environment.git(folder.parents[1], "log", "-1", "--format=%h of %as", "--", str(folder))
        committed = [f"committed in {last.strip()}"] if last and last.strip() else []
        return {"commits": committed, "versions": [], "machines": [], "gpus": []}


def read_study(folder: Path) -> StudyResults:
    """The results in a folder.

    Raises:
        ValueError: if the folder has no config, or one that is not valid.
    """
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
        return StudyResults(folder, parse_study(config if isinstance(config, dict) else {}))
    except OSError:
        raise ValueError(f"{folder} is not a study: it has no config.yaml") from None
    except ConfigError as error:
        raise ValueError(f"{path} is not valid: {str(error).splitlines()[0]}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from None


def find_studies(results: Path, names: Iterable[str] = ()) -> tuple[list[StudyResults], list[StudyResults]]:
    """The named studies of a folder in the given order, or all studies but trials in their `precedence`.

    Returns those with AUCs of simulated images, and those with scores of the user's own images; some are both.

    Raises:
        ValueError: if no study has AUCs of simulated images, or a config is damaged.
    """
    if names := list(names):
        chosen = [read_study(results / name) for name in names]
    else:
        folders = [path.parent for path in sorted(results.glob("[!.]*/config.yaml"))]
        every = map(read_study, folders)
        chosen = [study for study in every if study.config.contamination.images >= MIN_TRAINING_IMAGES]
        chosen = sorted(chosen, key=lambda study: study.precedence)
    ready = [study for study in chosen if study.config.simulated and len(study.judged)]
    own = [study for study in chosen if study.has_ranking]
    if not ready:
        named = f" among {', '.join(names)}" if names else ""
        if own:
            raise ValueError(
                f"{results} has no study of simulated images with results{named}: the page compares these, and a study "
                f"of your own images has its own report, such as {own[0].folder / 'report.html'}"
            )
        raise ValueError(f"{results} has no study with results{named}: run one first (docs/studies.md)")
    return ready, own


def first_with(studies: Iterable[StudyResults], *tables: str) -> StudyResults | None:
    """The first study that has some tables."""
    return next((study for study in studies if all(study.table(name) is not None for name in tables)), None)
