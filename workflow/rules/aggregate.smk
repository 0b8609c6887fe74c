TABLES = {
    "summary": "mean AUC over seeds",
    "comparison": "comparison",
    "published": "beside published AUCs",
    "contamination": "slopes and break points",
    "false_alarms": "false alarms",
    "false_alarm_probabilities": "false-alarm probabilities",
    "most_anomalous": "oddest images",
    "pairs": "pairs of rows, paired DeLong",
    "ranks": "ranks, Friedman",
    "wilcoxon": "pairs of rows, Wilcoxon-Holm",
    "bins": "AUC by truth",
    "population": "lenses for 3 sigma",
    "noise": "AUC by noise",
    "pixels": "anomaly maps",
    "findings": "findings",
    "fit_convergence": "starts of fits",
    "samples": "drawn images",
    "ablations": "ablations",
    "selection": "choosing without labels",
    "auc": "AUC, tidy",
}
DRAWN = ["auc", "summary", "bins", "population", "ablations", "selection"]


rule aggregate:
    input:
        scores=expand(
            results("scores/{dataset}/{detector}.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
        findings=expand(
            results("scores/{dataset}/{detector}-findings.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
        pixels=expand(
            results("scores/{dataset}/{detector}-pixels.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
        samples=expand(
            results("scores/{dataset}/{detector}-samples.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
        fit_convergence=expand(
            results("fit_convergence/{dataset}/{detector}.csv"),
            dataset=STUDY.datasets,
            detector=FITTING,
        ),
        truths=expand(results("truth/{dataset}.csv"), dataset=STUDY.datasets),
        published=project_file("src/oddlens/results/tables/published.csv"),
    output:
        **{
            table: report(
                results(f"tables/{table}.csv"),
                caption=f"../report/{table}.rst",
                category="Tables",
                labels={"table": title},
            )
            for table, title in TABLES.items()
        },
    log:
        log_of("aggregate"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        datasets=list(STUDY.datasets),
        reproduces={
            name: dataset.reproduces or name
            for name, dataset in STUDY.datasets.items()
        },
        exposures=STUDY.exposures(),
        rows=ROWS,
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.aggregate"),
    script:
        "../scripts/aggregate.py"


rule figures:
    input:
        tables=expand(results("tables/{table}.csv"), table=DRAWN),
        scores=expand(results("scores/{{dataset}}/{detector}.csv"), detector=DETECTORS),
        examples=expand(results("scores/{{dataset}}/{detector}.h5"), detector=DETECTORS),
        losses=expand(
            results("models/{{dataset}}/{detector}/seed-{replica}/losses.csv"),
            detector=OWN_MODELS,
            replica=REPLICAS,
        ),
    output:
        **{
            figure: report(
                results(f"figures/{{dataset}}/{figure}.png"),
                caption=f"../report/figures/{figure}.rst",
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
        rows=ROWS,
        own_models=OWN_MODELS,
        tables=DRAWN,
        replicas=len(REPLICAS),
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.figures"),
    script:
        "../scripts/figures.py"


rule ranks:
    input:
        ranks=results("tables/ranks.csv"),
        wilcoxon=results("tables/wilcoxon.csv"),
    output:
        report(
            results("figures/ranks.png"),
            caption="../report/figures/ranks.rst",
            category="Figures",
            labels={"data set": "all", "figure": "ranks"},
        ),
    log:
        log_of("figures/ranks"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.results.figures.ranks"),
    script:
        "../scripts/ranks.py"


rule noise:
    input:
        noise=results("tables/noise.csv"),
    output:
        report(
            results("figures/noise.png"),
            caption="../report/figures/noise.rst",
            category="Figures",
            labels={"data set": "all", "figure": "noise"},
        ),
    log:
        log_of("figures/noise"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        rows=ROWS,
        source=fingerprint("oddlens.results.figures.noise"),
    script:
        "../scripts/noise.py"
