"""Draw the first twins of one data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.preview import preview

    preview(snakemake.output[0], snakemake.input, dataset=snakemake.wildcards.dataset, smooth=snakemake.params.smooth)
