# The study, its paths, its wildcards, and the resources that several rules share.
from oddlens.config import comparison, training_plan
from oddlens.config.config_files import (
    read_null_words,
    refuse_repeated_keys,
    refuse_unknown_nulls,
    replaced_default,
)
from oddlens.config.external_row import without_scores
from oddlens.config.left_out import left_out
from oddlens.config.study import (
    galaxy_errors,
    parse_study,
    pool_errors,
    psf_errors,
)
from oddlens.data.training_sets import CLEAN_SET, LABELLED_SET
from oddlens.lensing.psf_files import path_of
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import lens_index
from oddlens.observations.reading import kept_lists
from oddlens.observations.sample import sample
from oddlens.provenance.fingerprint import fingerprint
from oddlens.schema.config_errors import ConfigError

# What lies below is known unless this is a module with a config of its own, or a report of a whole config.
LAYERED = DEFAULT_CONFIG in workflow.configfiles
LAYERED &= not workflow.config_settings.replace_workflow_config
read_null_words(config, workflow.config_settings.config)

try:
    refuse_repeated_keys(workflow.configfiles)
    if LAYERED:
        refuse_unknown_nulls(
            config, Path(DEFAULT_CONFIG), workflow.overwrite_configfiles
        )
    STUDY = parse_study(config)
except ConfigError as error:
    about = replaced_default(ROOT) if DEFAULT_CONFIG in workflow.configfiles else ""
    raise WorkflowError(f"The config has errors:\n{error}\n{about}".rstrip()) from None
if mistakes := [*psf_errors(STUDY), *galaxy_errors(STUDY)]:
    raise WorkflowError("The config has errors:\n" + "\n".join(mistakes))

# The user's own images, without their pixels, and the numbers of images of all data sets.
SAMPLES = {}
for name, dataset in STUDY.of_files.items():
    try:
        SAMPLES[name] = sample.read_sample(
            dataset.files, STUDY.seed, name, kept_lists.FOLDER
        )
    except (OSError, ValueError) as error:
        raise WorkflowError(f"datasets.{name}.files:\n{error}") from None
POOLS = {
    name: SAMPLES[name].pools if name in SAMPLES else dataset.pools
    for name, dataset in STUDY.datasets.items()
}
if mistakes := pool_errors(STUDY, {name: POOLS[name] for name in SAMPLES}):
    raise WorkflowError("The config has errors:\n" + "\n".join(mistakes))


# --- names ------------------------------------------------------------------------------------------------------------

DATASETS = list(STUDY.datasets)
SIMULATED = list(STUDY.simulated)
DETECTORS = list(STUDY.detectors)
EXTERNAL = list(STUDY.external)
# The rows that a data set leaves out, with the reason, and its rows.
LEFT_OUT = {
    name: left_out(STUDY.detectors, dataset, POOLS[name])
    | without_scores(STUDY.external, name)
    for name, dataset in STUDY.datasets.items()
}
ROWS_OF = {
    dataset: [row for row in DETECTORS if row not in LEFT_OUT[dataset]]
    for dataset in DATASETS
}
# The rows that a data set has scores of: its rows, and those of outside scores.
SCORED_ROWS_OF = {
    dataset: [
        *ROWS_OF[dataset],
        *(row for row in EXTERNAL if row not in LEFT_OUT[dataset]),
    ]
    for dataset in DATASETS
}
REPLICAS = STUDY.contamination.seeds
# The row whose models each row scores with, and the rows that have models of their own.
TRAINED = {row: training_plan.model_row(STUDY, row) for row in DETECTORS}
OWN_MODELS = [row for row in DETECTORS if TRAINED[row] == row]
# What tables and figures need to know of each row.
ROWS = comparison.rows(STUDY)


def any_of(names):
    """A pattern that matches these names alone; it matches nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=any_of(DATASETS),
    detector=any_of(DETECTORS),
    external=any_of(EXTERNAL),
    estimator=any_of(STUDY.regression),
    pool="train|contaminant|validation|test",
    cls=r"\w+",
    shard=r"\d+",
    replica=r"\d+",
    rank=r"\d+",


# --- paths ------------------------------------------------------------------------------------------------------------


def results(path):
    """A path in the study's folder."""
    return f"results/{STUDY.study}/{path}"


def project_file(path):
    """A file of this project; the `prefix` of a module is not put before it."""
    return local(str(ROOT / path))


def log_of(job):
    """The log of a job."""
    return results(f"logs/{job}.log")


def benchmark_of(job):
    """What a job took: time, memory, reads and writes, as measured by Snakemake."""
    return results(f"benchmarks/{job}.tsv")


def shards(dataset, *pools, input="images"):
    """The shards of some pools of a data set: its images, or one kind of residual inputs."""
    folder = "shards" if input == "images" else f"residual_inputs/{input}"
    of_dataset = POOLS[dataset]
    return [
        results(f"{folder}/{dataset}/{pool}/{cls}/{shard:03d}.h5")
        for pool in pools
        for cls in of_dataset.classes(pool)
        for shard in of_dataset.shards(pool, cls)
    ]


def shard_range(wildcards):
    """The index of the first image of a shard, and the number of its images."""
    return POOLS[wildcards.dataset].shard_range(
        wildcards.pool, wildcards.cls, int(wildcards.shard)
    )


def first_test_shards(wildcards):
    """The shards with the first test images of each class, the smooth class first."""
    return [
        results(f"shards/{wildcards.dataset}/test/{cls}/000.h5")
        for cls in POOLS[wildcards.dataset].classes("test")
    ]


