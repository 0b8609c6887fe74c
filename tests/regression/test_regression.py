"""Deep regression: densities, what a network learns of them, many lenses together, and flagged images."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy import stats

from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.files.artefacts import DamagedFile, write_arrays
from oddlens.regression.estimates import Estimates
from oddlens.regression.histograms import Densities, Scale, covered
from oddlens.regression.network import Regressor
from oddlens.regression.population import Populations, pit, tilted
from oddlens.regression.saved import load_regressor
from oddlens.regression.targets import ANY, FRACTION, Targets, column_name, truth
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.fractions import LENSES, draw_populations, fractions_table
from oddlens.results.tables.regression import accuracy, regression_table
from oddlens.results.tables.result_files import write_result
from oddlens.results.tables.triage import ANOMALOUS_FRACTION, CLASSIFIER_ALONE, triage_table
from oddlens.schema.config_errors import ConfigError
from oddlens.stages.estimate import estimate
from oddlens.stages.regress import RegressionRow, learn, split_rows
from oddlens.stages.regression_figures import regression_figures
from oddlens.training.objectives import Batch

common = hypothesis_settings(deadline=None, derandomize=True, database=None, max_examples=50)
NETWORK = {"width": 8, "stride": 1, "autoencoder": False, "learning_rate": 3e-3, "weight_decay": 1e-4}
BINS = 32
NOISE = 0.5


def gaussian(count=4000, bins=BINS, noise=NOISE, seed=0):
    """Numbers of a normal prior, and what one noisy measurement of each leaves, in closed form."""
    rng = np.random.default_rng(seed)
    scale = Scale(stats.norm.ppf(np.linspace(0, 1, 16 * bins + 1)).clip(-5, 5))
    number = rng.normal(size=count)
    seen = number + noise * rng.normal(size=count)
    middle, width = seen / (1 + noise**2), noise / np.sqrt(1 + noise**2)
    edges = scale.knots[::16].copy()
    edges[[0, -1]] = -np.inf, np.inf
    probability = np.diff(stats.norm.cdf((edges - middle[:, None]) / width), axis=1)
    return number, Densities(scale, probability), middle, width


# --- densities ----------------------------------------------------------------------------------------------------


@common
@given(st.lists(st.integers(-(10**6), 10**6), min_size=40, max_size=200, unique=True))
def test_numbers_are_their_ranks_and_back(values):
    values = np.array(values, float)
    scale = Scale.of(values, 8)
    assert scale.value(scale.rank(values)) == pytest.approx(values, rel=1e-6, abs=1e-6 * np.ptp(values))
    counts = np.bincount(scale.bin(values).astype(int), minlength=8)
    assert np.abs(counts - len(values) / 8).max() <= 2


def test_numbers_beyond_the_prior_count_to_the_outermost_bins():
    scale = Scale.of(np.linspace(0, 1, 100), 4)
    assert scale.bin(np.array([-3, 0, 1, 7, np.nan])).tolist()[:4] == [0, 0, 3, 3]
    assert np.isnan(scale.bin(np.array([np.nan]))).all()


def test_fewer_images_than_bins_are_refused():
    with pytest.raises(ValueError, match="3 images cannot fill 8 bins"):
        Scale.of(np.arange(3.0), 8)


def test_a_histogram_is_the_exact_posterior_of_a_gaussian():
    number, densities, middle, width = gaussian()
    inside = np.abs(middle) < 1.5  # beyond, bins are wider than the posterior
    assert densities.mean()[inside] == pytest.approx(middle[inside], abs=0.06)
    assert densities.deviation()[inside].mean() == pytest.approx(width, rel=0.07)
    for q in (0.16, 0.5, 0.84):
        assert densities.quantile(q)[inside] == pytest.approx(stats.norm.ppf(q, middle, width)[inside], abs=0.06)
    information = 0.5 * np.log(1 + 1 / NOISE**2)
    assert densities.log_score(number).mean() == pytest.approx(information, abs=0.03)
    assert stats.kstest(densities.pit(number), "uniform").pvalue > 0.01


def test_who_knows_the_prior_alone_scores_nothing_and_has_its_width():
    number, densities, *_ = gaussian()
    prior = Densities(densities.scale, np.full_like(densities.probability, 1 / BINS))
    made = accuracy(prior, number)
    assert made["log_score"] == pytest.approx(0, abs=1e-9)
    assert made["width68"] == pytest.approx(1)
    assert made["r2"] == pytest.approx(0, abs=0.01)
    assert made["coverage68_low"] < 0.68 < made["coverage68_high"]


def test_who_is_too_sure_covers_too_little():
    number, densities, *_ = gaussian()
    sharp = densities.probability**4
    made = accuracy(Densities(densities.scale, sharp / sharp.sum(axis=1, keepdims=True)), number)
    assert made["coverage68_high"] < 0.68
    assert made["log_score"] < accuracy(densities, number)["log_score"]


def test_probabilities_must_fit_their_scale():
    with pytest.raises(ValueError, match="do not fit 32 bins"):
        Densities(gaussian()[1].scale, np.ones((2, 3)))


# --- what is estimated ----------------------------------------------------------------------------------------------


def table(count=60, seed=0):
    rng = np.random.default_rng(seed)
    parts = []
    for cls in ("smooth", "cdm", "vortex"):
        odd = cls != "smooth"
        part = pd.DataFrame({"class": cls, "index": range(count), "pool": "train", "einstein_radius_arcsec": 1.5})
        part["shear_magnitude"] = rng.uniform(0, 0.3, count)
        part[FRACTION] = rng.uniform(0.01, 0.05, count) * odd
        part["heaviest_mass_msun"] = 10 ** rng.uniform(8, 10, count) * odd
        part["vortex_length_arcsec"] = rng.uniform(0.5, 2, count) * (cls == "vortex")
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def test_what_is_fixed_or_absent_is_not_estimated():
    targets = Targets.of(table(), 8)
    assert list(targets.scales) == [
        (ANY, "shear_magnitude"),
        ("cdm", FRACTION),
        ("cdm", "heaviest_mass_msun"),
        ("vortex", FRACTION),
        ("vortex", "heaviest_mass_msun"),
        ("vortex", "vortex_length_arcsec"),
    ]
    assert targets.classes == ("smooth", "cdm", "vortex")
    assert targets.bins == [8] * 6 + [3]


def test_labels_are_bins_and_numbers_of_other_classes_are_missing():
    given = table()
    labels = Targets.of(given, 8).labels(given)
    assert np.isfinite(labels[:, 0]).all()
    assert np.isfinite(labels[:, 1]).tolist() == (given["class"] == "cdm").tolist()
    assert labels[:, -1].tolist() == [0.0] * 60 + [1.0] * 60 + [2.0] * 60
    assert set(labels[60:120, 1]) == set(range(8))


def test_no_subhalo_has_no_logarithm_but_a_fraction():
    given = table()
    given.loc[60, [FRACTION, "heaviest_mass_msun"]] = 0.0
    assert np.isnan(truth(given, "cdm", "heaviest_mass_msun")[60])
    assert truth(given, "cdm", FRACTION)[60] == 0
    assert column_name("heaviest_mass_msun") == "log10_heaviest_mass_msun"
    assert column_name(FRACTION) == FRACTION


def test_targets_are_plain_data_and_back():
    targets = Targets.of(table(), 8)
    again = Targets.from_plain(targets.plain())
    assert (again.labels(table(seed=1))[60:] == targets.labels(table(seed=1))[60:])[:, [0, -1]].all()
    assert again.plain() == targets.plain()


def test_the_last_images_of_each_class_are_held_out():
    rows, held = split_rows(table(), images=20, held_out=0.25)
    assert table().loc[held, "index"].tolist() == [15, 16, 17, 18, 19] * 3
    assert len(rows) == 45
    assert not set(rows) & set(held)


# --- the network --------------------------------------------------------------------------------------------------


def toy(count, seed=0, pixels=8):
    """Images of a bright square, as bright as a normal number says, in noise; a second number that half of them have;
    and two classes that look alike."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=count)
    light = np.zeros((pixels, pixels))
    light[2:6, 2:6] = 1 / 4  # 16 pixels: the sum of squares is 1, so one measurement of unit noise over NOISE
    images = 10 + number[:, None, None] * light / NOISE + rng.normal(size=(count, pixels, pixels))
    half = np.where(rng.random(count) < 0.5, rng.normal(size=count), np.nan)
    return images.astype(np.float32), number, half, rng.integers(0, 2, count).astype(float)


