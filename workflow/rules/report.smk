REPORTED_TABLES = [*TABLES, *(REGRESSION_TABLES if STUDY.regression else [])]
REPORTED_FIGURES = ["preview", *FIGURES]
REPORTED_FIGURES += REGRESSION_FIGURES if STUDY.regression else []


rule report:
    input:
        **{table: results(f"tables/{table}.csv") for table in REPORTED_TABLES},
        figures=expand(
            results("figures/{dataset}/{figure}.png"),
            dataset=STUDY.datasets,
            figure=REPORTED_FIGURES,
        ),
        ranks_figure=results("figures/ranks.png"),
        noise_figure=results("figures/noise.png"),
        real_tables=[
            results(f"tables/{table}.csv") for table in REAL_TABLES if STUDY.real
        ],
        real_pictures=[
            results(f"real/{dataset}") for dataset in STUDY.datasets if STUDY.real
        ],
        follow_up_tables=[path for name in FOLLOWED for path in followed("csv", name)],
        follow_up_pictures=[path for name in FOLLOWED for path in followed("png", name)],
        losses=expand(
            results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
            dataset=STUDY.datasets,
            detector=OWN_MODELS,
            replica=REPLICAS,
        ),
        template=[
            project_file(f"src/oddlens/results/pages/{name}.html.j2")
            for name in ["base", "macros", "report", "regression"]
        ],
        captions=[
            project_file(f"workflow/report/figures/{figure}.rst")
            for figure in [*REPORTED_FIGURES, "ranks", "noise", "real", "follow_up"]
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
        rows=ROWS,
        classes={
            cls: settings.summary(cls, "lensing/substructure") for cls in ALL_CLASSES
        },
        figures=REPORTED_FIGURES,
        source=fingerprint("oddlens.stages.report"),
    script:
        "../scripts/report.py"
