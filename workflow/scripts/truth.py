"""Collect what is true of the images that are scored."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.truth import truth

    truth(snakemake.output[0], snakemake.input, snakemake.wildcards.dataset)
