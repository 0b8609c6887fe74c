"""The final report of the project: what all studies found, as one page that reads as a paper and needs nothing else.

    oddlens report                        of all studies under results/: results/paper.html, and a PDF
    oddlens report default physics        of these, the first before the second

Each section is of the first study that has what it needs. Studies of several seeds come first, then those of most
training images (`oddlens.results.pages.studies`). What no study has made is left out, and named with the command that
makes it.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import oddlens
from oddlens.config.descriptions import class_description
from oddlens.files.artefacts import atomic_write
from oddlens.files.packaged import packaged
from oddlens.results.pages import contamination, detection, images, published, regression, training
from oddlens.results.pages.compared import beside_published, boards, leader
from oddlens.results.pages.follow_up import looked_at
from oddlens.results.pages.literature import PUBLISHED, REFERENCES
from oddlens.results.pages.physics import arrivals, masses, richer
from oddlens.results.pages.pieces import change, each, prior_words
from oddlens.results.pages.real import real_lenses
from oddlens.results.pages.rendering import page, rendered
from oddlens.results.pages.studies import Study, first, found
from oddlens.results.tables.thresholds import CHANCE_MARGIN

CAPTIONS = packaged("workflow/report/figures", "captions")
"""What is said under each figure, here and in the reports of studies."""
COMMANDS = {
    "physics": ("A fit of physics on lenses that have more to them", "snakemake --configfile config/physics.yaml"),
    "reproductions": ("What makes published figures what they are", "snakemake --configfile config/reproduction.yaml"),
    "regression": ("Numbers of lens and dark matter", "snakemake --configfile config/regression.yaml"),
    "real": ("Real lenses", "make real-lenses && snakemake --configfile config/real.yaml"),
    "contaminated": ("Contaminated training sets", "snakemake --configfile config/contamination.yaml"),
    "fitted": ("A fit of physics beside what is learned", "make study"),
}
"""Sections that are left out where no study has them, and what makes them."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120
"""Seconds that a browser may take to print."""


def paper(path: str | Path, studies: Sequence[Study]) -> None:
    """Write the page of some studies, the first before the others.

    Raises:
        DamagedFile: if a table is not what a study writes.
    """
    known = facts(studies)
    numbers = Numbers()
    rendered("paper.html.j2", **known, numbers=numbers)  # so that text may speak of figures below it
    page(path, "paper.html.j2", **known, numbers=Numbers(numbers.given))


class Numbers:
    """The numbers of figures, tables and references in the order in which they come; those of an earlier rendering are
    known."""

    def __init__(self, known: dict[str, dict[str, int]] | None = None):
        self.known = known or {}
        self.given: dict[str, dict[str, int]] = {}

    def new(self, kind: str, name: str) -> int:
        """The number of what comes next, or has come before."""
        return self.given.setdefault(kind, {}).setdefault(name, len(self.given.get(kind, {})) + 1)

    def of(self, kind: str, name: str) -> int | None:
        """The number of one that may come later."""
        return self.known.get(kind, {}).get(name)


def facts(studies: Sequence[Study]) -> dict[str, Any]:
    """All that the template says: numbers for its sentences, and tables; None where no study has them."""
    main = studies[0]
    datasets = [dataset for dataset in main.config.datasets if dataset in set(main.judged["dataset"])]
    told = {
        "leaders": [_leaders(studies, dataset) for dataset in datasets],
        "fitted": [line for dataset in datasets if (line := leader(studies, dataset, "physics"))],
        "contaminated": _contaminated(studies),
        "physics": richer(studies),
        "masses": masses(studies),
        "arrivals": arrivals(studies),
        "published": beside_published(studies),
        "reproductions": _reproductions(studies),
        "regression": _regression(studies),
        "real": _real(studies),
        "followed": _followed(studies),
        "population": _population(studies, datasets),
        "easy": [line for dataset in datasets if (line := _easy(studies, dataset))],
    }
    return told | {
        "main": main,
        "studies": studies,
        "datasets": {name: main.config.datasets[name].plain() for name in datasets},
        "priors": _priors(main, datasets),
        "classes": _classes(main),
        "described": _described(studies),
        "boards": boards(studies, datasets),
        "controls": detection.controls(main.judged),
        "diverged": [
            {"study": study, "lost": lost}
            for study in studies
            if (auc := study.table("auc")) is not None and (lost := training.diverged(auc))
        ],
        "trainings": [len(study.config.contamination.seeds) for study in studies],
        "gpus": sorted({gpu for study in studies for gpu in study.made["gpus"]}),
        "absent": [line for name, line in COMMANDS.items() if not told[name]],
        "captions": {file.stem: file.read_text().strip() for file in CAPTIONS.glob("*.rst")},
        "version": oddlens.__version__,
        "literature": PUBLISHED,
        "references": REFERENCES,
        "blind": CHANCE_MARGIN,
        "change": change,
        "prior": prior_words,
    }


