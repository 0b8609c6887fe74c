"""Published models in Python: what they take as images and scores, and what they refuse."""

import astropy.units
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.pretrained import apply, published_models
from oddlens.pretrained.array_inputs import as_images, as_numbers
from tiny_models import PIXELS, rings

OWN = rings(6, 3)


@pytest.fixture(scope="module")
def model(published_folder):
    return published_models.load("toy/dcae", published_folder)


EQUAL = {
    "tensor": torch.tensor(OWN),
    "gradients": torch.tensor(OWN, requires_grad=True),
    "sparse tensor": torch.tensor(OWN).to_sparse(),
    "strides": torch.tensor(OWN).flip(0).flip(0).transpose(1, 2).contiguous().transpose(1, 2),
    "list of arrays": list(OWN),
    "list of tensors": [torch.tensor(image) for image in OWN],
    "nested lists": OWN.tolist(),
    "doubles": OWN.astype(np.float64),
    "other byte order": OWN.astype(OWN.dtype.newbyteorder()),
    "Fortran order": np.asfortranarray(OWN),
    "long doubles": OWN.astype(np.longdouble),
    "channels first": OWN[:, None],
    "channels last": OWN[..., None],
    "masked nowhere": np.ma.array(OWN, mask=False),
    "read only": np.frombuffer(OWN.tobytes(), OWN.dtype).reshape(OWN.shape),
    "quantity": OWN * astropy.units.electron / astropy.units.s,
}


