rule split:
    output:
        results("splits/{dataset}/seed-{replica}.csv"),
    params:
        cells=CELLS,
        seed=STUDY.seed,
        images=STUDY.contamination.images,
        train=train_images,
        contaminants=contaminants,
        smooth=SMOOTH,
        source=fingerprint("oddlens.splits"),
    log:
        log_of("split/{dataset}/seed-{replica}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    script:
        "../scripts/split.py"
