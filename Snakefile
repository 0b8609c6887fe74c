# `snakemake` finds this file first. The workflow is where Snakemake's catalog of workflows looks for it.
include: "workflow/Snakefile"


workflow.default_target = "all"  # an include does not set the default target
