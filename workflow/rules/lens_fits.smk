# Fits of real lenses at their own resolution, of their twins, and what both say.
wildcard_constraints:
    lenses=any_of(FITTED),
    lens="[^/]+",
    kind=any_of(TWIN_KINDS),
    first=r"\d+",


# The fit of one lens, from its pixels.
rule fit_frames:
    input:
        lens_files,
    output:
        directory(results("lens_fits/{lenses}/{lens}")),
    log:
        log_of("lens_fits/{lenses}/{lens}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
    params:
        reading=lens_reading,
        radius=lambda wildcards: FIT_SETTINGS[wildcards.lenses].radius_arcsec,
        source=fingerprint("oddlens.stages.fit_frames"),
    script:
        "../scripts/fit_frames.py"


# Some simulated twins of a lens, without or with a planted mass, fitted as the lens was.
rule fit_twins:
    input:
        files=lens_files,
        fit=results("lens_fits/{lenses}/{lens}"),
    output:
        results("lens_twins/{lenses}/{lens}/{kind}-{first}.csv"),
    log:
        log_of("lens_twins/{lenses}/{lens}/{kind}-{first}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
    params:
        reading=lens_reading,
        radius=lambda wildcards: FIT_SETTINGS[wildcards.lenses].radius_arcsec,
        numbers=twin_numbers,
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.fit_twins"),
    script:
        "../scripts/fit_twins.py"


# The table of all fits, a page for each lens, and a summary.
rule lens_fit_tables:
    input:
        fits=[
            lens_fit(lenses, lens)
            for lenses, found in FITTED.items()
            for lens in found
        ],
        twins=[
            table
            for lenses, found in FITTED.items()
            for lens in found
            for kind in TWIN_KINDS
            for table in lens_twins(lenses, lens, kind)
        ],
        published=project_file("src/oddlens/results/tables/published_lenses.csv"),
        templates=[
            project_file(f"src/oddlens/results/pages/{name}.html.j2")
            for name in ["base", "lens_fit", "lens_fits"]
        ],
    output:
        table=report(
            results("tables/real_lenses.csv"),
            caption="../report/real_lenses.rst",
            category="Tables",
            labels={"table": "fits of real lenses"},
        ),
        summary=report(
            results("lens_fits.html"),
            caption="../report/real_lenses.rst",
            category="Report",
            labels={"document": "fits of real lenses"},
        ),
        pages=directory(results("lens_pages")),
    log:
        log_of("lens_fits/tables"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        study=STUDY.study,
        lenses=[
            {
                "set": lenses,
                "label": entry.label,
                "slug": lens,
                "fit": lens_fit(lenses, lens),
                **{kind: lens_twins(lenses, lens, kind) for kind in TWIN_KINDS},
            }
            for lenses, found in FITTED.items()
            for lens, entry in found.items()
        ],
        source=fingerprint("oddlens.stages.lens_fit_tables"),
    script:
        "../scripts/lens_fit_tables.py"
