"""Estimate parameters of lens and dark matter for the test images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.estimate import estimate

    estimate(
        snakemake.output[0],
        model_path=snakemake.input.model,
        shard_paths=snakemake.input.shards,
        row=snakemake.wildcards.estimator,
        dataset=snakemake.wildcards.dataset,
        threads=snakemake.threads,
    )
