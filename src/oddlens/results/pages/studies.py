"""Studies as their folders have them: config, tables, pictures and records, as far as they are there."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from io import StringIO
from pathlib import Path

import pandas as pd
import yaml

from oddlens.config import comparison
from oddlens.config import study as study_config
from oddlens.files.artefacts import DamagedFile
from oddlens.provenance import environment, records
from oddlens.results.pages.pieces import embedded
from oddlens.results.tables.bins import COLUMNS as BINS
from oddlens.results.tables.columns import ALL, UNCONTAMINATED
from oddlens.results.tables.contamination import COLUMNS as CONTAMINATION
from oddlens.results.tables.false_alarm_probabilities import COLUMNS as CHANCES
from oddlens.results.tables.false_alarms import COLUMNS as ALARMS
from oddlens.results.tables.findings import COLUMNS as FINDINGS
from oddlens.results.tables.fit_convergence import COLUMNS as STARTS
from oddlens.results.tables.fractions import COLUMNS as FRACTIONS
from oddlens.results.tables.population import COLUMNS as POPULATION
from oddlens.results.tables.real import CLAIM_COLUMNS, NOISE_COLUMNS, SCORE_COLUMNS
from oddlens.results.tables.regression import COLUMNS as REGRESSION
from oddlens.results.tables.triage import COLUMNS as TRIAGE
from oddlens.schema.config_errors import ConfigError

LEAST = 1000
"""Studies with fewer training images are trials, as that of `make smoke` is, and are used only if they are named."""
COLUMNS = {
    "false_alarms": ALARMS,
    "bins": BINS,
    "false_alarm_probabilities": CHANCES,
    "contamination": CONTAMINATION,
    "findings": FINDINGS,
    "fractions": FRACTIONS,
    "population": POPULATION,
    "real": SCORE_COLUMNS,
    "real_noise": NOISE_COLUMNS,
    "real_claims": CLAIM_COLUMNS,
    "regression": REGRESSION,
    "fit_convergence": STARTS,
    "triage": TRIAGE,
    "auc": ["dataset", "contaminant", "contamination", "detector", "seed", "anomaly", "auc", "status"],
    "summary": [
        *("dataset", "training", "contaminant", "contamination", "detector", "role", "anomaly", "seeds", "diverged"),
        *("auc", "auc_low", "auc_high", "seed_low", "seed_high", "tpr_at_fpr_01", "change", "change_low"),
        "change_high",
    ],
    "pairs": ["dataset", "training", "anomaly", "a", "b", "difference", "low", "high", "p_holm"],
    "published": ["dataset", "reproduces", "published", "training", "anomaly", "published_auc", "detector", "auc"],
}
"""The columns that tables must have, beside others."""
WORDS = {"dataset", "training", "contaminant", "detector", "role", "anomaly", "status", "a", "b", "reproduces"}
WORDS |= {"published", "calibration", "verdict", "class", "pool", "row", "target", "type", "initial_parameters", "lens", "object"}
WORDS |= {"claimed", "frame", "problem", "rank", "summary", "id", "truth", "source"}
"""The columns that hold words. All others hold numbers."""


@dataclass(frozen=True)
class Study:
    """A study's folder, and the config that it was made with."""

    folder: Path
    config: study_config.Study

    @property
    def name(self) -> str:
        """As its folder is called."""
        return self.folder.name

    @property
    def order(self) -> tuple:
        """Which of several studies comes first: those of several seeds, as one training says nothing of the next; then
        those of most training images, and of most test images."""
        sets = self.config.contamination
        return len(sets.seeds) < 2, -sets.images, -max(d.images.test for d in self.config.datasets.values()), self.name

    @property
    def rows(self) -> dict[str, dict]:
        """What each row is."""
        return comparison.rows(self.config)

    @property
    def descriptions(self) -> dict[str, str]:
        """The description of each row."""
        return comparison.descriptions(self.config)

    def fits_lenses(self, row: str) -> bool:
        """Whether a row is a fit of physics."""
        entry = self.config.detectors.get(row)
        return entry is not None and entry.fits_lenses

    def table(self, name: str) -> pd.DataFrame | None:
        """A result table; None if it is not there or has no lines.

        Raises:
            DamagedFile: if it is not what a study writes.
        """
        return _table(self.folder / "tables" / f"{name}.csv", name)

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The AUCs against all anomalies of the rows that converged, after clean training or, if they need it, after
        labelled one; the `kind` of each: its role, or `physics` of a fit of physics."""
        summary = self.table("summary")
        if summary is None:
            return pd.DataFrame(columns=[*COLUMNS["summary"], "kind"])
        every = summary[(summary["anomaly"] == ALL) & summary["contaminant"].isin(UNCONTAMINATED)].dropna(subset="auc")
        fits = every["detector"].map(self.fits_lenses) & every["role"].isin(["detector", "ablation"])
        return every.assign(kind=every["role"].mask(fits & (every["role"] == "detector"), "physics"), fits=fits)

    def picture(self, *place: str) -> str | None:
        """A figure as the address of an image; None if it is not there."""
        path = self.folder.joinpath("figures", *place).with_suffix(".png")
        return embedded(path) if path.is_file() else None

    def simulation(self, dataset: str) -> dict:
        """All that the look of a data set's images depends on."""
        plain = self.config.datasets[dataset].plain()
        return {section: plain[section] for section in ("lens", "source", "substructure", "camera")}

    def like(self, dataset: str, other: "Study") -> bool:
        """Whether a data set of that name has the same simulation in another study."""
        known = dataset in self.config.datasets and dataset in other.config.datasets
        return known and self.simulation(dataset) == other.simulation(dataset)

    @property
    def training_sets(self) -> int:
        """How many contaminated training sets it has results of."""
        summary = self.table("summary")
        if summary is None:
            return 0
        found = summary[~summary["contaminant"].isin(UNCONTAMINATED) & summary["change"].notna()]
        return len(found[["contaminant", "contamination"]].drop_duplicates())

    @cached_property
    def made(self) -> dict[str, list[str]]:
        """`commits`, `versions`, `machines`, `gpus` of its jobs by their records, which may be lacking: then the commit
        that its tables are of."""
        known = [record for record in records.read_all(self.folder).values() if record]
        if known:
            gpus = {record["machine"]["gpu"] for record in known} - {None}
            return {**records.summarise(known), "gpus": sorted(gpus)}
        folder = self.folder.resolve()
        last = environment.git(folder.parents[1], "log", "-1", "--format=%h of %as", "--", str(folder))
        committed = [f"committed in {last.strip()}"] if last and last.strip() else []
        return {"commits": committed, "versions": [], "machines": [], "gpus": []}


