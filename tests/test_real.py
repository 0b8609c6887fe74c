import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.convolution import AiryDisk2DKernel
from astropy.io import fits
from astropy.modeling.models import Gaussian2D, Sersic2D
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens import detectors, frames, real, shards
from oddlens.lensing.world import World

ROOT = Path(__file__).parents[1]
SCALE = 0.05  # arcsec
LENSES = ROOT.parent / "shared" / "data" / "real-lenses" / "sdssj0946p1006"


@pytest.fixture(scope="module")
def world():
    """Model A with 16 x 16 pixels."""
    world = yaml.safe_load((ROOT / "config" / "presets" / "model_a.yaml").read_text())
    return World.model_validate(world | {"camera": world["camera"] | {"pixels": 16, "over_sampling": 1}})


def gaussian(shape, centre, fwhm_arcsec, flux=1.0):
    y, x = np.indices(shape)
    sigma = fwhm_arcsec / 2.3548 / SCALE
    image = Gaussian2D(1, centre[1], centre[0], sigma, sigma)(x, y)
    return flux * image / image.sum()


def frame_of(image, psf=None, sigma=1e-3, masked=None):
    masked = np.zeros(image.shape, bool) if masked is None else masked
    return frames.Frame("toy", image, np.full(image.shape, sigma), masked, psf, SCALE)


def toy_lens(size=161, seed=0):
    """Lens light, a ring of radius 1.2 arcsec, and noise."""
    y, x = (np.indices((size, size)) - size // 2) * SCALE
    light = Sersic2D(0.05, 2.0, 1.2, 0.02, -0.01, 0.3, 0.4)(x, y) + Sersic2D(0.4, 0.5, 3.0, 0.0, 0.0, 0.15, 0.6)(x, y)
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 1.2) / 0.07) ** 2) * (1 + 0.7 * np.cos(np.arctan2(y, x)))
    return light, 0.5 * ring, np.random.default_rng(seed).normal(0, 0.01, light.shape)


def write_lens(folder, size=161, noise_map=True, psf=True, **header):
    folder.mkdir()
    light, ring, noise = toy_lens(size)
    fits.PrimaryHDU(np.flipud(light + ring + noise), fits.Header(header)).writeto(folder / "data.fits")
    if noise_map:
        fits.PrimaryHDU(np.full(light.shape, 0.01)).writeto(folder / "noise_map.fits")
    if psf:
        fits.PrimaryHDU(0.95 * gaussian((21, 21), (10, 10), 0.1)).writeto(folder / "psf.fits")
    return folder


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
def test_flux_is_conserved(world, pixel_scale):
    pixels = min(512, 2 * round(8 / pixel_scale))
    camera = world.camera.model_copy(update={"pixels": pixels, "pixel_scale_arcsec": pixel_scale})
    image = np.random.default_rng(1).random((101, 101)) * gaussian((101, 101), (52, 49), 1.0)
    rows, columns = (frames.overlaps(101, 50, pixels, pixel_scale / SCALE) for _ in range(2))
    assert (rows @ image @ columns.T).sum() == pytest.approx(image.sum(), rel=1e-10)
    padded = np.pad(image, 60)
    matched, _ = frames.to_camera(frame_of(padded, gaussian((21, 21), (10, 10), 0.1)), padded, (110, 110), camera)
    assert matched.sum() == pytest.approx(image.sum(), rel=2e-3)  # the matched kernel has faint wings


# --- PSF -------------------------------------------------------------------------------------------------------------


def test_airy_is_the_shards_kernel(world):
    camera = world.camera
    size = camera.psf.pixels  # its first zero lies at 1 arcsec
    expected = AiryDisk2DKernel(1 / camera.pixel_scale_arcsec, x_size=size, y_size=size).array
    kernel = np.roll(
        frames.target_psf((40, 41), camera.pixel_scale_arcsec, camera), (size // 2, size // 2), axis=(0, 1)
    )
    np.testing.assert_allclose(kernel[:size, :size], expected / expected.sum(), atol=1e-6)
    assert kernel[:size, :size].sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(21, 21), (20, 23)])
