"""Draw the regression figures of one data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.regression_figures import regression_figures

    regression_figures(
        dict(snakemake.output.items()),
        dataset=snakemake.wildcards.dataset,
        estimates=snakemake.input.estimates,
        triage=snakemake.input.triage,
    )
