"""The report of a study: one HTML file that holds its tables and figures and needs nothing else."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import oddlens
from oddlens.artefacts import replacing
from oddlens.cells import CLEAN
from oddlens.tables import ALL, training_labels

BLIND = 0.02
"""How far from one half the AUC of a control may lie. Twins share all but their substructure, so the faint dimming that
substructure does bring is significant long before it is of any use; the size of the effect is what counts."""
CONTROL = "Control: "
"""How the summary of a detector begins that should fail: if it doesn't, the data give their labels away."""


def report(
    path: str | Path,
    *,
    tables: dict[str, str],
    figures: dict[str, dict[str, str]],
    study: dict[str, Any],
    detectors: dict[str, str],
    classes: dict[str, str],
    versions: dict[str, str],
) -> None:
    """Write the report.

    Args:
        tables: paths of `auc`, `comparison` and `published`.
        figures: for each data set the paths of its figures, by name.
        study: the validated config as plain data.
        detectors: what each detector is, by row.
        classes: what each class is.
    """
    auc = pd.read_csv(tables["auc"])
    clean = auc[auc["contaminant"] == CLEAN]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        study=study,
        prior=_prior,
        version=oddlens.__version__,
        versions=versions,
        config=yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
        clean=_clean_table(clean),
        controls=_controls(clean, [row for row, what in detectors.items() if what.startswith(CONTROL)]),
        detectors=detectors,
        classes=classes,
        best=_best(clean),
        contaminated=_contaminated(auc),
        published=_published(pd.read_csv(tables["published"])),
        figures={name: {kind: _embedded(file) for kind, file in files.items()} for name, files in figures.items()},
    )
    with replacing(path) as temporary:
        temporary.write_text(page)


def _prior(plain: float | dict[str, list[float]]) -> str:
    """A prior as the config writes it, in words: `0.5`, `uniform 0.4, 0.6`."""
    if not isinstance(plain, dict):
        return f"{plain:g}"
    ((kind, parameters),) = plain.items()
    return f"{kind} {', '.join(f'{p:g}' for p in parameters)}"


def _embedded(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def _html(table: pd.DataFrame) -> str:
    return table.to_html(index=False, border=0, na_rep="–", escape=True, float_format="{:.3f}".format)


def _mean(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, one row for each data set, training set, detector and anomaly, in order of appearance."""
    keys = ["dataset", "contaminant", "contamination", "detector", "anomaly"]
    return (
        rows.groupby(keys, sort=False)[["auc", "auc_low", "auc_high", "tpr_at_fpr_01", "tpr_at_fpr_05"]]
        .mean()
        .reset_index()
    )


def _clean_table(clean: pd.DataFrame) -> str:
    """Detectors in rows, anomalies of each data set in columns: AUC with its interval."""
    rows = _mean(clean)
    rows["cell"] = rows.apply(lambda r: f"{r['auc']:.3f} ({r['auc_low']:.3f}–{r['auc_high']:.3f})", axis=1)
    rows["column"] = rows["dataset"] + ": " + rows["anomaly"]
    wide = rows.pivot_table(index="detector", columns="column", values="cell", aggfunc="first", sort=False)
    order = rows[rows["anomaly"] == ALL].groupby("detector")["auc"].mean().sort_values(ascending=False, kind="stable")
    return _html(wide.loc[order.index].reset_index().rename_axis(columns=None))


def _best(clean: pd.DataFrame) -> list[dict]:
    """The best detector of each data set against all anomalies."""
    rows = _mean(clean[clean["anomaly"] == ALL])
    return rows.loc[rows.groupby("dataset", sort=False)["auc"].idxmax()].to_dict("records")


def _controls(clean: pd.DataFrame, controls: list[str]) -> list[dict]:
    """The controls after clean training, and whether they are as good as blind."""
    rows = _mean(clean[clean["detector"].isin(controls) & (clean["anomaly"] == ALL)])
    rows["blind"] = (rows["auc"] - 0.5).abs() < BLIND
    return rows.to_dict("records")


def _contaminated(auc: pd.DataFrame) -> str:
    """AUC against all anomalies: a row per data set and detector, a column per training set."""
    rows = _mean(auc[auc["anomaly"] == ALL])
    rows["training"] = training_labels(rows)
    wide = rows.pivot(index=["dataset", "detector"], columns="training", values="auc")
    pairs = rows[["dataset", "detector"]].drop_duplicates().itertuples(index=False, name=None)
    wide = wide.loc[list(pairs), list(rows["training"].unique())]
    return _html(wide.reset_index().rename_axis(columns=None))


def _published(table: pd.DataFrame) -> str:
    return _html(table[table["auc"].notna()].rename(columns={"published_auc": "published AUC", "auc": "our AUC"}))
