"""Simulate one shard."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.data import shards
    from oddlens.lensing.simulation import Simulation
    from oddlens.stages.simulate import simulate

    names, (first, count) = snakemake.wildcards, snakemake.params.range
    shard = simulate(
        Simulation.model_validate(snakemake.params.simulation),
        seed=snakemake.params.seed,
        dataset=names.dataset,
        pool=names.pool,
        cls=names.cls,
        first=first,
        count=count,
    )
    shards.write(snakemake.output[0], shard)
