"""Import the scores that another program computed."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.import_scores import import_scores

    params = snakemake.params
    import_scores(
        dict(snakemake.output.items()),
        table=snakemake.input.table,
        shard_paths=snakemake.input.shards,
        row=snakemake.wildcards.external,
        dataset=snakemake.wildcards.dataset,
        higher_is=params.higher_is,
        claimed=params.claimed,
        known=params.known,
        training_sets=params.training_sets,
        seed=params.seed,
        smooth=params.smooth,
    )
