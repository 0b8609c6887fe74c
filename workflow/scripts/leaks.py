"""Look for leaks in a data set of the user's own images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.leaks import leaks

    params = snakemake.params
    leaks(
        snakemake.output[0],
        snakemake.input,
        dataset=snakemake.wildcards.dataset,
        smooth=params.smooth,
        nuisance=params.nuisance,
    )
