"""Training images stay in their file: memory does not grow with their number."""

import subprocess
import sys

from conftest import ROOT

CODE = """
import resource, sys
import numpy as np, torch
from oddlens.detectors.interface import loading
torch.set_num_threads(1)
loading.detector("dcae")
count, pixels = int(sys.argv[2]), 64
images = np.memmap(sys.argv[1], np.float32, "w+", shape=(count, pixels, pixels))
rng = np.random.default_rng(0)
some = rng.random((500, pixels, pixels), dtype=np.float32)
for start in range(0, count, 500):
    images[start : start + 500] = some
model = loading.detector("dcae").build(pixels, network="published", latent=8)
linear = loading.detector("pca").build(pixels, components=2)
for each in (model, linear):
    each.fit(some, seed=1, training={"epochs": 1, "batch_size": 100})  # what PyTorch allocates once
used = int(open("/proc/self/statm").read().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + 400_000_000, -1))
linear.fit(images, seed=1)
model.fit(images, seed=1, rows=np.arange(0, count, 10), training={"epochs": 1, "batch_size": 100})
model.score(images, rows=np.arange(500))
try:
    np.array(images)
except MemoryError:
    print("a copy would not have fitted")
"""


def test_a_training_set_larger_than_the_memory_left_is_learned_from(tmp_path):
    """490 MB of images, where no more than 400 MB can be allocated."""
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "images"), "30000"],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "a copy would not have fitted" in run.stdout
