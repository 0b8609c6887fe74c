TRAINED_ON_LABELS = {
    row
    for row in OWN_MODELS
    if training_plan.training_sets_of(STUDY, row) == [LABELLED_SET]
}
# The user's own images without known anomalies: their training images are used as they are.
AS_GIVEN = [name for name in DATASETS if POOLS[name].as_given]
CONTAMINATED = [name for name in DATASETS if name not in AS_GIVEN]
TRAINED_CLEAN = {
    row for row in OWN_MODELS if not STUDY.detectors[row].contaminated
} - TRAINED_ON_LABELS


# One job trains a detector on all training sets of a replica: for small images starting a job takes longer than
# training. `update` keeps finished models when a training set is added; the job trains only those whose recipe is new.
# With more threads (`set-threads` in a profile) it trains as many models at once, on one GPU.
rule train:
    input:
        shards=lambda wildcards: shards(
            wildcards.dataset,
            "train",
            "contaminant",
            input=detector_row(wildcards).input,
        ),
        splits=results("splits/{dataset}/seed-{replica}.csv"),
        psf=lambda wildcards: (
            psf_files(wildcards.dataset) if detector_row(wildcards).fits_lenses else []
        ),
    output:
        models=update([model(name) for name in STUDY.contamination.training_sets]),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    log:
        log_of("train/{dataset}/{detector}/seed-{replica}"),
    benchmark:
        benchmark_of("train/{dataset}/{detector}/seed-{replica}")
    wildcard_constraints:
        dataset=any_of(CONTAMINATED),
        detector=any_of(set(OWN_MODELS) - TRAINED_CLEAN - TRAINED_ON_LABELS),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=long_runtime,
        gpu=1,
    params:
        training_sets=training_sets_of,
        row=lambda wildcards: {
            key: detector_row(wildcards).plain()[key]
            for key in ("detector", "settings", "training", "input")
        },
        simulation=lambda wildcards: (
            simulation(wildcards.dataset, SMOOTH)
            if detector_row(wildcards).fits_lenses
            else None
        ),
        labels=lambda wildcards: training_plan.labels_of(
            STUDY, wildcards.detector, POOLS[wildcards.dataset]
        ),
        seed=STUDY.seed,
        smooth=SMOOTH,
        source=lambda wildcards: fingerprint(
            "oddlens.stages.train", detector_module(wildcards.detector)
        ),
    script:
        "../scripts/train.py"


use rule train as train_clean with:
    output:
        models=update([model(CLEAN_SET)]),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    wildcard_constraints:
        dataset=any_of(CONTAMINATED),
        detector=any_of(TRAINED_CLEAN),


use rule train as train_as_given with:
    output:
        models=update([model(CLEAN_SET)]),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    wildcard_constraints:
        dataset=any_of(AS_GIVEN),
        detector=any_of(set(OWN_MODELS) - TRAINED_ON_LABELS),


use rule train as train_labelled with:
    output:
        models=update([model(LABELLED_SET)]),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    wildcard_constraints:
        detector=any_of(TRAINED_ON_LABELS),
