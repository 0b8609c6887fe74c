import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.convolution import AiryDisk2DKernel
from astropy.io import fits
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from conftest import ROOT
from oddlens.config.study import parse_study
from oddlens.data import shards
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import write_table
from oddlens.lensing.simulation import Simulation
from oddlens.observations import empirical_noise, frames, lens_index
from oddlens.results.tables.real import claims_table
from oddlens.stages import real
from toy_lenses import SCALE, gaussian, toy_lens, write_index, write_lens

LENSES = ROOT.parent / "shared" / "data" / "real-lenses"


@pytest.fixture(scope="module")
def simulation():
    """Model A with 16 x 16 pixels."""
    simulation = yaml.safe_load((ROOT / "config" / "presets" / "model_a.yaml").read_text())
    return Simulation.model_validate(simulation | {"camera": simulation["camera"] | {"pixels": 16, "over_sampling": 1}})


def frame_of(image, psf=None, sigma=1e-3, masked=None):
    masked = np.zeros(image.shape, bool) if masked is None else masked
    return frames.Frame("toy", image, np.full(image.shape, sigma), masked, psf, SCALE)


# --- pixels ----------------------------------------------------------------------------------------------------------


@given(
    count=st.integers(2, 60),
    pixels=st.integers(1, 40),
    ratio=st.floats(0.2, 9),
    where=st.floats(0, 1),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_every_pixel_is_shared_out(count, pixels, ratio, where):
    centre = where * (count - 1)
    shares = frames.overlaps(count, centre, pixels, ratio)
    assert shares.shape == (pixels, count)
    assert shares.min() >= 0
    assert shares.max() <= min(1, ratio) + 1e-9
    low, high = centre - pixels * ratio / 2, centre + pixels * ratio / 2
    covered = (np.arange(count) - 0.5 >= low) & (np.arange(count) + 0.5 <= high)
    edges = low + np.arange(pixels + 1) * ratio
    inside = (edges[:-1] >= -0.5) & (edges[1:] <= count - 0.5)
    np.testing.assert_allclose(shares.sum(axis=0)[covered], 1, atol=1e-9)
    np.testing.assert_allclose(shares.sum(axis=1)[inside], ratio, atol=1e-9)
    assert (shares.sum(axis=0) <= 1 + 1e-9).all()


@given(ratio=st.floats(0.5, 6))
@hypothesis_settings(max_examples=20, deadline=None)
def test_positions_stay_where_they_are(ratio):
    count, centre, pixels = 81, 40, 2 * round(30 / ratio)
    assume(pixels * ratio < count - 1)
    row = np.exp(-0.5 * ((np.arange(count) - 43) / 4) ** 2)
    new = frames.overlaps(count, centre, pixels, ratio) @ row
    position = (np.arange(pixels) + 0.5 - pixels / 2) * ratio + centre
    assert (position * new).sum() / new.sum() == pytest.approx(43, abs=0.01)


@pytest.mark.parametrize("pixel_scale", [0.2, 0.25, 0.185, 0.0437])
def test_flux_is_conserved(simulation, pixel_scale):
    pixels = min(512, 2 * round(8 / pixel_scale))
    camera = simulation.camera.model_copy(update={"pixels": pixels, "pixel_scale_arcsec": pixel_scale})
    image = np.random.default_rng(1).random((101, 101)) * gaussian((101, 101), (52, 49), 1.0)
    rows, columns = (frames.overlaps(101, 50, pixels, pixel_scale / SCALE) for _ in range(2))
    assert (rows @ image @ columns.T).sum() == pytest.approx(image.sum(), rel=1e-10)
    padded = np.pad(image, 60)
    matched, _ = frames.to_camera(frame_of(padded, gaussian((21, 21), (10, 10), 0.1)), padded, (110, 110), camera)
    assert matched.sum() == pytest.approx(image.sum(), rel=2e-3)  # the matched kernel has faint wings


# --- PSF -------------------------------------------------------------------------------------------------------------


def test_airy_is_the_shards_kernel(simulation):
    camera = simulation.camera
    size = camera.psf.pixels  # its first zero lies at 1 arcsec
    expected = AiryDisk2DKernel(1 / camera.pixel_scale_arcsec, x_size=size, y_size=size).array
    kernel = np.roll(
        frames.target_psf((40, 41), camera.pixel_scale_arcsec, camera), (size // 2, size // 2), axis=(0, 1)
    )
    np.testing.assert_allclose(kernel[:size, :size], expected / expected.sum(), atol=1e-6)
    assert kernel[:size, :size].sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(21, 21), (20, 23)])
