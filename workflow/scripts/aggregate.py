"""Make the result tables."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.aggregate import aggregate

    files, params = snakemake.input, snakemake.params

    def per_dataset(kind):
        return {dataset: files[f"{kind}_{dataset}"] for dataset in params.datasets}

    aggregate(
        dict(snakemake.output.items()),
        scores=per_dataset("scores"),
        truths=per_dataset("truth"),
        findings=per_dataset("findings"),
        pixels=per_dataset("pixels"),
        samples=per_dataset("samples"),
        fit_convergence=files.fit_convergence,
        rows=params.rows,
        reproduces=params.reproduces,
        exposures=params.exposures,
        smooth=params.smooth,
        detection=params.detection,
    )
