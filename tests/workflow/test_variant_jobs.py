"""A variant of a data set in the workflow."""

import numpy as np
import pytest

from oddlens.data import shards
from project import ONE, fresh_copy, snakemake

pytestmark = pytest.mark.workflow

FOLDER = "results/smoke/shards/model_a/test"
CONFIG = """
datasets:
  model_a:
    images: {test: 4}
    variants:
      multipole: {of: smooth, lens: {multipole_4: {strength: 0.03, angle_deg: 0}}}
      heavy: {of: vortex, lens: {multipole_4: {strength: 0.03, angle_deg: 0}}}
"""


def test_a_variant_is_simulated_with_its_own_settings(tmp_path):
    folder = fresh_copy(tmp_path / "project")
    (folder / "variants.yaml").write_text(CONFIG)
    arguments = [*ONE, "variants.yaml", "--", *(f"{FOLDER}/{cls}/000.h5" for cls in ("multipole", "heavy"))]
    snakemake(folder, "--cores", "2", *arguments)
    decoy, heavy = (shards.read(folder / path) for path in arguments[-2:])
    assert decoy.variant == shards.VariantClass("multipole", "multipole", True)
    assert heavy.variant == shards.VariantClass("heavy", "multipole", False)
    assert decoy.attributes["class"] == "multipole"
    for name in ("truth/shear_magnitude", "truth/multipole_4_strength"):
        np.testing.assert_array_equal(decoy.arrays[name], heavy.arrays[name])
    assert "substructure/vortex_area" in heavy.arrays
