"""Images per second of training, by this project and by a plain loop: `python benchmarks/train.py`.

The plain loop trains as the published code does (unsupervised-lensing, of arXiv:2008.12731): a DataLoader over a
TensorDataset, float32, Adam, the loss read after each batch. It is compared with `Detector.fit`. Network, images, batch
and optimiser are equal. The loops take turns, one epoch each, and the result is the median of their ratios. At the end
the errors of both on new images are compared. On a GPU, PyTorch reports its utilisation.
"""

import argparse
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import Detector

PUBLISHED = {
    "network": "published",
    "stabilised": False,
    "score": "error",
    "symmetric": False,
    "expectation": False,
    "optimiser": "adam",
    "learning_rate": 2e-3,
    "schedule": "one_cycle",
    "weight_decay": 1e-5,
}
BATCH = 100


def rings(count: int, pixels: int, seed: int) -> np.ndarray:
    """Rings of varying radius, width and position, with noise: as large as lenses, and fast to compute."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) / pixels
    centre = rng.normal(0, 0.03, (2, count, 1, 1))
    radius = np.hypot(y - centre[0], x - centre[1])
    ring = np.exp(
        -0.5 * ((radius - rng.uniform(0.2, 0.3, (count, 1, 1))) / rng.uniform(0.03, 0.06, (count, 1, 1))) ** 2
    )
    return (ring + rng.normal(0, 0.02, ring.shape)).astype(np.float32)


def build(pixels: int) -> Detector:
    """The published autoencoder. The code of small images is shorter."""
    return loading.detector("dcae").build(pixels, seed=1, latent=min(1000, pixels**2 // 22), **PUBLISHED)


class Plain:
    """The network of a detector in a plain training loop."""

    def __init__(self, images: np.ndarray, device: str, epochs: int):
        self.model, self.device = build(images.shape[-1]).to(device), device
        self.rates: list[float] = []
        tensor = torch.from_numpy(images).unsqueeze(1)
        self.model.autoencoder.coordinates.peak.fill_(tensor.max())
        self.loader = DataLoader(TensorDataset(tensor), batch_size=BATCH, shuffle=True, drop_last=True)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=2e-3, weight_decay=1e-5)
        steps = epochs * len(self.loader)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, 2e-3, total_steps=steps)

    def epoch(self) -> None:
        """One pass over the images."""
        start, total = time.perf_counter(), 0.0
        for (batch,) in self.loader:
            batch = batch.to(self.device)
            self.optimiser.zero_grad()
            loss = F.mse_loss(self.model.autoencoder.decode(self.model.autoencoder.encode(batch)), batch)
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            total += loss.item()
        self.rates.append(len(self.loader) * BATCH / (time.perf_counter() - start))

    @torch.no_grad()
    def error(self, images: np.ndarray) -> float:
        """The mean squared error on images."""
        batch = torch.from_numpy(images).unsqueeze(1).to(self.device)
        reconstructions = self.model.autoencoder.decode(self.model.autoencoder.encode(batch))
        return F.mse_loss(reconstructions, batch).item()


def compare(pixels: int, count: int, epochs: int, precision: str, device: str) -> None:
    """Run both loops on equal images, one epoch each in turn; the first is a warm-up."""
    images, new = rings(count, pixels, seed=1), rings(500, pixels, seed=2)
    plain, ours, rates = Plain(images, device, epochs), build(pixels), []
    last = time.perf_counter()

    def after(_epoch: object) -> None:
        nonlocal last
        rates.append(count // BATCH * BATCH / (time.perf_counter() - last))
        plain.epoch()
        last = time.perf_counter()

    def utilisation() -> float:
        return torch.cuda.utilization() if device == "cuda" else float("nan")

    training = {"epochs": epochs, "batch_size": BATCH, "precision": precision}
    ours.fit(images, seed=1, device=device, training=training, on_epoch=after)
    error = float(np.mean((ours.reconstructions(new) - new) ** 2))
    mine, theirs = statistics.median(rates[1:]), statistics.median(plain.rates[1:])
    ratio = statistics.median(a / b for a, b in zip(rates[1:], plain.rates[1:], strict=True))
    print(
        f"| {pixels} x {pixels} | {precision} | {mine:,.0f}/s | {theirs:,.0f}/s | {ratio:.2f} | "
        f"{error:.3e} | {plain.error(new):.3e} |" + (f" GPU {utilisation():.0f} % busy" if device == "cuda" else ""),
        flush=True,
    )


def main() -> None:
    """Compare at the image size of the default study and at that of the paper."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few images, to test that it runs")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{device}, {arguments.threads} threads, PyTorch {torch.__version__}, batches of {BATCH}\n")
    columns = ("pixels", "precision", "ours", "plain loop, float32", "ratio", "our error", "its error")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for pixels, count in ((32, 4000), (150, 1000)):
        for precision in ("float32", "auto"):
            compare(pixels, 200 if arguments.quick else count, 3 if arguments.quick else 7, precision, device)


if __name__ == "__main__":
    main()
