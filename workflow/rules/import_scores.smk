# The scores of a row that another program computed.
rule import_scores:
    input:
        table=lambda wildcards: local(STUDY.external[wildcards.external].scores),
        shards=lambda wildcards: shards(wildcards.dataset, "test", "validation"),
    output:
        scores=results("scores/{dataset}/{external}.csv"),
        findings=results("scores/{dataset}/{external}-findings.csv"),
        pixels=results("scores/{dataset}/{external}-pixels.csv"),
        samples=results("scores/{dataset}/{external}-samples.csv"),
    log:
        log_of("import_scores/{dataset}/{external}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        higher_is=lambda wildcards: STUDY.external[wildcards.external].higher_is,
        claimed=lambda wildcards: STUDY.external[wildcards.external].datasets
        or DATASETS,
        known=DATASETS,
        training_sets=[*STUDY.contamination.training_sets, LABELLED_SET],
        seed=REPLICAS[0],
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.import_scores"),
    script:
        "../scripts/import_scores.py"