def labels_of(number, half, cls, bins=8):
    scale = Scale(stats.norm.ppf(np.linspace(0, 1, 16 * bins + 1)).clip(-5, 5))
    return np.stack([scale.bin(number), scale.bin(half), cls], axis=1), scale


def fitted(count=256, epochs=2, seed=1, **changes):
    images, *rest = toy(count)
    labels, _ = labels_of(*rest)
    model = Regressor.build(8, seed=seed, bins=[8, 8, 2], **NETWORK | changes)
    training = {"epochs": epochs, "batch_size": 64, "augmentation": "symmetries"}
    model.fit(images, labels=labels, seed=seed, camera=KnownCamera(0.0, 1.0), training=training)
    return model


def test_a_network_learns_the_exact_posterior():
    images, number, *rest = toy(6000)
    labels, scale = labels_of(number, *rest)
    model = Regressor.build(8, seed=1, bins=[8, 8, 2], **NETWORK)
    training = {"epochs": 8, "batch_size": 64, "augmentation": "symmetries"}
    rows, held = np.arange(5500), np.arange(5500, 6000)
    model.fit(images, rows=rows, labels=labels[rows], seed=1, camera=KnownCamera(0.0, 1.0), training=training)
    model.calibrate(images, held, labels[held])
    test, number, half, _ = toy(2000, seed=1)
    first, second, cls = model.probabilities(test)
    _, exact, *_ = gaussian(bins=8)
    densities = Densities(scale, first)
    best = exact.log_score(gaussian(bins=8)[0]).mean()
    assert densities.log_score(number).mean() == pytest.approx(best, abs=0.1)
    assert covered(densities.pit(number), 0.68).mean() == pytest.approx(0.68, abs=0.05)
    # Nothing in the image tells of these: their densities are the prior's.
    there = np.isfinite(half)
    assert np.abs(Densities(scale, second[there]).log_score(half[there]).mean()) < 0.05
    assert cls.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.05)


