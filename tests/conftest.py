import os
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

ROOT = Path(__file__).parents[1]
LONG = ["test_workflow.py", "test_detectors.py", "test_conda.py", "test_lensfit.py", "test_report.py"]
"""Files that take minutes; first, so that no core waits for one of them at the end."""


def pytest_collection_modifyitems(items):
    """The long files first, each as a whole."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


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