def test_a_point_becomes_an_airy_pattern(simulation, shape):
    centre = np.array(shape) // 2
    psf = 0.8 * gaussian(shape, centre, 0.12) + 0.2 * gaussian(shape, centre + np.array([1, 3]), 0.12)
    image = np.zeros((201, 201))
    image[100 - shape[0] // 2 :, 100 - shape[1] // 2 :][: shape[0], : shape[1]] = psf
    camera = simulation.camera.model_copy(
        update={
            "pixels": 31,
            "pixel_scale_arcsec": SCALE,
            "psf": simulation.camera.psf.model_copy(update={"pixels": 83}),
        }
    )
    matched, _ = frames.to_camera(frame_of(image, psf), image, (100, 100), camera)
    expected = np.roll(frames.target_psf((201, 201), SCALE, camera), (100, 100), axis=(0, 1))[85:116, 85:116]
    np.testing.assert_allclose(matched, expected, atol=2e-3 * expected.max())


def test_without_a_psf_the_airy_pattern_is_added(simulation):
    image = gaussian((201, 201), (100, 100), 0.6)
    known, _ = frames.to_camera(
        frame_of(image, gaussian((41, 41), (20, 20), 0.3)), image, (100, 100), simulation.camera
    )
    unknown, _ = frames.to_camera(frame_of(image), image, (100, 100), simulation.camera)
    assert unknown.sum() == pytest.approx(known.sum(), rel=0.02)
    assert unknown.max() < known.max()


@pytest.mark.parametrize("pixel_scale", [0.2, 0.17])
def test_variance_is_that_of_noise(simulation, pixel_scale):
    camera = simulation.camera.model_copy(update={"pixel_scale_arcsec": pixel_scale})
    frame = frame_of(np.zeros((200, 200)), gaussian((21, 21), (10, 10), 0.1), sigma=0.3)
    rng = np.random.default_rng(5)
    drawn = [frames.to_camera(frame, rng.normal(0, 0.3, (200, 200)), (100, 100), camera)[0] for _ in range(60)]
    _, variance = frames.to_camera(frame, frame.image, (100, 100), camera)
    assert variance.mean() == pytest.approx(np.var(drawn), rel=0.1)


# --- lens light ------------------------------------------------------------------------------------------------------


def test_lens_light_goes_and_the_ring_stays():
    light, ring, noise = toy_lens()
    frame = frame_of(light + ring + noise, sigma=0.01)
    left = frames.without_lens_light(frame, frames.lens_centre(frame))
    radius = np.hypot(*frame.offsets_arcsec((80, 80)))
    around, beside = (radius > 0.9) & (radius < 1.5), (radius > 0.4) & (radius < 0.85)
    assert left[around].sum() == pytest.approx(ring[around].sum(), rel=0.1)
    assert abs((left - ring)[beside].sum()) < 0.03 * light[beside].sum()
    assert (left[radius < 0.3] == 0).all()


def test_masked_pixels_count_for_nothing():
    light, ring, noise = toy_lens()
    image, masked = light + ring + noise, np.zeros(light.shape, bool)
    masked[20:50, 20:50] = True
    lit = np.where(masked, 50.0, image)
    left = [frames.without_lens_light(frame_of(i, sigma=0.01, masked=masked), (80, 80)) for i in (image, lit)]
    np.testing.assert_array_equal(*left)
    assert (left[0][masked] == 0).all()


def test_centre_is_found_beside_the_middle():
    light, ring, _ = toy_lens()
    assert frames.lens_centre(frame_of(np.roll(light + ring, (4, -6), axis=(0, 1)))) == (84, 74)


# --- percentiles -----------------------------------------------------------------------------------------------------


def test_percentiles():
    among = np.arange(10.0)
    assert real.percentile(9.5, among) == 100
    assert real.percentile(-1, among) == 0
    assert real.percentile(5, among) == 55  # five below, one equal
    assert real.percentile(1, np.ones(7)) == 50


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_with_what_lies_beside(tmp_path):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    frame = frames.read_frame(folder)
    assert (frame.name, frame.pixel_scale_arcsec) == ("lens", SCALE)
    assert frame.psf.sum() == pytest.approx(1)
    assert (frame.sigma == 0.01).all()
    light, ring, noise = toy_lens()
    np.testing.assert_array_equal(frame.image, light + ring + noise)  # row 0 of a FITS file is the bottom
    np.testing.assert_array_equal(frames.read_frame(folder / "data.fits").image, frame.image)


def test_noise_is_measured_where_no_map_is_given(tmp_path):
    frame = frames.read_frame(write_lens(tmp_path / "lens", noise_map=False, psf=False, CDELT1=-SCALE / 3600))
    assert frame.psf is None
    assert frame.pixel_scale_arcsec == pytest.approx(SCALE)
    assert np.median(frame.sigma) == pytest.approx(0.01, rel=0.2)


def test_nan_and_mask_are_masked(tmp_path):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    with fits.open(folder / "data.fits", mode="update") as file:
        file[0].data[0, 0] = np.nan
    mask = np.zeros((161, 161))
    mask[-1, -1] = 1
    fits.PrimaryHDU(mask).writeto(folder / "mask_extra_galaxies.fits")
    frame = frames.read_frame(folder)
    assert set(zip(*np.nonzero(frame.masked), strict=True)) == {(160, 0), (0, 160)}
    assert np.isfinite(frame.image).all()


def test_pixel_scale_is_asked_for_by_name(tmp_path):
    folder = write_lens(tmp_path / "lens")
    with pytest.raises(ValueError, match=r"(?s)--pixel-scale.*PIXSCALE.*info\.json"):
        frames.read_frame(folder)
    assert frames.read_frame(folder, 0.07).pixel_scale_arcsec == 0.07
    (folder / "info.json").write_text('{"pixel_scale": 0.06, "z": NaN}')
    assert frames.read_frame(folder).pixel_scale_arcsec == 0.06
    fits.setval(folder / "data.fits", "PIXSCALE", value=0.03)
    with pytest.raises(ValueError, match="disagree"):
        frames.read_frame(folder)


def test_unfit_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        frames.read_frame(tmp_path / "nowhere.fits")
    (tmp_path / "text.fits").write_text("not FITS")
    with pytest.raises(ValueError, match=r"text\.fits is neither FITS"):
        frames.read_frame(tmp_path / "text.fits")
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    with pytest.raises(FileNotFoundError, match=r"no\.fits"):
        frames.read_frame(folder, psf=folder / "no.fits")
    fits.PrimaryHDU(np.zeros((5, 5))).writeto(folder / "small.fits")
    with pytest.raises(ValueError, match=r"lens has \(161, 161\) pixels and its noise map \(5, 5\)"):
        frames.read_frame(folder, noise=folder / "small.fits")


# --- the whole way ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study with one data set of 50 images and two controls that need no training, and its config."""
    study, rng = tmp_path_factory.mktemp("results") / "tiny", np.random.default_rng(3)
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    images = {"train": 50, "contaminant": 10, "validation": 50, "test": 20}
    camera = {"pixels": 16, "pixel_scale_arcsec": 0.2, "psf": {"pixels": 9}, "over_sampling": 1}
    config |= {"study": "tiny", "only": ["flux", "pca"], "regression": None}
    config["datasets"] = {"toy": {"preset": "model_a", "images": images, "camera": camera}}
    config["contamination"] |= {"images": 50, "fractions": {}}
    config["training"] |= {"batch_size": 10}
    config["detectors"]["pca"] = {"components": 5}
    study.mkdir()
    (study / "config.yaml").write_text(yaml.safe_dump(config))
    simulation = parse_study(config).datasets["toy"].only("smooth").plain()
    y, x = (np.indices((16, 16)) - 7.5) * 0.2

    def rings(count, bump=0.0):
        clean = np.exp(-0.5 * ((np.hypot(x, y) - rng.uniform(1, 1.4, (count, 1, 1))) / 0.3) ** 2)
        return clean + bump * np.exp(-0.5 * (np.hypot(x - 1, y) / 0.2) ** 2)

    made = {}
    for pool, cls, count in (("validation", "smooth", 50), ("test", "smooth", 20), ("test", "cdm", 20)):
        clean = rings(count, 0.3 * (cls == "cdm"))
        noisy = (clean + rng.normal(0, 0.01, clean.shape)).astype(np.float32)
        arrays = {"images": noisy, "index": np.arange(count), "noise_free": clean.astype(np.float32)}
        arrays |= {"truth/exposure_s": np.full(count, 1000.0), "truth/sky_per_arcsec2": np.ones(count)}
        arrays |= {"truth/zero_point_mag": np.full(count, 25.0)}
        about = {"dataset": "toy", "pool": pool, "class": cls, "seed": 1, "simulation": json.dumps(simulation)}
        made[pool, cls] = shards.Shard(arrays, about)
        shards.write(study / "shards" / "toy" / pool / cls / "000.h5", made[pool, cls])
    about = {"diverged": None, "input": "images"}
    everything = np.concatenate([shard.images for shard in made.values()])
    for name, keys in (("flux", {}), ("pca", {"components": 5})):
        scores = pd.concat([shard.table[["pool", "class", "index"]] for shard in made.values()], ignore_index=True)
        for seed in (1, 2):
            model = loading.detector(name).build(16, **keys)
            model.fit(made["validation", "smooth"].images, seed=seed)
            save_model(model, study / "models" / "toy" / name / f"seed-{seed}" / "none-0.safetensors", **about, seed=seed)
            scores[f"none-0/{seed}"] = model.score(everything)
        path = study / "scores" / "toy" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, scores, kind="scores", dataset="toy", detector=name, diverged={})
    return study