@pytest.mark.parametrize("kind", EQUAL)
def test_equal_images_of_all_kinds_score_alike(model, kind):
    np.testing.assert_array_equal(model.score(EQUAL[kind]), model.score(OWN))
    np.testing.assert_array_equal(model.anomaly_maps(EQUAL[kind]), model.anomaly_maps(OWN))
    np.testing.assert_array_equal(model.reconstructions(EQUAL[kind]), model.reconstructions(OWN))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_tensors_of_half_precision_are_read(model, dtype):
    tensor = torch.tensor(OWN).to(dtype)
    np.testing.assert_array_equal(model.score(tensor), model.score(tensor.float().numpy()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu_are_read(model):
    np.testing.assert_array_equal(model.score(torch.tensor(OWN, device="cuda")), model.score(OWN))
    np.testing.assert_array_equal(model.score(list(torch.tensor(OWN, device="cuda"))), model.score(OWN))
    scores = torch.tensor([0.5, 2.0], device="cuda")
    np.testing.assert_array_equal(
        model.false_alarm_probability(scores), model.false_alarm_probability(scores.cpu().numpy())
    )


def test_one_image_gives_one_score(model):
    np.testing.assert_array_equal(model.score(OWN[0]), model.score(OWN)[:1])
    assert model.anomaly_maps(torch.tensor(OWN[0])).shape == (1, PIXELS, PIXELS)


def test_whole_numbers_are_numbers():
    counts = np.round(OWN * 100).astype(int)
    for dtype in ("i8", ">i2", "u1"):
        np.testing.assert_array_equal(
            as_images(np.clip(counts, 0, 255).astype(dtype), PIXELS, False), np.clip(counts, 0, 255)
        )


REFUSED = {
    "text": ("lens.npy", "<U8"),
    "nothing": (None, "object"),
    "mapping": ({"images": OWN}, "object"),
    "generator": ((image for image in OWN), "object"),
    "truth values": (OWN > 0, "bool"),
    "complex": (OWN + 1j, "complex64"),
    "complex tensor": (torch.tensor(OWN + 1j), "complex64"),
    "tensor of truth values": (torch.tensor(OWN > 0), "bool"),
    "tensor without data": (torch.tensor(OWN, device="meta"), "meta"),
    "ragged arrays": ([OWN[0], OWN[0, :9]], r"\(9, 16\) and \(16, 16\)"),
    "ragged lists": ([[1.0, 2.0], [3.0]], "images"),
    "no images": ([], r"\(0,\).*16, 16"),
    "none of the images": (OWN[:0], "no images"),
    "number": (1.0, r"shape \(\).*16, 16"),
    "flattened": (OWN.reshape(6, -1), r"\(6, 256\).*16, 16"),
    "bands": (np.stack([OWN] * 3, 1), r"\(6, 3, 16, 16\).*16, 16"),
    "other size": (OWN[:, 1:, 1:], r"\(6, 15, 15\).*16, 16"),
    "masked": (np.ma.masked_greater(OWN, 0.9), "masked"),
    "NaN": (np.where(OWN > 0.9, np.nan, OWN), "not finite"),
    "infinite": (np.where(OWN > 0.9, np.inf, OWN), "not finite"),
    "flux density": (OWN * astropy.units.Jy, "Jy"),
    "0..1": ((OWN - OWN.min()) / (OWN.max() - OWN.min()), "scaled"),
    "counts": (OWN * 1e4, "electrons / s"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_stack_of_images_is_a_value_error(model, kind):
    images, words = REFUSED[kind]
    with pytest.raises(ValueError, match=words) as error:
        model.score(images)
    assert len(str(error.value).splitlines()) == 1


def test_the_detector_itself_takes_arrays_only(model):
    for images in (list(OWN), torch.tensor(OWN), np.ma.masked_greater(OWN, 0.9)):
        with pytest.raises(ValueError, match="this detector takes an array"):
            model.detector.score(images)


def test_masked_pixels_are_nan_for_a_detector_that_takes_them():
    masked = np.ma.masked_greater(OWN, 0.9)
    for images in (masked, masked.astype(np.float64)):
        np.testing.assert_array_equal(as_images(images, PIXELS, True), masked.filled(np.nan))
    np.testing.assert_array_equal(as_numbers(np.ma.array([1, 2], mask=[0, 1]), "scores"), [1, np.nan])


def test_false_alarm_probabilities_have_the_form_of_the_scores(model):
    scores = model.score(OWN)
    expected = model.false_alarm_probability(scores)
    assert expected.shape == (6,)
    for one in (scores[0], float(scores[0]), torch.tensor(scores[0]), np.array(scores[0])):
        probability = model.false_alarm_probability(one)
        assert isinstance(probability, float)
        assert probability == expected[0]
    for form in (list(scores), tuple(scores), torch.tensor(scores, requires_grad=True), list(torch.tensor(scores))):
        np.testing.assert_array_equal(model.false_alarm_probability(form), expected)
    assert model.false_alarm_probability(scores.reshape(2, 3)).shape == (2, 3)
    assert model.false_alarm_probability([]).shape == (0,)
    assert np.isnan(model.false_alarm_probability(np.nan))
    assert isinstance(model.false_alarm_probability(3), float)
    masked = model.false_alarm_probability(np.ma.array(scores, mask=[1, 0, 0, 0, 0, 0]))
    np.testing.assert_array_equal(masked, [np.nan, *expected[1:]])
    for wrong in ("1", None, 1j, [[1], [2, 3]], True):
        with pytest.raises(ValueError, match="scores"):
            model.false_alarm_probability(wrong)


@given(st.lists(st.integers(0, 20), max_size=5).map(tuple))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_shape_is_images_or_an_error_with_both_shapes(shape):
    try:
        stack = as_images(np.zeros(shape), 16, False)
    except ValueError as error:
        assert f"{shape}" in str(error)  # noqa: PT017
        assert "(n, 16, 16)" in str(error)  # noqa: PT017
    else:
        assert stack.shape[1:] == (16, 16)
        assert stack.size == np.prod(shape)


def test_scaled_images_of_files_are_refused_and_the_others_scored(model, tmp_path):
    low, high = OWN[0].min(), OWN[0].max()
    images = np.stack([OWN[1], (OWN[0] - low) / (high - low), OWN[2], OWN[3] * 1e4])
    np.save(tmp_path / "some.npy", images)
    np.save(tmp_path / "scaled.npy", 0.9 * OWN / OWN.max((1, 2), keepdims=True))
    np.save(tmp_path / "own.npy", OWN)
    entries = list(apply.score_files(model, [tmp_path / f"{name}.npy" for name in ("some", "scaled", "own")]))
    assert [bool(entry.problem) for entry in entries] == [False, True, False, True, True, *[False] * 6]
    assert "exactly 1" in entries[1].problem
    assert "one by one" in entries[4].problem
    np.testing.assert_allclose([entry.score for entry in entries[5:]], model.score(OWN), rtol=1e-6)
    np.testing.assert_allclose([entries[0].score, entries[2].score], model.score(OWN)[1:3], rtol=1e-6)
