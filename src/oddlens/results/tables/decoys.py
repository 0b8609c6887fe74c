"""What decoys cost: the completeness that is lost if the threshold is raised until decoys are no more frequent alarms
than smooth lenses."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from oddlens.results.tables.columns import ALL
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.row_scores import rows_of, with_interval

COLUMNS = ["dataset", "detector", "false_alarm_rate", "decoy", "anomaly", "seeds", "n_decoys", "images"]
COLUMNS += ["detected", "detected_raised", "lost", "lost_low", "lost_high"]


def decoys_table(scores: DatasetScores, rates: Sequence[float]) -> pd.DataFrame:
    """`decoys.csv`: for each decoy class, and for `all`, the completeness before and after the threshold is raised.

    `detected` is the fraction of an anomaly above the threshold that a fraction `false_alarm_rate` of the smooth test
    images exceeds. `detected_raised` is that above a threshold which no larger fraction of the decoys exceeds, either;
    for `all` of the decoys of every class. `lost` is the difference. Means over seeds and intervals are those of
    `detection_table`, whose table has the false alarms of decoys. Values are empty where a class has fewer than
    1 / rate images.
    """
    smooth = scores.positions(scores.smooth)
    of_anomaly, of_decoy = ({cls: scores.positions(cls) for cls in of} for of in (scores.anomalies, scores.decoys))
    lines = []
    for row in rows_of(scores) if of_decoy and len(smooth) else ():
        for rate in rates:
            threshold = row.threshold(smooth, rate)
            raised = {cls: np.maximum(threshold, row.threshold(images, rate)) for cls, images in of_decoy.items()}
            raised[ALL] = np.max([*raised.values()], axis=0)
            for decoy, level in raised.items():
                about = {"detector": row.detector, "seeds": len(row.values), "false_alarm_rate": rate, "decoy": decoy}
                about |= {"n_decoys": sum(len(of) for cls, of in of_decoy.items() if decoy in (cls, ALL))}
                for anomaly, images in of_anomaly.items():
                    before, after = (row.fraction_above(images, limit) for limit in (threshold, level))
                    counts = {"images": len(images), "lenses": len(np.unique(scores.lens[images]))}
                    values = {"detected": before, "detected_raised": after, "lost": before - after}
                    lines.append(about | {"anomaly": anomaly} | counts | values)
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.DataFrame(lines).assign(dataset=scores.dataset)
    return with_interval(table, "lost", table["lenses"])[COLUMNS]