@cache
def _table(path: Path, name: str) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        text = path.read_text()
        table = pd.read_csv(StringIO(text))
    except ValueError as error:
        raise DamagedFile(path, f"it is no table ({str(error).splitlines()[0]})") from None
    if not text.endswith("\n"):
        raise DamagedFile(path, "it ends in the middle of a line")
    if not len(table):
        return None
    if missing := [column for column in COLUMNS.get(name, []) if column not in table]:
        raise DamagedFile(path, f"it has no column {missing[0]}")
    for column in table.columns.difference(list(WORDS)):
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise DamagedFile(path, f"its column {column} holds what is no number")
    return table


def read(folder: Path) -> Study:
    """The study of a folder.

    Raises:
        ValueError: if it has no config, or one that is not valid.
    """
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
        return Study(folder, study_config.parse_study(config if isinstance(config, dict) else {}))
    except OSError:
        raise ValueError(f"{folder} is no study: it has no config.yaml") from None
    except ConfigError as error:
        raise ValueError(f"{path} is not valid: {str(error).splitlines()[0]}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {str(error).splitlines()[0]}") from None


def found(results: Path, names: Iterable[str] = ()) -> list[Study]:
    """The studies of a folder in order of precedence: those that are named, or all that are no trials, see `order`.

    Raises:
        ValueError: if there is none, or if something is damaged.
    """
    if names := list(names):
        chosen = [read(results / name) for name in names]
    else:
        folders = [path.parent for path in sorted(results.glob("[!.]*/config.yaml"))]
        every = [study for study in map(read, folders) if study.config.contamination.images >= LEAST]
        chosen = sorted(every, key=lambda study: study.order)
    ready = [study for study in chosen if len(study.judged)]
    if not ready:
        named = f" among {', '.join(names)}" if names else ""
        raise ValueError(f"{results} has no study with results{named}: `make study` makes one")
    return ready


def first(studies: Iterable[Study], *tables: str) -> Study | None:
    """The first study that has some tables."""
    return next((study for study in studies if all(study.table(name) is not None for name in tables)), None)
