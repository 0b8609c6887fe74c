"""Shards of test images that show their class and number, for studies whose scores are made up."""

import numpy as np

from oddlens.data import shards

BLOCKS = 4
"""An image has so many blocks in a line and in a column: 4 for the class, 12 for the number, first bit first."""


def bits(cls, index):
    """The blocks of an image, 0 or 1: those of its class, a number below 16, and of its index, below 4096."""
    return [(cls >> k) & 1 for k in range(4)] + [(index >> k) & 1 for k in range(12)]


def picture(cls, index, pixels=16):
    """An image whose blocks are the bits of its class and index; dark ones are .04, so that its edges are seen."""
    blocks = 0.04 + 0.96 * np.reshape(bits(cls, index), (BLOCKS, BLOCKS))
    return np.kron(blocks, np.ones((pixels // BLOCKS, pixels // BLOCKS))).astype(np.float32)


def shards_of_test_images(folder, known, dataset, pixels=16, twins=True, per_shard=1000, variants=()):
    """The paths of the shards of the test images of a truth table, in the order of classes there.

    Args:
        known: the truth, with `pool`, `class` and `index`.
        twins: whether there are images without noise, and its sigma.
        variants: the classes that are variants of the smooth one, and decoys.
    """
    paths, tested = [], known[known["pool"] == "test"]
    for number, cls in enumerate(tested["class"].unique(), 1):
        of_class = tested.loc[tested["class"] == cls, "index"].to_numpy()
        for first in range(0, len(of_class), per_shard):
            index = of_class[first : first + per_shard]
            images = np.stack([picture(number, k, pixels) for k in index])
            arrays = {"images": images, "index": index}
            if twins:
                arrays |= {"noise_free": images, "sigma": np.full_like(images, 0.1)}
            about = {"dataset": dataset, "pool": "test", "class": cls, "seed": 1, "pixel_scale_arcsec": 0.1}
            about |= {"twin": "smooth", "decoy": True} if cls in variants else {}
            place = folder / dataset / "test" / cls
            place.mkdir(parents=True, exist_ok=True)
            paths.append(place / f"{first // per_shard:03d}.h5")
            shards.write(paths[-1], shards.Shard(arrays, about))
    return paths
