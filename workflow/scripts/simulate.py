"""Simulate one shard."""

from oddlens.job import job

with job(snakemake):
    from oddlens import shards
    from oddlens.lensing.simulate import simulate
    from oddlens.lensing.world import World

    names, (first, count) = snakemake.wildcards, snakemake.params.range
    shard = simulate(
        World.model_validate(snakemake.params.world),
        seed=snakemake.params.seed,
        dataset=names.dataset,
        pool=names.pool,
        cls=names.cls,
        first=first,
        count=count,
    )
    shards.write(snakemake.output[0], shard)
