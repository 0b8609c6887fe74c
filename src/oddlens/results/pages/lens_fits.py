"""Lens fits: their AUC on lenses that are more complex than the fitted model, the perturbers found, and convergence."""

from collections.abc import Iterable, Sequence
from typing import Any

from oddlens.results.pages.study_results import StudyResults, first_with
from oddlens.results.tables.columns import UNCONTAMINATED

MIN_DATASETS = 3
"""Studies with fewer data sets do not compare simulations of different complexity."""


def complex_lenses(studies: Iterable[StudyResults]) -> dict[str, Any] | None:
    """The results of the study that fitted lenses of most simulations.

    `rows` has an entry for each data set, the most complex last: its `complications`, and the lines of
    `StudyResults.judged` of the `upper_bounds`, of the best `learned` detector and of the `fits`, or None.
    `differing_settings` are the settings in which the fits differ.
    """
    fitted = [(study, _datasets(study)) for study in studies]
    study, datasets = max(fitted, key=lambda one: len(one[1]), default=(None, []))
    if study is None or len(datasets) < MIN_DATASETS:
        return None
    lines, rows = study.judged, study.config.detectors
    fits = [row for row in rows if row in set(lines["detector"][lines["fits"]])]
    bounds = [row for row in rows if row in set(lines["detector"][lines["kind"] == "upper_bound"])]
    entries = [_entry(study, dataset, bounds, fits) for dataset in datasets]
    entries.sort(key=lambda entry: len(entry["complications"]))
    settings = {row: rows[row].settings for row in fits}
    differing = {
        row: {key: value for key, value in own.items() if any(other.get(key) != value for other in settings.values())}
        for row, own in settings.items()
    }
    return {"study": study, "fits": fits, "upper_bounds": bounds, "rows": entries, "differing_settings": differing}


def _datasets(study: StudyResults) -> list[str]:
    """The data sets on which a study evaluated a lens fit, one for each simulation."""
    if not len(study.judged):
        return []
    fitted = set(study.judged["dataset"][study.judged["fits"]])
    simulations: dict[str, str] = {}
    for dataset in study.config.simulated:
        if dataset in fitted:
            simulations.setdefault(str(study.simulation(dataset)), dataset)
    return list(simulations.values())


def _entry(study: StudyResults, dataset: str, bounds: Sequence[str], fits: Sequence[str]) -> dict[str, Any]:
    """The entry of one data set."""
    own = study.judged[study.judged["dataset"] == dataset]
    learned = own[own["kind"] == "detector"].sort_values("auc", ascending=False)
    by_row: dict[str, Any] = {str(line["detector"]): line for line in own.to_dict("records")}
    return {
        "dataset": dataset,
        "complications": complications(study.simulation(dataset)),
        "learned": learned.iloc[0].to_dict() if len(learned) else None,
        "upper_bounds": [by_row.get(name) for name in bounds],
        "fits": [by_row.get(name) for name in fits],
    }


def complications(simulation: dict[str, Any]) -> list[str]:
    """The components of a simulation beyond round isothermal halos, shear, Sersic sources of one index, white noise."""
    lens, source, camera = simulation["lens"], simulation["source"], simulation["camera"]
    components = {
        "elliptical halos": lens["ellipticity"],
        "halos of free density slope": lens.get("slope"),
        "multipoles": lens["multipole_3"] or lens["multipole_4"],
        "light of the lens galaxy": lens["light"],
        "sources of any Sersic index": isinstance(source["sersic_index"], dict),
        "clumpy sources": source["clumps"],
        "real galaxies as sources": source.get("images"),
        "correlated noise": camera["noise_correlation_pixels"],
    }
    return [name for name, present in components.items() if present]


def detected_perturbers(studies: Sequence[StudyResults]) -> dict[str, Any] | None:
    """The lines of `findings.csv` on perturbers, of the first study with any: means over seeds after clean training."""
    for study in studies:
        table = study.table("findings")
        if table is None:
            continue
        clean = table["contaminant"].isin(UNCONTAMINATED) & (table["pool"] == "test")
        known = table[clean].dropna(subset="offset_arcsec")
        known = known[known["detector"].map(study.fits_lenses).astype(bool)]
        if len(known):
            means = known.groupby(["dataset", "detector", "class"], sort=False).mean(numeric_only=True).reset_index()
            return {"study": study, "lines": means.to_dict("records")}
    return None


def convergence(studies: Sequence[StudyResults]) -> dict[str, Any] | None:
    """How many fits without the truth reach the optimum of fits from the truth, in the first study with the table."""
    study = first_with(studies, "fit_convergence")
    if study is None:
        return None
    table = study.table("fit_convergence")
    assert table is not None
    sums = table.groupby("initial_parameters", sort=False)[["images", "reached", "missed"]].sum().reset_index()
    return {"study": study, "lines": sums.to_dict("records")}
