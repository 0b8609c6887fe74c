# The images of each training set of one replica.
rule split:
    output:
        results("splits/{dataset}/seed-{replica}.csv"),
    log:
        log_of("split/{dataset}/seed-{replica}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        training_sets=training_plan.training_sets(STUDY),
        seed=STUDY.seed,
        images=STUDY.contamination.images,
        train=lambda wildcards: STUDY.datasets[wildcards.dataset].images.train,
        contaminants=lambda wildcards: {
            cls: STUDY.datasets[wildcards.dataset].images.contaminant
            for cls in STUDY.datasets[wildcards.dataset].pools()["contaminant"]
        },
        known=lambda wildcards: training_plan.labelled_counts(STUDY, wildcards.dataset),
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.split"),
    script:
        "../scripts/split.py"
