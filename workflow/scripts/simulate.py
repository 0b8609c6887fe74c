"""Simulate one shard."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.data import shards
    from oddlens.lensing.simulation import Simulation
    from oddlens.stages.simulate import simulate

    names, (first, count) = snakemake.wildcards, snakemake.params.range
    cls, variant = names.cls, None
    if about := snakemake.params.variant:
        cls, variant = about["made_of"], shards.VariantClass(names.cls, about["twin"], about["decoy"])
    shard = simulate(
        Simulation.model_validate(snakemake.params.simulation),
        seed=snakemake.params.seed,
        dataset=names.dataset,
        pool=names.pool,
        cls=cls,
        first=first,
        count=count,
        variant=variant,
    )
    shards.write(snakemake.output[0], shard)
