# Fits of real lenses at their own resolution, of their twins, and what both say.
from oddlens.schema.config_errors import nearest


def fitted_lenses(name, entry):
    """The lenses of an entry of `real`, by the names of their files."""
    path = Path(entry.path)
    # The index of the public lenses is part of the project; rule `retrieve` downloads the files that it names.
    if path.is_relative_to(PUBLIC_LENSES):
        path = Path(project_file("config/real-lenses.csv"))
    try:
        entries = lens_index.read_lenses(path, name, **entry.reading)
    except (OSError, ValueError) as error:
        raise WorkflowError(f"real.{name}: {error}") from None
    return {lens.slug: lens for lens in lens_index.with_unique_labels(entries)}


TWIN_KINDS = ["smooth", "planted"]
FIT_SETTINGS = {name: entry.fit for name, entry in STUDY.real.items() if entry.fit}
FITTED = {name: fitted_lenses(name, STUDY.real[name]) for name in FIT_SETTINGS}
for name, fit in FIT_SETTINGS.items():
    known = sorted({entry.object for entry in FITTED[name].values()})
    for key, numbers in (("twins_of", fit.twins_of), ("planted_of", fit.planted_of)):
        if unknown := [lens for lens in numbers if lens not in known]:
            told = f"no lens is called '{unknown[0]}'. {nearest(unknown[0], known)}"
            raise WorkflowError(f"real.{name}.fit.{key}: {told}")


def twins(lenses, lens, kind):
    """How many twins of a kind a lens has."""
    fit, name = FIT_SETTINGS[lenses], FITTED[lenses][lens].object
    if kind == "planted":
        return fit.planted_of.get(name, fit.planted)
    return fit.twins_of.get(name, fit.twins)


def lens_fit(lenses, lens):
    """The folder of the fit of a lens."""
    return results(f"lens_fits/{lenses}/{lens}")


def lens_twins(lenses, lens, kind):
    """The tables of the twins of a lens."""
    jobs = range(0, twins(lenses, lens, kind), FIT_SETTINGS[lenses].twins_per_job)
    return [
        results(f"lens_twins/{lenses}/{lens}/{kind}-{first:05d}.csv") for first in jobs
    ]


def twin_numbers(wildcards):
    """The numbers of the twins of a job."""
    first, fit = int(wildcards.first), FIT_SETTINGS[wildcards.lenses]
    count = twins(wildcards.lenses, wildcards.lens, wildcards.kind)
    return list(range(first, min(first + fit.twins_per_job, count)))


def lens_files(wildcards):
    """The files of the set of lenses."""
    return real_lens_files(STUDY.real[wildcards.lenses].path)


def lens_reading(wildcards):
    """How the entry of a lens is found again."""
    entry = STUDY.real[wildcards.lenses]
    return {"path": entry.path, "name": wildcards.lenses, **entry.reading}


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
            lens_fit(lenses, lens) for lenses, found in FITTED.items() for lens in found
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