def _leaders(studies: Sequence[Study], dataset: str) -> dict[str, Any]:
    """The best row of each kind on a data set, and the best that was published for it without labels."""
    best = {kind: leader(studies, dataset, kind) for kind in ("detector", "physics", "upper_bound")}
    table = beside_published(studies)
    rows = [row for row in table["rows"] if row["dataset"] == dataset and row["training"] == "clean"] if table else []
    return {"dataset": dataset, **best, "published": max(rows, key=lambda row: row["published_auc"], default=None)}


def _contaminated(studies: Sequence[Study]) -> dict[str, Any] | None:
    """What the study of most contaminated training sets says of them."""
    study = max(studies, key=lambda study: study.training_sets)
    if not study.training_sets:
        return None
    summary, slopes, pairs, alarms = (
        study.table(name) for name in ("summary", "contamination", "pairs", "false_alarms")
    )
    assert summary is not None
    datasets = list(summary["dataset"].unique())
    learned = summary[~summary["detector"].map(study.fits_lenses).astype(bool)]
    trainings, rows = summary["training"].unique(), study.rows
    return {
        "study": study,
        "training_sets": study.training_sets,
        "examples": [e for d in datasets if (e := contamination.example(learned[learned["dataset"] == d]))],
        "aucs": each(datasets, summary, contamination.contaminated),
        "slopes": {} if slopes is None else each(datasets, slopes, lambda t: contamination.slopes(t, rows)),
        "remedies": {}
        if pairs is None
        else each(datasets, pairs, lambda t: contamination.remedied(t, study.config.plain(), trainings)),
        "false_alarms": {}
        if alarms is None
        else each(datasets, alarms, lambda t: contamination.alarms(t, summary, ("carried", "own"))),
    }


def _reproductions(studies: Sequence[Study]) -> dict[str, Any] | None:
    """Data sets that were held against the same published one, of the first study that has several."""
    for study in studies:
        table = study.table("published")
        held = [] if table is None else published.reproductions(table, study.config.plain())
        if held:
            return {"study": study, "held": held}
    return None


def _regression(studies: Sequence[Study]) -> dict[str, Any] | None:
    study = first(studies, "regression", "fractions", "triage")
    if study is None:
        return None
    read = {name: table for name in ("regression", "fractions", "triage") if (table := study.table(name)) is not None}
    datasets = list(read["regression"]["dataset"].unique())
    said = regression.regressed(datasets, read) | regression.told(read) | regression.brief(datasets, read)
    return {"study": study, "datasets": datasets, **said}


def _real(studies: Sequence[Study]) -> dict[str, Any] | None:
    study = first(studies, "real")
    names = ("real", "real_noise", "real_claims")
    if study is None or not all((study.folder / "tables" / f"{name}.csv").is_file() for name in names):
        return None
    claims = {name: study.table(name) for name in names}["real_claims"]
    pictures = {d: study.folder / "real" / d for d in study.config.datasets if (study.folder / "real" / d).is_dir()}
    said = real_lenses({name: study.folder / "tables" / f"{name}.csv" for name in names}, pictures, _sighted(study))
    return {"study": study, **(said or {}), "least_p": None if claims is None else float(claims["least_p"].min())}


def _sighted(study: Study) -> set[tuple[str, str]]:
    """The data sets and rows of all detectors that see something on them, without ablations, ceilings and controls."""
    seeing = study.judged[study.judged["kind"].isin(["detector", "physics"]) & (study.judged["auc"] > 0.5 + CHANCE_MARGIN)]
    return set(zip(seeing["dataset"], seeing["detector"], strict=True))


