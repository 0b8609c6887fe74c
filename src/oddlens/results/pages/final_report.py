"""The facts of the final report: the results of several studies."""

from collections.abc import Sequence
from typing import Any

import oddlens
from oddlens.config.descriptions import class_descriptions
from oddlens.files.packaged import packaged
from oddlens.results.pages.contamination import contamination_example, contamination_section
from oddlens.results.pages.detection import controls, descriptions_by_role
from oddlens.results.pages.fixed_rates import fixed_rates_section
from oddlens.results.pages.follow_up import follow_up_section
from oddlens.results.pages.formatting import prior_text, signed
from oddlens.results.pages.lens_fits import complex_lenses, convergence, detected_perturbers
from oddlens.results.pages.literature import PUBLISHED, REFERENCES
from oddlens.results.pages.population import lenses_needed
from oddlens.results.pages.published import reproductions, simulation_settings
from oddlens.results.pages.real import real_section
from oddlens.results.pages.regression import short_section
from oddlens.results.pages.study_comparison import boards, leader, published_by_study
from oddlens.results.pages.study_results import StudyResults, first_with
from oddlens.results.pages.training import diverged_models
from oddlens.results.tables.thresholds import CHANCE_MARGIN

CAPTIONS = packaged("workflow/report/figures", "captions")
"""The captions of figures, here and in the reports of studies."""
COMMANDS = {
    "complex": ("Lens fits on more complex lenses", "snakemake --configfile config/physics.yaml"),
    "reproductions": ("Differences from published data sets", "snakemake --configfile config/reproduction.yaml"),
    "regression": ("Parameters of lens and dark matter", "snakemake --configfile config/regression.yaml"),
    "real": ("Real lenses", "snakemake --configfile config/real.yaml"),
    "contaminated": ("Contaminated training sets", "snakemake --configfile config/contamination.yaml"),
    "fitted": ("Comparison of a lens fit with learned detectors", "make study"),
}
"""Optional sections: their titles, and the commands that compute their results."""

Studies = Sequence[StudyResults]
LEADING = ("detector", "physics", "external", "upper_bound")
"""The kinds of rows of which the best is named."""


def final_report_facts(studies: Studies, own: Studies = ()) -> dict[str, Any]:
    """The facts of the template. A section is None if no study has its results, or of the first study that has them.

    Args:
        studies: in order of precedence.
        own: studies of the user's own images, which may be among the others. All other sections are about simulations.
    """
    main = studies[0]
    datasets = [dataset for dataset in main.config.simulated if dataset in set(main.judged["dataset"])]
    sections = {
        "leaders": [_leaders(studies, dataset) for dataset in datasets],
        "fitted": [line for dataset in datasets if (line := leader(studies, dataset, "physics"))],
        "contaminated": _contaminated(studies),
        "complex": complex_lenses(studies),
        "perturbers": detected_perturbers(studies),
        "convergence": convergence(studies),
        "published": published_by_study(studies),
        "reproductions": _reproductions(studies),
        "regression": _regression(studies),
        "real": _real(studies),
        "follow_up": _follow_up(studies),
        "fixed_rates": _fixed_rates(studies),
        "population": _population(studies, datasets),
        "mass_dependence": [line for dataset in datasets if (line := _mass_dependence(studies, dataset))],
    }
    return sections | {
        "main": main,
        "studies": studies,
        "datasets": {name: main.config.simulated[name].plain() for name in datasets},
        "priors": _priors(main, datasets),
        "classes": class_descriptions(main.config.simulated.values()),
        "descriptions": _descriptions(studies),
        "boards": boards(studies, datasets),
        "own_images": [entry for study in own for entry in _own_images(study)],
        "controls": controls(main.judged),
        "diverged": [{"study": study, "models": models} for study in studies if (models := _diverged(study))],
        "seeds": [len(study.config.contamination.seeds) for study in studies],
        "gpus": sorted({gpu for study in studies for gpu in study.provenance["gpus"]}),
        "absent": [entry for name, entry in COMMANDS.items() if not sections[name]],
        "captions": {file.stem: file.read_text().strip() for file in CAPTIONS.glob("*.rst")},
        "version": oddlens.__version__,
        "literature": PUBLISHED,
        "references": REFERENCES,
        "chance_margin": CHANCE_MARGIN,
        "signed": signed,
        "prior": prior_text,
    }


def _leaders(studies: Studies, dataset: str) -> dict[str, Any]:
    """The best row of each kind on a data set, and the best published AUC without labels."""
    best: dict[str, Any] = {kind: leader(studies, dataset, kind) for kind in LEADING}
    best["learned"] = any(entry["role"] == "detector" for study in studies for entry in study.rows.values())
    table = published_by_study(studies)
    rows = [row for row in table["rows"] if row["dataset"] == dataset and row["training"] == "clean"] if table else []
    return {"dataset": dataset, **best, "published": max(rows, key=lambda row: row["published_auc"], default=None)}


def _own_images(study: StudyResults) -> list[dict[str, Any]]:
    """For each data set of the user's own images: the `best` row of each kind, none if there are no labels."""
    judged = study.judged_own
    entries: list[dict[str, Any]] = []
    for dataset in study.config.of_files:
        lines = judged[(judged["dataset"] == dataset) & judged["kind"].isin([*LEADING, "reference"])]
        best = lines.loc[lines.groupby("kind", sort=False)["auc"].idxmax()].sort_values("auc", ascending=False)
        entries.append({"study": study, "dataset": dataset, "best": best.to_dict("records")})
    return entries


