# What `snakemake` finds first; the workflow itself lies where Snakemake's catalog of workflows looks for it.
include: "workflow/Snakefile"


workflow.default_target = "all"  # which an include leaves behind
