"""Samples: pools, classes, objects and shards of a sheet or folder."""

import h5py
import numpy as np
import pytest

from oddlens.config.files_dataset import Files
from oddlens.data.pools import UNLABELLED
from oddlens.observations.sample.sample import input_files, read_sample, state


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def in_folder(folder, seed=1, **settings):
    return read_sample(Files(folder=str(folder), pixels=32, **settings), seed, "mine")


def in_sheet(folder, rows, header="file,role,label,object", seed=1, **settings):
    path = folder / "my.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    touch(folder, *{row.split(",")[0].partition("[")[0] for row in rows})
    return read_sample(Files(sheet=str(path), pixels=32, **settings), seed, "mine")


def numbered(pattern, count):
    return [pattern.format(k) for k in range(count)]


@pytest.fixture
def mvtec(tmp_path):
    touch(tmp_path, *numbered("train/good/{}.png", 9), *numbered("validation/good/{}.png", 4))
    touch(
        tmp_path,
        *numbered("test/good/{}.png", 3),
        *numbered("test/cdm/{}.png", 2),
        *numbered("contaminant/cdm/{}.png", 5),
    )
    return tmp_path


def test_the_folders_of_mvtec_are_roles_and_labels(mvtec):
    sample = in_folder(mvtec)
    assert sample.pools.counts == {
        "train": {"smooth": 9},
        "contaminant": {"cdm": 5},
        "validation": {"smooth": 4},
        "test": {"smooth": 3, "cdm": 2},
    }
    assert sample.pools.anomalies == ["cdm"]


def note_of_unused(folder, word, *files):
    """Files that are added to a folder change nothing, and one note, which has a word, is of them."""
    before = in_folder(folder).table
    touch(folder, *files)
    sample = in_folder(folder)
    assert sample.table.equals(before)
    (note,) = (note for note in sample.notes if word in note)
    return note


def test_what_marks_anomalies_is_neither_an_image_nor_a_mask(mvtec):
    masks = (*numbered("ground_truth/cdm/{}_mask.png", 2), "ground_truth/cdm/3.png")
    assert "3 files" in note_of_unused(mvtec, "ground_truth", *masks)


def test_pictures_of_masks_are_named_as_not_used(mvtec):
    files = (*numbered("test/cdm/{}_mask.png", 2), "test/cdm/0_noise.fits")
    note = note_of_unused(mvtec, "_mask.png", *files)
    assert "test/cdm/0_mask.png, test/cdm/1_mask.png" in note
    assert "noise" not in note


def test_folders_are_labels_and_images_are_divided(tmp_path):
    touch(tmp_path, *numbered("no_sub/{:03d}.npy", 400), *numbered("vort/{:03d}.npy", 50))
    pools = in_folder(tmp_path).pools
    assert pools.counts["test"]["vort"] == 50
    assert pools.count("test", "smooth") == pytest.approx(80, abs=25)
    assert pools.count("validation", "smooth") == pytest.approx(40, abs=20)
    assert sum(pools.count(pool, "smooth") for pool in ("train", "validation", "test")) == 400


def test_deeplense_folders_of_anomalies_become_contaminants_and_tests(tmp_path):
    touch(tmp_path, *numbered("train/no/{}.npy", 300), *numbered("train/vort/{}.npy", 30))
    touch(tmp_path, *numbered("val/no/{}.npy", 20), *numbered("val/vort/{}.npy", 20))
    sample = in_folder(tmp_path)
    assert sample.pools.counts["contaminant"] == {"vort": 30}
    assert sample.pools.counts["test"] == {"smooth": 20, "vort": 20}
    assert sample.pools.count("validation", "smooth") > 0
    assert len(sample.notes) >= 2


def test_a_flat_folder_has_no_labels(tmp_path):
    touch(tmp_path, *numbered("{:04d}.fits", 200), "README.md")
    pools = in_folder(tmp_path).pools
    assert pools.classes("train") == pools.classes("validation") == ["smooth"]
    assert pools.classes("test") == [UNLABELLED]
    assert pools.anomalies == []


def test_folders_with_data_fits_are_objects(tmp_path):
    touch(tmp_path, *(f"lens_{k}/{name}.fits" for k in range(60) for name in ("data", "noise_map", "psf")))
    table = in_folder(tmp_path).table
    assert len(table) == 60
    assert set(table["object"]) == {f"lens_{k}" for k in range(60)}
    assert set(table["class"]) <= {"smooth", UNLABELLED}


def test_companions_hidden_files_and_loops_of_links_are_no_images(tmp_path):
    touch(tmp_path, *numbered("{:04d}.fits", 100), "0001_rms.fits", ".hidden.fits", ".cache/a.fits")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(in_folder(tmp_path).table) == 100


def test_a_file_with_many_images_is_a_sample(tmp_path):
    np.save(tmp_path / "stack.npy", np.zeros((200, 16, 16), np.float32))
    (tmp_path / "many").mkdir()
    (tmp_path / "stack.npy").rename(tmp_path / "many" / "stack.npy")
    one, folder = in_folder(tmp_path / "many" / "stack.npy"), in_folder(tmp_path / "many")
    for sample in (one, folder):
        assert len(sample.table) == 200
        assert sample.table["object"].nunique() == 200
        assert f"{tmp_path}/many/stack.npy[199]" in set(sample.table["file"])


def test_groups_of_an_hdf5_file_are_objects_with_labels(tmp_path):
    with h5py.File(tmp_path / "rung.h5", "w") as file:
        for k in range(80):
            group = file.create_group(f"images/strong_lens_{k:08d}")
            group.attrs["substructure"] = ["True" if k % 2 else "False", "Whether there are subhalos"]
            for band in ("F106", "F129"):
                group.create_dataset(f"exposure_{k:08d}_{band}", data=np.zeros((16, 16), np.float32))
    sample = in_folder(tmp_path / "rung.h5", split={"validation": 0.4})
    assert len(sample.table) == 160
    assert sample.table["lens"].nunique() == 80
    assert set(sample.table["band"]) == {"F106", "F129"}
    assert sample.pools.counts["test"]["substructure"] == 80
    assert (sample.table.groupby("object")["pool"].nunique() == 1).all()


def test_roles_stay_when_images_are_added(tmp_path):
    touch(tmp_path, *numbered("{:04d}.npy", 100))
    before = in_folder(tmp_path).table.set_index("file")["pool"]
    touch(tmp_path, *numbered("more_{:04d}.npy", 100))
    after = in_folder(tmp_path).table.set_index("file")["pool"]
    assert after[before.index].equals(before)


def test_roles_depend_on_the_seed(tmp_path):
    touch(tmp_path, *numbered("{:04d}.npy", 100))
    first, second = (in_folder(tmp_path, seed=seed).table.set_index("file")["pool"] for seed in (1, 2))
    assert not first.equals(second[first.index])


def test_images_of_an_object_share_a_pool_and_a_number(tmp_path):
    rows = [f"{band}{k}.npy,,,object{k}" for k in range(100) for band in "gri"]
    table = in_sheet(tmp_path, rows).table
    assert (table.groupby("object")["pool"].nunique() == 1).all()
    assert (table.groupby("object")["lens"].nunique() == 1).all()
    assert table["lens"].nunique() == 100


def test_images_are_numbered_in_the_order_of_their_lines(tmp_path):
    rows = [f"{k}.npy,{role},," for k, role in enumerate(["train", "test", "validation"] * 20)]
    sample = in_sheet(tmp_path, rows, per_shard=8)
    train = sample.table[sample.table["pool"] == "train"]
    assert train["index"].tolist() == list(range(20))
    assert train["line"].is_monotonic_increasing
    parts = [sample.shard("train", "smooth", k) for k in sample.pools.shards("train", "smooth")]
    assert [len(part) for part in parts] == [8, 8, 4]
    assert [k for part in parts for k in part["index"]] == list(range(20))


def test_labels_become_words(tmp_path):
    rows = [
        *numbered("t{}.npy,train,,", 9),
        *numbered("v{}.npy,val,Good,", 4),
        *numbered("x{}.npy,test,dark-matter halo,", 3),
    ]
    assert in_sheet(tmp_path, rows).pools.classes("test") == ["dark_matter_halo"]


BASE = [*numbered("t{}.npy,train,,", 9), *numbered("v{}.npy,val,,", 4), *numbered("x{}.npy,test,,", 3)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a.npy,train,cdm,"], ["line 18", "'cdm'", "contaminant"]),
        (["a.npy,contaminant,,"], ["line 18", "contaminant", "label"]),
        (["t1.npy,test,,"], ["t1.npy", "2 times"]),
        (["a.npy,train,,J0946", "b.npy,test,,J0946"], ["1 objects", "test and train", "J0946 (18, 19)"]),
        (["a.npy,test,a-b,", "b.npy,test,a b,"], ["'a-b'", "'a b'", "'a_b'"]),
        (["a.npy,test,mixed,", "b.npy,test,mixed,"], ["'mixed'"]),
        (["a.npy,test,lonely,"], ["1 test image", "lonely"]),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, rows, words):
    with pytest.raises(ValueError, match=r"\w") as refusal:
        in_sheet(tmp_path, [*BASE, *rows])
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@pytest.mark.parametrize(
    ("keep", "role"), [(slice(9, None), "train"), (slice(0, 9), "validation"), (slice(0, 13), "test")]
)
def test_a_role_without_images_is_refused(tmp_path, keep, role):
    with pytest.raises(ValueError, match=f"role {role}"):
        in_sheet(tmp_path, BASE[keep])


def test_images_of_several_pixel_scales_are_refused(tmp_path):
    rows = [*numbered("t{}.npy,train,0.05", 9), *numbered("v{}.npy,val,0.05", 4), *numbered("x{}.npy,test,0.1", 3)]
    with pytest.raises(ValueError, match=r"0\.05 to 0\.1"):
        in_sheet(tmp_path, rows, header="file,role,pixel_scale_arcsec")


def test_an_unknown_nuisance_or_grouping_names_the_columns(tmp_path):
    with pytest.raises(ValueError, match="'tile'"):
        in_sheet(tmp_path, BASE, nuisance=["tile"])
    with pytest.raises(ValueError, match="'galaxy'"):
        in_sheet(tmp_path, BASE, split={"by": "galaxy"})


def test_a_sheet_in_a_folder_is_used_and_reported(tmp_path):
    (tmp_path / "metadata.csv").write_text(
        "file_name,split\n" + "".join(f"{r.split(',')[0]},{r.split(',')[1]}\n" for r in BASE)
    )
    touch(tmp_path, *(row.split(",")[0] for row in BASE))
    sample = in_folder(tmp_path)
    assert sample.sheet == tmp_path / "metadata.csv"
    assert any("metadata.csv" in note for note in sample.notes)


def test_the_state_changes_with_a_file_and_with_a_row_alone(mvtec):
    table = in_folder(mvtec).table
    files = input_files(table)
    assert len(files) == 23
    before = state(table, files)
    assert state(table, files) == before
    (mvtec / "train/good/3.png").write_text("other")
    assert state(table, files) != before
    assert state(table.assign(label="other"), files) != state(table, files)
