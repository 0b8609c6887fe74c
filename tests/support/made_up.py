"""A study whose scores are made up, of any size, so that tables, figures and report can be known and looked at."""

import numpy as np
import pandas as pd

from made_up_shards import picture
from oddlens.config.detection import Detection
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.data.splits import IDENTITY
from oddlens.data.training_sets import parse_training_set
from oddlens.files.artefacts import write_arrays, write_table
from oddlens.results.tables.columns import FILES_TABLES, TABLES
from oddlens.results.tables.leaks import leaks_table
from oddlens.results.tables.real import NOISE_COLUMNS, SCORE_COLUMNS, claims_table
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.score_files import model_columns
from oddlens.statistics import metrics
from oddlens.statistics.sample_quality import MEASURES

CLASSES = ["smooth", "cdm", "vortex"]
STRENGTH = {"smooth": 0.0, "cdm": 0.5, "vortex": 1.5, PSEUDO_ANOMALY: 2.0}
ROWS = {
    "good": (1.0, {"role": "detector"}),
    "dcae": (0.5, {"role": "detector"}),
    "dcae_published": (0.3, {"role": "detector"}),
    "random": (0.0, {"role": "control"}),
    "supervised": (3.0, {"role": "upper_bound"}),
    "good_mse": (0.8, {"role": "ablation", "ablates": "good"}),
    "tried_01": (0.4, {"role": "candidate", "sweep": "tried", "varied": {"beta": 0.5}}),
    "tried_02": (0.6, {"role": "candidate", "sweep": "tried", "varied": {"beta": 1.0}}),
}
TRAINING_SETS = ["none-0", "cdm-0.2", "mixed-0.05"]
WITHOUT_MAPS = ("random", "supervised")
N_MAPPED = 20
"""Test images of each class of which a row has maps."""
TEMPLATE = {"ablates": None, "sweep": None, "varied": {}}
DESCRIPTION = "A row that was made up"


def descriptions(rows=ROWS):
    """As the workflow gives them."""
    return dict.fromkeys(rows, DESCRIPTION)


def entries(rows=ROWS):
    """The rows as the workflow gives them."""
    return {row: TEMPLATE | entry for row, (_, entry) in rows.items()}


def training_sets_of(row, rows=ROWS, training_sets=TRAINING_SETS):
    return {"ablation": ["none-0"], "upper_bound": ["labelled-0.5"]}.get(rows[row][1]["role"], training_sets)


def truth(images, seed=0):
    """Truth of the test and validation images: the lens's is that of its twins."""
    rng = np.random.default_rng(seed)
    blocks = [("test", cls) for cls in CLASSES] + [("validation", "smooth")]
    lens = {pool: (rng.uniform(20, 60, images), rng.uniform(0.8, 1.6, images)) for pool in ("test", "validation")}
    table = pd.concat(
        pd.DataFrame(
            {
                "pool": pool,
                "class": cls,
                "index": range(images),
                "substructure_mass_msun": 10 ** rng.uniform(9, 10.5, images) * (cls != "smooth"),
                "heaviest_mass_msun": 10 ** rng.uniform(8, 9.5, images) * (cls == "cdm"),
                "heaviest_y_arcsec": 0.5 * (cls == "cdm"),
                "heaviest_x_arcsec": 0.4 * (cls == "cdm"),
                "area_per_msun": 2e-12,
                "vortex_length_arcsec": rng.uniform(0.5, 2, images) * (cls == "vortex"),
                "peak_signal_to_noise": lens[pool][0],
                "einstein_radius_arcsec": lens[pool][1],
                "psf_fwhm_arcsec": 0.5,
                "psf_fwhm_pixels": 2.5,
            }
        )
        for pool, cls in blocks
    )
    table["substructure_fraction"] = table["substructure_mass_msun"] / 1e12
    return table.reset_index(drop=True)