def test_numbers_that_an_image_lacks_leave_the_loss():
    model = Regressor.build(8, bins=[8, 8, 2], **NETWORK).train()
    images = torch.randn(6, 1, 8, 8)
    nothing = torch.full((6, 3), torch.nan)
    some = nothing.clone()
    some[:, 0] = 3.0

    def loss(labels):
        return model._loss(Batch(images, labels, torch.Generator(), 0.0))

    assert loss(nothing).tolist() == [0.0] * 6
    loss(some).sum().backward()
    gradient = model.network[-1].weight.grad
    assert gradient[:8].abs().max() > 0
    assert gradient[8:].abs().max() == 0


def test_equal_seeds_equal_estimates():
    images = toy(64, seed=3)[0]
    one, other, third = fitted(), fitted(), fitted(seed=2)
    for a, b in zip(one.probabilities(images), other.probabilities(images), strict=True):
        assert (a == b).all()
    assert (one.probabilities(images)[0] != third.probabilities(images)[0]).any()


def test_estimates_do_not_depend_on_neighbours_nor_on_how_an_image_is_turned():
    images = toy(64, seed=3)[0]
    model = fitted(autoencoder=True)
    every, alone = model.probabilities(images), model.probabilities(images[5:6])
    order = np.random.default_rng(0).permutation(64)
    shuffled, turned = model.probabilities(images[order]), model.probabilities(np.rot90(images, 1, (1, 2)).copy())
    for a, b, c, d in zip(every, alone, shuffled, turned, strict=True):
        assert (a[5] == b[0]).all()
        assert (a[order] == c).all()
        assert a == pytest.approx(d, abs=1e-4)


