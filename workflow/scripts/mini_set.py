"""Write the mini set of a data set: a few test images of each class."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.mini_set import mini_set

    mini_set(snakemake.output[0], snakemake.input)