def scores(strength, known, training_sets, seeds, seed=0, diverged=()):
    """Scores that odd images raise, by their mass and how clean the training was; twins share what is left."""
    rng = np.random.default_rng(seed)
    table = known[["pool", "class", "index"]].copy()
    mass = np.log10(known["substructure_mass_msun"].clip(lower=1e9)) - 8.5
    signal = known["class"].map(STRENGTH) * mass
    lens = pd.Series(np.random.default_rng(1).normal(0, 1, known["index"].max() + 1))
    for training_set in training_sets:
        contaminant, fraction = parse_training_set(training_set)
        weaker = 1 if contaminant == "labelled" else 1 / (1 + 8 * fraction)
        for k in seeds:
            own = rng.normal(0, 1, len(known))
            column = strength * rng.normal(1, 0.03) * weaker * signal + known["index"].map(lens) + own
            table[f"{training_set}/{k}"] = (column + (known["pool"] == "validation") * 0.0).round(4)
    for column in diverged:
        table[column] = np.nan
    return table


def examples(path, detector, classes=CLASSES, pixels=16, maps=True, generative=False):
    rng = np.random.default_rng(0)
    images = rng.random((len(classes), 2, pixels, pixels)).astype(np.float32)
    difference = rng.normal(0, 0.05, images.shape).astype(np.float32)
    difference[0] = 0
    arrays = {"images": images, "truth": difference}
    if maps:
        arrays |= {"reconstructions": images - difference, "anomaly_maps": np.abs(difference)}
    if generative:
        places = rng.normal(size=(len(classes), 30, 2))
        arrays |= {"embeddings": places, "embedding_norms": np.hypot(*places.transpose(2, 0, 1))}
        arrays |= {"samples": images[0]}
        arrays["training_snapshots"] = np.stack([images[0], images[1]])
        arrays |= {"residual": difference, "scan": 100 * difference, "min_detectable_msun": 1e9 * images}
        arrays["heaviest_position"] = rng.normal(size=(*images.shape[:2], 2))
    write_arrays(path, arrays, dataset="model_a", detector=detector, classes=",".join(classes))


def maps(path, detector, table, dataset="model_a", pixels=16):
    """What the first model that converged makes of the test images of each class that it scores highest.

    The residual of an image shows its class and number (`made_up_shards`), from -1 to 2 sigma, and the map the same in
    another unit for each row; reconstructions are flat.
    """
    columns = [column for column in model_columns(table) if table[column].notna().any()]
    tested = table[table["pool"] == "test"]
    classes = list(tested["class"].unique())
    about = {"dataset": dataset, "detector": detector, "classes": ",".join(classes)}
    if not columns or detector in WITHOUT_MAPS:
        write_arrays(path, {}, **about)
        return
    highest = tested.sort_values(columns[0], ascending=False).groupby("class", sort=False).head(N_MAPPED).sort_index()
    numbers = highest["class"].map(classes.index).to_numpy()
    shown = np.stack([picture(c + 1, k, pixels) for c, k in zip(numbers, highest["index"], strict=True)])
    arrays = {"class": numbers, "index": highest["index"].to_numpy(), "residuals": 3 * shown - 1}
    arrays |= {"anomaly_maps": (1 + len(detector)) * shown, "reconstructions": np.full_like(shown, 0.25)}
    training_set, seed = columns[0].split("/")
    write_arrays(path, arrays, **about, training_set=training_set, seed=int(seed))


FILES = {
    "scores": "{}.csv",
    "findings": "{}-findings.csv",
    "pixels": "{}-pixels.csv",
    "samples": "{}-samples.csv",
    "fit_convergence": "{}-fit_convergence.csv",
    "examples": "{}.h5",
    "maps": "{}-maps.h5",
}
"""The files of a row."""


def findings(known, training_sets, seeds):
    """Findings of perturbers: every third image is doubtful, every seventh at the bounds."""
    table = known[IDENTITY].assign(doubtful=known.index % 3 == 0, chi_square=1.1, y_arcsec=0.5, x_arcsec=0.0)
    table["odds"] = 1.0 * (table["class"] == "cdm")
    table = table.assign(at_bounds=1.0 * (known.index % 7 == 1), min_detectable_arcsec2=0.004)
    table = table.assign(significance=4.0 + known.index % 5, area_arcsec2=0.02).astype({"doubtful": float})
    parts = [table.assign(training_set=c, seed=s) for c in training_sets for s in seeds]
    return pd.concat(parts or [table[:0].assign(training_set="", seed=0)])


