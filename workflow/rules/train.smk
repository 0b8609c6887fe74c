# One job trains a detector on all training sets of a seed: on small images starting up takes longer than training.
# `update` keeps finished models when a set is added; the job trains only those whose recipe is new.
rule train:
    input:
        shards=training_shards,
        splits=results("splits/{dataset}/seed-{replica}.csv"),
    output:
        models=update(
            expand(
                results(
                    "models/{{dataset}}/{{detector}}/seed-{{replica}}/{cell}.safetensors"
                ),
                cell=CELLS,
            )
        ),
        losses=results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
    log:
        log_of("train/{dataset}/{detector}/seed-{replica}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=720,
        gpu=1,
    params:
        cells=CELLS,
        row=row,
        seed=STUDY.seed,
        source=train_source,
    script:
        "../scripts/train.py"
