"""Real lenses: tables, problems and figures."""

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.pages.formatting import embedded_image, html_table, interval_column, pivoted
from oddlens.results.tables.findings import FLAGS
from oddlens.results.tables.real import NAME_COLUMNS, problem_lines, read_real
from oddlens.statistics.false_alarm import one_in


def real_section(
    tables: Mapping[str, str | Path],
    images: Mapping[str, str | Path],
    rows: Container[tuple[str, str]] | None = None,
) -> dict[str, Any] | None:
    """The facts about real lenses; None if there are none.

    Args:
        tables: paths of `real`, `real_noise` and `real_claims`.
        images: for each data set the folder with a figure of each lens.
        rows: the rows that are shown, as (data set, row); by default all.
    """
    if not tables:
        return None
    scores, noise, claims = (read_real(tables[name], name) for name in NAME_COLUMNS)
    min_p = float(claims["min_p"].min()) if len(claims) else None
    if rows is not None:
        scores, noise, claims = (_of_rows(rows, table) for table in (scores, noise, claims))
    known, measured = scores.dropna(subset="score"), noise.dropna(subset="auc_real")
    return {
        "objects": int(known["object"].nunique()),
        "min_p": min_p,
        "lenses": _by_dataset(known, _percentiles),
        "problems": problem_lines(scores),
        "claims": _by_dataset(claims, _claims),
        "noise": _by_dataset(measured, _noise),
        "noise_by_frame": _by_dataset(measured, _noise_by_frame),
        "noise_problems": sorted(set(noise["problem"].dropna())),
        "images": {
            dataset: {file.stem: embedded_image(file) for file in sorted(Path(folder).glob("*.png"))}
            for dataset, folder in images.items()
        },
    }


def _of_rows(rows: Container[tuple[str, str]], table: pd.DataFrame) -> pd.DataFrame:
    """The lines of some rows, and lines without a row, which report unusable inputs."""
    own = [key in rows for key in zip(table["dataset"], table["detector"], strict=True)]
    return table[pd.Series(own, table.index) | table["detector"].isna()]


def _by_dataset(table: pd.DataFrame, make: Callable[[pd.DataFrame], pd.DataFrame]) -> dict[str, str]:
    """The result of `make` for the lines of each data set, as HTML."""
    parts = table.groupby("dataset", sort=False)
    return {str(dataset): html for dataset, part in parts if (html := html_table(make(part)))}


def _percentiles(scores: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, a column for each lens: percentile, false-alarm probability, flags."""
    keys, values = ["detector", "lens"], ["percentile", "false_alarm_probability", *FLAGS]
    means = scores.reindex(columns=[*keys, *values]).groupby(keys, sort=False)[values].mean().reset_index()
    means["cell"] = means["percentile"].map("{:.1f}".format) + " (" + means["false_alarm_probability"].map(one_in) + ")"
    for flag in FLAGS:
        means["cell"] += (means[flag] > 0).map({True: f", {flag.replace('_', ' ')}", False: ""})
    wide = means.pivot(index="detector", columns="lens", values="cell")
    wide = wide.loc[means["detector"].unique(), means["lens"].unique()]
    return wide.reset_index().rename(columns={"detector": "row"}).rename_axis(columns=None)


def _claims(claims: pd.DataFrame) -> pd.DataFrame:
    shown = claims[["detector", "claimed", "rank", "lenses", "p", "min_p"]]
    return shown.rename(columns={"detector": "row", "lenses": "lenses in total", "min_p": "smallest possible p"})


def _noise(noise: pd.DataFrame) -> pd.DataFrame:
    """A line for each row and frame, means over seeds. The intervals are the mean intervals of single seeds."""
    means = noise.groupby(["detector", "frame"], sort=False).mean(numeric_only=True).reset_index()

    def span(name: str, number: str) -> list[str]:
        columns = means[[name, f"{name}_low", f"{name}_high"]].to_numpy()
        return [f"{mid:{number}} ({low:{number}} to {high:{number}})".replace("-", "−") for mid, low, high in columns]

    return pd.DataFrame(
        {
            "row": means["detector"],
            "frame": means["frame"],
            "real / simulated noise": means["noise_ratio"].map("{:.2f}".format),
            "AUC, simulated noise": span("auc_simulated", ".3f"),
            "AUC, real noise": span("auc_real", ".3f"),
            "change": span("change", "+.3f"),
            "shift of smooth scores [σ]": means["shift"].map("{:+.2f}".format).str.replace("-", "−"),
        }
    )


def _noise_by_frame(noise: pd.DataFrame) -> pd.DataFrame:
    """AUCs: a line for each row, a column for each frame with the ratio of its noise to the simulated noise."""
    means = noise.groupby(["detector", "frame"], sort=False).mean(numeric_only=True).reset_index()
    frames = means["frame"] + means["noise_ratio"].map(" (× {:.1f})".format)
    parts = []
    for name in ("auc_simulated", "auc_real"):
        span = interval_column(means, f"{name}_low", f"{name}_high", "{:.2f}".format)
        part = means.assign(column=frames, cell=means[name].map("{:.3f}".format) + " (" + span + ")")
        parts.append(part if name == "auc_real" else part.assign(column="simulated noise"))
    cells = pd.concat(parts).drop_duplicates(["detector", "column"])
    return pivoted(cells.rename(columns={"detector": "row"}), ["row"], "column", "cell")
