"""Exported data sets (FITS, PNG), single images by their names, and the preview."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from conftest import ROOT
from oddlens.config.files_dataset import Files
from oddlens.config.merging import laid_over
from oddlens.config.study import parse_study, read_study
from oddlens.data import shards
from oddlens.data.pools import POOLS
from oddlens.lensing import camera as cameras
from oddlens.lensing import convergence, render, scene
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import fits_files, noise_map
from oddlens.observations.reading import image_files
from oddlens.observations.sample.columns import CAMERA
from oddlens.observations.sample.sample import read_sample
from oddlens.stages import export, image, preview
from oddlens.stages import simulate as simulating
from oddlens.stages.ingest import ingest

SMALL = """
study: tiny
datasets:
  model_a:
    camera: {pixels: 16, pixel_scale_arcsec: 0.4, psf: {pixels: 5}}
    images: {train: 6, contaminant: 2, validation: 2, test: 4, per_shard: 4}
  model_b: null
contamination: {images: 4, fractions: {mixed: [0.25]}}
training: {batch_size: 4}
only: [flux]
"""
WANTED = {
    "train/good": 6,
    "validation/good": 2,
    "test/good": 4,
    "test/cdm": 4,
    "test/vortex": 4,
    "contaminant/cdm": 2,
    "contaminant/vortex": 2,
}


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Small batches, renderers compiled once; that images agree with PyAutoLens is tested elsewhere."""
    made, renderer = {}, render.renderer

    def kept(camera, cls):
        key = camera.model_dump_json(), cls
        made[key] = made.get(key) or renderer(camera, cls)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulating, "MAX_BATCH_IMAGES", 4)
        patch.setattr(simulating.reference, "disagreement", lambda *_: 0.0)
        patch.setattr(render, "renderer", kept)
        yield


@pytest.fixture(scope="module")
def config_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def tiny(config_path):
    return read_study([ROOT / "config/config.yaml", config_path])


@pytest.fixture(scope="module")
def shard_paths(tiny, tmp_path_factory):
    """All shards of the study, by pool."""
    folder, dataset = tmp_path_factory.mktemp("shards"), tiny.datasets["model_a"]
    found = {}
    for pool in POOLS:
        for cls in dataset.pools.classes(pool):
            for number in dataset.pools.shards(pool, cls):
                first, count = dataset.pools.shard_range(pool, cls, number)
                path = folder / pool / cls / f"{number:03d}.h5"
                names = {"seed": tiny.seed, "dataset": "model_a", "pool": pool, "cls": cls}
                shards.write(path, simulating.simulate(dataset, **names, first=first, count=count))
                found.setdefault(pool, []).append(path)
    return found


