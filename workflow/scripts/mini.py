"""Write some test images of each class for published models to be tried on."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.publish import mini_set

    mini_set(snakemake.output[0], snakemake.input)
