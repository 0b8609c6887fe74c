"""Fit one of the most anomalous images with and without a perturber."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.follow_up import follow_up

    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    follow_up(
        snakemake.output.table,
        snakemake.output.picture,
        most_anomalous_path=files.most_anomalous,
        findings_path=files.findings or None,
        shard_paths=list(files.shards),
        dataset=names.dataset,
        row=params.row,
        rank=int(names.rank),
        live=params.live,
        mass=params.mass,
        seed=params.seed,
    )
