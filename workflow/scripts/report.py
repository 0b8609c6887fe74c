"""Write the report."""

from itertools import batched
from pathlib import Path

from oddlens.provenance import records
from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.files.artefacts import read_table
    from oddlens.stages.report import report

    params, files = snakemake.params, snakemake.input
    trained = [read_table(path, "losses")[1] for path in files.losses]
    made = records.together([*records.behind(files, Path(snakemake.output[0]).parent), records.here()])
    made["commits"] = sorted({*made["commits"], *(commit for about in trained for commit in about["commits"])})
    by_dataset = zip(params.study["datasets"], batched(files.figures, len(params.figures)), strict=True)
    report(
        snakemake.output[0],
        tables={table: files[table] for table in params.tables},
        figures={dataset: dict(zip(params.figures, drawn, strict=True)) for dataset, drawn in by_dataset},
        ranks=files.ranks_figure,
        noise=files.noise_figure,
        real={Path(table).stem: table for table in files.real_tables},
        real_pictures=dict(zip(params.study["datasets"], files.real_pictures, strict=False)),
        followed=list(zip(files.follow_up_tables, files.follow_up_pictures, strict=True)),
        captions={Path(caption).stem: caption for caption in files.captions},
        study=params.study,
        rows=params.rows,
        classes=params.classes,
        made=made,
        devices=sorted({device for about in trained for device in about["devices"]}),
    )
