"""The page of a study that was made up."""

import made_up
import made_up_shards
from oddlens.results.tables.score_files import read_truth
from oddlens.stages.explore import explore

SHOWN = ("summary", "auc", "pairs", "false_alarms", "detection", "most_anomalous")


def page_of(folder, made, outputs, rows=made_up.ROWS, own=(), pixels=16, decoys=()):
    """Write the page of a study whose files and tables were made; its path.

    Args:
        made: the paths of its files, by `made_up.study`.
        outputs: those of its tables, by `made_up.aggregated`.
        own: the data sets of the user's own images.
        pixels: the size of images, the same for all data sets or by data set.
        decoys: classes of test images that are decoys.
    """
    truths = {dataset: read_truth(path) for dataset, path in made["truths"].items()}
    sizes = pixels if isinstance(pixels, dict) else dict.fromkeys(truths, pixels)
    of_dataset = {
        dataset: made_up_shards.shards_of_test_images(
            folder / "shards", truth, dataset, sizes[dataset], twins=dataset not in own, variants=decoys
        )
        for dataset, truth in truths.items()
    }
    names = (*SHOWN, "ranking") if own else SHOWN
    explore(
        folder / "explore.html",
        study="made up <b>",
        tables={name: outputs[name] for name in names},
        scores={dataset: list(paths.values()) for dataset, paths in made["scores"].items()},
        truths=made["truths"],
        shards=of_dataset,
        maps={dataset: list(paths.values()) for dataset, paths in made["maps"].items()},
        rows=made_up.entries(rows),
        smooth="smooth",
    )
    return folder / "explore.html"
