"""Count how often blind fits end where fits from the truth do."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.fit_convergence import starts

    names = snakemake.wildcards
    starts(
        snakemake.output[0],
        snakemake.input.model,
        snakemake.input.shards,
        dataset=names.dataset,
        row=names.detector,
        images=snakemake.params.images,
        threads=snakemake.threads,
    )
