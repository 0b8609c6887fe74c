"""Collect the truth of the scored images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.truth import truth

    truth(snakemake.output[0], snakemake.input, snakemake.wildcards.dataset)
