"""Published models: found by name, loaded, and compared with their cards."""

import re
import subprocess
import sys

import numpy as np
import pytest

import oddlens
from conftest import ROOT
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.pretrained import apply, published_models
from oddlens.stages import publish
from oddlens.stages.mini_set import mini_set
from tiny_models import publish_row, rings


def test_an_unknown_name_is_an_error_with_the_nearest(published_folder):
    with pytest.raises(FileNotFoundError, match="Did you mean 'toy/dcae'"):
        published_models.load("toy/dace", published_folder)
    with pytest.raises(FileNotFoundError, match="has no models"):
        published_models.load("toy/dcae", published_folder / "nothing")


def test_a_model_of_a_study_has_no_card(tiny_study):
    with pytest.raises(ValueError, match="has no card"):
        published_models.load(tiny_study / "dcae.safetensors")


def test_the_package_loads_models_by_itself(published_folder):
    assert oddlens.load(published_folder / "toy" / "dcae.safetensors").name == "toy/dcae"
    code = "import sys, oddlens; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


def test_a_score_that_is_not_finite_leaves_the_others(published_folder, tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", rings(3, 3))
    model = published_models.load("toy/dcae", published_folder)
    scores_and_findings = type(model.detector).scores_and_findings

    def sometimes(self, images):
        if rings(3, 3)[1].tolist() in images.tolist():
            raise FloatingPointError("not finite")
        return scores_and_findings(self, images)

    monkeypatch.setattr(type(model.detector), "scores_and_findings", sometimes)
    entries = list(apply.score_files(model, [tmp_path / "images.npy"]))
    assert [entry.problem for entry in entries] == ["", "not finite", ""]


@pytest.mark.parametrize("what", ["weights", "card", "mini", "bytes", "gone"])
def test_verification_fails_if_a_model_differs_from_its_card(tiny_study, tmp_path, what):
    publish_row(tiny_study, tmp_path, "dcae")
    place = tmp_path / "toy"
    if what == "weights":
        tensors, header = read_tensors(place / "dcae.safetensors")
        tensors["scale"] *= 1.5
        write_tensors(place / "dcae.safetensors", tensors, header)
    elif what == "card":
        (place / "dcae.md").write_text((place / "dcae.md").read_text().replace("0.750", "0.950"))
    elif what == "mini":
        mini_set(place / "mini.h5", [tiny_study / "test-cdm.h5"])
    elif what == "bytes":
        content = bytearray((place / "dcae.safetensors").read_bytes())
        content[-5] ^= 1
        (place / "dcae.safetensors").write_bytes(content)
    else:
        (place / "mini.h5").unlink()
    try:
        agrees = published_models.verify("toy/dcae", tmp_path)[1]
    except (OSError, ValueError):
        agrees = False
    assert not agrees


# --- the models of the project ---------------------------------------------------------------------------------------


OURS = published_models.names(ROOT / "pretrained")


@pytest.mark.parametrize("name", OURS)
def test_the_projects_models_are_small_and_agree_with_their_cards(name):
    assert (ROOT / "pretrained" / f"{name}.safetensors").stat().st_size < publish.MAX_BYTES
    text, agrees = published_models.verify(name, ROOT / "pretrained")
    assert agrees, text


def test_the_page_has_all_models_with_the_aucs_of_their_cards():
    page = (ROOT / "docs/pretrained.md").read_text()
    page_aucs = {}
    for row, *cells in re.findall(r"^\| `(\w+)` \| ([\d./ ]+) \| ([\d./ ]+) \| [\d.]+ \|$", page, re.MULTILINE):
        page_aucs |= {f"{dataset}/{row}": cell for dataset, cell in zip(("model_a", "model_b"), cells, strict=True)}
    cards = {name: published_models.load(name, ROOT / "pretrained").card for name in OURS}
    aucs = {name: {line["anomaly"]: f"{line['auc']:.3f}" for line in card["measured"]} for name, card in cards.items()}
    assert page_aucs == {
        name: " / ".join(auc[anomaly] for anomaly in ("cdm", "vortex", "all")) for name, auc in aucs.items()
    }
    assert len(page_aucs) == 12
