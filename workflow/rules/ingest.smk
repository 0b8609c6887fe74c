# A data set with more files names only its sheet as an input: a digest of their sizes and times stands for the others,
# so that lists of jobs stay readable.
MAX_INPUTS = 50


def sample_inputs(wildcards, rows):
    """The files of some images and their sheet."""
    of_dataset = SAMPLES[wildcards.dataset]
    sheet = [str(of_dataset.sheet)] if of_dataset.sheet else []
    every = sample.input_files(of_dataset.table)
    return [*sheet, *(sample.input_files(rows) if len(every) <= MAX_INPUTS else [])]


def sample_state(rows):
    """A digest that changes when images may have changed."""
    return sample.state(rows, sample.input_files(rows))


def shard_rows(wildcards):
    """The lines of the sample of one shard."""
    return SAMPLES[wildcards.dataset].shard(
        wildcards.pool, wildcards.cls, int(wildcards.shard)
    )


def training_rows(wildcards):
    """The lines of the sample of the training pool."""
    table = SAMPLES[wildcards.dataset].table
    return table[table["pool"] == "train"]


def assumed_scale(dataset):
    """The pixel scale that detectors which fit lenses assume of the images; None without such an assumption."""
    assumed = STUDY.of_files[dataset].simulation
    return assumed and assumed.camera.pixel_scale_arcsec


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
