"""Download the public files of real lenses."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.retrieve import retrieve

    retrieve(Path(snakemake.output.index).parent, snakemake.params.files, index=snakemake.input.index)
