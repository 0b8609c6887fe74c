"""A whole small study: a simulation, the user's own, unlabelled files, injected masses and outside scores."""

import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from oddlens.lensing import injection
from oddlens.lensing.convolution import gaussian_psf
from oddlens.lensing.ring_model import NODES, RingModel, Source
from project import fresh_copy, snakemake

pytestmark = pytest.mark.workflow

MASSES = {"masses_msun": [1e9, 3e10], "images": 6}
STUDY = {
    "study": "injected",
    "only": ["pca", "random", "brightness", "outside"],
    "datasets": {
        "model_a": {"images": {"train": 60, "contaminant": 10, "validation": 40, "test": 8}, "inject": MASSES},
        "model_b": None,
        "mine": {
            "files": {"sheet": "mine.csv", "pixels": 20, "pixel_scale_arcsec": 0.3, "strict": False},
            "inject": MASSES | {"redshifts": {"lens": 0.5, "source": 1.0}},
        },
    },
    "contamination": {"images": 60, "fractions": {"mixed": None}, "seeds": [1, 2]},
    "training": {"batch_size": 20},
    "detectors": {
        "pca": {"components": 8},
        "brightness": {"scores": "brightness.csv", "higher_is": "more_normal", "datasets": ["mine"]},
        "outside": {"scores": "outside.csv", "higher_is": "more_anomalous", "datasets": ["model_a"]},
    },
}
OUTSIDE_AUC = 1 - sum(k + 3.5 < other for k in range(8) for other in range(8)) / 64
"""Of the scores in `outside.csv`."""


class Lens(RingModel):
    def source_brightness(self, y, x):
        return 3 * np.exp(-0.5 * (((y - 0.15) / 0.25) ** 2 + ((x + 0.1) / 0.35) ** 2))


def write_rings(folder):
    """120 unlabelled rings with noise, and their sheet."""
    lines, dark = ["file,role"], Source(np.zeros((NODES, NODES)), (0.0, 0.0), 1.0)
    for k in range(120):
        rng = np.random.default_rng(k)
        lens = Lens(rng.uniform(1.2, 1.6), (0.0, 0.0), tuple(rng.normal(0, 0.05, 2)), dark)
        image = injection.model_image(lens, 20, 0.3, gaussian_psf(2.0)) + rng.normal(0, 0.02, (20, 20))
        np.save(folder / f"ring_{k}.npy", image.astype(np.float32))
        lines.append(f"ring_{k}.npy,{'train' if k < 60 else 'validation' if k < 100 else 'test'}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")