def test_a_temperature_makes_what_is_too_sure_less_sure():
    model = fitted(count=1024, epochs=8)
    images, *rest = toy(300, seed=4)
    labels, _ = labels_of(*rest)
    sure = copy.deepcopy(model)
    with torch.no_grad():
        sure.network[-1].weight *= 5
        sure.network[-1].bias *= 5
    sure.calibrate(images, np.arange(300), labels)
    model.calibrate(images, np.arange(300), labels)
    assert 0.3 < model.temperature[0].item() < 2
    assert sure.temperature[0].item() == pytest.approx(5 * model.temperature[0].item(), rel=0.02)
    assert sure.probabilities(images)[0] == pytest.approx(model.probabilities(images)[0], abs=0.02)


# --- stages -------------------------------------------------------------------------------------------------------


def written_shards(folder, count=40):
    """Shards of three classes of toy images, of the training pools and of the test pool."""
    paths = {}
    for pool, seed in (("train", 0), ("test", 1)):
        every = table(count, seed)
        for k, cls in enumerate(("smooth", "cdm", "vortex")):
            part = every[every["class"] == cls]
            names = [c for c in part if c not in ("class", "index", "pool")]
            known = {"noise_gain": 0.0, "noise_background": 1.0, "psf_fwhm_pixels": 0.0}
            arrays = {f"truth/{name}": part[name].to_numpy() for name in names}
            arrays |= {f"truth/{name}": np.full(count, value) for name, value in known.items()}
            arrays |= {"images": toy(count, 10 * seed + k)[0], "index": np.arange(count)}
            path = folder / f"{pool}-{cls}.h5"
            shards.write(path, Shard(arrays, {"dataset": "toys", "pool": pool, "class": cls}))
            paths.setdefault(pool, []).append(str(path))
    return paths


def learned(path, paths, **changes):
    training = {"epochs": 1, "batch_size": 16, "checkpoint_s": 30.0}
    row = RegressionRow("whole", "images", images=40, held_out=0.2, bins=4, settings=NETWORK, training=training)
    given = {"row": row, "dataset": "toys", "seed": 1, "source": "abc", "device": "cpu"}
    learn(path, paths["train"], **given | changes)


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    paths = written_shards(folder)
    learned(folder / "model.safetensors", paths)
    given = {"model_path": folder / "model.safetensors", "shard_paths": paths["test"], "device": "cpu"}
    estimate(folder / "estimates.h5", row="whole", dataset="toys", **given)
    return folder, paths


def test_a_model_is_saved_and_loaded(stages):
    folder, _paths = stages
    model, targets = load_regressor(folder / "model.safetensors")
    images = toy(9, seed=5)[0]
    again, _ = load_regressor(folder / "model.safetensors")
    assert all((a == b).all() for a, b in zip(model.probabilities(images), again.probabilities(images), strict=True))
    assert (model.temperature != 1).any()
    assert (ANY, "shear_magnitude") in targets.scales
    assert not list(folder.glob(".*"))


def test_a_finished_model_is_kept_and_another_recipe_is_not(stages, tmp_path, capsys):
    folder, paths = stages
    path = tmp_path / "model.safetensors"
    path.write_bytes((folder / "model.safetensors").read_bytes())
    learned(path, paths)
    assert "kept" in capsys.readouterr().err
    assert path.read_bytes() == (folder / "model.safetensors").read_bytes()
    learned(path, paths, source="edited")
    assert "kept" not in capsys.readouterr().err


def test_estimates_come_with_their_truth(stages):
    folder, _paths = stages
    found = Estimates.read(folder / "estimates.h5")
    assert (found.dataset, found.row, found.classes) == ("toys", "whole", ("smooth", "cdm", "vortex"))
    densities, true = found.of(("vortex", "vortex_length_arcsec"), "vortex")
    assert densities.probability.shape == (40, 4)
    assert true == pytest.approx(np.log10(table(40, 1)["vortex_length_arcsec"].iloc[-40:]))
    assert found.of(("cdm", FRACTION), "vortex")[1].size == 0
    assert found.types.sum(axis=1) == pytest.approx(np.ones(120))
    assert found.prior == pytest.approx([1 / 3] * 3)