def test_a_lens_is_scored(tmp_path, study, oddlens_command):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    out = oddlens_command("real", folder, "--study", study).out
    table = pd.read_csv(study / "real" / "lens" / "toy.csv")
    assert list(table["detector"]) == ["flux", "flux", "pca", "pca"]
    assert table["percentile"].between(0, 100).all()
    assert table["false_alarm_probability"].between(0.0196, 1).all()  # 50 validation images have ranks and no tail
    assert f"(1 in {1 / table['false_alarm_probability'].iloc[0]:.0f})" in out
    assert "not a detection" in out
    assert (study / "real" / "lens" / "toy" / "lens.png").read_bytes().startswith(b"\x89PNG")
    before = (study / "real" / "lens" / "toy.csv").read_bytes()
    assert oddlens_command("real", folder / "data.fits", "--study", study).status == 0
    assert (study / "real" / "lens" / "toy.csv").read_bytes() == before


def test_what_is_bad_is_told_and_the_rest_is_scored(tmp_path, study, oddlens_command):
    """Each kind of bad input once: one clear line, the others processed, and the exit status."""
    write_lens(tmp_path / "good")
    light, ring, noise = toy_lens()
    image = light + ring + noise
    framed = np.pad(image, 20, constant_values=np.nan)
    fits.PrimaryHDU(np.flipud(framed)).writeto(tmp_path / "framed.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "D", array=[1.0])])]).writeto(
        tmp_path / "table.fits"
    )
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="A"), fits.ImageHDU(image, name="B")]).writeto(
        tmp_path / "two.fits"
    )
    fits.PrimaryHDU(np.zeros((4, 3000), np.uint8)).writeto(tmp_path / "huge.fits")
    fits.PrimaryHDU(np.full((5, 5), 7.0)).writeto(tmp_path / "psf.fits")
    index = write_index(
        tmp_path,
        "good,x,0.05,good/data.fits,good/noise_map.fits,good/psf.fits,,,Somebody 2010",
        "good,y,0.05,two.fits#B,,,,,",
        "framed,,0.05,framed.fits,,,,,",
        "table,,0.05,table.fits,,,,,",
        "two,,0.05,two.fits,,,,,",
        "third,,0.05,two.fits#C,,,,,",
        "huge,,0.05,huge.fits,,,,,",
        "bright psf,,0.05,good/data.fits,,psf.fits,,,",
        "missing,,0.05,nowhere.fits,,,,,",
        "scale,,wide,good/data.fits,,,,,",
        "small,,0.005,good/data.fits,,,,,",
        "coarse,,0.5,good/data.fits,,,,,",
    )
    end = oddlens_command("real", index, "--study", study)
    assert end.status == 1
    assert len(end.err.partition("could not be scored:\n")[2].splitlines()) == 9
    place = study / "real" / tmp_path.name
    table = pd.read_csv(place / "toy.csv")
    scored, problems = table[table["score"].notna()], table[table["problem"].notna()].set_index("lens")["problem"]
    assert set(scored["lens"]) == {"good x", "good y", "framed"}
    assert scored.groupby("object")["claimed"].max().to_dict() == {"good": 1, "framed": 0}
    for lens, words in {
        "table": "holds no image",
        "two": "2 images, A (1), B (1): say which by path#NAME",
        "third": "has no image 'C'. Known: A, B.",
        "huge": "3000 pixels on a side; 2048 are the most",
        "bright psf": "PSF sums to 175 and not to 1",
        "missing": "there is no file",
        "scale": "line 11: pixel_scale_arcsec is 'wide'",
        "small": "give a larger cut-out",
        "coarse": "what is coarser cannot be brought to it",
    }.items():
        assert words in problems[lens], (lens, problems[lens])
    assert problems.str.contains("\n").sum() == 0
    assert {path.stem for path in (place / "toy").glob("*.png")} == {"good_x", "good_y", "framed"}
    out = end.out
    assert "good ranks 1 of n = 2" in out or "good ranks 2 of n = 2" in out
    assert "no p below 0.5 is possible" in out


