"""How sheets and folders would be read as a data set."""

import numpy as np


def test_a_folder_is_described_as_a_data_set(tmp_path, oddlens_command):
    for k in range(60):
        np.save(tmp_path / f"{k:03d}.npy", np.random.default_rng(k).random((16, 16), np.float32))
    finished = oddlens_command("inspect", tmp_path)
    assert finished.status == 0
    assert "60 images" in finished.out
    assert "unlabelled" in finished.out


def test_mistakes_of_a_sheet_are_reported(tmp_path, oddlens_command):
    sheet = tmp_path / "samples.csv"
    sheet.write_text("file,role\nmissing.npy,trian\n")
    finished = oddlens_command("inspect", sheet)
    assert finished.status == 1
    assert "missing.npy" in finished.out
    assert "'trian'" in finished.out
