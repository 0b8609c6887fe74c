"""Draw the most anomalous of the user's own images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.most_anomalous import most_anomalous

    files = snakemake.input
    most_anomalous(snakemake.output[0], files.ranking, files.shards, snakemake.wildcards.dataset)
