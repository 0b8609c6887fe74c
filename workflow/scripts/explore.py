"""Write the page on which the results are explored."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.explore import explore

    params, files = snakemake.params, snakemake.input
    explore(
        snakemake.output[0],
        study=params.study,
        tables={table: files[table] for table in params.tables},
        scores={dataset: files[f"scores_{dataset}"] for dataset in params.datasets},
        truths={dataset: files[f"truth_{dataset}"] for dataset in params.datasets},
        shards={dataset: files[f"shards_{dataset}"] for dataset in params.datasets},
        maps={dataset: files[f"maps_{dataset}"] for dataset in params.datasets},
        rows=params.rows,
        smooth=params.smooth,
    )
