# The truth of the scored images, for tables of detectability.
rule truth:
    input:
        lambda wildcards: shards(wildcards.dataset, "test", "validation"),
    output:
        results("truth/{dataset}.csv"),
    log:
        log_of("truth/{dataset}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.stages.truth"),
    script:
        "../scripts/truth.py"
