"""Models as ONNX."""

import json

import pytest

from oddlens.detectors.interface import loading
from oddlens.pretrained import onnx_export, published_models
from tiny_models import PIXELS, rings


def test_onnx_scores_as_torch_does(published_folder, tmp_path):
    import onnxruntime

    model = published_models.load("toy/dcae", published_folder)
    onnx_export.write(tmp_path / "dcae.onnx", model)
    session = onnxruntime.InferenceSession(tmp_path / "dcae.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["card"]) == model.card
    for count in (1, 7):
        images = rings(count, 6)
        (scores,) = session.run(["scores"], {"images": images})
        assert model.difference(scores, model.score(images)) < 1e-3


def test_a_score_that_is_no_fixed_sequence_of_operations_is_refused(tiny_study, published_folder, tmp_path):
    forest = loading.detector("outlier").build(PIXELS, algorithm="iforest")
    forest.fit(rings(80, 9), seed=1)
    model = published_models.PublishedModel(
        "toy/forest", forest, published_models.load("toy/flux", published_folder).card
    )
    with pytest.raises(ValueError, match="cannot be written as ONNX"):
        onnx_export.write(tmp_path / "forest.onnx", model)
    assert not (tmp_path / "forest.onnx").exists()
