import pytest

from oddlens.provenance import benchmarks

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(path, seconds, memory="500.0", load="150.0"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:01\t{memory}\t1\t1\t1\t1\t1\t{load}\t1\n")


def test_a_table_has_a_line_for_each_rule(tmp_path):
    for k, seconds in enumerate((10.0, 30.0, 20.0)):
        write(tmp_path / f"benchmarks/train/model_a/dcae/seed-{k}.tsv", seconds, memory=f"{1000 * (k + 1)}")
    write(tmp_path / "benchmarks/simulate/model_a/train/smooth/000.tsv", 0.3, memory="NA", load="NA")
    _, _, simulate, train = benchmarks.table(benchmarks.read(tmp_path).items()).splitlines()
    assert [cell.strip() for cell in train.strip("|").split("|")] == ["train", "3", "20", "30", "0.017", "1.5", "3"]
    assert simulate.startswith("| simulate | 1 | 0.3 | 0.3 |")


def test_a_study_without_measured_jobs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no measured jobs"):
        benchmarks.read(tmp_path)
