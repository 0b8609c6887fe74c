from oddlens.config.descriptions import class_descriptions

REPORTED_TABLES = [
    *TABLES,
    *LEAK_TABLES,
    *(REGRESSION_TABLES if STUDY.regression else []),
]
REPORTED_FIGURES = ["preview", *FIGURES]
SIMULATED_FIGURES = REGRESSION_FIGURES if STUDY.regression else []
OWN_FIGURES = ["most_anomalous"] if SAMPLES else []
FOLLOW_UPS = [
    results(f"follow_up/{dataset}/{rank}")
    for dataset, follow_up in STUDY.follow_up.items()
    for rank in range(1, follow_up.lenses + 1)
]
PAGES = ["base", "macros", "explanations", "report", "own_images", "regression"]


# The report of the study: one HTML file.
rule report:
    input:
        **{table: results(f"tables/{table}.csv") for table in REPORTED_TABLES},
        **{
            f"figure_{dataset}_{figure}": results(f"figures/{dataset}/{figure}.png")
            for dataset in DATASETS
            for figure in [
                *REPORTED_FIGURES,
                *(SIMULATED_FIGURES if dataset in SIMULATED else OWN_FIGURES),
            ]
        },
        **{f"camera_{name}": results(f"camera/{name}.csv") for name in SAMPLES},
        # Only they say which images were left out.
        **{
            f"with_gaps_{name}": shards(name, *POOLS[name].counts)
            for name in SAMPLES
            if STUDY.of_files[name].files.bad == "skip"
        },
        ranks_figure=results("figures/ranks.png"),
        noise_figure=results("figures/noise.png"),
        real_tables=[
            results(f"tables/{table}.csv") for table in REAL_TABLES if STUDY.real
        ],
        real_images=[results(f"real/{dataset}") for dataset in SIMULATED if STUDY.real],
        follow_up_tables=[f"{path}.csv" for path in FOLLOW_UPS],
        follow_up_images=[f"{path}.png" for path in FOLLOW_UPS],
        completeness=(
            [
                *expand(results("tables/{table}.csv"), table=COMPLETENESS_TABLES),
                results("figures/completeness.png"),
            ]
            if INJECTED
            else []
        ),
        losses=[
            results(f"models/{dataset}/{row}/seed-{replica}/losses.csv")
            for dataset in DATASETS
            for row in OWN_MODELS
            if row in ROWS_OF[dataset]
            for replica in REPLICAS
        ],
        template=[
            project_file(f"src/oddlens/results/pages/{name}.html.j2") for name in PAGES
        ],
        captions=[
            project_file(f"workflow/report/figures/{figure}.rst")
            for figure in [
                *REPORTED_FIGURES,
                *SIMULATED_FIGURES,
                *OWN_FIGURES,
                "ranks",
                "noise",
                "real",
                "follow_up",
                "completeness",
            ]
        ],
    output:
        report(
            results("report.html"),
            caption="../report/report.rst",
            category="Report",
            labels={"document": "the study"},
        ),
    log:
        log_of("report"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        study=STUDY.plain(),
        tables=REPORTED_TABLES,
        figures=[*REPORTED_FIGURES, *SIMULATED_FIGURES, *OWN_FIGURES],
        left_out=LEFT_OUT,
        samples={
            name: {
                "source": STUDY.of_files[name].files.path,
                "counts": POOLS[name].counts,
                "notes": list(SAMPLES[name].notes),
            }
            for name in SAMPLES
        },
        rows=ROWS,
        descriptions=comparison.descriptions(STUDY),
        classes=class_descriptions(STUDY.simulated.values()),
        source=fingerprint("oddlens.stages.report"),
    script:
        "../scripts/report.py"
