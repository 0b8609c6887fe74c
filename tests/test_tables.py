"""Tables, figures and report from scores that are made up, so that every number can be known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oddlens import aggregate, figures, metrics, tables
from oddlens.artefacts import write_arrays, write_table
from oddlens.report import report

SHIFT = {"smooth": 0.0, "cdm": 0.5, "vortex": 1.5}
CELLS = ["none-0", "cdm-0.2", "mixed-0.05"]
DETECTORS = {"good": 1.0, "dcae": 0.5, "random": 0.0}


def scores(strength, dataset, detector):
    """Normal scores, shifted for anomalies, less so after contaminated training; and a validation pool to ignore."""
    rng = np.random.default_rng(len(detector))
    blocks = [("test", cls, SHIFT[cls]) for cls in SHIFT] + [("validation", "smooth", 100.0)]
    table = pd.concat(
        pd.DataFrame({"pool": pool, "class": cls, "index": range(80), "shift": shift}) for pool, cls, shift in blocks
    )
    for cell in CELLS:
        weaker = 1.0 if cell == "none-0" else 0.3
        for seed in (1, 2):
            table[f"{cell}/{seed}"] = rng.normal(strength * weaker * table["shift"], 1).round(4)
    return table.drop(columns="shift")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    paths = []
    for dataset in ("model_a", "model_b"):
        for detector, strength in DETECTORS.items():
            path = folder / f"{dataset}-{detector}.csv"
            about = {"kind": "scores", "dataset": dataset, "detector": detector}
            write_table(path, scores(strength, dataset, detector), **about)
            paths.append(path)
    outputs = {name: folder / f"{name}.csv" for name in ("auc", "comparison", "published")}
    aggregate.aggregate([str(p) for p in paths], outputs, "smooth")
    return folder


def test_each_row_is_the_auc_of_its_scores(study):
    auc = pd.read_csv(study / "auc.csv")
    assert len(auc) == 2 * 3 * 3 * 2 * 3
    raw = scores(0.5, "model_b", "dcae")
    raw = raw[raw["pool"] == "test"]
    smooth = raw["class"] == "smooth"
    column = raw["mixed-0.05/2"].to_numpy()
    expected, _ = metrics.auc_with_variance(column[smooth], column[~smooth])
    found = auc.query(
        "dataset == 'model_b' and detector == 'dcae' and contaminant == 'mixed' and contamination == 0.05 "
        "and seed == 2 and anomaly == 'all'"
    )
    assert found["auc"].item() == pytest.approx(expected, abs=1e-6)
    assert found["n_normal"].item() == 80
    assert found["n_anomalous"].item() == 160


def test_the_comparison_has_the_best_detector_first_and_means_over_seeds(study):
    wide, auc = pd.read_csv(study / "comparison.csv"), pd.read_csv(study / "auc.csv")
    assert list(wide["detector"]) == ["good", "dcae", "random"]
    chosen = auc.query("dataset == 'model_a' and detector == 'good' and contamination == 0 and anomaly == 'cdm'")
    assert wide["model_a | clean | cdm"][0] == pytest.approx(chosen["auc"].mean(), abs=1e-6)
    assert "model_b | mixed 5% | all" in wide.columns


def test_published_figures_stand_beside_ours_where_we_have_any(study):
    table = pd.read_csv(study / "published.csv").set_index(["dataset", "detector", "anomaly"])
    assert table.loc[("model_a", "dcae", "vortex"), "published_auc"] == 0.774
    assert table.loc[("model_a", "dcae", "vortex"), "auc"] > 0.5
    assert np.isnan(table.loc[("model_a", "aae", "all"), "auc"])
    assert table["source"].notna().all()


def examples(path, detector):
    images = np.random.default_rng(0).random((3, 4, 16, 16)).astype(np.float32)
    arrays = {"images": images} | ({} if detector == "random" else {"reconstructions": images})
    write_arrays(path, arrays, dataset="model_a", detector=detector, classes="smooth,cdm,vortex")


@pytest.fixture(scope="module")
def drawn(study):
    inputs = {"scores": {}, "examples": {}, "losses": {}}
    for detector in DETECTORS:
        inputs["scores"][detector] = str(study / f"model_a-{detector}.csv")
        inputs["examples"][detector] = str(study / f"{detector}.h5")
        examples(study / f"{detector}.h5", detector)
        rows = [(c, "loss", e, 1 / e) for c in CELLS for e in (1, 2, 3)] if detector != "random" else []
        write_table(
            study / f"{detector}-losses.csv", pd.DataFrame(rows, columns=["cell", "objective", "epoch", "loss"])
        )
        inputs["losses"][detector] = [str(study / f"{detector}-losses.csv")] * 2
    outputs = {name: str(study / f"{name}.png") for name in ("roc", "contamination", "gallery", "losses")}
    figures.draw(outputs, dataset="model_a", smooth="smooth", auc_path=str(study / "auc.csv"), **inputs)
    return outputs, inputs


def test_figures_are_drawn_and_equal_when_drawn_again(drawn, study):
    outputs, inputs = drawn
    first = {name: Path(path).read_bytes() for name, path in outputs.items()}
    assert all(content.startswith(b"\x89PNG") for content in first.values())
    figures.draw(outputs, dataset="model_a", smooth="smooth", auc_path=str(study / "auc.csv"), **inputs)
    assert {name: Path(path).read_bytes() for name, path in outputs.items()} == first


def test_the_loss_figure_has_a_line_for_every_training_set_and_seed(drawn):
    _, inputs = drawn
    axes = figures.loss_curves(inputs["losses"], "training").axes
    assert [axis.get_title() for axis in axes] == ["good", "dcae"]
    assert [len(axis.lines) for axis in axes] == [len(CELLS) * 2] * 2
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == CELLS


def test_near_fractions_keep_columns_of_their_own(study):
    auc = pd.read_csv(study / "auc.csv")
    near = auc[auc["contaminant"] == "cdm"].assign(contamination=0.025)
    columns = tables.comparison_table(pd.concat([auc.replace({"contamination": {0.2: 0.02}}), near])).columns
    assert {"model_a | cdm 2% | all", "model_a | cdm 2.5% | all"} <= set(columns)


def test_the_report_says_what_the_tables_say(drawn, study, config):
    from oddlens import settings

    outputs, _ = drawn
    names = ("auc", "comparison", "published")
    report(
        study / "report.html",
        tables={name: str(study / f"{name}.csv") for name in names},
        figures=dict.fromkeys(("model_a", "model_b"), outputs | {"preview": outputs["gallery"]}),
        study=settings.study(config).plain(),
        detectors={"good": "One that sees", "random": "Control: one that does not"},
        classes={"cdm": "Subhalos"},
        versions={"numpy": "1.2.3"},
    )
    page = (study / "report.html").read_text()
    auc = pd.read_csv(study / "auc.csv")
    best = auc.query("dataset == 'model_a' and detector == 'good' and contamination == 0 and anomaly == 'all'")[
        "auc"
    ].mean()
    assert f"On model_a the best is <b>good</b> with {best:.3f}" in page
    assert page.count("<img") == 10
    assert "numpy 1.2.3" in page
    assert "The Einstein mass is the same in all of them." in page
    assert "mass_fraction" in page
    assert "uniform 0.4, 0.6" in page
    assert "One that sees." in page


def test_a_control_that_sees_is_reported():
    from oddlens.report import _controls

    row = {"dataset": "a", "contaminant": "none", "contamination": 0.0, "detector": "flux", "anomaly": "all"}
    rates = {"auc": 0.7, "auc_low": 0.65, "auc_high": 0.75, "tpr_at_fpr_01": 0.1, "tpr_at_fpr_05": 0.2}
    seeing = pd.DataFrame([row | rates])
    assert not _controls(seeing, ["flux"])[0]["blind"]
    assert _controls(seeing.assign(auc=0.49), ["flux"])[0]["blind"]
    assert _controls(seeing, ["random"]) == []


def test_models_are_the_columns_that_name_no_image():
    assert tables.models(scores(1, "model_a", "good")) == [f"{cell}/{seed}" for cell in CELLS for seed in (1, 2)]
