# One job trains a detector on all training sets of a seed: on small images starting up takes longer than training.
# `update` keeps finished models when a set is added; the job trains only those whose recipe is new. With more threads
# (`set-threads` in a profile) it trains as many of them at once, on one GPU.
rule train:
    input:
        shards=training_shards,
        splits=results("splits/{dataset}/seed-{replica}.csv"),
    output:
        models=update(models_on(UNLABELLED)),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    log:
        log_of("train/{dataset}/{detector}/seed-{replica}"),
    wildcard_constraints:
        detector=any_of(set(OWN_MODELS) - {*CLEAN_ONLY, *LABELLED}),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=long_runtime,
        gpu=1,
    params:
        training_sets=training_sets,
        row=row,
        simulation=known_simulation,
        labels=labels,
        seed=STUDY.seed,
        smooth=SMOOTH,
        source=train_source,
    script:
        "../scripts/train.py"


use rule train as train_clean with:
    output:
        models=update(models_on([CLEAN_SET])),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    wildcard_constraints:
        detector=any_of(set(OWN_MODELS) & set(CLEAN_ONLY) - set(LABELLED)),


use rule train as train_labelled with:
    output:
        models=update(models_on([LABELLED_SET])),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    wildcard_constraints:
        detector=any_of(set(OWN_MODELS) & set(LABELLED)),