@pytest.fixture(scope="module")
def exported(shard_paths, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "model_a"
    others = [path for pool in ("contaminant", "validation", "test") for path in shard_paths[pool]]
    export.export(folder, dataset="model_a", smooth=SMOOTH, train=shard_paths["train"], others=others)
    return folder


@pytest.fixture(scope="module")
def anomalous_shard(shard_paths):
    return next(s for s in map(shards.read, shard_paths["test"]) if s.attributes["class"] == "cdm")


# --- a sample of the exported images ----------------------------------------------------------------------------------


def test_exported_images_are_a_sample_with_equal_shards(exported, shard_paths, tiny, tmp_path):
    """So models, scores and AUCs are equal, too: all of them are functions of these arrays."""
    files = Files(sheet=str(exported / "fits/metadata.csv"), pixels=16, per_shard=4)
    sample, unknown = read_sample(files, tiny.seed, "model_a"), dict.fromkeys(CAMERA, np.nan)
    assert sample.pools.counts == tiny.datasets["model_a"].pools.counts
    lenses = {}
    for path in (path for paths in shard_paths.values() for path in paths):
        simulated = shards.read(path)
        about = {"pool": simulated.attributes["pool"], "cls": simulated.attributes["class"]}
        names = {"dataset": "model_a", **about, "shard": int(path.stem), "seed": tiny.seed}
        ingest(tmp_path / "shard.h5", sample, files=files, camera=unknown, **names)
        again = shards.read(tmp_path / "shard.h5")
        assert np.array_equal(again.images, simulated.images)
        assert np.array_equal(again.arrays["index"], simulated.arrays["index"])
        truth = again.group("truth")
        lenses.setdefault(about["pool"], {}).setdefault(about["cls"], []).extend(truth.pop("lens"))
        for name, values in simulated.group("truth").items():
            np.testing.assert_array_equal(truth.pop(name), values, err_msg=name)
        assert all(np.isnan(values).all() for values in truth.values())  # properties of other classes
    assert lenses["test"][SMOOTH] == lenses["test"]["cdm"] == lenses["test"]["vortex"]  # twins
    assert not {*lenses["contaminant"]["cdm"]} & {*lenses["contaminant"]["vortex"], *lenses["train"][SMOOTH]}


# --- FITS ------------------------------------------------------------------------------------------------------------


def test_an_exported_image_comes_back_upright_and_to_scale(exported, anomalous_shard):
    stack = image_files.read_single(exported / "fits/test/cdm/000002.fits")
    np.testing.assert_array_equal(stack.images[0], anomalous_shard.images[2])
    assert stack.pixel_scale_arcsec == 0.4
    assert sorted(stack.companions.arrays) == ["noise", "psf"]


def test_the_pixel_scale_is_also_in_the_wcs(exported, tmp_path):
    with fits.open(exported / "fits/test/cdm/000002.fits") as units:
        header = units[0].header.copy()
        del header["PIXSCALE"]
        fits.writeto(tmp_path / "other.fits", units[0].data, header)
    assert image_files.read_single(tmp_path / "other.fits").pixel_scale_arcsec == pytest.approx(0.4)
    # Row 0 of a shard is the top, column 0 the left.
    assert WCS(header).pixel_to_world_values(0, 15) == pytest.approx((-3 / 3600, 3 / 3600))


def test_the_header_holds_identity_and_parameters_with_all_digits(exported, anomalous_shard):
    header = fits.getheader(exported / "fits/test/cdm/000003.fits")
    assert [header[name] for name in ("DATASET", "POOL", "CLASS", "INDEX", "SEED")] == [
        "model_a",
        "test",
        "cdm",
        3,
        2020,
    ]
    assert header["BUNIT"] == "electron/s"
    truth = anomalous_shard.one("truth", 3)
    assert len(truth) > 20
    assert {name: header[name] for name in truth} == truth


def test_units_hold_noise_psf_and_subhalos(exported, anomalous_shard):
    path = exported / "fits/test/cdm/000001.fits"
    with fits.open(path) as units:
        assert [unit.name for unit in units] == ["PRIMARY", "NOISE", "PSF", "SUBSTRUCTURE"]
        np.testing.assert_array_equal(units["PSF"].data[::-1], anomalous_shard.arrays["psf"])
        table = units["SUBSTRUCTURE"].data
        used = anomalous_shard.arrays["substructure/subhalo_area"][1] > 0
        for column in ("subhalo_area", "subhalo_x_arcsec", "subhalo_y_arcsec"):
            np.testing.assert_array_equal(table[column], anomalous_shard.arrays[f"substructure/{column}"][1][used])
        assert "estimated" in str(units[0].header["COMMENT"])


def test_checksums_hold_and_equal_contents_are_equal_files(exported, anomalous_shard, tmp_path):
    path = exported / "fits/test/cdm/000001.fits"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits.open(path, checksum=True).close()
    camera = export.Camera.model_validate(json.loads(anomalous_shard.attributes["simulation"])["camera"])
    fits_files.write(
        tmp_path / "again.fits", export.observation(anomalous_shard, 1, camera, anomalous_shard.arrays["psf"])
    )
    assert (tmp_path / "again.fits").read_bytes() == path.read_bytes()


def test_values_that_a_header_cannot_hold_are_refused(tmp_path):
    observation = fits_files.Observation(np.zeros((8, 8)), 0.1, {}, {"flux": np.nan})
    with pytest.raises(ValueError, match="flux is nan"):
        fits_files.write(tmp_path / "x.fits", observation)


def test_the_estimated_noise_map_agrees_with_the_true_one(config):
    """Of model C: lens light is subtracted again, and each image has a PSF of its own."""
    images, rays = config["datasets"]["model_a"]["images"], {"error_sigma": None, "over_sampling": 4}
    config["datasets"] = {"one": {"preset": "model_c", "images": images, "camera": rays}}
    found = parse_study(config)
    made, camera = image.simulate_image(found, "one", "train", SMOOTH, 3), found.datasets["one"].camera
    q = {name: float(column[0]) for name, column in made.scenes.lens.items()}
    estimate = noise_map.noise_map(made.images[0], q, camera, cameras.psf_kernels(camera, made.scenes.lens)[0])
    ratio = estimate / made.sigma[0]
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio.std() < 0.2


# --- PNG -------------------------------------------------------------------------------------------------------------


def test_folders_have_the_layout_of_libraries(exported):
    found = {p.relative_to(exported / "png").as_posix(): p for p in (exported / "png").glob("*/*")}
    assert {name: len(list(p.glob("*.png"))) for name, p in found.items()} == WANTED
    assert (exported / "png/test/vortex/000003.png").is_file()
    assert len(list((exported / "fits").glob("*/*/*.fits"))) == sum(WANTED.values())
    assert not list(exported.parent.glob(".*"))


@pytest.mark.parametrize("kind", ["png", "fits"])
def test_metadata_names_each_file_with_its_role_label_and_lens(kind, exported, anomalous_shard):
    table = pd.read_csv(exported / kind / "metadata.csv", float_precision="round_trip")
    files = {path.relative_to(exported / kind).as_posix() for path in (exported / kind).rglob(f"*.{kind}")}
    assert set(table["file_name"]) == files
    assert table["file_name"].is_unique
    normal = "good" if kind == "png" else "smooth"
    folders = table["role"] + "/" + table["label"].replace("smooth", normal)
    assert (table["file_name"].str.rpartition("/")[0] == folders).all()
    assert (table["pixel_scale_arcsec"] == 0.4).all()
    found = table.set_index("file_name").loc[f"test/cdm/000003.{kind}"]
    truth = anomalous_shard.one("truth", 3)
    own = [name for name in truth if kind == "fits" or name not in ("noise_gain", "noise_background")]
    assert found[own].to_dict() == {name: truth[name] for name in own}


def test_the_camera_of_pictures_is_that_of_their_greys(exported, shard_paths, anomalous_shard):
    table = pd.read_csv(exported / "png/metadata.csv").set_index("file_name")
    line, scale = table.loc["test/cdm/000003.png"], export.greys(shard_paths["train"])
    truth, brightness = anomalous_shard.one("truth", 3), np.array([0.0, 0.5, 2.0])
    variance = (truth["noise_gain"] * brightness + truth["noise_background"]) / scale.step**2 + 1 / 12
    grey = (brightness - scale.black) / scale.step
    np.testing.assert_allclose(line["noise_gain"] * grey + line["noise_background"], variance, rtol=1e-9)


def test_twins_are_one_object_and_all_others_are_different_ones(exported):
    table = pd.read_csv(exported / "fits/metadata.csv")
    number = table["file_name"].str[-11:-5].astype(int)
    test = table["role"] == "test"
    assert (table[test].groupby(number)["object"].nunique() == 1).all()
    assert table[test]["object"].nunique() == 4
    assert table[~test]["object"].is_unique
    assert not set(table[test]["object"]) & set(table[~test]["object"])
    same_lens = table[test].groupby("object")["einstein_radius_arcsec"].nunique()
    assert (same_lens == 1).all(), "twins have the same lens"


def test_pixels_of_exported_files_are_those_of_the_shards_to_the_bit(exported, shard_paths):
    for shard in map(shards.read, [path for paths in shard_paths.values() for path in paths]):
        folder = exported / "fits" / shard.attributes["pool"] / shard.attributes["class"]
        for index, pixels in zip(shard.arrays["index"], shard.images, strict=True):
            read = image_files.read_single(folder / f"{index:06d}.fits").images[0]
            np.testing.assert_array_equal(read.astype(np.float32), pixels)


def test_all_pngs_have_the_grey_scale_of_the_training_images(exported, shard_paths, anomalous_shard):
    scale = export.greys(shard_paths["train"])
    with Image.open(exported / "png/test/cdm/000002.png") as png:
        assert png.mode == "L"
        greys = np.asarray(png)
    inside = (greys > 0) & (greys < 255)
    assert inside.mean() > 0.5
    back = scale.black + greys * scale.step
    assert np.abs(back - anomalous_shard.images[2])[inside].max() <= 0.501 * scale.step
    assert f"{scale.step:.9g}" in (exported / "README.txt").read_text()


def test_a_failed_export_leaves_the_previous_one(tmp_path):
    folder = tmp_path / "model_a"
    folder.mkdir()
    (folder / "before").touch()
    with pytest.raises(RuntimeError, match="midway"), export.atomic_write_folder(folder) as temporary:
        (temporary / "half").touch()
        raise RuntimeError("midway")
    assert [p.name for p in tmp_path.rglob("*")] == ["model_a", "before"]


# --- single images ---------------------------------------------------------------------------------------------------


@pytest.fixture
def image_command(oddlens_command, monkeypatch, tmp_path):
    """`oddlens image` in the project's folder, to image.fits."""
    monkeypatch.chdir(ROOT)
    return lambda name, config: oddlens_command("image", name, "--configfile", config, "--out", tmp_path / "image.fits")


def test_a_single_image_equals_the_one_in_the_shard(tiny, anomalous_shard):
    seen = image.observation(tiny, "model_a", "test", "cdm", 2)
    np.testing.assert_array_equal(seen.image, anomalous_shard.images[2])
    assert seen.image.dtype == np.float32
    assert dict(seen.truth) == anomalous_shard.one("truth", 2)


def test_an_image_has_its_truth_twin_and_convergence(config_path, tiny, shard_paths, tmp_path, image_command):
    path = tmp_path / "image.fits"
    out = image_command("model_a/test/vortex/1", config_path).out
    assert "vortex_length_arcsec" in out
    assert str(path) in out
    by_class = {s.attributes["class"]: s for s in map(shards.read, shard_paths["test"])}
    np.testing.assert_array_equal(image_files.read_single(path).images[0], by_class["vortex"].images[1])
    with fits.open(path) as units:
        maps = {unit.name: np.flipud(unit.data) for unit in units if unit.is_image}
        assert set(maps) == {"PRIMARY", "NOISE", "PSF", "NOISEFREE", "KAPPADIF", "TWIN"}
        assert units["SUBSTRUCTURE"].data["vortex_area"] > 0
        assert "BUNIT" not in units["KAPPADIF"].header
    np.testing.assert_array_equal(maps["TWIN"], by_class["smooth"].images[1])
    pull = (maps["PRIMARY"] - maps["NOISEFREE"]) / maps["NOISE"]
    assert 0.8 < pull.std() < 1.2
    odd = scene.draw_scenes(tiny.datasets["model_a"], tiny.seed, "model_a", "test", "vortex", np.array([1]))
    expected = convergence.difference(tiny.datasets["model_a"].camera, "vortex", odd, 0)
    np.testing.assert_array_equal(maps["KAPPADIF"], expected)


def test_a_contaminant_has_no_twin_by_name(tiny):
    assert set(image.observation(tiny, "model_a", "contaminant", "cdm", 1).maps) == {
        "NOISE",
        "PSF",
        "NOISEFREE",
        "KAPPADIF",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "has 0 parts"),
        ("model_a/test/vortex", "has 3 parts"),
        ("model_x/test/vortex/1", "Did you mean 'model_a'?"),
        ("model_b/test/vortex/1", "unknown data set 'model_b'. Known: model_a."),
        ("model_a/tets/vortex/1", "Did you mean 'test'?"),
        ("model_a/test/vrotex/1", "Did you mean 'vortex'?"),
        ("model_a/train/cdm/1", "unknown class 'cdm' in model_a/train. Known: smooth."),
        ("model_a/test/cdm/-1", "the index is 0 to 3, not '-1'"),
        ("model_a/test/cdm/one", "not 'one'"),
        ("model_a/test/cdm/1.5", "not '1.5'"),
        ("model_a/test/cdm/4", "holds 4 images: the index is 0 to 3, not '4'"),
    ],
)
def test_a_wrong_name_is_an_error_of_one_line(name, words, config_path, tmp_path, image_command):
    end = image_command(name, config_path)
    assert end.status == 2
    assert words in end.err
    assert len(end.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("written", "words"),
    [(None, "No such file"), ("a: [", "is not YAML"), ("- 1", "must map keys"), ("sed: 3", "Did you mean 'seed'?")],
)
def test_a_wrong_config_is_an_error(written, words, tmp_path, image_command):
    if written is not None:
        (tmp_path / "wrong.yaml").write_text(written)
    end = image_command("model_a/test/cdm/1", tmp_path / "wrong.yaml")
    assert end.status == 2
    assert words in end.err


