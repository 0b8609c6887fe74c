# The first test images of each class of a data set, side by side.
rule preview:
    input:
        first_test_shards,
    output:
        report(
            results("figures/{dataset}/preview.png"),
            caption="../report/figures/preview.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "preview"},
        ),
    log:
        log_of("preview/{dataset}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.preview"),
    script:
        "../scripts/preview.py"