def test_a_model_of_another_geometry_is_told_and_the_others_go_on(tmp_path, study, oddlens_command):
    other = shutil.copytree(study, tmp_path / "other")
    model = loading.detector("flux").build(8)
    save_model(model, other / "models/toy/flux/seed-1/none-0.safetensors", diverged=None, input="images", seed=1)
    assert oddlens_command("real", write_lens(tmp_path / "lens", PIXSCALE=SCALE), "--study", other).status == 1
    table = pd.read_csv(other / "real/lens/toy.csv")
    (problem,) = table["problem"].dropna()
    assert "this detector takes (n, 8, 8)" in problem
    assert list(table.dropna(subset="score")["detector"]) == ["flux", "pca", "pca"]


# --- real noise ------------------------------------------------------------------------------------------------------


def test_noise_keeps_its_variance_and_its_correlation():
    rng = np.random.default_rng(0)
    sky = ndimage.gaussian_filter(rng.standard_normal((200, 200)), 1.0)
    windows = sliding_window_view(sky, (12, 12))
    noise = empirical_noise.Noise(windows, np.argwhere(np.ones(windows.shape[:2], bool)), 250, float(sky.var()))
    drawn = noise.draw(400, 32, rng)
    assert drawn.shape == (400, 32, 32)
    assert drawn.var() == pytest.approx(sky.var(), rel=0.05)
    by_column = drawn.var(axis=(0, 1))
    assert by_column.max() / by_column.min() < 1.25  # no seams
    near = [np.mean(a[..., 1:] * a[..., :-1]) / a.var() for a in (drawn, sky)]
    assert near[0] == pytest.approx(near[1], abs=0.05)


