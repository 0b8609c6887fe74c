# Where this project lies, its library, and the config that lies below all others.
import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from snakemake.exceptions import WorkflowError


def project_root(here):
    """The folder of this project, relative to the working directory, which is another one if this is a module.

    Of a workflow from a forge Snakemake keeps a bare repository only. The files of its commit are then written to
    `.snakemake/oddlens/<commit>`, where nodes of a cluster and containers see them, too.
    """
    # `workflow.source_path`, which Snakemake documents, gives single files of a module; the library is a package. So
    # this reads `hosted_repo` and `ref` of Snakemake's own source files, which its documentation does not describe.
    if here.is_local:
        return Path(os.path.relpath(Path(here.path).parents[1]))
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    folder = Path(".snakemake/oddlens", commit)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as temporary:
            new = Path(temporary, commit)
            repository.clone(new, no_checkout=True).git.checkout(commit)
            with suppress(OSError):  # another process was first
                new.rename(folder)
    return folder


ROOT = project_root(workflow.current_basedir)
LIBRARY = os.path.abspath(ROOT / "src")

if any(character in LIBRARY for character in "{}:"):
    raise WorkflowError(
        f"The folder {os.path.abspath(ROOT)} has one of {{ }} : in its name, which Snakemake or Python would "
        "misread. Rename it."
    )

sys.path.insert(0, LIBRARY)

from oddlens.config.config_files import default_config

# The working directory's own, if it has one, as Snakemake has it; else the checkout's.
DEFAULT_CONFIG = str(default_config(ROOT))


def beside_project(name):
    """A file of the working directory if it is there, else of the checkout if it is there."""
    return next(
        (str(path) for path in (Path(name), ROOT / name) if path.exists()), name
    )


# The image of `--sdm apptainer`, which `make oddlens.sif` writes into the checkout.
IMAGE = beside_project("oddlens.sif")
