"""Published models, from a small study's files to scores on the command line."""

import json
import re
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from astropy.io import fits
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import oddlens
from conftest import ROOT
from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.files.artefacts import read_arrays, write_table
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.lensing.simulation import Simulation
from oddlens.observations import image_files
from oddlens.pretrained import apply, cards, onnx_export, published_models
from oddlens.stages import publish
from oddlens.stages.mini_set import mini_set
from toy_lenses import SCALE, toy_lens, write_lens

PIXELS, COUNT = 16, 60
ROWS = {
    "dcae": {"latent": 4, "width": 16, "depth": 1, "symmetric": False},
    "flux": {},
    "lone": {"latent": 4, "width": 16, "depth": 1},
}
ABOUT = {
    "dataset": "toy",
    "training_set": "none-0",
    "seed": 1,
    "input": "images",
    "training": {"epochs": 1},
    "losses": {},
}
ABOUT |= {"code": {"commit": "c0ffee", "dirty": False}, "versions": {"torch": "2"}, "device": "a processor"}
MEASURED = {"dataset": "toy", "contaminant": "none", "contamination": 0, "anomaly": "all", "auc": 0.75}


def rings(count, seed, broken=False):
    """Noisy rings, of which odd ones have a gap; electrons / s."""
    rng = np.random.default_rng(seed)
    y, x = (np.indices((PIXELS, PIXELS)) - (PIXELS - 1) / 2) * 0.4
    images = np.exp(-0.5 * ((np.hypot(x, y) - rng.uniform(1.5, 2.2, (count, 1, 1))) / 0.5) ** 2)
    images = images * (1 - broken * np.exp(-(x**2 + (y - 2) ** 2)))
    return (images + rng.normal(0, 0.02, images.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """What a study leaves of three rows."""
    place = tmp_path_factory.mktemp("study")
    camera = {"pixels": PIXELS, "pixel_scale_arcsec": 0.4, "psf": {"pixels": 9}}
    lenses = preset_simulation("model_a", above={"camera": camera})
    truth = {"exposure_s": 1000.0, "sky_per_arcsec2": 1.0, "zero_point_mag": 25.0}
    for k, (pool, cls) in enumerate([("validation", "smooth"), ("test", "smooth"), ("test", "cdm")]):
        arrays = {"images": rings(COUNT, k, cls != "smooth"), "index": np.arange(COUNT)}
        arrays |= {f"truth/{name}": np.full(COUNT, value) for name, value in truth.items()}
        about = {"dataset": "toy", "pool": pool, "class": cls, "seed": 7, "pixel_scale_arcsec": 0.4}
        about["simulation"] = json.dumps(Simulation.model_validate(lenses.plain()).only("smooth").plain())
        shards.write(place / f"{pool}-{cls}.h5", shards.Shard(arrays, about))
    validation = shards.read(place / "validation-smooth.h5").images
    for row, settings in ROWS.items():
        model = loading.detector(row if row == "flux" else "dcae").build(PIXELS, seed=1, **settings)
        training = {"epochs": 1, "batch_size": 20} if settings else {}
        model.fit(rings(80, 9), seed=1, camera=KnownCamera(1e-3, 2e-4, 2.1), training=training)
        model.save(place / f"{row}.safetensors", **ABOUT, row=row, diverged=None)
        table = pd.DataFrame({"pool": "validation", "class": "smooth", "index": range(COUNT)})
        write_table(place / f"{row}.csv", table.assign(**{"none-0/1": model.score(validation)}), kind="scores")
    rows = pd.DataFrame([MEASURED | {"detector": row} for row in ROWS])
    auc = rows.assign(seed=1, auc_low=0.7, auc_high=0.8, n_normal=COUNT, n_anomalous=COUNT)
    auc.to_csv(place / "auc.csv", index=False)
    rows.assign(seed_low=np.nan, seed_high=np.nan, seeds=1).to_csv(place / "summary.csv", index=False)
    split = pd.DataFrame({"pool": "train", "class": "smooth", "index": range(80), "none-0": 1, "known": 0})
    write_table(place / "split.csv", split, kind="splits")
    return place


def published(study, folder, row, **changed):
    """Publish a row."""
    place = folder / "toy"
    if not (place / "mini.h5").is_file():
        mini_set(place / "mini.h5", [study / f"test-{cls}.h5" for cls in ("smooth", "cdm")])
    given = {
        "model_path": study / f"{row}.safetensors",
        "validation_paths": [study / "validation-smooth.h5"],
        "mini_path": place / "mini.h5",
        "scores_path": study / f"{row}.csv",
        "split_path": study / "split.csv",
        "auc_path": study / "auc.csv",
        "summary_path": study / "summary.csv",
        "dataset": "toy",
        "row": row,
        "scoring": {},
        "smooth": "smooth",
        "what": "A detector that was made up",
        "study": "tiny",
        "seed": 7,
        "licence": "MIT",
    }
    publish.publish(place / f"{row}.safetensors", place / f"{row}.md", **given | changed)


@pytest.fixture(scope="module")
def models(study, tmp_path_factory):
    """A folder with two published models."""
    folder = tmp_path_factory.mktemp("pretrained")
    for row in ("dcae", "flux"):
        published(study, folder, row)
    return folder


@pytest.fixture
def run(models, monkeypatch, oddlens_command):
    """The command line on these models: its exit status, output and errors."""
    for function in (published_models.names, published_models.path_of, published_models.load, published_models.verify):
        monkeypatch.setattr(function, "__defaults__", (models,))

    def run(*arguments):
        end = oddlens_command(*arguments)
        return end.status, end.out, end.err

    return run


def write_fits(path, image, *units, **header):
    primary = fits.PrimaryHDU(np.flipud(image) if image.ndim == 2 else image, fits.Header(header))
    fits.HDUList([primary, *units]).writeto(path)
    return path


# --- models and cards ------------------------------------------------------------------------------------------------


def test_a_published_model_scores_as_the_studys(study, models):
    model = published_models.load("toy/dcae", models)
    images = rings(30, 5)
    original = loading.load(study / "dcae.safetensors")[0].score(images)
    assert model.apart(model.score(images), original) < publish.ROUNDED
    assert model.smooth.shape == (COUNT,)
    chances = model.false_alarm(np.array([-1e9, 1e9]))
    assert chances[0] == 1
    assert chances[1] < 0.05


def test_matrices_are_in_half_precision_and_the_rest_is_not(models):
    tensors, _ = read_tensors(models / "toy" / "dcae.safetensors")
    assert {tensor.dtype for tensor in tensors.values() if tensor.ndim > 1} == {torch.float16}
    assert {tensor.dtype for tensor in tensors.values() if tensor.ndim < 2} == {torch.float32}


def test_what_half_precision_cannot_hold_stays_single():
    held = publish.halved(
        {"large": torch.full((2, 2), 1e6), "small": torch.ones(2, 2), "count": torch.ones(2, 2).int()}
    )
    assert [tensor.dtype for tensor in held.values()] == [torch.float32, torch.float16, torch.int32]


def test_a_model_that_half_precision_spoils_stays_single(study, tmp_path):
    tensors, header = read_tensors(study / "lone.safetensors")
    tensors["autoencoder.coordinates.principal.axes"] *= 1e-7  # below what half precision resolves
    tensors["autoencoder.coordinates.principal.scatter"] *= 1e-7
    write_tensors(tmp_path / "model.safetensors", tensors, header)
    model = loading.load(tmp_path / "model.safetensors")[0]
    table = pd.DataFrame({"pool": "validation", "class": "smooth", "index": range(COUNT)})
    scores = model.score(shards.read(study / "validation-smooth.h5").images)
    write_table(tmp_path / "scores.csv", table.assign(**{"none-0/1": scores}), kind="scores")
    paths = {"model_path": tmp_path / "model.safetensors", "scores_path": tmp_path / "scores.csv"}
    published(study, tmp_path, "lone", **paths)
    assert published_models.load("toy/lone", tmp_path).card["precision"] == "single precision"


def test_the_card_says_what_the_tables_say(models):
    text = (models / "toy" / "dcae.md").read_text()
    assert text == cards.text(published_models.load("toy/dcae", models).card)
    assert "| all | 0.750 | 0.700 to 0.800 | 60 / 60 | 0.750 | – | 1 |" in text
    for words in ["80 training images (all smooth)", "commit c0ffee", "torch 2", "epochs 1", "7 (master)", "MIT"]:
        assert words in text
    assert "lack an elliptical halo" in text
    assert "less than 1 in 600 is never claimed" in text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scores": lambda scores: scores + 1}, "does not give the scores"),
        ({"diverged": "the loss became nan"}, "diverged"),
        ({"most": 1000}, "MB in half precision"),
    ],
)
def test_what_is_unfit_is_not_published(study, tmp_path, monkeypatch, changed, words):
    given = {}
    if "scores" in changed:
        table = pd.read_csv(study / "dcae.csv", comment="#")
        table["none-0/1"] = changed["scores"](table["none-0/1"])
        write_table(tmp_path / "scores.csv", table, kind="scores")
        given = {"scores_path": tmp_path / "scores.csv"}
    if "diverged" in changed:
        tensors, header = read_tensors(study / "dcae.safetensors")
        header["about"] |= changed
        write_tensors(tmp_path / "model.safetensors", tensors, header)
        given = {"model_path": tmp_path / "model.safetensors"}
    monkeypatch.setattr(publish, "MOST_BYTES", changed.get("most", publish.MOST_BYTES))
    with pytest.raises(ValueError, match=words):
        published(study, tmp_path, "dcae", **given)
    assert not (tmp_path / "toy" / "dcae.safetensors").exists()


