"""Draw the AUC against the noise of data sets that are otherwise alike."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.results.figures.noise import draw_noise

    draw_noise(snakemake.output[0], noise=snakemake.input.noise, rows=snakemake.params.rows)
