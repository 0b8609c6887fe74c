"""A data set of the user's own images whose scores are made up: objects in two bands, no twins, labels or none."""

import numpy as np
import pandas as pd

import made_up
from oddlens.data.pools import UNLABELLED
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.data.splits import IDENTITY, LENS
from oddlens.files.artefacts import write_arrays, write_table

TEXT = ["file", "object", "band", "label", "survey_id"]
ROWS = {row: made_up.ROWS[row] for row in ("good", "dcae", "random")}
LABELLED, WITHOUT_LABELS = {"smooth": 40, "odd": 14, "7": 6}, {UNLABELLED: 60}
STRENGTH = {"smooth": 0.0, "odd": 2.0, "7": 3.0, PSEUDO_ANOMALY: 1.5}


def truth(test, validation=50, seed=0):
    """Truth of the test and validation images: every object has two bands, and every third redshift is unknown."""
    rng = np.random.default_rng(seed)
    blocks = [*(("test", cls, count) for cls, count in test.items()), ("validation", "smooth", validation)]
    table = pd.concat(
        pd.DataFrame({"pool": pool, "class": cls, "index": range(count)}) for pool, cls, count in blocks
    ).reset_index(drop=True)
    number = pd.Series(range(len(table)))
    lens = number // 2
    return table.assign(
        **{LENS: lens.astype(float), "noise_gain": 0.0, "noise_background": 1.0, "psf_fwhm_pixels": 0.0},
        redshift=np.where(number % 3 == 0, np.nan, rng.uniform(0.2, 1, len(table))),
        file=number.map("images/{:03d}.fits".format),
        object=lens.map("{:03d}".format),
        band=np.where(number % 2, "g", ""),
        label=table["class"],
        survey_id=number.map(lambda k: str(12345678901234567 + k)),
    )


def scores(strength, known, seeds, seed=0, diverged=()):
    """Scores that anomalies raise; images of one object have half of the scatter in common."""
    rng = np.random.default_rng(seed)
    table = known[[*IDENTITY, LENS]].astype({LENS: int})
    common = np.random.default_rng(1).normal(size=int(known[LENS].max()) + 1)[table[LENS]]
    hidden = np.where(known["class"] == UNLABELLED, 4.0 * (known["index"] < 3), known["class"].map(STRENGTH).fillna(0))
    for k in seeds:
        table[f"none-0/{k}"] = strength * hidden + common + rng.normal(size=len(table))
    for column in diverged:
        table[column] = np.nan
    return table


def examples(path, detector, dataset, test, pixels=16):
    """Examples of classes of which some have one image only."""
    rng = np.random.default_rng(0)
    images = rng.random((len(test), 2, pixels, pixels)).astype(np.float32)
    images[-1, 1] = np.nan
    arrays = {"images": images}
    if detector == "good":
        codes = rng.normal(size=(len(test), 9, 2))
        codes[-1, 5:] = np.nan
        arrays |= {"reconstructions": images, "anomaly_maps": images, "samples": images[0]}
        arrays |= {"embeddings": codes, "embedding_norms": np.linalg.norm(codes, axis=-1)}
        arrays |= {"residual": images, "scan": images, "min_detectable_arcsec2": images + 1}
        arrays["heaviest_position"] = np.full((len(test), 2, 2), np.nan)
    write_arrays(path, arrays, dataset=dataset, detector=detector, classes=",".join(test))


def add(made, folder, dataset="mine", test=LABELLED, rows=ROWS, seeds=(1, 2), diverged=None):
    """Add a data set to the paths of a study that was made up, or to an empty dictionary; returns it."""
    for kind in (*made_up.FILES, "truths", "losses"):
        made.setdefault(kind, {})
    place = folder / dataset
    place.mkdir(parents=True)
    known = truth(test)
    made["truths"][dataset] = place / "truth.csv"
    write_table(place / "truth.csv", known, kind="truth", dataset=dataset, text=TEXT)
    perturbed = known[known["pool"] == "validation"].assign(**{"class": PSEUDO_ANOMALY})
    every = pd.concat([known, perturbed], ignore_index=True)
    for kind, pattern in made_up.FILES.items():
        made[kind][dataset] = {row: place / pattern.format(row) for row in rows}
    made["fit_convergence"].pop(dataset)
    made["losses"][dataset] = {row: [place / f"{row}-losses-{s}.csv" for s in seeds] for row in rows}
    for k, (row, (strength, entry)) in enumerate(rows.items()):
        about, lost = {"dataset": dataset, "detector": row}, (diverged or {}).get(row, ())
        table = scores(strength, every, seeds, k, lost)
        write_table(made["scores"][dataset][row], table, kind="scores", diverged=dict.fromkeys(lost, "nan"), **about)
        others = made_up.other_tables(row, entry["role"], every, ["none-0"], seeds, 9)
        others["pixels"] = others["pixels"][:0]  # there are no twins
        for kind in ("findings", "pixels", "samples"):
            write_table(made[kind][dataset][row], others[kind], kind=kind, **about)
        examples(made["examples"][dataset][row], row, dataset, test)
        made_up.maps(made["maps"][dataset][row], row, table, dataset)
        for path in made["losses"][dataset][row]:
            write_table(path, made_up.losses(entry["role"], ["none-0"]))
    return made
