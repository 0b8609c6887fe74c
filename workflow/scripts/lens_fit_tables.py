"""Write the table of fits of real lenses, their pages, and the summary."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.lens_fit_tables import lens_fit_tables

    lens_fit_tables(dict(snakemake.output.items()), snakemake.params.study, snakemake.params.lenses)
