"""Draw the training sets of one seed of one data set."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.data import splits

    names, params = snakemake.wildcards, snakemake.params
    table = splits.split(
        params.training_sets,
        seed=params.seed,
        replica=int(names.replica),
        dataset=names.dataset,
        images=params.images,
        smooth=params.smooth,
        train=params.train,
        contaminants=params.contaminants,
        known=params.known,
    )
    splits.write(snakemake.output[0], table, dataset=names.dataset, seed=int(names.replica))
