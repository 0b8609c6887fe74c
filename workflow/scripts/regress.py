"""Train a network that estimates parameters of lens and dark matter."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.regress import RegressionRow, learn

    names, params = snakemake.wildcards, snakemake.params
    learn(
        snakemake.output[0],
        snakemake.input,
        row=RegressionRow(names.estimator, **params.row),
        dataset=names.dataset,
        seed=params.seed,
        source=params.source,
    )
