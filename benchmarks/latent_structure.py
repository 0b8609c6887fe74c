"""Where the anomalous images of a contaminated training set lie in the space of codes, after Berg et al. 2019.

    python benchmarks/latent_structure.py results/gan_long model_b pgan_se_simultaneous pgan_se_afterwards

For each contaminated training set that a row of a study was trained on:

* the median norm of the codes of its normal and of its anomalous images, and the AUC of the norm;
* neighbours: the part of anomalous images among the nearest codes of an anomalous image, over their part in the set. It
  is 1 if they lie anywhere among normal images, and larger if they lie in clusters of their own;
* the AUC of the anomaly score of the training images themselves.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from oddlens.data import shards, splits
from oddlens.data.training_sets import parse_training_set
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.capabilities import Embeds
from oddlens.lensing.substructure_classes import SMOOTH

NEIGHBOURS = 10


def enrichment(codes: np.ndarray, anomalous: np.ndarray) -> float:
    """The part of anomalous images among the neighbours of anomalous ones, over that in the set.

    Args:
        codes: of all images, [n, latent].
        anomalous: which of them are, [n].
    """
    search = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(codes)
    near = search.kneighbors(codes[anomalous], return_distance=False)[:, 1:]  # the first is the image itself
    return float(anomalous[near].mean() / anomalous.mean())


def line(model_path: Path, pool: shards.Pool, table: pd.DataFrame) -> str:
    """The line of a model, for the pool of all images and the table of the training sets."""
    members = table.loc[table[model_path.stem] == 1, splits.IDENTITY]
    anomalous = (members["class"] != SMOOTH).to_numpy()
    images = np.asarray(pool.images[splits.rows_of(pool.table, members)])
    model, about = loading.load(model_path)
    if not isinstance(model, Embeds):
        raise ValueError(f"{about['row']} does not encode images")
    codes = model.embeddings(images)
    norms = np.linalg.norm(codes, axis=1)
    cells = [
        f"{np.median(norms[~anomalous]):.2f}",
        f"{np.median(norms[anomalous]):.2f}",
        f"{roc_auc_score(anomalous, norms):.3f}",
        f"{enrichment(codes, anomalous):.2f}",
        f"{roc_auc_score(anomalous, model.score(images)):.3f}",
    ]
    return "| " + " | ".join([about["row"], str(about["seed"]), model_path.stem, *cells]) + " |"


def main(folder: Path, dataset: str, rows: list[str]) -> None:
    """Print a table with a line for each row, seed and contaminated training set."""
    images = folder / "shards" / dataset
    paths = [str(path) for name in ("train", "contaminant") for path in (images / name).rglob("*.h5")]
    print("| row | seed | training set | norm, normal | norm, anomalous | AUC of norm | neighbours | AUC of score |")
    print("|---|---|---|---|---|---|---|---|")
    with TemporaryDirectory() as scratch:
        pool = shards.read_all(sorted(paths), scratch)
        for row in rows:
            for path in sorted((folder / "models" / dataset / row).glob("seed-*/*.safetensors")):
                if parse_training_set(path.stem)[1]:
                    table = splits.read(str(folder / "splits" / dataset / f"{path.parent.name}.csv"))
                    print(line(path, pool, table), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="results/STUDY of a study that has run")
    parser.add_argument("dataset")
    parser.add_argument("rows", nargs="+", help="rows that encode images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    main(options.folder, options.dataset, options.rows)
