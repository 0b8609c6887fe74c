"""Models of rows that take residuals."""

import numpy as np
import pandas as pd
import pytest

from oddlens.detectors.evaluation.row_models import RowModel
from oddlens.detectors.interface import loading


class Fits:
    """Residuals [n, inputs, pixels, pixels] of images; 0 where a fit has not converged."""

    def __init__(self, converged):
        self.converged = np.array(converged, np.float32)

    def residual_inputs(self, images):
        return np.stack([images, images], axis=1) * self.converged[:, None, None, None]


def row(converged):
    model = loading.detector("flux").build(8, seed=1)
    model.fit(np.random.default_rng(0).random((20, 8, 8)).astype(np.float32), seed=1)
    return RowModel("flux_residual", 1, model, Fits(converged), 0, np.zeros(2), pd.DataFrame())


def test_images_that_no_lens_fits_have_no_residuals():
    images = np.random.default_rng(1).random((3, 8, 8)).astype(np.float32)
    assert len(row([1, 1, 0]).scores_and_findings(images)[0]) == 3
    with pytest.raises(ValueError, match=r"flux_residual takes residuals.* none of 3 images"):
        row([0, 0, 0]).scores_and_findings(images)
