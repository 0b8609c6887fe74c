# What the training images say of their camera.
rule camera:
    input:
        lambda wildcards: sample_inputs(wildcards, training_rows(wildcards)),
    output:
        results("camera/{dataset}.csv"),
    log:
        log_of("camera/{dataset}"),
    wildcard_constraints:
        dataset=any_of(STUDY.of_files),
    conda:
        "../../envs/train.yaml"
    params:
        files=lambda wildcards: STUDY.of_files[wildcards.dataset].files.plain(),
        state=lambda wildcards: sample_state(training_rows(wildcards)),
        assumed_scale_arcsec=lambda wildcards: assumed_scale(wildcards.dataset),
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.camera"),
    script:
        "../scripts/camera.py"


# One shard: the user's own images of one class in one pool of a data set.
rule ingest:
    input:
        files=lambda wildcards: sample_inputs(wildcards, shard_rows(wildcards)),
        camera=results("camera/{dataset}.csv"),
    output:
        results("shards/{dataset}/{pool}/{cls}/{shard}.h5"),
    log:
        log_of("ingest/{dataset}/{pool}/{cls}/{shard}"),
    benchmark:
        benchmark_of("ingest/{dataset}/{pool}/{cls}/{shard}")
    wildcard_constraints:
        dataset=any_of(STUDY.of_files),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=simulation_memory,
        runtime=short_runtime,
    params:
        files=lambda wildcards: STUDY.of_files[wildcards.dataset].files.plain(),
        state=lambda wildcards: sample_state(shard_rows(wildcards)),
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.ingest"),
    script:
        "../scripts/ingest.py"
