"""Train a network that estimates parameters of lens and dark matter."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.regress import learn

    names, params = snakemake.wildcards, snakemake.params
    learn(
        snakemake.output[0],
        snakemake.input,
        row=names.estimator,
        dataset=names.dataset,
        **params.row,
        seed=params.seed,
        source=params.source,
    )
