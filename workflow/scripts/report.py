"""Write the report."""

from pathlib import Path

from oddlens.provenance import records
from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.files.artefacts import read_table
    from oddlens.stages.report import report

    params, files = snakemake.params, snakemake.input
    trainings = [read_table(path, "losses")[1] for path in files.losses]
    provenance = records.summarise([*records.upstream(files, Path(snakemake.output[0]).parent), records.this_process()])
    commits = {commit for training in trainings for commit in training["commits"]}
    report(
        snakemake.output[0],
        tables={table: files[table] for table in params.tables},
        figures={
            dataset: {figure: path for figure in params.figures if (path := files.get(f"figure_{dataset}_{figure}"))}
            for dataset in params.study["datasets"]
        },
        ranks=files.ranks_figure,
        noise=files.noise_figure,
        real={Path(table).stem: table for table in files.real_tables},
        real_images={Path(folder).name: folder for folder in files.real_images},
        follow_up=list(zip(files.follow_up_tables, files.follow_up_images, strict=True)),
        completeness={Path(file).stem if file.endswith(".csv") else "figure": file for file in files.completeness},
        captions={Path(caption).stem: caption for caption in files.captions},
        study=params.study,
        rows=params.rows,
        descriptions=params.descriptions,
        classes=params.classes,
        provenance={**provenance, "commits": sorted({*provenance["commits"], *commits})},
        samples={
            name: (sample, files[f"camera_{name}"], files.get(f"with_gaps_{name}", []))
            for name, sample in params.samples.items()
        },
        left_out=params.left_out,
        devices=sorted({device for training in trainings for device in training["devices"]}),
    )
