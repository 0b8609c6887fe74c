"""What a report says of real lenses, from their tables: numbers for its sentences, tables as HTML, pictures."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from oddlens.results.pages.pieces import embedded, html, interval, pivoted
from oddlens.results.tables.findings import FLAGS
from oddlens.results.tables.real import problem_lines
from oddlens.statistics.false_alarm import one_in


def real_lenses(
    tables: Mapping[str, str | Path],
    pictures: Mapping[str, str | Path],
    rows: Container[tuple[str, str]] | None = None,
) -> dict[str, Any] | None:
    """All that the template says of real lenses; None if there are none.

    Args:
        tables: paths of `real`, `real_noise` and `real_claims`.
        pictures: of each data set the folder with a picture of each lens.
        rows: as (data set, row), those that are told of; by default all.
    """
    if not tables:
        return None
    scored, noise, claims = (pd.read_csv(tables[name]) for name in ("real", "real_noise", "real_claims"))
    if rows is not None:
        scored, noise, claims = (_of(rows, table) for table in (scored, noise, claims))
    known = scored.dropna(subset="score")
    return {
        "objects": int(known["object"].nunique()),
        "lenses": _by(known, _percentiles),
        "problems": problem_lines(scored),
        "claims": _by(claims, _claims),
        "noise": _by(noise.dropna(subset="auc_real"), _noise),
        "by_frame": _by(noise.dropna(subset="auc_real"), _by_frame),
        "no_noise": sorted(set(noise["problem"].dropna())),
        "pictures": {
            dataset: {file.stem: embedded(file) for file in sorted(Path(folder).glob("*.png"))}
            for dataset, folder in pictures.items()
        },
    }


def _of(rows: Container[tuple[str, str]], table: pd.DataFrame) -> pd.DataFrame:
    """The lines of some rows, and those of none, which say what could not be used."""
    own = [key in rows for key in zip(table["dataset"], table["detector"], strict=True)]
    return table[pd.Series(own, table.index) | table["detector"].isna()]


def _by(table: pd.DataFrame, make) -> dict[str, str]:
    """What `make` makes of the part of each data set."""
    return {str(dataset): made for dataset, part in table.groupby("dataset", sort=False) if (made := html(make(part)))}


def _percentiles(scored: pd.DataFrame) -> pd.DataFrame:
    """A line for each row, a column for each lens: percentile, how many smooth ones score as high, flags."""
    keys, figures = ["detector", "lens"], ["percentile", "false_alarm_probability", *FLAGS]
    means = scored.reindex(columns=[*keys, *figures]).groupby(keys, sort=False)[figures].mean().reset_index()
    means["cell"] = means["percentile"].map("{:.1f}".format) + " (" + means["false_alarm_probability"].map(one_in) + ")"
    for flag in FLAGS:
        means["cell"] += (means[flag] > 0).map({True: f", {flag.replace('_', ' ')}", False: ""})
    wide = means.pivot(index="detector", columns="lens", values="cell")
    wide = wide.loc[means["detector"].unique(), means["lens"].unique()]
    return wide.reset_index().rename(columns={"detector": "row"}).rename_axis(columns=None)


def _claims(claims: pd.DataFrame) -> pd.DataFrame:
    shown = claims[["detector", "claimed", "rank", "lenses", "p", "min_p"]]
    return shown.rename(columns={"detector": "row", "lenses": "of n lenses", "min_p": "least p that n allows"})


def _noise(noise: pd.DataFrame) -> pd.DataFrame:
    """A line for each row and frame, means over seeds; the intervals are those of one seed, averaged."""
    means = noise.groupby(["detector", "frame"], sort=False).mean(numeric_only=True).reset_index()

    def span(name: str, number: str) -> list[str]:
        columns = means[[name, f"{name}_low", f"{name}_high"]].to_numpy()
        return [f"{mid:{number}} ({low:{number}} to {high:{number}})".replace("-", "−") for mid, low, high in columns]

    return pd.DataFrame(
        {
            "row": means["detector"],
            "noise of": means["frame"],
            "real over simulated noise": means["noise_ratio"].map("{:.2f}".format),
            "AUC, simulated noise": span("auc_simulated", ".3f"),
            "AUC, real noise": span("auc_real", ".3f"),
            "change": span("change", "+.3f"),
            "shift of smooth scores [σ]": means["shift"].map("{:+.2f}".format).str.replace("-", "−"),
        }
    )


def _by_frame(noise: pd.DataFrame) -> pd.DataFrame:
    """AUCs: a line for each row, a column for each frame with how many times the simulated scatter its noise has."""
    means = noise.groupby(["detector", "frame"], sort=False).mean(numeric_only=True).reset_index()
    frames = means["frame"] + means["noise_ratio"].map(" (× {:.1f})".format)
    parts = []
    for name in ("auc_simulated", "auc_real"):
        span = interval(means, f"{name}_low", f"{name}_high", "{:.2f}".format)
        part = means.assign(column=frames, cell=means[name].map("{:.3f}".format) + " (" + span + ")")
        parts.append(part if name == "auc_real" else part.assign(column="simulated noise"))
    cells = pd.concat(parts).drop_duplicates(["detector", "column"])
    return pivoted(cells.rename(columns={"detector": "row"}), ["row"], "column", "cell")