def test_the_nearest_name_is_told(models):
    with pytest.raises(FileNotFoundError, match="Did you mean 'toy/dcae'"):
        published_models.load("toy/dace", models)
    with pytest.raises(FileNotFoundError, match="none at all"):
        published_models.load("toy/dcae", models / "nothing")


def test_a_model_of_a_study_is_not_a_published_one(study):
    with pytest.raises(ValueError, match="without a card"):
        published_models.load(study / "dcae.safetensors")


def test_the_package_loads_models_by_itself(models):
    assert oddlens.load(models / "toy" / "dcae.safetensors").name == "toy/dcae"
    code = "import sys, oddlens; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


# --- score -----------------------------------------------------------------------------------------------------------


def test_fits_hdf5_and_npy_of_equal_images_score_alike(run, models, tmp_path):
    images = read_arrays(models / "toy" / "mini.h5")[0]["images"][:3]
    np.save(tmp_path / "images.npy", images)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["stamps"] = images
    write_fits(tmp_path / "cube.fits", images[:, ::-1], PIXSCALE=0.4)
    units = [fits.ImageHDU(np.flipud(image), name=f"SCI{k}") for k, image in enumerate(images)]
    units += [fits.ImageHDU(np.full((5, 5), 0.04), name="PSF"), fits.ImageHDU(images[0], name="TWIN")]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / "units.fits")
    files = [tmp_path / name for name in ("images.npy", "images.h5", "cube.fits", "units.fits")]
    status, out, err = run("score", *files, "--model", "toy/dcae", "--dataset", "stamps", "--csv", tmp_path / "o.csv")
    assert (status, err) == (0, "")
    table = pd.read_csv(tmp_path / "o.csv")
    expected = published_models.load("toy/dcae", models).score(images)
    np.testing.assert_allclose(table["score"].to_numpy().reshape(4, 3), np.tile(expected, (4, 1)), rtol=1e-6)
    assert table["image"].tolist()[-3:] == [f"units.fits[SCI{k}]" for k in range(3)]
    assert "units.fits[SCI2]" in out
    assert f"{expected[2]:.4g}" in out


