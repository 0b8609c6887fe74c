"""A fit of physics where lenses have more to them than it knows, and what it finds beside a score."""

from collections.abc import Iterable, Sequence
from typing import Any

from oddlens.results.pages.studies import Study, first
from oddlens.results.tables.columns import UNCONTAMINATED

LEAST = 3
"""A study of fewer data sets says nothing of what is added to a simulation."""


def richer(studies: Iterable[Study]) -> dict[str, Any] | None:
    """The study that fitted lenses of most simulations: for each data set, the richest last, what it has, the ceilings, the
    best of what is learned, and the fits, as lines of `Study.judged` or None; and in which settings the fits differ."""
    fitted = [(study, _datasets(study)) for study in studies]
    study, datasets = max(fitted, key=lambda found: len(found[1]), default=(None, []))
    if study is None or len(datasets) < LEAST:
        return None
    lines = study.judged
    fits = [row for row in study.config.detectors if row in set(lines["detector"][lines["fits"]])]
    ceilings = [row for row in study.config.detectors if row in set(lines["detector"][lines["kind"] == "upper_bound"])]
    rows = []
    for dataset in datasets:
        own = lines[lines["dataset"] == dataset]
        learned = own[own["kind"] == "detector"].sort_values("auc", ascending=False)
        by_row: dict[str, Any] = {str(line["detector"]): line for line in own.to_dict("records")}
        row: dict[str, Any] = {"dataset": dataset, "has": complications(study.simulation(dataset))}
        row |= {"learned": learned.iloc[0].to_dict() if len(learned) else None}
        row |= {"upper_bounds": [by_row.get(name) for name in ceilings], "fits": [by_row.get(name) for name in fits]}
        rows.append(row)
    rows.sort(key=lambda row: len(row["has"]))
    settings = {row: study.config.detectors[row].settings for row in fits}
    differ = {
        row: {key: value for key, value in own.items() if any(other.get(key) != value for other in settings.values())}
        for row, own in settings.items()
    }
    return {"study": study, "fits": fits, "upper_bounds": ceilings, "rows": rows, "differ": differ}


def _datasets(study: Study) -> list[str]:
    """The data sets on which a study judged a fit of physics, each simulation once."""
    if not len(study.judged):
        return []
    fitted = set(study.judged["dataset"][study.judged["fits"]])
    simulations: dict[str, str] = {}
    for dataset in study.config.datasets:
        if dataset in fitted:
            simulations.setdefault(str(study.simulation(dataset)), dataset)
    return list(simulations.values())


def complications(simulation: dict[str, Any]) -> list[str]:
    """What a simulation has beyond round isothermal halos in a shear, Sersic sources of one index, and white noise."""
    lens, source, camera = simulation["lens"], simulation["source"], simulation["camera"]
    has = {
        "elliptical halos": lens["ellipticity"],
        "multipoles": lens["multipole_3"] or lens["multipole_4"],
        "light of the lens galaxy": lens["light"],
        "sources of any Sersic index": isinstance(source["sersic_index"], dict),
        "clumpy sources": source["clumps"],
        "correlated noise": camera["noise_correlation_pixels"],
    }
    return [words for words, there in has.items() if there]


def masses(studies: Sequence[Study]) -> dict[str, Any] | None:
    """What the fit of the first study that has findings of masses says of them: a line for each data set and class,
    means over seeds after clean training."""
    for study in studies:
        found = study.table("findings")
        if found is None:
            continue
        known = found[found["contaminant"].isin(UNCONTAMINATED) & (found["pool"] == "test")].dropna(
            subset="offset_arcsec"
        )
        known = known[known["detector"].map(study.fits_lenses).astype(bool)]
        if len(known):
            means = known.groupby(["dataset", "detector", "class"], sort=False).mean(numeric_only=True).reset_index()
            return {"study": study, "lines": means.to_dict("records")}
    return None


def arrivals(studies: Sequence[Study]) -> dict[str, Any] | None:
    """How many blind fits end where those from the truth do, in the first study that compared them."""
    study = first(studies, "fit_convergence")
    if study is None:
        return None
    table = study.table("fit_convergence")
    assert table is not None
    sums = table.groupby("initial_parameters", sort=False)[["images", "reached", "missed"]].sum().reset_index()
    return {"study": study, "lines": sums.to_dict("records")}