def write_scores(folder):
    """Outside scores: of files by their names, and of the simulated images by their numbers."""
    lines = [f"ring_{k}.npy,{-np.square(np.load(folder / f'ring_{k}.npy')).sum():.8g}" for k in range(60, 120)]
    (folder / "brightness.csv").write_text("\n".join(["file,score", *lines]) + "\n")
    images = [("validation", "smooth", 40), *(("test", cls, 8) for cls in ("smooth", "cdm", "vortex"))]
    lines = [
        f"{pool},{cls},{k},{seed},{k + 3.5 * (cls != 'smooth')}"
        for seed in (1, 2)
        for pool, cls, count in images
        for k in range(count)
    ]
    (folder / "outside.csv").write_text("\n".join(["pool,class,index,seed,score", *lines]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the project with the results of the study."""
    folder = fresh_copy(tmp_path_factory.mktemp("project"))
    write_rings(folder)
    write_scores(folder)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    snakemake(folder, "--cores", "2", "--configfile", "study.yaml")
    return folder


def test_the_own_images_are_ranked_and_the_report_is_complete(folder):
    results = folder / "results/injected"
    ranking = pd.read_csv(results / "tables/ranking.csv")
    assert set(ranking["dataset"]) == {"mine"}
    assert set(ranking["file"]) == {f"ring_{k}.npy" for k in range(100, 120)}
    assert ranking["consensus"].is_monotonic_increasing
    assert set(pd.read_csv(results / "tables/summary.csv")["dataset"]) == {"model_a"}  # there is no AUC without labels
    leaks = pd.read_csv(results / "tables/leaks.csv")
    assert set(leaks["dataset"]) == {"mine"}
    assert (leaks.loc[leaks["kind"] != "duplicates", "severity"] == "none").all()  # some rings are nearly alike
    assert (results / "figures/mine/most_anomalous.png").is_file()
    assert "ring_1" in (results / "report.html").read_text()


def test_outside_scores_join_the_tables_of_labelled_images(folder):
    tables = folder / "results/injected/tables"
    auc = pd.read_csv(tables / "auc.csv").query("detector == 'outside'")
    assert sorted(zip(auc["seed"], auc["anomaly"], strict=True)) == [
        (s, c) for s in (1, 2) for c in ("all", "cdm", "vortex")
    ]
    np.testing.assert_allclose(auc["auc"], OUTSIDE_AUC)
    summary = pd.read_csv(tables / "summary.csv").set_index("detector")
    assert set(summary.loc["outside", "role"]) == {"external"}
    pairs = pd.read_csv(tables / "pairs.csv").query("anomaly == 'all'")
    assert {("outside", "pca"), ("outside", "random")} <= set(zip(pairs["a"], pairs["b"], strict=True))
    ranks = pd.read_csv(tables / "ranks.csv").set_index("detector")
    assert ranks.loc["outside", "mean_rank"] == 1
    assert set(pd.read_csv(tables / "most_anomalous.csv").query("detector == 'outside'")["class"].head(4)) <= {
        "cdm",
        "vortex",
    }


def test_outside_scores_join_the_tables_of_unlabelled_images(folder):
    """By names of files and in the stated direction: the brightest of the images is the most anomalous."""
    tables = folder / "results/injected/tables"
    brightness = {f"ring_{k}.npy": np.square(np.load(folder / f"ring_{k}.npy")).sum() for k in range(100, 120)}
    expected = sorted(brightness, key=brightness.get, reverse=True)
    most = pd.read_csv(tables / "most_anomalous.csv").query("detector == 'brightness'")
    assert list(most["file"]) == expected[: len(most)]
    ranking = pd.read_csv(tables / "ranking.csv").set_index("file")
    assert ranking.loc[expected, "p_brightness"].is_monotonic_increasing
    assert (ranking["consensus"] != ranking[["p_pca", "p_random"]].median(axis=1)).any()  # this row has a vote
    agreement = pd.read_csv(tables / "agreement.csv").query("kind == 'rows'")
    assert {frozenset(pair) for pair in zip(agreement["a"], agreement["b"], strict=True)} == {
        frozenset(pair) for pair in (("pca", "random"), ("pca", "brightness"), ("random", "brightness"))
    }


def test_where_outside_scores_have_no_place_the_report_says_why(folder):
    """Injected images, and the data sets of which a table has no scores."""
    completeness = pd.read_csv(folder / "results/injected/tables/completeness.csv")
    assert not set(completeness["detector"]) & {"brightness", "outside"}
    page = " ".join(BeautifulSoup((folder / "results/injected/report.html").read_text(), "html.parser").text.split())
    assert "their programs never saw these images: brightness, outside" in page
    assert "brightness is not compared on model_a: its table has scores of mine alone" in page
    assert "outside: its table has scores of model_a alone" in page


def test_nothing_is_left_to_be_done(folder):
    assert "Nothing to be done" in snakemake(folder, "--cores", "1", "--configfile", "study.yaml", "-n")


def test_a_changed_image_is_read_again(folder):
    image = folder / "ring_110.npy"
    np.save(image, np.load(image) + 1)
    planned = snakemake(folder, "--cores", "1", "--configfile", "study.yaml", "-n", "--quiet", "rules")
    assert "ingest" in planned


def test_completeness_of_simulated_and_of_own_images(folder):
    table = pd.read_csv(folder / "results/injected/tables/completeness.csv")
    assert set(zip(table["dataset"], table["detector"], strict=True)) == {
        (dataset, row) for dataset in ("model_a", "mine") for row in ("pca", "random")
    }
    assert set(table["mass_msun"]) == {0, 1e9, 3e10}
    assert set(table["seeds"]) == {2}
    counts = table.groupby("dataset")[["images", "ring_models"]].first()
    assert (counts.loc["model_a", "ring_models"], counts.loc["model_a", "images"]) == (0, 6)
    assert counts.loc["mine", "ring_models"] == counts.loc["mine", "images"]  # nothing says what to assume of them
    rising = table[table["mass_msun"] == 3e10].groupby(["dataset", "detector"])["rising"].first()
    assert rising["mine", "pca"] > 0.5
    scores = pd.read_csv(folder / "results/injected/scores/mine/pca.csv", comment="#")
    injected = pd.read_csv(folder / "results/injected/injected/mine/pca.csv", comment="#")
    known = scores[(scores["pool"] == "test") & (scores["class"] == "unlabelled")].set_index("index")["none-0/1"]
    alone = injected[injected["mass_msun"] == 0].set_index("index")["none-0/1"]
    np.testing.assert_allclose(alone, known[alone.index], rtol=1e-4)