def _followed(studies: Sequence[Study]) -> dict[str, Any] | None:
    for study in studies:
        tables = sorted((study.folder / "follow_up").glob("*/*.csv"))
        said = looked_at((table, table.with_suffix(".png")) for table in tables)
        if said:
            return {"study": study, **said}
    return None


def _population(studies: Sequence[Study], datasets: Sequence[str]) -> dict[str, Any] | None:
    """How many lenses the best rows need of a population, in the first study that says so."""
    study = first(studies, "population")
    table = study.table("population") if study else None
    if study is None or table is None:
        return None
    best = [line for d in datasets for kind in ("detector", "physics") if (line := leader([study], d, kind))]
    needs = [needed for line in best if (needed := images.population(table, line))]
    return {"study": study, "needs": needs} if needs else None


def _easy(studies: Sequence[Study], dataset: str) -> dict[str, Any] | None:
    """The AUC of the best that is learned for the least and the most mass in substructure."""
    best = leader(studies, dataset, "detector")
    table = best["study"].table("bins") if best else None
    if best is None or table is None:
        return None
    own = table[(table["dataset"] == dataset) & (table["detector"] == best["detector"])]
    of_mass = own[own["truth"] == "substructure_mass_msun"].sort_values("bin", kind="stable")
    ends = [
        {"anomaly": anomaly, "least": bins.iloc[0].to_dict(), "most": bins.iloc[-1].to_dict()}
        for anomaly, bins in of_mass.groupby("anomaly", sort=False)
    ]
    return {"dataset": dataset, "detector": best["detector"], "study": best["study"], "ends": ends} if ends else None


def _priors(study: Study, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """All that the simulations of data sets are drawn from: a key of the config, and its value in each."""
    every = {dataset: published.priors(study.simulation(dataset)) for dataset in datasets}
    keys = dict.fromkeys(key for priors in every.values() for key in priors)
    lines = [{"key": key, "values": [priors.get(key, "–") for priors in every.values()]} for key in keys]
    return [line for line in lines if set(line["values"]) != {"–"}]


def _classes(study: Study) -> dict[str, str]:
    """What each class is."""
    names = dict.fromkeys(cls for dataset in study.config.datasets.values() for cls in dataset.classes)
    return {name: class_description(name) for name in names}


def _described(studies: Sequence[Study]) -> dict[str, list[tuple[str, str]]]:
    """What the rows of all studies that stand side by side are, by role."""
    rows: dict[str, dict] = {}
    descriptions: dict[str, str] = {}
    for study in studies:
        rows = {row: entry for row, entry in study.rows.items() if row in set(study.judged["detector"])} | rows
        descriptions = study.descriptions | descriptions
    return detection.described(rows, descriptions)


# --- the command line ------------------------------------------------------------------------------------------------


def printed(source: Path, path: Path) -> str:
    """Print a page as PDF by a browser, if there is one; what became of it, in a line. One of an older page goes."""
    path.unlink(missing_ok=True)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return f"no PDF: none of {', '.join(BROWSERS)} is on the PATH"
    options = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-pdf-header-footer"]
    options += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root's
    with TemporaryDirectory() as profile:
        made = Path(profile, "page.pdf")
        command = [browser, *options, f"--user-data-dir={profile}", f"--print-to-pdf={made}", source.resolve().as_uri()]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
            content = made.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            return f"no PDF: {browser} could not print the page ({type(error).__name__})"
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return str(path)


def write_report(results: Path, names: Sequence[str] = (), path: Path | None = None) -> list[str]:
    """Write the final report and, if there is a browser, a PDF of it; returns lines to print.

    Args:
        results: the folder of the studies.
        names: studies, the first before the others; default: all that are no trials.
        path: the page; default `paper.html` in `results`.

    Raises:
        OSError, ValueError: if there is no study with results, or something is damaged.
    """
    path = path or results / "paper.html"
    studies = found(results, names)
    paper(path, studies)
    return [f"{path}: of {', '.join(study.name for study in studies)}", printed(path, path.with_suffix(".pdf"))]