def _contaminated(studies: Studies) -> dict[str, Any] | None:
    """The results of the study with most contaminated training sets."""
    study = max(studies, key=lambda study: study.n_contaminated_sets)
    if not study.n_contaminated_sets:
        return None
    tables = {name: study.table(name) for name in ("summary", "contamination", "pairs", "false_alarms")}
    summary = tables["summary"]
    assert summary is not None
    learned = summary[~summary["detector"].map(study.fits_lenses).astype(bool)]
    examples = (contamination_example(learned[learned["dataset"] == d]) for d in summary["dataset"].unique())
    return {
        "study": study,
        "training_sets": study.n_contaminated_sets,
        "examples": [example for example in examples if example],
        **contamination_section(tables, study.config.plain(), study.rows),
    }


def _reproductions(studies: Studies) -> dict[str, Any] | None:
    """Data sets compared with the same published one, of the first study that has several."""
    for study in studies:
        table = study.table("published")
        if table is not None and (datasets := reproductions(table, study.config.plain())):
            return {"study": study, "datasets": datasets}
    return None


def _regression(studies: Studies) -> dict[str, Any] | None:
    names = ("regression", "fractions", "triage")
    study = first_with(studies, *names)
    if study is None:
        return None
    tables = {name: table for name in names if (table := study.table(name)) is not None}
    datasets = list(tables["regression"]["dataset"].unique())
    return {"study": study, "datasets": datasets, **short_section(datasets, tables)}


def _real(studies: Studies) -> dict[str, Any] | None:
    study = first_with(studies, "real")
    names = ("real", "real_noise", "real_claims")
    if study is None or not all((study.folder / "tables" / f"{name}.csv").is_file() for name in names):
        return None
    tables = {name: study.folder / "tables" / f"{name}.csv" for name in names}
    for name in names:
        study.table(name)  # checks it
    images = {d: study.folder / "real" / d for d in study.config.simulated if (study.folder / "real" / d).is_dir()}
    return {"study": study, **(real_section(tables, images, better_than_chance(study)) or {})}


def better_than_chance(study: StudyResults) -> set[tuple[str, str]]:
    """The data sets and rows of detectors that are better than chance, without ablations, upper bounds and controls."""
    judged = study.judged
    able = judged[judged["kind"].isin(["detector", "physics"]) & (judged["auc"] > 0.5 + CHANCE_MARGIN)]
    return set(zip(able["dataset"], able["detector"], strict=True))


def _follow_up(studies: Studies) -> dict[str, Any] | None:
    for study in studies:
        tables = sorted((study.folder / "follow_up").glob("*/*.csv"))
        if section := follow_up_section((table, table.with_suffix(".png")) for table in tables):
            return {"study": study, **section}
    return None


def _population(studies: Studies, datasets: Sequence[str]) -> dict[str, Any] | None:
    """How many lenses the best rows need to detect a population, in the first study that has the table."""
    study = first_with(studies, "population")
    table = study.table("population") if study else None
    if study is None or table is None:
        return None
    best = [line for d in datasets for kind in ("detector", "physics") if (line := leader([study], d, kind))]
    needs = [needed for line in best if (needed := lenses_needed(table, line))]
    return {"study": study, "needs": needs} if needs else None


def _fixed_rates(studies: Studies) -> dict[str, Any] | None:
    """Detected fractions of the best detector and the best lens fit, in the first study that has the table."""
    study = first_with(studies, "detection")
    if study is None:
        return None
    best = {d: [leader([study], d, kind) for kind in ("detector", "physics")] for d in study.config.simulated}
    rows = {dataset: [line["detector"] for line in lines if line] for dataset, lines in best.items()}
    tables = {name: study.table(name) for name in ("detection", "decoys", "localisation")}
    section = fixed_rates_section(tables, {dataset: of for dataset, of in rows.items() if of})
    return {"study": study, **section} if section else None


def _mass_dependence(studies: Studies, dataset: str) -> dict[str, Any] | None:
    """The AUC of the best learned detector for the images with least and with most mass in substructure."""
    best = leader(studies, dataset, "detector")
    table = best["study"].table("bins") if best else None
    if best is None or table is None:
        return None
    own = table[(table["dataset"] == dataset) & (table["detector"] == best["detector"])]
    by_mass = own[own["truth"] == "substructure_mass_msun"].sort_values("bin", kind="stable")
    ends = [
        {"anomaly": anomaly, "least": bins.iloc[0].to_dict(), "most": bins.iloc[-1].to_dict()}
        for anomaly, bins in by_mass.groupby("anomaly", sort=False)
    ]
    return {"dataset": dataset, "detector": best["detector"], "study": best["study"], "ends": ends} if ends else None


def _priors(study: StudyResults, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """The settings of the simulations: a key of the config, and its value in each data set."""
    every = {dataset: simulation_settings(study.simulation(dataset)) for dataset in datasets}
    keys = dict.fromkeys(key for settings in every.values() for key in settings)
    lines = [{"key": key, "values": [settings.get(key, "–") for settings in every.values()]} for key in keys]
    return [line for line in lines if set(line["values"]) != {"–"}]


def _descriptions(studies: Studies) -> dict[str, list[tuple[str, str]]]:
    """The descriptions of the rows of all studies, by role. The first study that has a row describes it."""
    rows: dict[str, dict] = {}
    descriptions: dict[str, str] = {}
    for study in studies:
        rows = {row: entry for row, entry in study.rows.items() if row in set(study.judged["detector"])} | rows
        descriptions = study.descriptions | descriptions
    return descriptions_by_role(rows, descriptions)


def _diverged(study: StudyResults) -> list[dict]:
    table = study.table("auc")
    return [] if table is None else diverged_models(table)