def test_another_file_holds_no_estimates(tmp_path):
    write_arrays(tmp_path / "other.h5", {"class": np.zeros(3)}, kind="shard")
    with pytest.raises(DamagedFile, match="holds no estimates"):
        Estimates.read(tmp_path / "other.h5")


# --- many lenses ----------------------------------------------------------------------------------------------------


@common
@given(st.floats(-0.9, 0.9))
def test_a_tilt_has_the_mean_that_is_asked_for(mean):
    values = np.random.default_rng(0).normal(size=500)
    weights = tilted(values, mean)
    assert weights.sum() == pytest.approx(1)
    assert weights @ values == pytest.approx(mean, abs=1e-6)


def test_a_mean_beyond_all_values_is_refused():
    with pytest.raises(ValueError, match="a mean of 2 lies outside of 0 to 1"):
        tilted(np.array([0.0, 0.5, 1.0]), 2)


def test_the_tilt_of_a_normal_prior_moves_it():
    populations = Populations.of(gaussian()[1].scale)
    k = 150
    moved = stats.norm(populations.means[k], 1)
    edges = populations_edges = gaussian()[1].scale.knots[::16]
    assert np.cumsum(populations.share[k])[:-1] == pytest.approx(moved.cdf(edges[1:-1]), abs=0.01)
    assert len(populations_edges) == BINS + 1


def normal_estimates(noise=1.5, count=3000):
    """Estimates of a data set whose fractions are normal, exact by construction."""
    number, densities, *_ = gaussian(count, noise=noise)
    types = np.tile([0.2, 0.8], (count, 1))
    key = ("cdm", FRACTION)
    return Estimates(
        "toys",
        "exact",
        ("smooth", "cdm"),
        np.ones(count, int),
        np.arange(count),
        {key: densities},
        {key: number},
        types,
        np.array([0.5, 0.5]),
    )


def test_a_populations_posterior_covers_and_is_not_drawn_to_the_prior():
    found = fractions_table([normal_estimates()])
    assert found["lenses"].tolist() == list(LENSES)
    for line in found.itertuples():
        assert line.coverage68 == pytest.approx(0.68, abs=0.075)
        assert line.coverage95 == pytest.approx(0.95, abs=0.04)
        assert line.rmse == pytest.approx(line.posterior_std, rel=0.15)
    last = found.iloc[-1]
    # Of a hundred lenses the exact posterior is normal: N(mean, (1 + noise^2) / 100), cut at the ends of its prior.
    assert last["posterior_std"] == pytest.approx(np.sqrt((1 + 1.5**2) / 100), rel=0.12)
    assert last["slope"] > 0.85
    assert last["slope_of_means"] == pytest.approx(1 / (1 + 1.5**2), abs=0.05)
    assert last["rmse"] < last["rmse_of_means"]


def test_levels_of_populations_are_uniform():
    made = draw_populations(normal_estimates(), "cdm")
    assert stats.kstest(pit(made.posterior[2], made.means, made.truth), "uniform").pvalue > 0.005


# --- tables, flagged images, figures ----------------------------------------------------------------------------------


def flagged(knows, detects, count=200):
    """A classifier and a detector that know all or nothing, on three classes of test images."""
    rng = np.random.default_rng(0)
    classes = ("smooth", "cdm", "vortex")
    cls, index = np.repeat([0, 1, 2], count), np.tile(np.arange(count), 3)
    types = rng.dirichlet(np.ones(3), 3 * count)
    if knows:
        types = 0.9 * np.eye(3)[cls] + 0.1 * types
    estimates = Estimates("toys", "whole", classes, cls, index, {}, {}, types, np.full(3, 1 / 3))
    images = pd.DataFrame({"pool": "test", "class": np.array(classes)[cls], "index": index})
    score = (cls > 0) * float(detects) + 0.1 * rng.random(3 * count)
    models = {"contaminant": ["none"], "contamination": [0.0], "detector": ["dcae"], "seed": [1], "status": ["ok"]}
    scored = DatasetScores("toys", "smooth", images, pd.DataFrame(models), score[None])
    found = triage_table(estimates, scored, {"dcae": {"role": "detector"}})
    return found.set_index(["detector", "type", "flagged_fraction"])


