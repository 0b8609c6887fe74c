"""How well odd lenses are found, and who is better than whom: numbers for sentences, tables as HTML."""

from collections.abc import Mapping

import pandas as pd

from oddlens.results.pages.pieces import html, interval, p_words, signed
from oddlens.results.tables.auc import ranking
from oddlens.results.tables.columns import ALL
from oddlens.results.tables.thresholds import CHANCE_MARGIN, SIGNIFICANCE_LEVEL


def described(rows: Mapping[str, Mapping], descriptions: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """For each role the rows that are the same thing, by name, and what they are."""
    found: dict[str, dict[str, list[str]]] = {role: {} for role in ("detector", "upper_bound", "reference", "control")}
    for row, entry in rows.items():
        found.get(entry["role"], {}).setdefault(descriptions[row], []).append(row)
    return {
        role: [(", ".join(names), description) for description, names in same.items()] for role, same in found.items()
    }


def best_of(judged: pd.DataFrame, pairs: pd.DataFrame, published: pd.DataFrame) -> dict:
    """The best detector of a data set against all anomalies, beside its equals, the ceilings and what was published."""
    every = judged[judged["anomaly"] == ALL].dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    found = every[every["role"] == "detector"] if (every["role"] == "detector").any() else every
    if not len(found):
        return {"dataset": judged["dataset"].iloc[0], "detector": None}
    first = found.iloc[0].to_dict()
    every_pair = both_ways(pairs[(pairs["training"] == "clean") & (pairs["anomaly"] == ALL)])
    ours = (every_pair["dataset"] == first["dataset"]) & (every_pair["a"] == first["detector"])
    like = (published["dataset"] == first["dataset"]) & (published["reproduces"] == first["dataset"])
    known = published[like & (published["anomaly"] == ALL) & (published["training"] == "clean")]
    known = known.sort_values("published_auc", ascending=False)
    return first | {
        "equals": list(every_pair.loc[ours & (every_pair["p_holm"] > SIGNIFICANCE_LEVEL), "b"]),
        "upper_bounds": every[every["role"] == "upper_bound"].to_dict("records"),
        "published": known.iloc[0].to_dict() if len(known) else None,
    }


def scoreboard(judged: pd.DataFrame, roles: list[str]) -> str | None:
    """The rows of some roles on one data set, best first, with both kinds of interval."""
    chosen = judged[judged["role"].isin(roles)]
    every = chosen[chosen["anomaly"] == ALL].sort_values("auc", ascending=False, kind="stable").set_index("detector")
    if not len(every):
        return None
    table = pd.DataFrame({"row": every.index, "kind": every["role"], "AUC": every["auc"]}, index=every.index)
    table["95 % over test images"] = interval(every, "auc_low", "auc_high", "{:.3f}".format)
    table["95 % over seeds"] = interval(every, "seed_low", "seed_high", "{:.3f}".format)
    for anomaly in [a for a in chosen["anomaly"].unique() if a != ALL]:
        table[f"AUC, {anomaly}"] = chosen[chosen["anomaly"] == anomaly].set_index("detector")["auc"]
    table["average precision"] = every["average_precision"]
    table["found at 1 % false alarms"] = every["tpr_at_fpr_01"]
    table["at 5 %"] = every["tpr_at_fpr_05"]
    return html(table)


def controls(judged: pd.DataFrame) -> list[dict]:
    """The controls after clean training, and whether they are as good as blind."""
    found = judged[(judged["role"] == "control") & (judged["anomaly"] == ALL)].dropna(subset="auc")
    return found.assign(blind=(found["auc"] - 0.5).abs() < CHANCE_MARGIN).to_dict("records")


def duels(pairs: pd.DataFrame, best: str | None) -> str | None:
    """The best detector of a data set against each other row, after clean training, all anomalies together."""
    every = both_ways(pairs[(pairs["training"] == "clean") & (pairs["anomaly"] == ALL)])
    found = every[every["a"] == best].sort_values("difference", kind="stable")
    shown = pd.DataFrame({f"{best} over": found["b"], "difference": signed(found["difference"])})
    return html(shown.assign(**sureness(found)))


def friedman(ranks: pd.DataFrame) -> dict | None:
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


def ablations(table: pd.DataFrame) -> str | None:
    """What each idea is worth against all anomalies, a line each."""
    every = table[table["anomaly"] == ALL]
    shown = every[["base", "base_auc", "ablation", "ablation_auc"]].rename(
        columns={"base": "row", "base_auc": "AUC", "ablation": "without the idea", "ablation_auc": "AUC without"}
    )
    return html(shown.assign(gained=signed(every["gain"]), **sureness(every)))


def both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each pair also as the other sees it."""
    names = ["a", "b", "a_auc", "b_auc"]
    turned = pairs.rename(columns=dict(zip(names, ["b", "a", "b_auc", "a_auc"], strict=True)))
    for low, high in (("low", "high"), ("seed_low", "seed_high"), ("difference", "difference")):
        turned[low], turned[high] = -turned[high], -turned[low]
    return pd.concat([pairs, turned[pairs.columns]])


def sureness(found: pd.DataFrame) -> dict[str, pd.Series]:
    """The columns that say how sure differences are."""
    return {
        "95 % over test images": interval(found, "low", "high"),
        "p (Holm)": p_words(found["p_holm"]),
        "95 % over seeds": interval(found, "seed_low", "seed_high"),
    }


def ranked(summary: pd.DataFrame) -> list[str]:
    """The rows that are detectors, best first."""
    return [row for row in ranking(summary) if row in set(summary["detector"][summary["role"] == "detector"])]
