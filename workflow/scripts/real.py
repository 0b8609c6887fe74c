"""Score real lenses among simulated ones."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.files.progress import say
    from oddlens.observations.lens_index import read_lenses
    from oddlens.results.tables.real import problem_lines
    from oddlens.stages.real import score_real

    params, outputs = snakemake.params, snakemake.output
    lenses = []
    for name, entry in params.lenses.items():
        how = {key: value for key, value in entry.items() if key != "path"}
        lenses += read_lenses(Path(entry["path"]), name, **how)
    table = score_real(
        Path(outputs.table).parents[1],
        snakemake.wildcards.dataset,
        lenses,
        rows=params.rows,
        seeds=params.seeds,
        table_path=outputs.table,
        noise_path=outputs.noise,
        figures_path=outputs.images,
    )
    for line in problem_lines(table):
        say(f"could not be scored: {line}")