def test_who_knows_everything_is_pure_and_complete():
    found = flagged(knows=True, detects=True)
    for who in (CLASSIFIER_ALONE, "dcae"):
        line = found.loc[who, "cdm", ANOMALOUS_FRACTION]
        assert line["purity"] == pytest.approx(1)
        assert line["completeness"] == pytest.approx(1)
    assert found.loc["dcae", "cdm", 0.05]["completeness"] == pytest.approx(0.5, abs=0.05)
    assert found.loc["dcae", "cdm", 1.0]["purity"] == pytest.approx(0.05 / (0.05 + 0.45), abs=0.04)


def test_a_blind_detector_finds_what_it_flags():
    line = flagged(knows=True, detects=False).loc["dcae", "vortex", 0.2]
    assert line["completeness_low"] < 0.2 < line["completeness_high"]
    assert line["purity"] == pytest.approx(0.05 / (0.05 + 0.45), abs=0.06)


def test_a_blind_classifier_halves_what_a_good_detector_flags():
    line = flagged(knows=False, detects=True).loc["dcae", "vortex", ANOMALOUS_FRACTION]
    assert line["purity"] == pytest.approx(0.5, abs=0.08)
    assert line["completeness"] == pytest.approx(0.5, abs=0.1)


def test_tables_and_figures_are_made_of_what_the_stages_write(stages, tmp_path):
    folder, _ = stages
    found = Estimates.read(folder / "estimates.h5")
    made = regression_table([found])
    assert set(made["class"]) == {"smooth", "cdm", "vortex"}
    assert made.loc[made["target"] == FRACTION, "class"].tolist() == ["cdm", "vortex"]
    triage = pd.DataFrame(flagged(True, True).reset_index()).assign(row="whole")
    write_result(tmp_path / "triage.csv", triage)
    outputs = {name: tmp_path / f"{name}.png" for name in ("estimates", "calibration", "fractions", "triage")}
    regression_figures(outputs, dataset="toys", estimates=[folder / "estimates.h5"], triage=tmp_path / "triage.csv")
    assert all(path.stat().st_size > 5000 for path in outputs.values())


# --- the config -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"bin": 8}, "regression.whole.bin: unknown key.*Did you mean 'bins'"),
        ({"bins": 1}, "regression.whole.bins.*greater than or equal to 2"),
        ({"held_out": 0.9}, "regression.whole.held_out.*less than or equal to 0.5"),
        ({"images": 20}, "regression.whole.bins is 32, but of model_a it is trained on 18 images"),
        ({"input": "residuals"}, "regression.whole.input.*'images', 'residual' or 'scan'"),
        ({"training": {"robust": "trim"}}, "regression.whole.training.robust is trim: its labels are true"),
        (7, "regression.whole: must map names"),
    ],
)
def test_errors_in_the_config_are_reported(config, row, message):
    with pytest.raises(ConfigError, match=message):
        parse_study({**config, "regression": {"whole": row}})


def test_an_input_that_no_row_makes_is_refused(config):
    with pytest.raises(
        ConfigError, match=r"regression.whole.input is residual, and no row fits lenses: add one of lensfit"
    ):
        parse_study({**config, "only": ["dcae"], "regression": {"whole": {"input": "residual"}}})


def test_a_common_remedy_is_not_for_labels_that_are_true(config):
    given = {**config, "training": {**config["training"], "robust": "trim"}, "regression": {"whole": {}}}
    assert parse_study(given).regression["whole"].training.robust == "none"
