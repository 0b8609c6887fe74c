"""Draw the figures of the regression of one data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.results.figures.regression import draw_regression

    draw_regression(
        dict(snakemake.output.items()),
        dataset=snakemake.wildcards.dataset,
        estimates=snakemake.input.estimates,
        triage=snakemake.input.triage,
    )