def model(training_set, dataset="{dataset}", row="{detector}", replica="{replica}"):
    """The model of one row, trained on one training set of one replica."""
    return results(f"models/{dataset}/{row}/seed-{replica}/{training_set}.safetensors")


def fitting_model(wildcards):
    """The model whose lens fits give residual inputs: that of the study's fitting row, first replica."""
    return model(CLEAN_SET, wildcards.dataset, TRAINED[STUDY.fitting_row], REPLICAS[0])


PUBLIC_LENSES = Path("resources/real-lenses")


def public_lens_file(path):
    """A file that rule `retrieve` downloads; the `prefix` of a module is not put before it."""
    return local(str(PUBLIC_LENSES / path))


def real_lens_files(path):
    """The files of real lenses: those that rule `retrieve` downloads, or others that exist.

    Job `real` reports each file that an index names and that does not exist.
    """
    if Path(path).is_relative_to(PUBLIC_LENSES):
        return [public_lens_file(file) for file in ["index.csv", *PUBLIC_FILES]]
    return [local(str(file)) for file in lens_index.input_files(Path(path))]


def all_real_lens_files():
    """The files of all real lenses."""
    files, errors = [], []
    for name, entry in STUDY.real.items():
        try:
            lens_index.refuse_second_scale(Path(entry.path), entry.pixel_scale_arcsec)
            files += real_lens_files(entry.path)
        except ValueError as error:
            errors.append(f"real.{name}: {error}")
    if errors:
        raise WorkflowError("\n".join(errors))
    return files


def per_dataset(kind, pattern):
    """Named inputs: `<kind>_<dataset>` holds the files that match a pattern for the rows of a data set."""
    return {
        f"{kind}_{dataset}": expand(
            results(pattern), dataset=dataset, detector=SCORED_ROWS_OF[dataset]
        )
        for dataset in DATASETS
    }


def of_row(paths, row):
    """An input function: the path or paths of a row, with `{dataset}`; none where a data set leaves the row out."""
    return lambda wildcards: (
        expand(paths, dataset=wildcards.dataset)
        if row in SCORED_ROWS_OF[wildcards.dataset]
        else []
    )


# --- settings ---------------------------------------------------------------------------------------------------------


def detector_row(wildcards):
    """The settings of a row of the comparison."""
    return STUDY.detectors[wildcards.detector]


def training_sets_of(wildcards):
    """The training sets of a row on a data set."""
    return training_plan.training_sets_of(
        STUDY, wildcards.detector, POOLS[wildcards.dataset]
    )


def simulation(dataset, cls):
    """The settings that the simulated images of one class depend on, or what is assumed of a user's own images."""
    settings = STUDY.datasets[dataset]
    if dataset in SAMPLES:
        return settings.simulation.only(cls).plain()
    return settings.simulation_of(cls).plain()


def psf_files(dataset, cls=SMOOTH):
    """The file of the point-spread function of a class of images, or which is assumed of a user's own, if any."""
    settings = STUDY.datasets[dataset]
    assumed = settings.simulation if dataset in SAMPLES else settings.simulation_of(cls)
    file = assumed.camera.psf.file if assumed else None
    return [local(str(path_of(file)))] if file else []


def variant(dataset, cls):
    """What a class is made of, the class of its twins, and whether it is a decoy; None if it is no variant."""
    settings = STUDY.datasets[dataset]
    if cls not in settings.variants:
        return None
    return {
        "made_of": settings.made_of(cls),
        "twin": settings.twin_of(cls),
        "decoy": cls in settings.decoys,
    }


def galaxy_files(dataset, cls):
    """The files of the galaxies that are the sources of a class of simulated images, if they are."""
    images = STUDY.datasets[dataset].simulation_of(cls).source.images
    return [local(file) for file in images.files] if images else []


def scoring_settings(wildcards):
    """The settings of a row that its scores alone depend on."""
    return detector_row(wildcards).scoring


def detector_module(row):
    """The module of a row's detector, which stages import by name."""
    return f"oddlens.detectors.{STUDY.detectors[row].detector}"


# --- resources --------------------------------------------------------------------------------------------------------


def doubled(first, attempt):
    """What a job asks for: `first`, and twice as much after each failed attempt."""
    return round(first) * 2 ** (attempt - 1)


def image_megabytes(dataset):
    """The size of an image in memory."""
    settings = STUDY.datasets[dataset]
    return (
        settings.files if dataset in SAMPLES else settings.camera
    ).pixels ** 2 * 4e-6


def simulation_memory(wildcards, attempt):
    """Memory in MB: the program and the images of one shard."""
    shard = POOLS[wildcards.dataset].per_shard * image_megabytes(wildcards.dataset)
    return doubled(1500 + 3 * shard, attempt)


def real_memory(wildcards, attempt):
    """Memory in MB: some thousand images, and one model at a time."""
    return doubled(4000, attempt)


def detector_memory(wildcards, threads, attempt):
    """Memory in MB: for each thread a process that holds one shard and some thousand images."""
    per_shard = POOLS[wildcards.dataset].per_shard
    process = 2000 + (4 * per_shard + 4000) * image_megabytes(wildcards.dataset)
    return doubled(process * threads, attempt)


def short_runtime(wildcards, attempt):
    """Minutes for jobs that take minutes."""
    return doubled(60, attempt)


def long_runtime(wildcards, attempt):
    """Minutes for jobs that take hours."""
    return doubled(720, attempt)
