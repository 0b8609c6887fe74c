"""No source calls what can run code from data, or puts a command for a shell together: by syntax, not by words."""

import ast
import re

import pytest

from conftest import ROOT

FOLDERS = ["src", "workflow", "tests", "benchmarks", "docs", "examples"]
PYTHON = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
SNAKEMAKE = [ROOT / "workflow" / "Snakefile", *sorted((ROOT / "workflow").rglob("*.smk"))]
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
CALLED = {"eval", "exec", "os.system", "os.popen", "tempfile.mktemp", "torch.load", "torch.save"}
CALLED |= {"joblib.load", "joblib.dump", "pandas.read_pickle", "pandas.eval"}
CALLED |= {
    f"yaml.{name}" for name in ("load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all")
}
METHODS = {"to_pickle", "read_pickle"}
ARGUMENTS = {("allow_pickle", True), ("shell", True), ("verify", False), ("weights_only", False)}
SHELL = re.compile(r"\bshell\(\s*(f[\"']|[^)]*\.format\(|[^)]*%\s)|^\s*(shell|run):\s", re.MULTILINE)
"""In Snakefiles: a command put together, and rules that hold commands or code; ours call scripts."""


def dotted(node):
    """`a.b.c` of an expression that ends so."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def found(source):
    """What is forbidden in a Python source."""
    tree = ast.parse(source)
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from MODULES & {name.split(".")[0] for name in imported}
        elif isinstance(node, ast.Name | ast.Attribute):
            first, _, rest = dotted(node).partition(".")
            full = ".".join(filter(None, [names.get(first, first), rest])).removeprefix("builtins.")
            yield from {full} & CALLED
            yield from {full.rpartition(".")[2]} & METHODS
        elif isinstance(node, ast.keyword):
            # What is not written out may be anything.
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            yield from {name for name, bad in ARGUMENTS if node.arg == name and value is not (not bad)}


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_source_runs_code_from_data(path):
    assert not list(found(path.read_text()))


@pytest.mark.parametrize("path", SNAKEMAKE, ids=lambda path: path.name)
def test_no_rule_puts_a_command_together(path):
    assert not SHELL.search(path.read_text())


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "import pickle as json",
        "from pickle import loads",
        "import os, dill",
        "def f():\n    from cloudpickle import dumps",
        "import shelve, marshal",
        "import torch\ntorch.load('x', weights_only=True)",
        "from torch import save as write\nwrite({}, 'x')",
        "import torch as t\nstore = t.save",
        "import joblib\njoblib.load('x')",
        "from joblib import dump\ndump({}, 'x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=trusted)",
        "import pandas as pd\npd.read_pickle('x')",
        "table.to_pickle('x')",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "from yaml import unsafe_load\nunsafe_load(text)",
        "import yaml as y\ny.full_load(text)",
        "eval('1')",
        "exec(code)",
        "import builtins\nbuiltins.eval('1')",
        "list(map(eval, texts))",
        "import os\nos.system('ls')",
        "from os import popen\npopen('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=wanted)",
        "import tempfile\ntempfile.mktemp()",
        "import requests\nrequests.get('x', verify=False)",
    ],
)
def test_what_is_planted_is_found(planted):
    assert list(found(planted))


@pytest.mark.parametrize(
    "harmless",
    [
        "model.eval()",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "import subprocess\nsubprocess.run(['ls'], check=True)",
        "from oddlens.detectors import load\nload('x')",
        "import json\njson.load(file)",
        "text = 'eval(x); import pickle'",
    ],
)
def test_what_is_harmless_is_not(harmless):
    assert not list(found(harmless))


@pytest.mark.parametrize(
    "planted",
    [
        "rule a:\n    shell:\n        'ls {input}'",
        "rule a:\n    run:\n        pass",
        "onsuccess:\n    shell(f'ls {name}')",
        "shell('ls {}'.format(name))",
        "shell(\n    'ls {} > {}'.format(\n        name, other))",
        "shell('ls %s' % name)",
    ],
)
def test_what_is_planted_in_a_snakefile_is_found(planted):
    assert SHELL.search(planted)