def test_a_point_becomes_an_airy_pattern(world, shape):
    centre = np.array(shape) // 2
    psf = 0.8 * gaussian(shape, centre, 0.12) + 0.2 * gaussian(shape, centre + np.array([1, 3]), 0.12)
    image = np.zeros((201, 201))
    image[100 - shape[0] // 2 :, 100 - shape[1] // 2 :][: shape[0], : shape[1]] = psf
    camera = world.camera.model_copy(
        update={"pixels": 31, "pixel_scale_arcsec": SCALE, "psf": world.camera.psf.model_copy(update={"pixels": 83})}
    )
    matched, _ = frames.to_camera(frame_of(image, psf), image, (100, 100), camera)
    expected = np.roll(frames.target_psf((201, 201), SCALE, camera), (100, 100), axis=(0, 1))[85:116, 85:116]
    np.testing.assert_allclose(matched, expected, atol=2e-3 * expected.max())


def test_without_a_psf_the_airy_pattern_is_added(world):
    image = gaussian((201, 201), (100, 100), 0.6)
    known, _ = frames.to_camera(frame_of(image, gaussian((41, 41), (20, 20), 0.3)), image, (100, 100), world.camera)
    unknown, _ = frames.to_camera(frame_of(image), image, (100, 100), world.camera)
    assert unknown.sum() == pytest.approx(known.sum(), rel=0.02)
    assert unknown.max() < known.max()


@pytest.mark.parametrize("pixel_scale", [0.2, 0.17])
def test_variance_is_that_of_noise(world, pixel_scale):
    camera = world.camera.model_copy(update={"pixel_scale_arcsec": pixel_scale})
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
def study(tmp_path_factory, world):
    """A study with one data set of 50 images and two controls that need no training."""
    study, rng = tmp_path_factory.mktemp("results") / "tiny", np.random.default_rng(3)
    y, x = (np.indices((16, 16)) - 7.5) * 0.2
    rings = np.exp(-0.5 * ((np.hypot(x, y) - rng.uniform(1, 1.4, (50, 1, 1))) / 0.3) ** 2)
    images = (rings + rng.normal(0, 0.01, rings.shape)).astype(np.float32)
    truth = {"truth/exposure_s": np.full(50, 1000.0), "truth/sky_per_arcsec2": np.ones(50)}
    truth |= {"truth/zero_point_mag": np.full(50, 25.0)}
    arrays = {"images": images, "index": np.arange(50), **truth}
    about = {"dataset": "toy", "pool": "validation", "class": "smooth", "seed": 1}
    shard = shards.Shard(arrays, about | {"world": json.dumps(world.only("smooth").plain())})
    shards.write(study / "shards" / "toy" / "validation" / "smooth" / "000.h5", shard)
    about = {"diverged": None, "input": "images"}
    for name, settings in (("flux", {}), ("pca", {"components": 5})):
        for seed in (1, 2):
            model = detectors.detector(name).build(16, **settings)
            model.fit(images, seed=seed)
            model.save(study / "models" / "toy" / name / f"seed-{seed}" / "none-0.safetensors", **about, seed=seed)
    shutil.copytree(study / "shards" / "toy", study / "shards" / "untrained")
    return study


def test_a_lens_is_scored(tmp_path, study, capsys):
    folder = write_lens(tmp_path / "lens", PIXSCALE=SCALE)
    real.main([str(folder), "--study", str(study), "--dataset", "toy"])
    out = capsys.readouterr().out
    table = pd.read_csv(study / "real" / "lens.csv")
    assert list(table["detector"]) == ["flux", "flux", "pca", "pca"]
    assert table["percentile"].between(0, 100).all()
    assert table["chance"].between(0.0196, 1).all()  # 50 validation images have ranks and no tail
    assert f"(1 in {1 / table['chance'].iloc[0]:.0f})" in out
    assert "not a detection" in out
    assert f"{table['percentile'].iloc[0]:.1f}" in out
    assert (study / "real" / "lens.png").read_bytes().startswith(b"\x89PNG")
    before = (study / "real" / "lens.csv").read_bytes()
    real.main([str(folder / "data.fits"), "--study", str(study), "--dataset", "toy"])
    assert (study / "real" / "lens.csv").read_bytes() == before


def test_brightness_and_noise_are_those_of_the_data_set(study):
    target, images = real.simulated(study, "toy")
    _, ring, noise = toy_lens()
    for factor in (1.0, 1e4):
        frame = frame_of(factor * (ring + 0.1 * noise), sigma=factor * 1e-3)
        image, too_noisy = frames.match(frame, frame.image, (80, 80), target)
        bright = np.percentile(images, frames.BRIGHT_PERCENTILE, axis=(1, 2))
        assert np.percentile(image, frames.BRIGHT_PERCENTILE) == pytest.approx(np.median(bright), rel=0.1)
        assert too_noisy == 0
    frame = frame_of(ring, sigma=1.0)
    assert frames.match(frame, frame.image, (80, 80), target)[1] == 1


def test_only_the_missing_noise_is_added(study):
    target, images = real.simulated(study, "toy")
    target = target.model_copy(
        update={"camera": target.camera.model_copy(update={"pixels": 36})}
    )  # with much empty sky
    _, ring, _ = toy_lens()
    clean, unit = frames.to_camera(frame_of(ring, sigma=1.0), ring, (80, 80), target.camera)
    bright = np.median(np.percentile(images, frames.BRIGHT_PERCENTILE, axis=(1, 2)))
    factor = bright / np.percentile(clean, frames.BRIGHT_PERCENTILE)
    wanted = (clean.clip(0) * factor + target.sky) / target.exposure_s
    sigma = np.sqrt(0.7 * wanted.min() / unit.max()) / factor
    image, _ = frames.match(frame_of(ring, sigma=sigma), ring, (80, 80), target)
    had = unit * (sigma * factor) ** 2
    faint = had > 0.4 * wanted
    assert faint.sum() > 300
    assert np.mean(((image - factor * clean) ** 2 / (wanted - had))[faint]) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "make score-real FITS=path"),
        (["nowhere.fits"], "there is no file nowhere.fits"),
        (["{small}", "--dataset", "toy"], '2.05" x 2.05".*toy needs 3.20" x 3.20"'),
        (["{lens}", "--study", "elsewhere"], "run `make study` first"),
        (["{lens}", "--dataset", "model_x"], "no validation images of 'model_x': run `make study` first"),
        (["{lens}", "--dataset", "untrained"], "no trained models for 'untrained': run `make study` first"),
    ],
)
def test_mistakes_are_explained(tmp_path, study, arguments, words):
    small, lens = (write_lens(tmp_path / name, size, PIXSCALE=SCALE) for name, size in (("small", 41), ("lens", 101)))
    with pytest.raises(SystemExit, match=words):
        real.main(["--study", str(study), *(a.format(small=small, lens=lens) for a in arguments)])


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_arcs_of_sdssj0946_stand_out():
    frame = frames.read_frame(LENSES)
    left = frames.without_lens_light(frame, frames.lens_centre(frame))
    radius = np.hypot(*frame.offsets_arcsec(frames.lens_centre(frame)))
    rings = [left[(radius > low) & (radius < low + 0.3) & ~frame.masked].mean() for low in (0.5, 1.25, 2.3)]
    assert rings[1] > 10 * max(abs(rings[0]), abs(rings[2]))
