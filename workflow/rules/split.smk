rule split:
    output:
        results("splits/{dataset}/seed-{replica}.csv"),
    log:
        log_of("split/{dataset}/seed-{replica}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        training_sets=TRAINING_SETS,
        seed=STUDY.seed,
        images=STUDY.contamination.images,
        train=train_images,
        contaminants=contaminants,
        known=known,
        smooth=SMOOTH,
        source=fingerprint("oddlens.data.splits"),
    script:
        "../scripts/split.py"
