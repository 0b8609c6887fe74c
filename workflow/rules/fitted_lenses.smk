# The real lenses that are fitted at their own resolution, and their twins.
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
    if not lens_index.input_files(path)[0].exists():
        raise WorkflowError(
            f"real.{name}.path is {path}, which does not exist: it must be an index (CSV), a folder with an index or "
            "data.fits, or a FITS file, relative to the working directory"
        )
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
