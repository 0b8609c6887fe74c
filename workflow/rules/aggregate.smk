rule aggregate:
    input:
        scores=expand(
            results("scores/{dataset}/{detector}.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
        published="src/oddlens/published.csv",
    output:
        auc=report(
            results("tables/auc.csv"),
            caption="../report/auc.rst",
            category="Tables",
            labels={"table": "AUC, tidy"},
        ),
        comparison=report(
            results("tables/comparison.csv"),
            caption="../report/comparison.rst",
            category="Tables",
            labels={"table": "comparison"},
        ),
        published=report(
            results("tables/published.csv"),
            caption="../report/published.rst",
            category="Tables",
            labels={"table": "beside published AUCs"},
        ),
    log:
        log_of("aggregate"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        smooth=SMOOTH,
        source=fingerprint("oddlens.aggregate"),
    script:
        "../scripts/aggregate.py"


rule figures:
    input:
        auc=results("tables/auc.csv"),
        scores=expand(results("scores/{{dataset}}/{detector}.csv"), detector=DETECTORS),
        examples=expand(results("scores/{{dataset}}/{detector}.h5"), detector=DETECTORS),
        losses=expand(
            results("models/{{dataset}}/{detector}/seed-{replica}/losses.csv"),
            detector=DETECTORS,
            replica=REPLICAS,
        ),
    output:
        **{
            figure: report(
                results(f"figures/{{dataset}}/{figure}.png"),
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"data set": "{dataset}", "figure": figure},
            )
            for figure in FIGURES
        },
    log:
        log_of("figures/{dataset}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        detectors=DETECTORS,
        replicas=len(REPLICAS),
        smooth=SMOOTH,
        source=fingerprint("oddlens.figures"),
    script:
        "../scripts/figures.py"