def test_small_frames_have_no_outskirts_and_say_so(study):
    like = real.simulated(study, "toy")
    light, ring, noise = toy_lens()
    with pytest.raises(ValueError, match=r"there is empty sky for 0\s+tiles"):
        empirical_noise.noise_of(frame_of(light + ring + noise), light, (80, 80), like.target, 1.0)


def test_wide_frames_lend_their_noise(study):
    like, rng = real.simulated(study, "toy"), np.random.default_rng(1)
    frame = frame_of(rng.normal(0, 0.3, (321, 321)), sigma=0.3)
    noise = empirical_noise.noise_of(frame, np.zeros((321, 321)), (160, 160), like.target, 2.0)
    _, variance = frames.to_camera(frame, frame.image, (160, 160), like.target.camera)
    assert noise.variance == pytest.approx(4 * variance.mean(), rel=0.25)
    clean = np.full((3, 16, 16), 5.0)
    seen = empirical_noise.observed(clean, np.full(3, 1e9), np.zeros(3), noise, rng)
    assert (seen - clean).var() == pytest.approx(noise.variance, rel=0.5)


# --- ranks -----------------------------------------------------------------------------------------------------------


def ranked(values, claimed):
    rows = [(name, band, v) for name, bands in values.items() for band, v in enumerate(bands)]
    table = pd.DataFrame(rows, columns=["object", "lens", "standardised_score"])
    return claims_table(table.assign(dataset="toy", detector="pca", claimed=table["object"].isin(claimed).astype(int)))


