"""Make the table of leaks."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.leak_table import leak_table

    leak_table(snakemake.output[0], snakemake.input)
