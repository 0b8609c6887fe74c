"""Write the report."""

from itertools import batched
from pathlib import Path

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.artefacts import read_table
    from oddlens.provenance import versions
    from oddlens.report import report

    params, files = snakemake.params, snakemake.input
    devices = {device for path in files.losses for device in read_table(path, "losses")[1]["devices"]}
    by_dataset = zip(params.study["datasets"], batched(files.figures, len(params.figures)), strict=True)
    report(
        snakemake.output[0],
        tables={table: files[table] for table in params.tables},
        figures={dataset: dict(zip(params.figures, drawn, strict=True)) for dataset, drawn in by_dataset},
        ranks=files.ranks_figure,
        noise=files.noise_figure,
        real=dict(zip(params.study["real"], zip(files.real_tables, files.real_pictures, strict=True), strict=True)),
        captions={Path(caption).stem: caption for caption in files.captions},
        study=params.study,
        rows=params.rows,
        classes=params.classes,
        versions=versions("snakemake", "numpy", "pandas", "scipy", "scikit-learn", "scikit-posthocs", "matplotlib"),
        devices=sorted(devices),
    )
