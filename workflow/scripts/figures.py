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
        scores={row: files[f"scores_{row}"] for row in params.rows},
        examples={row: files[f"examples_{row}"] for row in params.rows},
        losses={row: files[f"losses_{row}"] for row in params.own_models},
    )