def other_tables(row, role, known, training_sets, seeds, images):
    """The tables of a row beside its scores. Row `good` alone has findings, and samples images."""
    models = [(c, s) for c in training_sets for s in seeds]
    mapped = [] if role in ("control", "upper_bound") else models
    pixels = [(c, s, cls, 0.7, 0.05, images) for c, s in mapped for cls in CLASSES[1:]]
    sampling = models if row == "good" else []
    samples = [(c, s, *[0.1] * len(MEASURES[:-2]), 0.3 + 0.2 * s, 1.0) for c, s in sampling]
    fits = [("network", cls, images, images - 2, images - 5, 3, 9.5) for cls in CLASSES]
    columns = {
        "pixels": ["training_set", "seed", "class", "pixel_auc", "pixel_auc_error", "images"],
        "samples": ["training_set", "seed", *MEASURES],
        "fit_convergence": ["initial_parameters", "class", "images", "converged", "reached", "missed", "steps"],
    }
    lines = {"pixels": pixels, "samples": samples, "fit_convergence": fits}
    tables = {kind: pd.DataFrame(lines[kind], columns=columns[kind]) for kind in columns}
    return {"findings": findings(known, training_sets if row == "good" else [], seeds)} | tables


def losses(role, training_sets):
    """Five epochs on each training set, if a row is trained by epochs."""
    sets = [] if role in ("control", "upper_bound") else training_sets
    epochs = [(c, "loss", epoch, 1 / epoch) for c in sets for epoch in range(1, 6)]
    return pd.DataFrame(epochs, columns=["training_set", "objective", "epoch", "loss"])


def study(
    folder,
    datasets=("model_a", "model_b"),
    rows=ROWS,
    training_sets=TRAINING_SETS,
    seeds=(1, 2),
    images=80,
    diverged=None,
    decoys=(),
):
    """All files that the tables and figures read; `diverged` maps a row to columns of its scores. Returns paths.

    The classes in `decoys` must not be detected.
    """
    made = {kind: {} for kind in (*FILES, "truths", "losses")}
    for number, dataset in enumerate(datasets):
        place = folder / dataset
        place.mkdir(parents=True, exist_ok=True)
        known = truth(images, number)
        made["truths"][dataset] = place / "truth.csv"
        write_table(place / "truth.csv", known, kind="truth", dataset=dataset)
        perturbed = known[known["pool"] == "validation"].assign(**{"class": PSEUDO_ANOMALY})
        known = pd.concat([known, perturbed], ignore_index=True)
        for kind, pattern in FILES.items():
            made[kind][dataset] = {row: place / pattern.format(row) for row in rows}
        made["losses"][dataset] = {row: [place / f"{row}-losses-{s}.csv" for s in seeds] for row in rows}
        for k, (row, (strength, entry)) in enumerate(rows.items()):
            about, role = {"dataset": dataset, "detector": row}, entry["role"]
            own = training_sets_of(row, rows, training_sets)
            bad = [column for column in (diverged or {}).get(row, ()) if column.split("/")[0] in own]
            table = scores(strength * (1 - 0.2 * number), known, own, seeds, 100 * number + k, bad)
            lost = dict.fromkeys(bad, "the loss became nan in epoch 2")
            marks = {"diverged": lost} | ({"decoys": list(decoys)} if decoys else {})
            write_table(made["scores"][dataset][row], table, kind="scores", **marks, **about)
            for kind, other in other_tables(row, role, known, own, seeds, images).items():
                write_table(made[kind][dataset][row], other, kind=kind, **about)
            mapped = role not in ("control", "upper_bound")
            examples(made["examples"][dataset][row], row, maps=mapped, generative=row == "good")
            maps(made["maps"][dataset][row], row, table, dataset)
            for path in made["losses"][dataset][row]:
                write_table(path, losses(role, own))
    return made


NOT_MADE_UP = {"regression", "fractions", "triage", "real", "real_noise", "real_claims", "completeness"}
NOT_MADE_UP |= {"completeness_masses", "leaks"}
"""Tables that need a section of the config or shards."""