def test_a_shard_is_scored(run, study, models):
    status, out, _ = run("score", study / "test-cdm.h5", "--model", "toy/flux")
    assert status == 0
    assert len(out.splitlines()) == 1 + COUNT


def test_a_frame_is_brought_to_the_models_geometry(run, tmp_path):
    folder = write_lens(tmp_path / "lens", 181, PIXSCALE=SCALE)
    status, out, err = run("score", folder, "--model", "toy/dcae")
    assert (status, err) == (0, "")
    assert 'pixels of 0.05" resampled to 0.4"' in out
    assert "not a detection" in out
    np.save(tmp_path / "lens.npy", sum(toy_lens(181)))
    psf = ["--psf", folder / "psf.fits", "--noise", folder / "noise_map.fits", "--pixel-scale", SCALE]
    status, other, _ = run("score", tmp_path / "lens.npy", "--model", "toy/dcae", *psf)
    assert status == 0
    assert "lens.npy" in other


BAD = {
    "missing.fits": (None, "there is no file"),
    "text.fits": (lambda path, image: path.write_text("SIMPLY"), "neither FITS, HDF5 nor NPY"),
    "cut.fits": (
        lambda path, image: path.write_bytes(write_fits(path, image).read_bytes()[:3000]),
        "cannot be read as",
    ),
    "table.fits": (
        lambda path, image: fits.HDUList(
            [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])]
        ).writeto(path),
        "holds no image of two dimensions",
    ),
    "twin.fits": (
        lambda path, image: fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="TWIN")]).writeto(path),
        "no image that was observed",
    ),
    "border.fits": (
        lambda path, image: write_fits(path, np.pad(image[1:-1, 1:-1], 1, constant_values=np.nan)),
        "60 of its 256 pixels are not finite",
    ),
    "fine.fits": (lambda path, image: write_fits(path, image, PIXSCALE=0.05), 'toy shows 6.40" x 6.40" around it'),
    "coarse.fits": (lambda path, image: write_fits(path, image, CDELT1=1 / 3600), "what is coarser"),
    "words.fits": (lambda path, image: write_fits(path, image, PIXSCALE="small"), "pixel scale is no number"),
    "huge.fits": (lambda path, image: write_fits(path, np.zeros((2100, 20), np.int8)), "2100 pixels on a side"),
    "stretched.fits": (
        lambda path, image: write_fits(path, image, fits.ImageHDU(np.ones((5, 5)), name="PSF")),
        "PSF sums to 25 and not to 1",
    ),
    "other.fits": (lambda path, image: write_fits(path, np.pad(image, 2)), "20 x 20 pixels of unknown scale"),
    "counts.npy": (lambda path, image: np.save(path, 1e6 * image), "bring it to that unit"),
    "dark.npy": (lambda path, image: np.save(path, 0 * image), "bring it to that unit"),
    "names.npy": (lambda path, image: np.save(path, np.array(["a"])), "images are numbers"),
    "complex.npy": (lambda path, image: np.save(path, image + 1j), "images are numbers"),
    "empty.npy": (lambda path, image: np.save(path, image[None][:0]), "images are numbers"),
    "other.h5": (lambda path, image: h5py.File(path, "w").create_dataset("stamps", data=image), "no data set 'images'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_line_and_the_others_are_scored(run, tmp_path, name):
    write, words = BAD[name]
    if write:
        write(tmp_path / name, rings(1, 3)[0])
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0], PIXSCALE=0.4)
    status, out, err = run("score", tmp_path / name, good, "--model", "toy/dcae", "--csv", tmp_path / "o.csv")
    assert status == 1
    assert len(err.splitlines()) == 1
    assert words in err
    assert name in err
    table = pd.read_csv(tmp_path / "o.csv")
    assert table["score"].notna().tolist() == [False, True]
    assert words in table["problem"][0]
    assert "good.fits" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["score", "x.fits", "--model", "toy/dace"], "Did you mean 'toy/dcae'?"),
        (["score", "x.fits", "--model", "nowhere.safetensors"], "no file nowhere.safetensors"),
        (["export", "--model", "toy/flox", "x.onnx"], "Did you mean 'toy/flux'?"),
    ],
)
def test_without_a_model_nothing_is_done(run, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_a_wrong_pixel_scale_on_the_command_line_is_told(run, tmp_path):
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0])
    status, _, err = run("score", good, "--model", "toy/dcae", "--pixel-scale", "-1")
    assert status == 1
    assert "above 0" in err


