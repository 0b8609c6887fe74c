"""Score real lenses among simulated ones."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.observations.lens_index import read_lenses
    from oddlens.stages.real import score_real

    params, outputs = snakemake.params, snakemake.output
    lenses = [
        lens
        for name, entry in params.lenses.items()
        for lens in read_lenses(
            Path(entry["path"]), name, claimed=entry["claimed"], annulus_arcsec=entry["annulus_arcsec"]
        )
    ]
    score_real(
        Path(outputs.table).parents[1],
        snakemake.wildcards.dataset,
        lenses,
        rows=params.rows,
        seeds=params.seeds,
        table_path=outputs.table,
        noise_path=outputs.noise,
        figures_path=outputs.images,
    )
