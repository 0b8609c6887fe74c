"""The report of a study: one HTML file that holds its tables and figures and needs nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import oddlens
from oddlens.artefacts import replacing
from oddlens.cells import LABELLED, MIXED
from oddlens.chance import FLOOR, one_in
from oddlens.followreport import looked_at
from oddlens.pieces import embedded as _embedded
from oddlens.pieces import html as _html
from oddlens.realreport import real_lenses
from oddlens.regression.targets import DARK, written
from oddlens.tables import ALL, ALPHA, BLIND, HOME, TRAINING, VARIANTS, training_labels
from oddlens.tables.alarms import LENSES
from oddlens.tables.auc import ranking
from oddlens.tables.chances import CLAIMS
from oddlens.tables.findings import FLAGS, SCORES, flagged
from oddlens.tables.regression import PARTS

EXAMPLE = 0.1
"""The contaminated fraction that the text speaks of, or the nearest that the study has."""
LENGTHS = ("log10_vortex_length_arcsec", "log10_axion_mass_1e22_ev")
"""Numbers of the regression that have a published neighbour: a vortex is as long as its axion is light."""
SHOWN = 10
"""So many of the oddest images are shown."""


def report(
    path: str | Path,
    *,
    tables: Mapping[str, str | Path],
    figures: Mapping[str, Mapping[str, str | Path]],
    ranks: str | Path,
    noise: str | Path,
    real: Mapping[str, str | Path],
    real_pictures: Mapping[str, str | Path],
    followed: Iterable[tuple[str | Path, str | Path]],
    captions: Mapping[str, str | Path],
    study: dict[str, Any],
    rows: Mapping[str, Mapping],
    classes: Mapping[str, str],
    made: Mapping[str, Iterable[str]],
    devices: Iterable[str],
) -> None:
    """Write the report.

    Args:
        tables: paths of the result tables, by name.
        figures: for each data set the paths of its figures, by name.
        ranks: the path of the critical-difference diagram.
        noise: the path of the AUC against noise.
        real: paths of the tables of real lenses, by name; empty if there are none.
        real_pictures: folders of the pictures of real lenses, by data set.
        followed: of each image that was fitted again the paths of its table and its picture.
        captions: paths of what is said under each figure, plain text by its name; `ranks`, `noise`, `real`, `follow`.
        study: the validated config as plain data.
        rows: of each detector row its `role`, the row it `ablates`, its `sweep`, what is `varied` in it, `what` it is.
        classes: what each class is.
        made: the `commits`, `versions` and `machines` of all jobs behind the report.
        devices: what the models were trained on.
    """
    read = {name: pd.read_csv(file) for name, file in tables.items() if name != "comparison"}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        study=study,
        prior=_prior,
        change=_change,
        blind=BLIND,
        floor=FLOOR,
        version=oddlens.__version__,
        made=made,
        devices=list(devices),
        config=yaml.safe_dump(study, sort_keys=False, allow_unicode=True),
        described=_described(rows),
        classes=classes,
        seeds=len(study["contamination"]["seeds"]),
        figures={name: {kind: _embedded(file) for kind, file in files.items()} for name, files in figures.items()},
        ranks=_embedded(ranks),
        noise=_embedded(noise) if len(read["noise"]) else None,
        real=real_lenses(real, real_pictures),
        followed=looked_at(followed),
        captions={figure: Path(file).read_text().strip() for figure, file in captions.items()},
        **facts(read, rows, study),
    )
    with replacing(path) as temporary:
        temporary.write_text(page)


def facts(read: Mapping[str, pd.DataFrame], rows: Mapping[str, Mapping], study: dict[str, Any]) -> dict[str, Any]:
    """All that the template says of the results: numbers for its sentences, and tables as HTML (None where empty)."""
    summary, datasets = read["summary"], list(read["summary"]["dataset"].unique())
    judged = summary[summary["contaminant"].isin(HOME)]
    best = [_best(judged[judged["dataset"] == d], read["pairs"], read["published"]) for d in datasets]
    duels = {b["dataset"]: _duels(read["pairs"][read["pairs"]["dataset"] == b["dataset"]], b["detector"]) for b in best}
    own = read["alarms"][read["alarms"]["calibration"] == "own"]
    return {
        "best": best,
        "told": [row for row, e in study["detectors"].items() if e.get("labels") and rows[row]["role"] != "ceiling"],
        "scoreboards": _each(datasets, judged, lambda t: _scoreboard(t, ["ceiling", "detector"])),
        "others": _each(datasets, judged, lambda t: _scoreboard(t, ["reference", "control"])),
        "controls": _controls(judged),
        "contaminated": _each(datasets, summary, _contaminated),
        "slopes": _each(datasets, read["contamination"], lambda t: _slopes(t, rows)),
        "examples": [e for d in datasets if (e := _example(summary[summary["dataset"] == d]))],
        "remedies": _each(datasets, read["pairs"], lambda t: _remedies(t, study, summary["training"].unique())),
        "alarms": _each(datasets, read["alarms"], lambda t: _alarms(t, summary, ("carried", "own"))),
        "own_alarms": _each(datasets, own, lambda t: _alarms(t, summary, ("own",))),
        "chances": _each(datasets, read["chances"], lambda t: _calibration(t, summary)),
        "oddest": {f"{b['dataset']}, {b['detector']}": html for b in best if (html := _oddest(read["oddest"], b))},
        "duels": {dataset: html for dataset, html in duels.items() if html},
        "friedman": _friedman(read["ranks"]),
        "population": [p for b in best if (p := _population(read["population"], b))],
        "pixels": _pixels(read["pixels"]),
        "findings": _each(datasets, read["findings"], _findings),
        "flagged": flagged(read["findings"]),
        "starts": _each(datasets, read["starts"], _starts),
        "ablations": _each(datasets, read["ablations"], _ablations),
        "samples": _each(datasets, read["samples"], _samples),
        "collapsed": _collapsed(read["samples"]),
        "selections": _each(datasets, read["selection"], lambda t: _selection(t, rows)),
        "agreement": _agreement(read["selection"]),
        "regression": _regression(datasets, read) if "regression" in read else None,
        "published": _each(datasets, read["published"], _published),
        "reproductions": _reproductions(read["published"], study),
        "diverged": _diverged(read["auc"]),
    }


# --- pieces of text --------------------------------------------------------------------------------------------------


def _prior(plain: float | dict[str, list[float]]) -> str:
    """A prior as the config writes it, in words: `0.5`, `uniform 0.4, 0.6`."""
    if not isinstance(plain, dict):
        return f"{plain:g}"
    ((kind, parameters),) = plain.items()
    return f"{kind} {', '.join(f'{p:g}' for p in parameters)}"


def _described(rows: Mapping[str, Mapping]) -> dict[str, list[tuple[str, str]]]:
    """For each role the rows that are the same thing, by name, and what they are."""
    found: dict[str, dict[str, list[str]]] = {role: {} for role in ("detector", "ceiling", "reference", "control")}
    for row, entry in rows.items():
        found.get(entry["role"], {}).setdefault(entry["what"], []).append(row)
    return {role: [(", ".join(names), what) for what, names in same.items()] for role, same in found.items()}


def _each(datasets: Iterable[str], table: pd.DataFrame, make) -> dict[str, str]:
    """What `make` makes of the part of each data set, where it makes anything."""
    parts = {dataset: table[table["dataset"] == dataset] for dataset in datasets}
    made = {dataset: make(part) for dataset, part in parts.items() if len(part)}
    return {dataset: html for dataset, html in made.items() if html}


def _change(value: float) -> str:
    """A change with its sign: `+0.012`, `−0.003`."""
    return f"{value:+.3f}".replace("-", "−")


def _signed(values: pd.Series) -> pd.Series:
    return values.map(_change)


def _span(rows: pd.DataFrame, low: str, high: str, write=_change) -> pd.Series:
    """Intervals in words; a dash where there is none."""
    spans = [f"{write(a)} to {write(b)}" for a, b in zip(rows[low], rows[high], strict=True)]
    return pd.Series(spans, rows.index).where(rows[low].notna(), "–")


def _uncertain(values: pd.Series, rows: pd.DataFrame, *spans: tuple[str, str]) -> pd.Series:
    """Values with half the width of each interval: `+0.012 ± 0.004 ± 0.009`; without those that there are not."""
    words = _signed(values)
    for low, high in spans:
        half = (rows[high] - rows[low]) / 2
        words = (words + half.map(" ± {:.3f}".format)).where(half.notna(), words)
    return words


def _p(values: pd.Series) -> pd.Series:
    return values.map(lambda p: "–" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")


def _wide(table: pd.DataFrame, index: list[str], column: str, value: str) -> pd.DataFrame:
    """A pivot that keeps the order in which lines and columns come."""
    wide = table.pivot(index=index, columns=column, values=value)
    lines = pd.MultiIndex.from_frame(table[index].drop_duplicates()) if len(index) > 1 else table[index[0]].unique()
    return wide.loc[lines, list(table[column].unique())].reset_index().rename_axis(columns=None)


# --- how well --------------------------------------------------------------------------------------------------------


def _best(judged: pd.DataFrame, pairs: pd.DataFrame, published: pd.DataFrame) -> dict:
    """The best detector of a data set against all anomalies, beside its equals, the ceilings and what was published."""
    every = judged[judged["anomaly"] == ALL].dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    found = every[every["role"] == "detector"] if (every["role"] == "detector").any() else every
    if not len(found):
        return {"dataset": judged["dataset"].iloc[0], "detector": None}
    best = found.iloc[0].to_dict()
    every_pair = _both_ways(pairs[(pairs["training"] == "clean") & (pairs["anomaly"] == ALL)])
    ours = (every_pair["dataset"] == best["dataset"]) & (every_pair["a"] == best["detector"])
    like = (published["dataset"] == best["dataset"]) & (published["reproduces"] == best["dataset"])
    known = published[like & (published["anomaly"] == ALL) & (published["training"] == "clean")]
    known = known.sort_values("published_auc", ascending=False)
    return best | {
        "equals": list(every_pair.loc[ours & (every_pair["p_holm"] > ALPHA), "b"]),
        "ceilings": every[every["role"] == "ceiling"].to_dict("records"),
        "published": known.iloc[0].to_dict() if len(known) else None,
    }


def _scoreboard(judged: pd.DataFrame, roles: list[str]) -> str | None:
    """The rows of some roles on one data set, best first, with both kinds of interval."""
    chosen = judged[judged["role"].isin(roles)]
    every = chosen[chosen["anomaly"] == ALL].sort_values("auc", ascending=False, kind="stable").set_index("detector")
    if not len(every):
        return None
    table = pd.DataFrame({"row": every.index, "kind": every["role"], "AUC": every["auc"]}, index=every.index)
    table["95 % over test images"] = _span(every, "auc_low", "auc_high", "{:.3f}".format)
    table["95 % over seeds"] = _span(every, "seed_low", "seed_high", "{:.3f}".format)
    for anomaly in [a for a in chosen["anomaly"].unique() if a != ALL]:
        table[f"AUC, {anomaly}"] = chosen[chosen["anomaly"] == anomaly].set_index("detector")["auc"]
    table["average precision"] = every["average_precision"]
    table["found at 1 % false alarms"] = every["tpr_at_fpr_01"]
    table["at 5 %"] = every["tpr_at_fpr_05"]
    return _html(table)


def _controls(judged: pd.DataFrame) -> list[dict]:
    """The controls after clean training, and whether they are as good as blind."""
    found = judged[(judged["role"] == "control") & (judged["anomaly"] == ALL)].dropna(subset="auc")
    return found.assign(blind=(found["auc"] - 0.5).abs() < BLIND).to_dict("records")


def _published(published: pd.DataFrame) -> str | None:
    """One data set of `published.csv`, where we have rows of that detector."""
    found = published[published["detector"].notna() & published["auc"].notna()]
    if not len(found):
        return None
    shown = found[["published", "anomaly", "published_auc", "detector", "auc"]].rename(
        columns={"published_auc": "published AUC", "detector": "our row", "auc": "our AUC"}
    )
    shown["95 % over test images"] = _span(found, "auc_low", "auc_high", "{:.3f}".format)
    shown["95 % over seeds"] = _span(found, "seed_low", "seed_high", "{:.3f}".format)
    shown["ours less published"] = _signed(found["difference"])
    for whose, names in (("published", "published_tpr_{}"), ("ours", "tpr_at_fpr_{}")):
        one, five = (found[names.format(rate)].map("{:.3f}".format) for rate in ("01", "05"))
        known = found[names.format("01")].notna() & found["published_tpr_01"].notna()
        shown[f"found at 1 % / 5 %, {whose}"] = (one + " / " + five).where(known, "–")
    return _html(shown.assign(source=found["source"]))


def _reproductions(published: pd.DataFrame, study: dict[str, Any]) -> list[dict]:
    """Where several data sets are held against one published: their AUCs side by side, and how they differ."""
    found = []
    for name, lines in published.dropna(subset="auc").groupby("reproduces", sort=False):
        datasets = list(lines["dataset"].unique())
        if len(datasets) < 2:
            continue
        first = name if name in datasets else datasets[0]
        keys = ["detector", "anomaly", "published_auc"]
        wide = _wide(lines.sort_values("detector", kind="stable"), keys, "dataset", "auc")
        differences = {d: _departures(study["datasets"][first], study["datasets"][d]) for d in datasets if d != first}
        table = _html(wide.rename(columns={"detector": "our row", "published_auc": "published AUC"}))
        found.append({"name": name, "first": first, "table": table, "differences": differences})
    return found


def _departures(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys in which the world of a data set differs from another's: `camera.noise: poisson -> none`."""
    one, other = (
        {
            f"{section}.{key}": v
            for section in ("lens", "source", "substructure", "camera")
            for key, v in _flat(d[section])
        }
        for d in (one, other)
    )
    said = {key: tuple("–" if v is None else str(v) for v in (one.get(key), other.get(key))) for key in one | other}
    return [f"{key}: {before} → {after}" for key, (before, after) in said.items() if before != after]