def test_a_score_that_is_not_finite_leaves_the_others(models, tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", rings(3, 3))
    model = published_models.load("toy/dcae", models)
    examined = type(model.detector).scores_and_findings

    def sometimes(self, images):
        if rings(3, 3)[1].tolist() in images.tolist():
            raise FloatingPointError("not finite")
        return examined(self, images)

    monkeypatch.setattr(type(model.detector), "examined", sometimes)
    found = list(apply.judged(model, [tmp_path / "images.npy"]))
    assert [entry.problem for entry in found] == ["", "not finite", ""]


def test_where_images_are_odd_is_drawn(run, tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", rings(15, 3, broken=True))
    status, out, _ = run("score", tmp_path / "images.npy", "--model", "toy/dcae", "--map", tmp_path / "o.png")
    assert status == 0
    assert "(the 12 highest scores)" in out
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(published_models.Pretrained, "maps", lambda self, images: None)
    status, out, _ = run("score", tmp_path / "images.npy", "--model", "toy/dcae", "--map", tmp_path / "p.png")
    assert status == 0
    assert "no picture: toy/dcae" in out


@given(st.lists(st.tuples(st.integers(0, 5759), st.integers(0, 255)), max_size=20), st.integers(0, 5760))
@example([(410, 0)], 5760)  # a card that has no value
@hypothesis_settings(max_examples=60, deadline=None)
def test_damaged_fits_is_read_or_refused(tmp_path_factory, damages, length):
    path = tmp_path_factory.mktemp("fits") / "image.fits"
    content = bytearray(write_fits(path, rings(1, 3)[0], PIXSCALE=0.4).read_bytes())
    for place, value in damages:
        content[place] = value
    path.write_bytes(content[:length])
    refused = None
    try:
        assert all(stack.images.ndim == 3 for stack in image_files.read(path))
    except ValueError as error:
        refused = str(error)
    assert refused is None or len(refused.splitlines()) == 1


# --- verify and export -----------------------------------------------------------------------------------------------


def test_all_models_are_as_their_cards_say(run):
    status, out, _ = run("verify")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [["ok", "toy/dcae:"], ["ok", "toy/flux:"]]


@pytest.mark.parametrize("what", ["weights", "card", "mini", "bytes", "gone"])
def test_what_is_not_as_the_card_says_is_told(study, tmp_path, what):
    published(study, tmp_path, "dcae")
    place = tmp_path / "toy"
    if what == "weights":
        tensors, header = read_tensors(place / "dcae.safetensors")
        tensors["scale"] *= 1.5
        write_tensors(place / "dcae.safetensors", tensors, header)
    elif what == "card":
        (place / "dcae.md").write_text((place / "dcae.md").read_text().replace("0.750", "0.950"))
    elif what == "mini":
        mini_set(place / "mini.h5", [study / "test-cdm.h5"])
    elif what == "bytes":
        content = bytearray((place / "dcae.safetensors").read_bytes())
        content[-5] ^= 1
        (place / "dcae.safetensors").write_bytes(content)
    else:
        (place / "mini.h5").unlink()
    try:
        same = published_models.verify("toy/dcae", tmp_path)[1]
    except (OSError, ValueError):
        same = False
    assert not same


def test_onnx_scores_as_torch_does(run, models, tmp_path):
    import onnxruntime

    status, out, _ = run("export", "--model", "toy/dcae", tmp_path / "dcae.onnx")
    assert status == 0
    assert "scores [n]" in out
    session = onnxruntime.InferenceSession(tmp_path / "dcae.onnx")
    model = published_models.load("toy/dcae", models)
    assert json.loads(session.get_modelmeta().custom_metadata_map["card"]) == model.card
    for count in (1, 7):
        images = rings(count, 6)
        (scores,) = session.run(["scores"], {"images": images})
        assert model.apart(scores, model.score(images)) < 1e-3


def test_a_score_that_is_no_graph_is_refused(study, models, tmp_path):
    forest = loading.detector("outlier").build(PIXELS, algorithm="iforest")
    forest.fit(rings(80, 9), seed=1)
    model = published_models.Pretrained("toy/forest", forest, published_models.load("toy/flux", models).card)
    with pytest.raises(ValueError, match="cannot be written as ONNX"):
        onnx_export.write(tmp_path / "forest.onnx", model)
    assert not (tmp_path / "forest.onnx").exists()


# --- those of the project --------------------------------------------------------------------------------------------

OURS = published_models.names(ROOT / "pretrained")


@pytest.mark.parametrize("name", OURS)
def test_the_projects_models_are_small_and_what_their_cards_say(name):
    assert (ROOT / "pretrained" / f"{name}.safetensors").stat().st_size < publish.MOST_BYTES
    words, same = published_models.verify(name, ROOT / "pretrained")
    assert same, words


def test_the_page_has_all_models_with_the_aucs_of_their_cards():
    page = (ROOT / "docs/pretrained.md").read_text()
    said = {}
    for row, *cells in re.findall(r"^\| `(\w+)` \| ([\d./ ]+) \| ([\d./ ]+) \| [\d.]+ \|$", page, re.MULTILINE):
        said |= {f"{dataset}/{row}": cell for dataset, cell in zip(("model_a", "model_b"), cells, strict=True)}
    cards = {name: published_models.load(name, ROOT / "pretrained").card for name in OURS}
    aucs = {name: {line["anomaly"]: f"{line['auc']:.3f}" for line in card["measured"]} for name, card in cards.items()}
    assert said == {
        name: " / ".join(auc[anomaly] for anomaly in ("cdm", "vortex", "all")) for name, auc in aucs.items()
    }
    assert len(said) == 12


# --- speed -----------------------------------------------------------------------------------------------------------


def test_help_comes_without_what_is_heavy():
    code = "import sys, oddlens.cli.main as m; m.parsers()[0].format_help(); "
    code += "sys.exit(bool({'torch', 'numpy', 'astropy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


def test_scoring_one_image_imports_no_more_than_it_needs(models, tmp_path):
    good = write_fits(tmp_path / "good.fits", rings(1, 4)[0], PIXSCALE=0.4)
    code = "import sys; from oddlens.cli.main import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(*sorted({'matplotlib', 'sklearn', 'jax', 'autolens', 'astropy.modeling'} & set(sys.modules)))"
    arguments = ["score", str(good), "--model", str(models / "toy" / "dcae.safetensors")]
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT / "src", capture_output=True, text=True, check=True
    )
    assert "good.fits" in run.stdout
    assert run.stdout.splitlines()[-1] == ""
