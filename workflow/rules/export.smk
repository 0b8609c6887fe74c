# Only on request: snakemake results/<study>/export/<data set>
rule export:
    input:
        train=smooth_shards,
        others=other_shards,
    output:
        directory(results("export/{dataset}")),
    log:
        log_of("export/{dataset}"),
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=simulation_memory,
        runtime=long_runtime,
    params:
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.export"),
    script:
        "../scripts/export.py"