def _flat(section: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of a section of the config, priors as words."""
    for key, value in section.items():
        if isinstance(value, dict) and not any(isinstance(v, list) for v in value.values()):
            yield from ((f"{key}.{inner}", leaf) for inner, leaf in _flat(value))
        else:
            yield key, _prior(value) if isinstance(value, dict | float) else value


# --- contamination ---------------------------------------------------------------------------------------------------


def _contaminated(summary: pd.DataFrame) -> str | None:
    """AUC against all anomalies: a line per row, a column per training set; none if all training was clean."""
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["contaminant"] != LABELLED) & ~summary["role"].isin(VARIANTS)
    ]
    if chosen["contaminant"].isin(HOME).all():
        return None
    order = {row: k for k, row in enumerate(ranking(summary))}
    chosen = chosen.sort_values("detector", key=lambda column: column.map(order), kind="stable")
    return _html(_wide(chosen.rename(columns={"detector": "row"}), ["row"], "training", "auc"))


def _slopes(table: pd.DataFrame, rows: Mapping[str, Mapping]) -> str | None:
    """What 10 % of odd training images cost, and where detectors break; against all anomalies, best clean first."""
    table = table[(table["anomaly"] == ALL) & table["detector"].map(lambda row: rows[row]["role"] == "detector")]
    table = table.sort_values("clean_auc", ascending=False, kind="stable")
    if not len(table):
        return None
    shown = table.drop_duplicates("detector")[["detector", "clean_auc"]].set_index("detector")
    shown.columns = ["clean AUC"]
    for contaminant, own in table.groupby("contaminant", sort=False):
        own = own.set_index("detector")
        spans = ("slope_low", "slope_high"), ("seed_slope_low", "seed_slope_high")
        shown[f"{contaminant}: slope per 10 %"] = _uncertain(own["slope_per_10"], own, *spans)
        shown[f"{contaminant}: breaks at"] = own["verdict"]
    return _html(shown.rename_axis("row").reset_index())


def _example(summary: pd.DataFrame) -> dict | None:
    """One contaminated training set of a data set: who is best after it, and who lost least of those that see."""
    chosen = summary[
        (summary["anomaly"] == ALL) & (summary["role"] == "detector") & ~summary["contaminant"].isin(HOME)
    ].dropna(subset=["auc", "change"])
    if not len(chosen):
        return None
    mixed = chosen[chosen["contaminant"] == MIXED] if (chosen["contaminant"] == MIXED).any() else chosen
    fraction = min(mixed["contamination"].unique(), key=lambda p: abs(p - EXAMPLE))
    there = mixed[mixed["contamination"] == fraction].drop_duplicates("detector")
    seeing = there[there["auc"] - there["change"] > 0.5 + BLIND]
    best = there.loc[there["auc"].idxmax()].to_dict()
    return best | {"steadiest": seeing.loc[seeing["change"].idxmax()].to_dict() if len(seeing) else None}


def remedies(study: dict[str, Any]) -> dict[str, str]:
    """Rows that are trained to withstand contamination, and the row that is the same without the remedy."""

    def without(entry: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in entry["training"].items() if k not in ("robust", "assumed_contamination")}
        return {"detector": entry["detector"], "settings": entry.get("settings"), "training": kept}

    plain = {row: e for row, e in study["detectors"].items() if e["training"].get("robust", "none") == "none"}
    robust = {row: e for row, e in study["detectors"].items() if row not in plain}
    pairs = {row: [base for base, b in plain.items() if without(b) == without(e)] for row, e in robust.items()}
    return {row: bases[0] for row, bases in pairs.items() if bases}


def _remedies(pairs: pd.DataFrame, study: dict[str, Any], trainings: Iterable[str]) -> str | None:
    """What each remedy changes at each contamination, against all anomalies; a star where it is significant."""
    every = _both_ways(pairs[pairs["anomaly"] == ALL])
    named = [every[(every["a"] == row) & (every["b"] == base)] for row, base in remedies(study).items()]
    if not any(map(len, named)):  # or none of them converged
        return None
    found = pd.concat(named).assign(row=lambda t: t["a"] + " over " + t["b"])
    cells = _uncertain(found["difference"], found, ("low", "high"), ("seed_low", "seed_high"))
    found["cell"] = cells.where(found["p_holm"] > ALPHA, cells + " *")
    order = {training: k for k, training in enumerate(trainings)}
    return _html(_wide(found.sort_values("training", key=lambda t: t.map(order)), ["row"], "training", "cell"))


def _both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair also as the other sees it."""
    names = ["a", "b", "a_auc", "b_auc"]
    turned = pairs.rename(columns=dict(zip(names, ["b", "a", "b_auc", "a_auc"], strict=True)))
    for low, high in (("low", "high"), ("seed_low", "seed_high"), ("difference", "difference")):
        turned[low], turned[high] = -turned[high], -turned[low]
    return pd.concat([pairs, turned[pairs.columns]])


def _chances(found: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns that say how sure differences are."""
    return {
        "95 % over test images": _span(found, "low", "high"),
        "p (Holm)": _p(found["p_holm"]),
        "95 % over seeds": _span(found, "seed_low", "seed_high"),
    }


def _alarms(alarms: pd.DataFrame, summary: pd.DataFrame, calibrations: tuple[str, ...]) -> str | None:
    """False alarms per 100,000 and the part of all odd lenses found, means over seeds; the detectors, best first.

    Of several calibrations the first that a training set has. `summary` has the order of rows and training sets.
    """
    detectors = _ranked(summary)
    chosen = alarms[(alarms["anomaly"] == ALL) & alarms["detector"].isin(detectors)].dropna(subset="alarms")
    chosen = chosen.assign(training=training_labels(chosen), order=chosen["calibration"].map(calibrations.index))
    chosen = chosen.sort_values("order").drop_duplicates(["training", "detector", "seed"])
    means = chosen.groupby(["training", "detector"])[["alarms", "tpr"]].mean().reset_index()
    cells = [f"{a:,.0f} ({100 * t:.0f} %)" for a, t in zip(means["alarms"], means["tpr"], strict=True)]
    wide = means.assign(cell=cells).pivot(index="detector", columns="training", values="cell")
    wide = wide.reindex(index=detectors, columns=[t for t in summary["training"].unique() if t in wide])
    return _html(wide.rename_axis(index="row", columns=None).reset_index())


def _ranked(summary: pd.DataFrame) -> list[str]:
    """The rows that are detectors, best first."""
    return [row for row in ranking(summary) if row in set(summary["detector"][summary["role"] == "detector"])]


# --- regression ------------------------------------------------------------------------------------------------------


def _regression(datasets: Iterable[str], read: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What the regression estimates, what populations tell, and what becomes of flagged images, as tables."""
    lengths = read["regression"][read["regression"]["target"].isin(LENGTHS)]
    return {
        "estimates": _each(datasets, read["regression"], _estimates),
        "fractions": _each(datasets, read["fractions"], _fractions),
        "triage": _each(datasets, read["triage"], _triage),
        "odd": read["triage"]["odd"].iloc[0],
        "lengths": lengths.to_dict("records"),
    }


def _estimates(found: pd.DataFrame) -> str | None:
    """Errors and coverage of each number: of the lens for the class that comes first, of dark matter for its own."""
    found = found[(found["class"] == found["class"].iloc[0]) | found["target"].isin(map(written, DARK))]
    shown = found[["row", "target", "class"]].rename(columns={"target": "number"})
    shown["spread"] = found["spread"].map("{:.3g}".format)
    shown["RMSE over spread"] = found["rmse"] / found["spread"]
    relative = found[["bias", "bias_low", "bias_high"]].div(found["spread"], axis=0)
    shown["bias over spread"] = _uncertain(relative["bias"], relative, ("bias_low", "bias_high"))
    shown["log score [nats]"] = _uncertain(found["log_score"], found, ("log_score_low", "log_score_high"))
    shown["width over prior's"] = found["width68"]
    return _html(shown.assign(**_coverages(found)))


def _fractions(found: pd.DataFrame) -> str | None:
    """What samples of populations tell of their mean substructure fraction."""
    fine = {
        "rmse": "RMSE",
        "deviation": "claimed",
        "spread": "of all populations",
        "rmse_of_means": "mean of estimates",
    }
    shown = found[["row", "class", "lenses"]].assign(
        **{name: found[c].map("{:.4f}".format) for c, name in fine.items()}
    )
    shown = shown.assign(**{"slope": found["slope"], "of the mean of estimates": found["slope_of_means"]})
    return _html(shown.assign(**_coverages(found)))


def _coverages(found: pd.DataFrame) -> dict[str, pd.Series]:
    """How often intervals hold the truth, with intervals of their own."""
    made = {}
    for part in PARTS:
        span = _span(found, f"coverage{part}_low", f"coverage{part}_high", "{:.2f}".format)
        made[f"in {part} %"] = found[f"coverage{part}"].map("{:.3f}".format) + " (" + span + ")"
    return made


def _triage(found: pd.DataFrame) -> str | None:
    """Purity and completeness where as many lenses are flagged as are odd."""
    here = found[found["flagged"] == found["odd"]]
    here = here.assign(cell=[f"{p:.2f} / {c:.2f}" for p, c in zip(here["purity"], here["completeness"], strict=True)])
    wide = _wide(here.rename(columns={"detector": "flagged by"}), ["row", "flagged by"], "type", "cell")
    return _html(wide)


# --- how odd an image is ---------------------------------------------------------------------------------------------


def _calibration(chances: pd.DataFrame, summary: pd.DataFrame) -> str | None:
    """What became of claimed false-alarm probabilities, means over seeds; the detectors, best first."""
    found = chances.dropna(subset="ks").groupby("detector")
    means, odd, least_p = found.mean(numeric_only=True), found["odd_median"].median(), found["ks_p"].min()
    shown = pd.DataFrame({f"1 in {claim:,} is": means[f"realised_{claim}"].map(one_in) for claim in CLAIMS})
    shown = shown.assign(**{"distance (KS)": means["ks"], "least p": _p(least_p), "median odd lens": odd.map(one_in)})
    shown[f"odd lenses beyond 1 in {CLAIMS[-1]:,}"] = means["odd_beyond"].map("{:.0%}".format)
    shown = shown.loc[[row for row in _ranked(summary) if row in shown.index]]
    return _html(shown.rename_axis("row").reset_index())


def _oddest(oddest: pd.DataFrame, best: Mapping[str, Any]) -> str | None:
    """The oddest images of a data set by its best detector, and what they are."""
    found = oddest[(oddest["dataset"] == best["dataset"]) & (oddest["detector"] == best["detector"])].head(SHOWN)
    shown = pd.DataFrame({"image": found["id"], "smooth lenses as odd": found["chance"].map(one_in)})
    return _html(shown.assign(truly=found["class"]))


# --- statistics, maps, ablations, training ---------------------------------------------------------------------------


def _duels(pairs: pd.DataFrame, best: str | None) -> str | None:
    """The best detector of a data set against each other row, after clean training, all anomalies together."""
    every = _both_ways(pairs[(pairs["training"] == "clean") & (pairs["anomaly"] == ALL)])
    found = every[every["a"] == best].sort_values("difference", kind="stable")
    shown = pd.DataFrame({f"{best} over": found["b"], "difference": _signed(found["difference"])})
    return _html(shown.assign(**_chances(found)))


def _friedman(ranks: pd.DataFrame) -> dict | None:
    """What the ranks over all tasks say; none if they are too few to say anything."""
    ranked = ranks.dropna(subset="mean_rank")
    if len(ranked) < 2 or ranked["tasks"].max() < 2:
        return None
    return {
        "rows": len(ranked),
        "tasks": int(ranked["tasks"].max()),
        "best": ranked["detector"].iloc[0],
        "chi2": ranked["friedman_chi2"].iloc[0],
        "p": ranked["friedman_p"].iloc[0],
        "least_p": 2 / 2 ** ranked["tasks"].max() * len(ranked) * (len(ranked) - 1) / 2,
        "left_out": list(ranks.loc[ranks["mean_rank"].isna(), "detector"]),
    }


def _population(population: pd.DataFrame, best: dict) -> dict | None:
    """How many lenses the best row of a data set needs of each anomaly, of the least and of the most substructure."""
    ours = population[(population["dataset"] == best["dataset"]) & (population["detector"] == best["detector"])]
    needs = [
        f"{_lenses(n, low, high)} with {100 * part:.2g} % of the mass in {anomaly}"
        for anomaly, part, n, low, high in ours.groupby("anomaly", sort=False)
        .nth([0, -1])[["anomaly", "median", "lenses", "lenses_low", "lenses_high"]]
        .itertuples(index=False)
    ]
    return {"dataset": best["dataset"], "detector": best["detector"], "needs": needs} if needs else None


def _lenses(count: float, low: float, high: float) -> str:
    words, least, most = map(_many, (count, low, high))
    span = "" if least == most else f" ({least} to {most})"
    return f"{words}{span} {'lens' if words == '1' else 'lenses'}"


def _many(lenses: float) -> str:
    return f"more than {LENSES:,}" if lenses > LENSES else f"{lenses:.2g}" if lenses < 10 else f"{lenses:,.0f}"


def _pixels(pixels: pd.DataFrame) -> str | None:
    """Pixel AUCs after clean training, means over seeds: a line per row, a column per data set and anomaly."""
    clean = pixels[pixels["contaminant"].isin(HOME)].dropna(subset="pixel_auc")
    keys = ["dataset", "detector", "anomaly"]
    means = clean.groupby(keys, sort=False)[["pixel_auc", "pixel_auc_low", "pixel_auc_high"]].mean().reset_index()
    if not len(means):
        return None
    means["column"] = means["dataset"] + ": " + means["anomaly"]
    span = [f"{x:.3f} ({a:.3f}–{b:.3f})" for x, a, b in means[["pixel_auc", "pixel_auc_low", "pixel_auc_high"]].values]
    order = means.groupby("detector")["pixel_auc"].transform("mean").sort_values(ascending=False, kind="stable").index
    shown = means.assign(cell=span, row=means["detector"]).loc[order]
    return _html(_wide(shown, ["row"], "column", "cell")[["row", *means["column"].unique()]])


def _findings(findings: pd.DataFrame) -> str | None:
    """What is found in test images after clean training, means over seeds."""
    clean = findings[findings["contaminant"].isin(HOME) & (findings["pool"] == "test")]
    means = clean.groupby(["detector", "class"], sort=False).mean(numeric_only=True).reset_index()
    counted = ["images", *FLAGS, "sure"]
    counts = {name: [f"{n:.0f}" if n == n else "" for n in means[name]] for name in counted}
    least = [f"{mass:.1e}" if mass == mass else "" for mass in means["least_msun"]]
    shown = means.assign(**counts, least=least)
    aucs = {f"AUC {name.replace('_', '-')}": means[f"auc_{name}"] for name in SCORES}
    shown = shown.assign(**{name: [f"{a:.3f}" if a == a else "" for a in auc] for name, auc in aucs.items()})
    shown = shown[["detector", "class", "images", *FLAGS, "chi_square", *aucs, "least", "sure"]].assign(
        offset=[f"{offset:.2f}″" if offset == offset else "" for offset in means["offset_arcsec"]],
        mass=[
            f"{mid:.2g} ({low:.2g}–{high:.2g})" if mid == mid else ""
            for mid, low, high in means[["mass_ratio", "mass_ratio_low", "mass_ratio_high"]].values
        ],
    )
    names = {"detector": "row", "at_bounds": "at bounds", "chi_square": "χ² per pixel", "least": "least mass [M☉]"}
    names |= {"sure": "5 σ", "offset": "from the heaviest", "mass": "mass over the heaviest’s"}
    return _html(shown.rename(columns=names))


def _starts(starts: pd.DataFrame) -> str | None:
    """How many fits without the truth end where those from the truth do."""
    shown = starts[["detector", "start", "class", "images", "converged", "reached", "missed", "steps"]]
    return _html(shown.rename(columns={"detector": "row", "steps": "steps (median)"}))


def _ablations(ablations: pd.DataFrame) -> str | None:
    every = ablations[ablations["anomaly"] == ALL]
    shown = every[["base", "base_auc", "ablation", "ablation_auc"]].rename(
        columns={"base": "row", "base_auc": "AUC", "ablation": "without the idea", "ablation_auc": "AUC without"}
    )
    return _html(shown.assign(gained=_signed(every["gain"]), **_chances(every)))


def _samples(samples: pd.DataFrame) -> str | None:
    """Distances of drawn images from real ones after each training, means over seeds; in brackets what chance does."""
    keys = [*TRAINING, "detector"]
    means = samples.groupby(keys, sort=False).mean(numeric_only=True).reset_index()
    shown = pd.DataFrame({"row": means["detector"], "training": training_labels(means)})
    for name, words in (("sliced_wasserstein", "sliced Wasserstein"), ("frechet", "Fréchet"), ("variety", "variety")):
        pairs = zip(means[name], means[f"{name}_floor"], strict=True)
        shown[words] = [f"{found:.3f} ({floor:.3f})" for found, floor in pairs]
    return _html(shown)


def _collapsed(samples: pd.DataFrame) -> list[str]:
    """Models that draw nearly the same image all the time, in words."""
    lost = samples[samples["collapsed"].astype(bool)]
    names = zip(lost["detector"], lost["dataset"], training_labels(lost), lost["seed"], strict=True)
    return [f"{row} on {dataset}, {training}, seed {seed}" for row, dataset, training, seed in names]


def _selection(selection: pd.DataFrame, rows: Mapping[str, Mapping]) -> str | None:
    """What each sweep would have chosen after each training, without labels and with them."""
    lines = []
    for (sweep, *_), found in selection.dropna(subset="sweep").groupby(["sweep", *TRAINING], sort=False):
        chosen, best = (found[found[mark]].iloc[0] for mark in ("chosen", "best"))
        lines.append(
            {
                "sweep": sweep,
                "training": training_labels(found).iloc[0],
                "candidates": len(found),
                "chosen": _words(rows[chosen["detector"]]["varied"]),
                "its AUC": f"{chosen['auc']:.3f} ({chosen['auc_low']:.3f}–{chosen['auc_high']:.3f})",
                "by labels": _words(rows[best["detector"]]["varied"]),
                "AUC by labels": best["auc"],
                "median AUC": found["auc"].median(),
            }
        )
    return _html(pd.DataFrame(lines))


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def _agreement(selection: pd.DataFrame) -> dict[str, tuple[int, float]]:
    """How many rows of each data set were trained cleanly, and Spearman's correlation of both AUCs over them."""
    clean = selection[selection["contaminant"].isin(HOME)].dropna(subset=["probe_auc", "auc"])
    every = {name: (len(t), t["probe_auc"].corr(t["auc"], "spearman")) for name, t in clean.groupby("dataset")}
    return {str(name): (count, found) for name, (count, found) in every.items() if count > 2 and found == found}


def _diverged(auc: pd.DataFrame) -> list[dict]:
    """Models whose training diverged: data set, row, training set and seed."""
    lost = auc[auc["status"] == "diverged"].drop_duplicates(
        ["dataset", "contaminant", "contamination", "detector", "seed"]
    )
    return lost.assign(training=training_labels(lost)).to_dict("records")
