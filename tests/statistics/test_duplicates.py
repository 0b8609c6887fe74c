"""Duplicates are found, whatever was done to them, and lenses that are merely alike are not."""

import tracemalloc

import numpy as np
import pytest

from leaky_sets import lenses, noisy
from oddlens.statistics import duplicates
from oddlens.statistics.duplicates import digests, equal_pairs, nearest_images, symmetric_versions

SIGMA = 0.01


@pytest.fixture(scope="module")
def clean():
    return lenses(260, np.random.default_rng(1))


@pytest.fixture(scope="module")
def sets(clean):
    """Two sets of images without common lenses."""
    rng = np.random.default_rng(2)
    return noisy(clean[:200], rng, SIGMA), noisy(clean[200:], rng, SIGMA)


def found(first, second, **keys):
    nearest = nearest_images(first, second, **keys)
    return {(int(k), int(nearest.number[k])) for k in nearest.duplicates}


def replaced(second, images):
    changed = second.copy()
    changed[: len(images)] = images
    return changed


@pytest.mark.parametrize("version", range(8))
def test_equal_pixels_are_equal_in_every_orientation(sets, version):
    first, second = sets
    turned = list(symmetric_versions(first[:5]))[version]
    assert equal_pairs(digests(replaced(second, turned)), digests(first)).tolist() == [[k, k] for k in range(5)]
    assert found(replaced(second, turned), first) == {(k, k) for k in range(5)}


def test_the_eight_orientations_differ():
    versions = [version.tobytes() for version in symmetric_versions(np.arange(9.0).reshape(1, 3, 3))]
    assert len(set(versions)) == 8


def test_different_images_have_different_digests(sets):
    first, second = sets
    assert len(set(digests(first))) == len(first)
    assert len(equal_pairs(digests(first), digests(second))) == 0
    changed = first[:1].copy()
    changed[0, 3, 4] += 1e-6
    assert digests(changed)[0] != digests(first[:1])[0]


def test_signs_of_zero_and_kinds_of_nan_do_not_matter():
    image = np.zeros((1, 8, 8), np.float32)
    image[0, 1, 2] = np.nan
    other = -image
    other.view(np.uint32)[0, 1, 2] ^= 1
    assert digests(image).tolist() == digests(other).tolist()


def test_pairs_with_an_empty_set():
    nothing = np.array([], "S64")
    assert len(equal_pairs(nothing, nothing)) == 0
    assert len(equal_pairs(np.array([b"a"]), nothing)) == 0


@pytest.mark.parametrize("scale", [1.0, 0.5, 3.0])
def test_the_same_lens_with_other_noise_is_nearly_equal_and_not_equal(sets, clean, scale):
    first, second = sets
    copies = scale * noisy(clean[:5], np.random.default_rng(3), SIGMA) + 0.2
    changed = replaced(second, copies.astype(np.float32))
    assert len(equal_pairs(digests(changed), digests(first))) == 0
    assert found(changed, first) == {(k, k) for k in range(5)}


def test_another_cut_from_the_same_frame_is_found():
    rng = np.random.default_rng(1)
    frames = lenses(260, rng, 40)
    cuts = noisy(frames, rng, SIGMA)[:, 4:36, 4:36]
    first, second = cuts[:200], cuts[200:]
    changed = replaced(second, np.rot90(noisy(frames[:20], rng, SIGMA)[:, 6:38, 3:35], 1, axes=(1, 2)))
    pairs = found(changed, first, shifted=True)
    assert pairs <= {(k, k) for k in range(20)}
    assert len(pairs) >= 14
    assert not found(changed, first)


def test_many_copies_are_found_as_well_as_few(clean):
    rng = np.random.default_rng(3)
    first, second = noisy(clean[:200], rng, SIGMA), noisy(clean[:200], rng, SIGMA)
    pairs = found(second, first)
    assert pairs <= {(k, k) for k in range(200)}
    assert len(pairs) > 180


def test_different_lenses_are_no_duplicates(sets):
    assert not found(*sets)
    assert not found(*sets, shifted=True)


def test_images_of_noise_alone_are_no_duplicates():
    first, second = np.random.default_rng(4).normal(0, 1, (2, 300, 16, 16)).astype(np.float32)
    assert not found(first, second)
    assert not found(first, second, shifted=True)


def test_pairs_that_are_known_are_not_found_again(sets):
    first, second = sets
    changed = replaced(second, first[:2])
    lens = {"lens_first": np.arange(len(changed)) - 1, "lens_second": np.arange(len(first))}
    assert found(changed, first, **lens) == {(0, 0), (1, 1)}
    lens["lens_first"] = np.arange(len(changed))
    assert not found(changed, first, **lens)


@pytest.mark.parametrize("pixels", [8, 15, 17, 31, 40, 100])
def test_images_of_any_size_are_compared(pixels):
    rng = np.random.default_rng(5)
    first = rng.normal(0, 1, (40, pixels, pixels)).astype(np.float32)
    second = rng.normal(0, 1, (30, pixels, pixels)).astype(np.float32)
    second[3] = first[7].T
    assert found(second, first) == {(3, 7)}


def test_images_of_one_value_and_of_nan_pass(sets):
    first, second = sets
    changed = second.copy()
    changed[0], changed[1], changed[2, :5] = 0, np.nan, np.nan
    assert not found(changed, first)
    assert not found(changed, first, shifted=True)


def test_block_means_are_means():
    image = np.arange(32.0 * 32).reshape(1, 32, 32)
    means = duplicates.block_means(image).reshape(16, 16)
    np.testing.assert_allclose(means, image.reshape(16, 2, 16, 2).mean(axis=(1, 3)))


def test_the_memory_does_not_grow_with_the_product_of_the_sizes():
    rng = np.random.default_rng(6)
    first, second = (rng.normal(0, 1, (4000, 16, 16)).astype(np.float32) for _ in range(2))
    tracemalloc.start()
    nearest_images(first, second)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4000 * 4000 * 4
