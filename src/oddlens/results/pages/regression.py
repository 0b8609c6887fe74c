"""Estimated parameters of lens and dark matter: accuracy, populations, and classification of flagged lenses."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from oddlens.regression.targets import DARK_MATTER, FRACTION, column_name
from oddlens.results.pages.formatting import by_dataset, html_table, interval_column, pivoted, uncertain_column
from oddlens.results.tables.regression import INTERVALS

PUBLISHED_TARGETS = ("log10_vortex_length_arcsec", "log10_axion_mass_1e22_ev")
"""Parameters for which errors are published: the length of a vortex is inversely proportional to the axion mass."""

Tables = Mapping[str, pd.DataFrame]
"""The tables `regression`, `fractions` and `triage`."""


def regression_section(datasets: Iterable[str], tables: Tables) -> dict[str, Any]:
    """The tables of a study's report, and the lines of parameters with published errors."""
    regression, triage = tables["regression"], tables["triage"]
    return {
        "estimates": by_dataset(datasets, regression, _estimates),
        "fractions": by_dataset(datasets, tables["fractions"], _fractions),
        "triage": by_dataset(datasets, triage, _triage),
        "anomalous_fraction": triage["anomalous_fraction"].iloc[0],
        "lengths": regression[regression["target"].isin(PUBLISHED_TARGETS)].to_dict("records"),
    }


def short_section(datasets: Iterable[str], tables: Tables) -> dict[str, Any]:
    """The same with shorter tables, and the lines of the best row for the substructure fraction.

    `single` has its lines of `regression.csv` for each data set and class, `many` its lines of `fractions.csv` for the
    largest sample.
    """
    regression, fractions = tables["regression"], tables["fractions"]
    single = regression[regression["target"] == FRACTION].sort_values("log_score", ascending=False, kind="stable")
    single = single.drop_duplicates(["dataset", "class"])
    keys = ["dataset", "row", "class"]
    many = (
        fractions.sort_values("lenses", kind="stable").drop_duplicates(keys, keep="last").merge(single[keys], on=keys)
    )
    single, many = (table.sort_values(["dataset", "class"]) for table in (single, many))
    return regression_section(datasets, tables) | {
        "estimates": by_dataset(datasets, regression, _side_by_side),
        "fractions": by_dataset(datasets, fractions.merge(single[keys]), _fractions),
        "single": single.to_dict("records"),
        "many": many.to_dict("records"),
    }


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Parameters of the lens for the first class, parameters of dark matter for their own class."""
    return table[(table["class"] == table["class"].iloc[0]) | table["target"].isin(map(column_name, DARK_MATTER))]


def _side_by_side(table: pd.DataFrame) -> str | None:
    """A line for each parameter, a column for each row: RMSE over spread, log score, coverage of 68 % intervals."""
    table = _shown(table).rename(columns={"target": "parameter"})
    numbers = zip(table["rmse"] / table["spread"], table["log_score"], table["coverage68"], strict=True)
    cells = [f"{error:.2f}, {score:.2f}, {coverage:.2f}".replace("-", "−") for error, score, coverage in numbers]
    return html_table(pivoted(table.assign(cell=cells), ["parameter", "class"], "row", "cell"))


def _estimates(table: pd.DataFrame) -> str | None:
    """Accuracy and coverage of each parameter."""
    table = _shown(table)
    shown = table[["row", "target", "class"]].rename(columns={"target": "parameter"})
    shown["spread"] = table["spread"].map("{:.3g}".format)
    shown["RMSE / spread"] = table["rmse"] / table["spread"]
    relative = table[["bias", "bias_low", "bias_high"]].div(table["spread"], axis=0)
    shown["bias / spread"] = uncertain_column(relative["bias"], relative, ("bias_low", "bias_high"))
    shown["log score [nats]"] = uncertain_column(table["log_score"], table, ("log_score_low", "log_score_high"))
    shown["width / prior width"] = table["width68"]
    return html_table(shown.assign(**_coverage_columns(table)))


def _fractions(table: pd.DataFrame) -> str | None:
    """Estimates of the mean substructure fraction from samples of populations."""
    columns = {
        "RMSE": "rmse",
        "posterior std": "posterior_std",
        "spread of populations": "spread",
        "RMSE, mean of estimates": "rmse_of_means",
    }
    shown = table[["row", "class", "lenses"]].assign(
        **{title: table[name].map("{:.4f}".format) for title, name in columns.items()}
    )
    shown = shown.assign(**{"slope": table["slope"], "slope, mean of estimates": table["slope_of_means"]})
    return html_table(shown.assign(**_coverage_columns(table)))


def _coverage_columns(table: pd.DataFrame) -> dict[str, pd.Series]:
    """The coverage of credible intervals, with its own intervals."""
    columns = {}
    for name in INTERVALS:
        span = interval_column(table, f"coverage{name}_low", f"coverage{name}_high", "{:.2f}".format)
        columns[f"coverage of {name} %"] = table[f"coverage{name}"].map("{:.3f}".format) + " (" + span + ")"
    return columns


def _triage(table: pd.DataFrame) -> str | None:
    """Purity and completeness if as many lenses are flagged as are anomalous."""
    chosen = table[table["flagged_fraction"] == table["anomalous_fraction"]]
    cells = [f"{p:.2f} / {c:.2f}" for p, c in zip(chosen["purity"], chosen["completeness"], strict=True)]
    chosen = chosen.assign(cell=cells).rename(columns={"detector": "flagged by"})
    return html_table(pivoted(chosen, ["row", "flagged by"], "type", "cell"))