@pytest.mark.parametrize(("mine", "rank", "p"), [(9.0, 1, 0.25), (2.5, 3, 0.75), (-1.0, 4, 1.0), (4.0, 2, 0.5)])
def test_a_claimed_lens_is_ranked_by_objects(mine, rank, p):
    """Five images of three others: an object with many bands counts once."""
    line = ranked({"mine": [mine], "a": [3.0, 7.0, 2.0], "b": [1.0], "c": [3.0]}, ["mine"]).iloc[0]
    assert (int(line["rank"]), line["lenses"], line["p"], line["min_p"]) == (rank, 4, p, 0.25)
    assert f"n = 4 real lenses, p = {p:.2g}" in line["summary"]


def test_ties_do_not_flatter():
    line = ranked({"mine": [3.0], "a": [3.0], "b": [1.0]}, ["mine"]).iloc[0]
    assert int(line["rank"]) == 2


def test_two_claims_are_permuted_together():
    line = ranked({"x": [9.0], "y": [8.0], "a": [3.0], "b": [1.0]}, ["x", "y"]).iloc[0]
    assert line["p"] == pytest.approx(1 / 6) == line["min_p"]


def test_without_a_claim_nothing_is_ranked():
    assert ranked({"x": [9.0], "y": [8.0]}, []).empty
    assert ranked({"x": [9.0]}, ["x"]).empty


def smooth_images(study):
    return shards.read(study / "shards/toy/validation/smooth/000.h5").images


def test_brightness_and_noise_are_those_of_the_data_set(study):
    target, images = real.simulated(study, "toy").target, smooth_images(study)
    _, ring, noise = toy_lens()
    for factor in (1.0, 1e4):
        frame = frame_of(factor * (ring + 0.1 * noise), sigma=factor * 1e-3)
        image, too_noisy, _ = frames.match(frame, frame.image, (80, 80), target)
        bright = np.percentile(images, frames.BRIGHT_PERCENTILE, axis=(1, 2))
        assert np.percentile(image, frames.BRIGHT_PERCENTILE) == pytest.approx(np.median(bright), rel=0.1)
        assert too_noisy == 0
    frame = frame_of(ring, sigma=1.0)
    assert frames.match(frame, frame.image, (80, 80), target)[1] == 1


