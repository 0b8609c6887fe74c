import os
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tests run side by side; equal thread counts also keep sums equal."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def config():
    """The default config as plain data, fresh for each test."""
    import yaml

    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
