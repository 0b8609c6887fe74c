"""Draw the figures of one data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.figures import draw_figures

    params, files = snakemake.params, snakemake.input
    draw_figures(
        dict(snakemake.output.items()),
        dataset=snakemake.wildcards.dataset,
        smooth=params.smooth,
        rows=params.rows,
        tables={table: files[table] for table in params.tables},
        scores={row: path for row in params.rows for path in files[f"scores_{row}"]},
        examples={row: path for row in params.rows for path in files[f"examples_{row}"]},
        losses={row: paths for row in params.own_models if (paths := files[f"losses_{row}"])},
    )
