# What rules need to know of the user's own images, and of masses that are injected.
from oddlens.config.injection import fitted_simulation, injected_class, injected_masses

# A data set with more files names only its sheet as an input: a digest of their sizes and times stands for the others,
# so that lists of jobs stay readable.
MAX_INPUTS = 50


def sample_inputs(wildcards, rows):
    """The files of some images and their sheet."""
    of_dataset = SAMPLES[wildcards.dataset]
    sheet = [str(of_dataset.sheet)] if of_dataset.sheet else []
    every = sample.input_files(of_dataset.table)
    return [*sheet, *(sample.input_files(rows) if len(every) <= MAX_INPUTS else [])]


def sample_state(rows):
    """A digest that changes when images may have changed."""
    return sample.state(rows, sample.input_files(rows))


def shard_rows(wildcards):
    """The lines of the sample of one shard."""
    return SAMPLES[wildcards.dataset].shard(
        wildcards.pool, wildcards.cls, int(wildcards.shard)
    )


def training_rows(wildcards):
    """The lines of the sample of the training pool."""
    table = SAMPLES[wildcards.dataset].table
    return table[table["pool"] == "train"]


def assumed_scale(dataset):
    """The pixel scale that detectors which fit lenses assume of the images; None without such an assumption."""
    assumed = STUDY.of_files[dataset].simulation
    return assumed and assumed.camera.pixel_scale_arcsec


def training_shards_with_gaps(dataset):
    """The shards of training images in which some may be left out, because they could not be read."""
    skips = dataset in SAMPLES and STUDY.of_files[dataset].files.bad == "skip"
    return shards(dataset, "train", "contaminant") if skips else []


def strict_leaks(dataset):
    """The leaks of a data set that may have none, before anything is trained on it."""
    strict = dataset in SAMPLES and STUDY.of_files[dataset].files.strict
    return [results(f"leaks/{dataset}.csv")] if strict else []


def leaks_memory(wildcards, attempt):
    """Memory in MB: two shards, and the block means of all images."""
    counts = POOLS[wildcards.dataset].counts.values()
    images = sum(sum(of_pool.values()) for of_pool in counts)
    return simulation_memory(wildcards, attempt) + doubled(
        500 + 0.004 * images, attempt
    )


def injected_shards(wildcards):
    """The shards of the first test images that may get masses."""
    pools = POOLS[wildcards.dataset]
    cls = injected_class(pools)
    count = -(-STUDY.datasets[wildcards.dataset].inject.images // pools.per_shard)
    return [
        results(f"shards/{wildcards.dataset}/test/{cls}/{shard:03d}.h5")
        for shard in pools.shards("test", cls)[:count]
    ]


def assumed_simulation(dataset):
    """The simulation of a data set, or what is assumed of a user's own images, if anything is."""
    settings = STUDY.datasets[dataset]
    return settings.simulation if dataset in SAMPLES else settings


def smooth_simulation(dataset):
    """What smooth models of test images assume before masses are injected, if anything."""
    settings = STUDY.datasets[dataset]
    assumed = fitted_simulation(
        settings.inject, assumed_simulation(dataset), settings.has_noise
    )
    return assumed and assumed.plain()
