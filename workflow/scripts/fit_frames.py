"""Fit one real lens at its own resolution."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.observations.lens_index import labelled_lens
    from oddlens.stages.fit_frames import fit_or_problem

    params = snakemake.params
    entry = labelled_lens(snakemake.wildcards.lens, **params.reading)
    fit_or_problem(entry, Path(snakemake.output[0]), params.radius, snakemake.threads)
