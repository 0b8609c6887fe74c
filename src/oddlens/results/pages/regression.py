"""What images tell of lens and dark matter: tables of estimates, of populations, and of what was flagged."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from oddlens.regression.targets import DARK, FRACTION, written
from oddlens.results.pages.pieces import each, html, interval, pivoted, uncertain
from oddlens.results.tables.regression import INTERVALS

LENGTHS = ("log10_vortex_length_arcsec", "log10_axion_mass_1e22_ev")
"""Numbers that have a published neighbour: a vortex is as long as its axion is light."""


def regressed(datasets: Iterable[str], read: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What the regression estimates, what populations tell, and what becomes of flagged images, as tables."""
    lengths = read["regression"][read["regression"]["target"].isin(LENGTHS)]
    return {
        "estimates": each(datasets, read["regression"], _estimates),
        "fractions": each(datasets, read["fractions"], _fractions),
        "triage": each(datasets, read["triage"], _triage),
        "odd": read["triage"]["anomalous_fraction"].iloc[0],
        "lengths": lengths.to_dict("records"),
    }


def told(read: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What sentences say of the substructure fraction: of single images, the row that knows most of each data set and
    class; and of the most lenses of a population the same row and class."""
    every = read["regression"]
    single = every[every["target"] == FRACTION].sort_values("log_score", ascending=False, kind="stable")
    single = single.drop_duplicates(["dataset", "class"])
    keys = ["dataset", "row", "class"]
    many = read["fractions"].sort_values("lenses", kind="stable").drop_duplicates(keys, keep="last")
    return {
        "single": single.sort_values(["dataset", "class"]).to_dict("records"),
        "many": many.merge(single[keys], on=keys).sort_values(["dataset", "class"]).to_dict("records"),
    }


def brief(datasets: Iterable[str], read: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The estimates of all rows side by side, and of populations what `told` speaks of: for who wants no more."""
    best = pd.DataFrame(told(read)["single"], columns=["dataset", "row", "class"])
    return {
        "estimates": each(datasets, read["regression"], _side_by_side),
        "fractions": each(datasets, read["fractions"].merge(best), _fractions),
    }


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    """Numbers of the lens for the class that comes first, of dark matter for its own."""
    return found[(found["class"] == found["class"].iloc[0]) | found["target"].isin(map(written, DARK))]


def _side_by_side(found: pd.DataFrame) -> str | None:
    """A line for each number, a column for each row: error over spread, log score, part in 68 % intervals."""
    found = _shown(found).rename(columns={"target": "number"})
    numbers = zip(found["rmse"] / found["spread"], found["log_score"], found["coverage68"], strict=True)
    cells = [f"{error:.2f}, {signed:.2f}, {part:.2f}".replace("-", "−") for error, signed, part in numbers]
    return html(pivoted(found.assign(cell=cells), ["number", "class"], "row", "cell"))


def _estimates(found: pd.DataFrame) -> str | None:
    """Errors and coverage of each number."""
    found = _shown(found)
    shown = found[["row", "target", "class"]].rename(columns={"target": "number"})
    shown["spread"] = found["spread"].map("{:.3g}".format)
    shown["RMSE over spread"] = found["rmse"] / found["spread"]
    relative = found[["bias", "bias_low", "bias_high"]].div(found["spread"], axis=0)
    shown["bias over spread"] = uncertain(relative["bias"], relative, ("bias_low", "bias_high"))
    shown["log score [nats]"] = uncertain(found["log_score"], found, ("log_score_low", "log_score_high"))
    shown["width over prior's"] = found["width68"]
    return html(shown.assign(**_coverages(found)))


def _fractions(found: pd.DataFrame) -> str | None:
    """What samples of populations tell of their mean substructure fraction."""
    fine = {
        "rmse": "RMSE",
        "posterior_std": "claimed",
        "spread": "of all populations",
        "rmse_of_means": "mean of estimates",
    }
    shown = found[["row", "class", "lenses"]].assign(
        **{name: found[c].map("{:.4f}".format) for c, name in fine.items()}
    )
    shown = shown.assign(**{"slope": found["slope"], "of the mean of estimates": found["slope_of_means"]})
    return html(shown.assign(**_coverages(found)))


def _coverages(found: pd.DataFrame) -> dict[str, pd.Series]:
    """How often intervals hold the truth, with intervals of their own."""
    made = {}
    for part in INTERVALS:
        span = interval(found, f"coverage{part}_low", f"coverage{part}_high", "{:.2f}".format)
        made[f"in {part} %"] = found[f"coverage{part}"].map("{:.3f}".format) + " (" + span + ")"
    return made


def _triage(found: pd.DataFrame) -> str | None:
    """Purity and completeness where as many lenses are flagged as are odd."""
    here = found[found["flagged_fraction"] == found["anomalous_fraction"]]
    here = here.assign(cell=[f"{p:.2f} / {c:.2f}" for p, c in zip(here["purity"], here["completeness"], strict=True)])
    wide = pivoted(here.rename(columns={"detector": "flagged by"}), ["row", "flagged by"], "type", "cell")
    return html(wide)