def test_only_the_missing_noise_is_added(study):
    target, images = real.simulated(study, "toy").target, smooth_images(study)
    target = target.model_copy(
        update={"camera": target.camera.model_copy(update={"pixels": 36})}
    )  # with much empty sky
    _, ring, _ = toy_lens()
    clean, unit = frames.to_camera(frame_of(ring, sigma=1.0), ring, (80, 80), target.camera)
    bright = np.median(np.percentile(images, frames.BRIGHT_PERCENTILE, axis=(1, 2)))
    factor = bright / np.percentile(clean, frames.BRIGHT_PERCENTILE)
    wanted = (clean.clip(0) * factor + target.sky) / target.exposure_s
    sigma = np.sqrt(0.7 * wanted.min() / unit.max()) / factor
    image, *_ = frames.match(frame_of(ring, sigma=sigma), ring, (80, 80), target)
    had = unit * (sigma * factor) ** 2
    faint = had > 0.4 * wanted
    assert faint.sum() > 300
    assert np.mean(((image - factor * clean) ** 2 / (wanted - had))[faint]) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: path"),
        (["nowhere.fits"], "there is no file nowhere.fits"),
        (["{small}", "--dataset", "toy"], '2.05" x 2.05".*toy shows 3.20" x 3.20"'),
        (["{lens}", "--study", "elsewhere"], "elsewhere is no study: run `make study` first"),
        (["{lens}", "--dataset", "model_x"], "no validation images of 'model_x': run `make study` first"),
        (["{lens}", "--claimed", "ring"], "'ring' is said to be claimed, but no lens has that name. Known: lens."),
    ],
)
def test_mistakes_are_explained(tmp_path, study, arguments, words, oddlens_command):
    small, lens = (write_lens(tmp_path / name, size, PIXSCALE=SCALE) for name, size in (("small", 41), ("lens", 101)))
    end = oddlens_command("real", "--study", study, *(a.format(small=small, lens=lens) for a in arguments))
    assert end.status == 2
    assert re.search(words, end.err)


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_arcs_of_sdssj0946_stand_out():
    frame = frames.read_frame(LENSES / "sdssj0946p1006")
    left = frames.without_lens_light(frame, frames.lens_centre(frame))
    radius = np.hypot(*frame.offsets_arcsec(frames.lens_centre(frame)))
    rings = [left[(radius > low) & (radius < low + 0.3) & ~frame.masked].mean() for low in (0.5, 1.25, 2.3)]
    assert rings[1] > 10 * max(abs(rings[0]), abs(rings[2]))


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_shared_lenses_are_what_their_page_says():
    found = {lens.label: lens for lens in lens_index.told_apart(lens_index.lenses(LENSES, "shared"))}
    assert len(found) == 8
    seen = {label: frames.read_lens(lens) for label, lens in found.items()}
    blue = seen["SL2SJ0219-0829 F475X"]
    assert blue.masked[[22, 12], [5, 70]].all(), "the cosmic rays"
    assert not seen["SL2SJ0219-0829 F600LP"].masked[12, 70]
    assert np.median(blue.sigma) == pytest.approx(0.0067, rel=0.1)
    floored = seen["COSJ100024+015334 F277W"]
    assert np.median(floored.sigma) == pytest.approx(0.0062, rel=0.15), "and not the floor of 0.02"
    assert seen["dolphin lens_system1"].psf.sum() == pytest.approx(1)


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_recipe_knows_the_shared_lenses():
    sums = [line.split() for line in (ROOT / "config/real-lenses.sha256").read_text().splitlines()]
    assert {(total, file) for total, file, _ in sums} <= {
        tuple(line.split()) for line in (LENSES / "SHA256SUMS").read_text().splitlines()
    }
    ours = lens_index.lenses(ROOT / "config/real-lenses.csv", "ours")
    assert [lens.object for lens in ours] == [lens.object for lens in lens_index.lenses(LENSES, "shared")]
    assert {Path(p.rpartition("#")[0] or p).name for lens in ours for p in lens.paths.values()} <= {
        Path(file).name for _, file, _ in sums
    }


# --- the index -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_index_or_are_told(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("index") / "index.csv"
    path.write_bytes(content)
    try:
        assert lens_index.told_apart(lens_index.lenses(path, "any"))
    except ValueError as error:
        words = str(error)
        assert str(path) in words
    assert lens_index.files(path)[0] == path


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=4)), min_size=1, max_size=6))
@hypothesis_settings(max_examples=200, deadline=None)
def test_labels_and_names_of_pictures_differ(names):
    found = lens_index.told_apart([lens_index.Lens(name, {}, band) for name, band in names])
    slugs = [lens.slug.lower() for lens in found]
    assert all("/" not in slug and not slug.startswith(".") for slug in slugs)
    assert len(set(slugs)) == len(slugs)