def aggregated(folder, made, rows=ROWS, own=()):
    """The result tables of a study that was made up, as paths; its data sets count as alike but for their exposure.

    Those in `own` have the user's own images.
    """
    from oddlens.stages.aggregate import aggregate

    names = [name for name in (*TABLES, *(FILES_TABLES if own else ())) if name not in NOT_MADE_UP]
    outputs = {name: folder / "tables" / f"{name}.csv" for name in names}
    simulated = [dataset for dataset in made["truths"] if dataset not in own]
    of = {
        kind: {d: list(paths.values()) for d, paths in made[kind].items()}
        for kind in ("scores", "findings", "pixels", "samples")
    }
    aggregate(
        outputs,
        truths=made["truths"],
        fit_convergence=[paths[row] for paths in made["fit_convergence"].values() for row in paths if row == "good"],
        rows=entries(rows),
        reproduces={d: d for d in simulated},
        exposures=dict.fromkeys(simulated, next(iter(simulated), "")),
        smooth="smooth",
        detection=Detection().plain(),
        **of,
    )
    if own:
        outputs["leaks"] = folder / "tables" / "leaks.csv"
        write_result(outputs["leaks"], leaks_table([]))
    return outputs


def completeness_files(folder, picture, row="good"):
    """Tables of two injected masses, of which the heavier is always detected, and a picture."""
    about = {
        "dataset": "model_a",
        "detector": row,
        "false_alarm_rate": 0.01,
        "images": 40,
        "ring_models": 3,
        "left_out": 2,
    }
    lines = [about | {"mass_msun": mass, "completeness": part} for mass, part in ((0, 0.01), (1e9, 0.25), (1e10, 1.0))]
    lines = [line | {"completeness_low": 0.0, "completeness_high": 1.0} for line in lines]
    half = about | {"mass_msun": 3e9, "mass_low": 1e9, "mass_high": np.nan}
    paths = {name: folder / f"{name}.csv" for name in ("completeness", "completeness_masses")}
    pd.DataFrame(lines).to_csv(paths["completeness"])
    pd.DataFrame([half]).to_csv(paths["completeness_masses"])
    return paths | {"figure": picture}


def real_tables(folder, picture, row="good"):
    """Tables of two real lenses and one that could not be read, and a picture; what `row` makes of them."""
    seen = {"dataset": "model_a", "detector": row, "score": 1.0, "false_alarm_probability": 0.02, "at_bounds": 0.0}
    ring = {"lens": "double_ring", "object": "double_ring", "claimed": 1}
    other = {"lens": "other", "object": "other", "claimed": 0}
    lost = {
        "lens": "lost <b>",
        "object": "lost",
        "claimed": 0,
        "dataset": "model_a",
        "problem": "there is no file x.fits",
    }
    lines = [
        {**seen, **ring, "seed": 1, "percentile": 99.0, "standardised_score": 3.0, "doubtful": 1.0},
        {**seen, **ring, "seed": 2, "percentile": 98.0, "standardised_score": 2.0, "doubtful": 0.0},
        {**seen, **other, "seed": 1, "percentile": 50.0, "standardised_score": 0.0, "doubtful": 0.0},
        lost,
    ]
    scored = pd.DataFrame(lines).reindex(columns=[*SCORE_COLUMNS, "doubtful", "at_bounds"])
    noise = {
        "dataset": "model_a",
        "detector": row,
        "frame": "double_ring",
        "seed": 1,
        "noise_ratio": 1.5,
        "shift": 0.1,
    }
    for name, values in {"auc_simulated": (0.91, 0.9, 0.92), "auc_real": (0.9, 0.8, 0.95)}.items():
        noise |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    noise |= {"change": -0.01, "change_low": -0.02, "change_high": 0.001}
    left_out = {"dataset": "model_a", "frame": "other", "problem": "other: too small"}
    made = {
        "real": scored,
        "real_noise": pd.DataFrame([noise, left_out]).reindex(columns=NOISE_COLUMNS),
        "real_claims": claims_table(scored),
    }
    for name, table in made.items():
        write_result(folder / f"{name}.csv", table)
    (folder / "lenses").mkdir()
    (folder / "lenses" / "double_ring.png").write_bytes(picture.read_bytes())
    return {name: folder / f"{name}.csv" for name in made}


def auc_with_variance(normal: np.ndarray, anomalous: np.ndarray) -> tuple[float, float]:
    """The AUC and its variance by DeLong et al. 1988: for images that have nothing in common, as twins have."""
    n, m = len(normal), len(anomalous)
    found = metrics.areas(normal[None], anomalous[None], np.arange(n), np.arange(n, n + m))
    return float(found.auc[0]), float(found.variance[0])
