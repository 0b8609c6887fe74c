# A data set as PNG and FITS files, on request: snakemake results/<study>/export/<data set>
rule export:
    input:
        train=lambda wildcards: shards(wildcards.dataset, "train"),
        others=lambda wildcards: shards(
            wildcards.dataset, "contaminant", "validation", "test"
        ),
    output:
        directory(results("export/{dataset}")),
    log:
        log_of("export/{dataset}"),
    wildcard_constraints:
        dataset=any_of(SIMULATED),
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
