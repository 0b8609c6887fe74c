"""What commands write: checked before the work, with any file name and encoding, and into pipes that nobody reads."""

import csv
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest

from oddlens.cli.main import main
from tiny_models import rings, write_fits


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of three images in the working directory."""
    monkeypatch.chdir(tmp_path)
    np.save("own.npy", rings(3, 4))
    return Path("own.npy")


@pytest.mark.parametrize("option", ["--csv", "--map"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder", "folder is a folder: name a file in it"),
        ("new/", "new/ is a folder"),
        ("nowhere/o.csv", "there is no folder nowhere"),
        ("own.npy/o.csv", "there is no folder own.npy"),
        ("/dev/null", "is a device"),
        ("own.npy", "own.npy is a file that is read, too"),
        ("link.csv", "link.csv is a file that is read, too"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_line_before_the_work(published_command, own, option, name, words):
    Path("folder").mkdir()
    Path("link.csv").symlink_to(own)
    before = own.read_bytes()
    end = published_command("score", own, "--model", "toy/dcae", option, name)
    assert (end.status, end.out, len(end.err.splitlines())) == (2, "", 1)
    assert words in end.err
    assert own.read_bytes() == before


def test_two_outputs_are_two_files(published_command, own):
    end = published_command("score", own, "--model", "toy/dcae", "--csv", "o", "--map", "./o")
    assert (end.status, "--map o is that of --csv" in end.err) == (2, True)


@pytest.mark.parametrize("command", [["image", "model_a/test/cdm/1", "--out"], ["schema"], ["report", "--to"]])
def test_other_commands_check_their_files_too(oddlens_command, own, command):
    end = oddlens_command(*command, "nowhere/file")
    assert (end.status, "no folder nowhere" in end.err) == (2, True)


def test_a_read_only_disk_is_one_line_before_the_work(published_command, own, read_only_disk):
    end = published_command("score", own, "--model", "toy/dcae", "--csv", read_only_disk / "o.csv")
    assert (end.status, end.out) == (2, "")
    assert "read-only" in end.err


def test_an_unmatched_pattern_is_no_file(published_command, own):
    end = published_command("score", "*.fits", own, "--model", "toy/dcae")
    assert (end.status, "there is no file *.fits" in end.err) == (1, True)
    assert len(end.out.splitlines()) == 4


NAMES = [b"plain.fits", b"lentille_\xe9toile.fits", b"two\nlines.fits", "星.fits".encode(), b"back\\slash.fits"]
SHOWN = ["plain.fits", r"lentille_\xe9toile.fits", r"two\nlines.fits", "星.fits", r"back\\slash.fits"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_any_file_name_is_shown_and_written(published_command, monkeypatch, own, encoding):
    for name in NAMES:
        write_fits(Path(os.fsdecode(name)), rings(1, 4)[0], PIXSCALE=0.4)
    names = [os.fsdecode(name) for name in (*NAMES, b"missing_\xe9.fits")]
    terminals = {name: TextIOWrapper(BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, terminal in terminals.items():
        monkeypatch.setattr(sys, name, terminal)
    with pytest.raises(SystemExit, match="1"):
        main(["score", *names, "--model", "toy/dcae", "--csv", "o.csv"])
    err_terminal = terminals["stderr"]
    err_terminal.flush()
    out, err = terminals["stdout"].buffer.getvalue(), err_terminal.buffer.getvalue()
    assert (out.count(b"\n"), err.count(b"\n")) == (1 + len(NAMES) + 1, 1)
    assert rb"missing_\xe9.fits" in err
    with open("o.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert all(line["image"].endswith(shown) for line, shown in zip(lines, SHOWN, strict=False))
    assert len({line["score"] for line in lines[:-1]}) == 1, "a score does not depend on the name"
    assert r"missing_\xe9.fits" in lines[-1]["problem"]


def test_a_reader_who_leaves_ends_the_command_quietly_after_its_files(published_folder, own):
    model = published_folder / "toy" / "dcae.safetensors"
    arguments = ["score", "missing.fits", own, "--model", model, "--csv", "o.csv"]
    command = [sys.executable, "-c", "from oddlens.cli.main import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        run.stdout.close()
    assert run.returncode == 141
    assert len(Path("o.csv").read_text().splitlines()) == 1 + 1 + 3
