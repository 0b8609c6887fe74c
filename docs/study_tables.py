"""Print the tables of the pages, made of those that studies left in results/.

    python docs/study_tables.py

tests/docs/test_study_tables.py compares the pages with them. A study without tables in results/ is left out.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from oddlens.results.tables.lens_fits import above_control

RESULTS = Path(__file__).parents[1] / "results"
PAGES = {
    "physics": "detectors-lensfit.md",
    "stress": "stress.md",
    "sky": "sky.md",
    "slacs": "lens_fits.md",
    "gan_long": "detectors-gan.md",
    "information_length": "detectors-information.md",
    "information_32000": "detectors-information.md",
}
"""The page of each study."""
MODELS = {"model_a": "A", "model_b": "B"}
GAN_ROWS = {"pgan_se_simultaneous": "at the same time", "pgan_se_afterwards": "afterwards", "dcae": "`dcae`"}
"""The rows of `gan_long` by their names on the page."""
QUALITY = ("frechet", "frechet_floor", "sliced_wasserstein", "sliced_wasserstein_floor")
TRAININGS = ("clean", "mixed 10%", "mixed 20%")
CODES = {
    "svdd": ("`svdd`, turned", ("centre", "mahalanobis")),
    "svdd_rotated": ("`svdd`, rotated", ("centre", "mahalanobis")),
    "svdd_residual": ("`svdd`, residuals", ("centre", "mahalanobis")),
    "infonce_turned": ("`infonce`, turned", ("centre", "knn", "mahalanobis")),
    "infonce_rotated": ("`infonce`, rotated", ("centre", "knn", "mahalanobis")),
    "infonce_residual": ("`infonce`, residuals", ("centre", "knn", "mahalanobis")),
}
"""Rows of `information_length` without their epochs, by their names on the page, and the scores of their codes."""
LENGTHS = (8, 32, 128)
"""Epochs of these rows."""
CODE_REFERENCES = {
    "random": "random numbers",
    "flux": "`flux`",
    "ring_radius": "`ring_radius`",
    "dcae_residual_8": "`dcae`, residuals, 8 epochs",
    "dcae_8": "`dcae`, 8 epochs",
    "dcae_32": "`dcae`, 32 epochs",
    "infonce_8": "`infonce`, reconstruction error, 8 epochs",
    "infonce_32": "`infonce`, reconstruction error, 32 epochs",
    "lensfit": "`lensfit`",
    "oracle": "`oracle`",
}
IMAGE_COUNTS = {"information_1600": "", "information_length": "_32", "information_32000": ""}
"""Studies with 1,600, 8,000 and 32,000 training images, and what their rows of equal steps end with."""
WORLDS = {
    "model B": "model_b",
    "elliptical halo": "elliptical",
    "multipoles": "multipoles",
    "free Sersic index": "index",
    "clumps": "clumps",
    "light of the lens galaxy": "light",
    "correlated noise": "correlated",
    "model C: all of these": "model_c",
}
"""The data sets of `physics` by their names on the page."""
LEARNED = ("aae", "cvae", "dcae")
FITS = ("lensfit_poor", "lensfit_no_cells", "lensfit", "lensfit_rich")
SKY_WORLDS = {"round": "round", "clumpy": "clumpy", "real galaxies": "galaxies", "sky": "sky"}
"""The data sets of `sky` by their names on the page."""
SKY_FITS = ("lensfit", "lensfit_robust")
EVIDENCES = (0, 3, 5, 10, 20, 30, 40)
"""Log evidences above which fits of SLACS lenses are counted."""
SKY_DECOYS = ("luminous_clump", "light_residual", "multipole_3", "multipole_4", "psf_too_narrow")
STRESS_FITS = ("lensfit", "lensfit_without_multipoles", "lensfit_robust")
MASS_BINS = 10 ** np.arange(8, 11.1, 0.5)
SUBHALOS = {"subhalo": "60", "concentration_30": "30", "concentration_15": "15", "line_of_sight": "line of sight"}
DECOYS = [f"multipole_{kind}" for kind in ("4_weak", "4_strong", "3_strong")]
DECOYS += [f"clump_{sigma}_sigma" for sigma in (3, 6, 10)]


def read(study: str, table: str) -> pd.DataFrame:
    """A committed table."""
    return pd.read_csv(RESULTS / study / "tables" / f"{table}.csv")


def line(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def number(value: float) -> str:
    """A number with one decimal; a dash if there is none."""
    return "–" if np.isnan(value) else f"{value:.1f}"


def found_by_mass(bins: pd.DataFrame) -> list[str]:
    """The completeness in each bin of mass, in per cent."""
    return [per_cent(bins.loc[np.isclose(bins["bin_low"], low), "detected"].item()) for low in MASS_BINS[:-1]]


def per_cent(fraction: float) -> str:
    """A fraction in per cent; a dash where a table has none, because a class has too few images for the rate."""
    return "–" if np.isnan(fraction) else f"{100 * fraction:.0f}"


def physics() -> list[str]:
    """AUC cdm / vortex of each data set and row; "learned" is the best of three rows in the AUC of all anomalies."""
    summary = read("physics", "summary").query("training == 'clean'")
    auc = summary.pivot_table(index=["dataset", "detector"], columns="anomaly", values="auc")
    lines = []
    for label, dataset in WORLDS.items():
        own = auc.loc[dataset]
        rows = ["oracle", own.loc[list(LEARNED), "all"].idxmax(), *FITS]
        lines.append(line(label, *(f"{own.loc[row, 'cdm']:.3f} / {own.loc[row, 'vortex']:.3f}" for row in rows)))
    return lines


def stress(dataset: str = "stress", rate: float = 0.1) -> dict[str, list[str]]:
    """Completeness by mass with the AUC, false alarms of decoys, and localisation, each in per cent."""
    detection = read("stress", "detection").query(f"dataset == '{dataset}' and false_alarm_rate == {rate}")
    auc = read("stress", "summary").query(f"dataset == '{dataset}' and training == 'clean'")
    auc = auc.set_index(["detector", "anomaly"])["auc"]
    bins = detection[detection["truth"] == "heaviest_m200_msun"]
    found = {"completeness": [], "decoys": [], "localised": []}
    for row in STRESS_FITS:
        for cls, label in SUBHALOS.items():
            if (row, cls) not in auc.index:
                continue
            own = bins[(bins["detector"] == row) & (bins["class"] == cls)].sort_values("bin_low")
            cells = found_by_mass(own)
            found["completeness"].append(line(f"`{row}`", label, *cells, f"{auc[row, cls]:.3f}"))
        whole = detection[(detection["detector"] == row) & detection["truth"].isna()].set_index("class")["detected"]
        cells = [f"{100 * whole[decoy]:.0f}" for decoy in DECOYS if decoy in whole.index]
        found["decoys"].append(line(f"`{row}`", *cells))
    places = read("stress", "localisation").query(f"dataset == '{dataset}' and false_alarm_rate == {rate}")
    own = places[places["detector"] == "lensfit"].set_index("class")
    for cls, each in own.loc[[cls for cls in SUBHALOS if cls in own.index]].iterrows():
        cells = [f"{100 * each[name]:.0f}" for name in ("localised", "localised_by_chance")]
        bias = f"{each['localised_bias_dex']:+.2f} ± {each['localised_scatter_dex']:.2f}"
        found["localised"].append(line(SUBHALOS[str(cls)], *cells, bias))
    return found


def sky(rate: float = 0.01) -> dict[str, list[str]]:
    """AUC of each world and anomaly; false alarms of decoys and completeness by mass at one rate, in per cent."""
    summary = read("sky", "summary").query("anomaly != 'all'")
    summary["row"] = summary["detector"].where(summary["training"] == "clean", summary["detector"] + ", 10 %")
    auc = summary.pivot_table(index=["dataset", "anomaly"], columns="row", values="auc")
    detection = read("sky", "detection").query(f"false_alarm_rate == {rate}")
    whole = detection[detection["truth"].isna()].set_index(["dataset", "detector", "class"])["detected"]
    bins = detection[detection["truth"] == "heaviest_m200_msun"]
    found = {"AUC": [], "decoys": [], "completeness": []}
    for label, dataset in SKY_WORLDS.items():
        for anomaly, own in auc.loc[dataset].iterrows():
            learned = own[["dcae", "infonce"]].idxmax()
            rows = ["oracle", learned, f"{learned}, 10 %", "dcae_residual", *SKY_FITS]
            found["AUC"].append(line(label, f"`{anomaly}`", *(f"{own[row]:.3f}" for row in rows)))
        for row in SKY_FITS:
            classes = [*SKY_DECOYS, "cdm", "vortex"]
            cells = [per_cent(whole[dataset, row, cls]) for cls in classes]
            found["decoys"].append(line(label, f"`{row}`", *cells))
            for cls in ("subhalo", "line_of_sight"):
                own = bins.query(f"dataset == '{dataset}' and detector == '{row}' and `class` == '{cls}'")
                if len(own):
                    found["completeness"].append(line(label, f"`{row}`", f"`{cls}`", *found_by_mass(own)))
    return found


def slacs(candidates: int = 10) -> dict[str, list[str]]:
    """How well lenses are fitted, and those with most evidence for a mass among fits that explain their frame."""
    table = read("slacs", "real_lenses")
    fitted = table[table["problem"].isna()]
    explained = fitted[fitted["explains_frame"].astype(bool)]
    ratio = fitted["einstein_radius"] / fitted["published_einstein_radius"]
    known = fitted.dropna(subset=["log_evidence_gain", "published_log_evidence_gain"])
    ranks = known[["log_evidence_gain", "published_log_evidence_gain"]].corr("spearman").iloc[0, 1]
    quality = [
        line("lenses with a fit", f"{len(fitted)} of {len(table)}"),
        line("fits that explain their frame", str(len(explained))),
        line("chi-square per pixel, median", f"{fitted['reduced_chi_square'].median():.2f}"),
        line("Einstein radius within 5 % of the published one", str(int((abs(ratio - 1) < 0.05).sum()))),
        line("Einstein radius within 10 %", str(int((abs(ratio - 1) < 0.1).sum()))),
        line("rank correlation with published evidences", f"{ranks:.2f} ({len(known)} lenses)"),
    ]
    better = f"{above_control(explained)} of {len(explained)}"
    quality.append(line("more evidence for a mass than for a negative one", better))
    both = explained[(explained[["log_evidence_gain", "control_log_evidence_gain"]] > 0).all(axis=1)]
    orders = both["log_evidence_gain"] + both["control_beside_mass_log_evidence_gain"]
    orders -= both["control_log_evidence_gain"] + both["beside_control_log_evidence_gain"]
    quality.append(line("difference of both orders of mass and control, median", f"{orders.abs().median():.1f}"))
    for own in fitted[fitted["planted"] > 0].itertuples():
        limits = f"{own.detectable_50_msun / 1e9:.1f}, {own.detectable_90_msun / 1e9:.1f}"
        quality += [
            line(f"{own.lens}: planted masses that are detected", f"{own.detected:.0f} of {own.planted:.0f}"),
            line(f"{own.lens}: detected in 50 and 90 % of cases [10^9 M☉]", limits),
        ]
    best = [
        line(
            own.lens,
            f"{own.log_evidence_gain:.1f}",
            number(own.control_log_evidence_gain),
            number(own.beside_control_log_evidence_gain),
            number(own.control_beside_mass_log_evidence_gain),
            f"{own.control_probability:.2f}",
            number(own.published_log_evidence_gain),
            f"{own.x:.2f}, {own.y:.2f}",
            f"{own.mass_within_1_kpc_msun / 1e9:.1f}",
            f"{own.false_alarm_probability:.3f} ({own.twins:.0f} twins)" if own.twins else "–",
        )
        for own in explained.nlargest(candidates, "log_evidence_gain").itertuples()
    ]
    above = [
        line(title, *(str((explained[column] > limit).sum()) for limit in EVIDENCES))
        for title, column in (
            ("lenses with a mass", "log_evidence_gain"),
            ("lenses with a negative mass", "control_log_evidence_gain"),
            ("lenses with a mass beside the negative one", "beside_control_log_evidence_gain"),
            ("lenses with a negative mass beside the mass", "control_beside_mass_log_evidence_gain"),
        )
    ]
    return {"quality": quality, "above": above, "evidence": best}


def gan_long() -> dict[str, list[str]]:
    """AUC and its change by contamination, the gain of an encoder trained at the same time, quality of samples."""
    summary = (
        read("gan_long", "summary")
        .query("anomaly == 'all'")
        .set_index(["dataset", "detector", "training"])
        .sort_index()
    )
    pairs = read("gan_long", "pairs").query("anomaly == 'all'").set_index(["dataset", "training", "a", "b"])
    samples = read("gan_long", "samples").groupby(["dataset", "detector", "contamination"])[list(QUALITY)].mean()
    found = {"AUC": [], "gain": [], "samples": []}
    for dataset, model in models_in(summary).items():
        for row, label in GAN_ROWS.items():
            own = summary.loc[dataset, row].loc[list(TRAININGS)]
            changes = (interval(*each) for each in own[["change", "change_low", "change_high"]].iloc[1:].to_numpy())
            found["AUC"].append(line(model, label, *(f"{auc:.3f}" for auc in own["auc"]), *changes))
        gains = [interval(*gain_of(pairs.loc[dataset, training], *list(GAN_ROWS)[:2])) for training in TRAININGS]
        found["gain"].append(line(model, *gains))
        for row, label in list(GAN_ROWS.items())[:2]:
            for contamination, own in samples.loc[dataset, row].iterrows():
                cells = [
                    f"{own[name]:.4f} ({own[floor]:.4f})" for name, floor in zip(*[iter(QUALITY)] * 2, strict=True)
                ]
                found["samples"].append(line(model, label, f"{contamination:.0%}".replace("%", " %"), *cells))
    return found


def auc_of_all(study: str) -> pd.DataFrame:
    """The AUC of all anomalies of each row, trained on the clean set, with its interval."""
    own = read(study, "summary").query("anomaly == 'all' and training == 'clean'").set_index("detector")
    return own[["auc", "auc_low", "auc_high"]]


def estimate(auc: pd.DataFrame, row: str) -> str:
    """An AUC with its interval of 95 %; a dash for a row that the study does not have."""
    return "{:.3f} ({:.3f}, {:.3f})".format(*auc.loc[row]) if row in auc.index else "–"


def scored(row: str, score: str) -> str:
    """The row that scores codes so. The first score of a row, `centre`, is its own."""
    return row if score == "centre" else f"{row}_{score}"


def information_length() -> dict[str, list[str]]:
    """AUC of codes against the length of the training, and of rows that they are compared with."""
    auc = auc_of_all("information_length")
    codes = [
        line(label, f"`{score}`", *(estimate(auc, scored(f"{base}_{epochs}", score)) for epochs in LENGTHS))
        for base, (label, scores) in CODES.items()
        for score in scores
    ]
    return {
        "codes": codes,
        "references": [line(label, estimate(auc, row)) for row, label in CODE_REFERENCES.items()],
    }


def information_images() -> list[str]:
    """AUC of codes against the number of training images, at equal numbers of steps."""
    studies = {study: auc_of_all(study) for study in IMAGE_COUNTS}
    return [
        line(
            CODES[base][0],
            f"`{score}`",
            *(estimate(auc, scored(base + IMAGE_COUNTS[study], score)) for study, auc in studies.items()),
        )
        for base in ("svdd", "infonce_turned")
        for score in CODES[base][1]
    ]


def models_in(summary: pd.DataFrame) -> dict[str, str]:
    """The models of a study, by their data sets."""
    return {dataset: model for dataset, model in MODELS.items() if dataset in summary.index.get_level_values("dataset")}


def gain_of(pairs: pd.DataFrame, a: str, b: str) -> tuple[float, float, float]:
    """The AUC of a row minus that of another, with its interval, from pairs in any order."""
    if (a, b) in pairs.index:
        own = pairs.loc[(a, b)]
        return own["difference"], own["low"], own["high"]
    own = pairs.loc[(b, a)]
    return -own["difference"], -own["high"], -own["low"]


def interval(value: float, low: float, high: float) -> str:
    """A difference with its interval of 95 %."""
    return f"{value:+.3f} ({low:+.3f}, {high:+.3f})"


def tables(study: str) -> dict[str, list[str]]:
    """The lines of each table of a page, or nothing for a study that left no tables."""
    if not (RESULTS / study / "tables").exists():
        return {}
    made = {
        "physics": lambda: {"AUC": physics()},
        "stress": stress,
        "sky": sky,
        "slacs": slacs,
        "gan_long": gan_long,
        "information_length": information_length,
        "information_32000": lambda: {"images": information_images()},
    }
    return made[study]()


if __name__ == "__main__":
    for study, page in PAGES.items():
        found = tables(study)
        if not found:
            print(f"{study}: no tables in results/{study}; run config/{study}.yaml")
        for name, lines in found.items():
            print(f"{page}, {name}", *lines, sep="\n")
