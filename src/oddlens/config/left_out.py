"""The rows that cannot work on a data set of the user's own files, which knows less than a simulation."""

from collections.abc import Mapping

from oddlens.config.dataset import Dataset
from oddlens.config.detector_row import DetectorRow
from oddlens.config.files_dataset import FilesDataset
from oddlens.data.pools import Pools


def left_out(rows: Mapping[str, DetectorRow], dataset: Dataset | FilesDataset, pools: Pools) -> dict[str, str]:
    """The rows that a data set leaves out, each with the reason; none, if it is simulated."""
    if isinstance(dataset, Dataset):
        return {}
    reasons = {name: _reason(row, dataset, pools) for name, row in rows.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(row: DetectorRow, dataset: FilesDataset, pools: Pools) -> str:
    if row.needs == "truth":
        return "it needs the image without substructure and noise, which only a simulation has"
    if (row.needs == "labels" or row.labels) and not pools.contaminants:
        return "it needs labelled anomalies, and there are no images of role contaminant"
    if row.fits_lenses or row.input != "images":
        if dataset.simulation is None:
            return "it fits lenses, and `simulation` does not say what to assume of them"
        if not dataset.has_noise:
            return "it fits lenses, and files.camera.noise is none"
    return ""
