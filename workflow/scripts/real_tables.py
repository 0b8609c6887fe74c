"""Join the tables of real lenses of all data sets."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.real_tables import real_tables

    real_tables(dict(snakemake.output.items()), scores=snakemake.input.scores, noise=snakemake.input.noise)
