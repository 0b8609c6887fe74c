# One shard: images of one class in one pool of a data set, with their truth.
rule simulate:
    input:
        psf=lambda wildcards: psf_files(wildcards.dataset, wildcards.cls),
        galaxies=lambda wildcards: galaxy_files(wildcards.dataset, wildcards.cls),
    output:
        results("shards/{dataset}/{pool}/{cls}/{shard}.h5"),
    log:
        log_of("simulate/{dataset}/{pool}/{cls}/{shard}"),
    benchmark:
        benchmark_of("simulate/{dataset}/{pool}/{cls}/{shard}")
    wildcard_constraints:
        dataset=any_of(SIMULATED),
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=simulation_memory,
        runtime=short_runtime,
    params:
        simulation=lambda wildcards: simulation(wildcards.dataset, wildcards.cls),
        variant=lambda wildcards: variant(wildcards.dataset, wildcards.cls),
        seed=STUDY.seed,
        range=shard_range,
        source=lambda wildcards: fingerprint(
            "oddlens.stages.simulate",
            f"oddlens.lensing.substructure.{STUDY.datasets[wildcards.dataset].made_of(wildcards.cls)}",
        ),
    script:
        "../scripts/simulate.py"