def test_the_default_config_lies_below_from_any_directory(tmp_path, monkeypatch, oddlens_command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed.yaml").write_text("seed: 3")
    end = oddlens_command("image", "model_x/test/cdm/1", "--configfile", "seed.yaml")
    assert (end.status, "Known: model_a, model_b." in end.err) == (2, True)


def test_configs_are_laid_over_each_other_as_snakemake_does_it():
    from snakemake.utils import update_config

    below = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for above in (yaml.safe_load(SMALL), yaml.safe_load((ROOT / "config/paper.yaml").read_text())):
        expected = json.loads(json.dumps(below))
        update_config(expected, above)
        assert laid_over(below, above) == expected


# --- preview ---------------------------------------------------------------------------------------------------------


def test_a_preview_is_drawn_and_reproducible(shard_paths, tmp_path):
    paths = sorted(shard_paths["test"], key=lambda p: p.parent.name != SMOOTH)
    preview.preview(tmp_path / "preview.png", paths, dataset="model_a", smooth=SMOOTH)
    with Image.open(tmp_path / "preview.png") as png:
        assert min(png.size) > 400
    before = (tmp_path / "preview.png").read_bytes()
    preview.preview(tmp_path / "preview.png", paths, dataset="model_a", smooth=SMOOTH)
    assert (tmp_path / "preview.png").read_bytes() == before


def test_labels_of_a_preview_have_the_substructure_fraction(anomalous_shard):
    text = preview.label(anomalous_shard, 0, SMOOTH)
    assert text.startswith(f"{100 * anomalous_shard.arrays['truth/substructure_fraction'][0]:.1f} %, $10^{{")


@pytest.mark.parametrize(
    ("fraction", "heaviest", "text"), [(0.0, 0.0, "no substructure"), (0.031, 1e9, "3.1 %, $10^{9.0}$ M$_\\odot$")]
)
def test_a_preview_names_the_substructure_of_an_image(fraction, heaviest, text):
    truth = {"truth/substructure_fraction": np.array([fraction]), "truth/heaviest_mass_msun": np.array([heaviest])}
    shard = shards.Shard({"images": np.zeros((1, 4, 4), np.float32), **truth}, {"class": "a decoy"})
    assert preview.label(shard, 0, SMOOTH) == text
