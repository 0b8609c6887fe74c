FIGURES = [
    "roc",
    "contamination",
    "bins",
    "detection",
    "population",
    "selection",
    "gallery",
    "mass_sensitivity",
    "embeddings",
    "samples",
    "losses",
]
FIGURES += ["ablations"] if any(row.ablates for row in STUDY.detectors.values()) else []
FIGURE_TABLES = [
    "auc",
    "summary",
    "bins",
    "population",
    "ablations",
    "selection",
    "detection",
]


# The figures of one data set.
rule figures:
    input:
        **{table: results(f"tables/{table}.csv") for table in FIGURE_TABLES},
        **{
            f"scores_{row}": of_row(results(f"scores/{{dataset}}/{row}.csv"), row)
            for row in [*DETECTORS, *EXTERNAL]
        },
        **{
            f"examples_{row}": of_row(results(f"scores/{{dataset}}/{row}.h5"), row)
            for row in DETECTORS
        },
        **{f"examples_{row}": [] for row in EXTERNAL},
        **{
            f"losses_{row}": of_row(
                [
                    results(f"models/{{dataset}}/{row}/seed-{replica}/losses.csv")
                    for replica in REPLICAS
                ],
                row,
            )
            for row in OWN_MODELS
        },
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
        tables=FIGURE_TABLES,
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.figures"),
    script:
        "../scripts/figures.py"


# The most anomalous of the user's own images.
rule most_anomalous:
    input:
        ranking=results("tables/ranking.csv"),
        shards=lambda wildcards: shards(wildcards.dataset, "test"),
    output:
        report(
            results("figures/{dataset}/most_anomalous.png"),
            caption="../report/figures/most_anomalous.rst",
            category="Figures",
            labels={"data set": "{dataset}", "figure": "most_anomalous"},
        ),
    log:
        log_of("most_anomalous/{dataset}"),
    wildcard_constraints:
        dataset=any_of(SAMPLES),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.stages.most_anomalous"),
    script:
        "../scripts/most_anomalous.py"


# The figures of all data sets together.
rule study_figures:
    input:
        ranks=results("tables/ranks.csv"),
        wilcoxon=results("tables/wilcoxon.csv"),
        noise=results("tables/noise.csv"),
    output:
        **{
            figure: report(
                results(f"figures/{figure}.png"),
                caption=f"../report/figures/{figure}.rst",
                category="Figures",
                labels={"data set": "all", "figure": figure},
            )
            for figure in ["ranks", "noise"]
        },
    log:
        log_of("figures/study"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        rows=ROWS,
        source=fingerprint("oddlens.stages.study_figures"),
    script:
        "../scripts/study_figures.py"
