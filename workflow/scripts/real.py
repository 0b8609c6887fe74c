"""Score a real lens among simulated smooth ones."""

from dataclasses import replace
from pathlib import Path

from oddlens.job import job
from oddlens.progress import say

with job(snakemake):
    from oddlens.frames import read_frame
    from oddlens.real import score_real

    study = Path(snakemake.output.table).parents[1]
    frame = replace(read_frame(Path(snakemake.input.frame)), name=snakemake.wildcards.lens)
    say(score_real(study, frame, snakemake.params.datasets))
