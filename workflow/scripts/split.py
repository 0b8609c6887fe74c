"""Draw the training sets of one replica of a data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.split import split

    names, params = snakemake.wildcards, snakemake.params
    split(
        snakemake.output[0],
        params.training_sets,
        dataset=names.dataset,
        seed=params.seed,
        replica=int(names.replica),
        images=params.images,
        smooth=params.smooth,
        train=params.train,
        contaminants=params.contaminants,
        known=params.known,
        shard_paths=snakemake.input.gaps,
        leaks=next(iter(snakemake.input.leaks), None),
    )
