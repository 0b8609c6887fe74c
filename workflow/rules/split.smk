# The images of each training set of one replica.
rule split:
    input:
        gaps=lambda wildcards: training_shards_with_gaps(wildcards.dataset),
        leaks=lambda wildcards: strict_leaks(wildcards.dataset),
    output:
        results("splits/{dataset}/seed-{replica}.csv"),
    log:
        log_of("split/{dataset}/seed-{replica}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        training_sets=lambda wildcards: training_plan.training_sets(
            STUDY, POOLS[wildcards.dataset]
        ),
        seed=STUDY.seed,
        images=lambda wildcards: (
            None if POOLS[wildcards.dataset].as_given else STUDY.contamination.images
        ),
        train=lambda wildcards: POOLS[wildcards.dataset].count("train", SMOOTH),
        contaminants=lambda wildcards: POOLS[wildcards.dataset].contaminants,
        known=lambda wildcards: training_plan.labelled_counts(
            STUDY, POOLS[wildcards.dataset], ROWS_OF[wildcards.dataset]
        ),
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.split"),
    script:
        "../scripts/split.py"
