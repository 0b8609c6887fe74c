# The tasks of this project. A newcomer needs `make study`, a change needs `make check` first.
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Some containers forbid Python to write bytecode. Each job would then compile all its imports, which takes seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: study report check test tests fast-tests test-slurm torture setup smoke docs javascript lint style workflow-lint types lock envs export real-lenses bench bench-train bench-fit bench-score bench-jobs bench-gpu clean

# In a terminal a progress bar; without one Snakemake's own lines. The logs of jobs are in results/<study>/logs.
SNAKEMAKE = snakemake --cores $(CORES) $$([ -t 2 ] && echo --logger study)

study: setup        ## run the default study: results/default/report.html
	@python workflow/unlock.py
	@$(SNAKEMAKE)

smoke: setup        ## run the same workflow on 16 x 16 pixels: results/smoke/report.html
	@python workflow/unlock.py
	@$(SNAKEMAKE) --configfile tests/config.yaml

report: setup       ## the final report of all studies, results/final_report.html and a PDF; make report [STUDIES="default physics"]
	@oddlens report $(STUDIES)

check: setup        ## lint, types and the fast tests: under two minutes on two cores
	@$(MAKE) --no-print-directory -j$(CORES) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) lint fast-tests

test: lint tests    ## lint, types, unit, contract and physics tests, and the 16-pixel workflow

tests: setup
	pytest -n $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder    # one more than cores: some wait for Snakemake

fast-tests: setup
	pytest -q -n $(CORES) --dist loadfile -m 'not slow and not workflow and not slurm'

torture: setup      ## a campaign of faults: kills, damaged files, mistaken configs, a full disk, Slurm's daemons; 20 minutes
	python tests/torture/campaign.py

test-slurm: setup   ## a small study on a Slurm of one node, which is started and stopped (root; packages slurm-wlm and munge)
	@trap 'tests/slurm/cluster.sh stop' EXIT; tests/slurm/cluster.sh start && timeout -k 30 3600 pytest tests/slurm -m slurm --durations=0

lint: style workflow-lint types

style: setup
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow

workflow-lint: setup
	snakemake --lint

types: setup
	mypy

javascript:         ## what tests check explore.html's scripts with, TypeScript, ESLint and axe-core; needs npm
	npm ci --prefix tests/javascript --no-fund --no-audit

docs: setup         ## build the site, without network: docs/_build/index.html
	sphinx-build -q -W --keep-going -c docs . docs/_build

setup: .venv/.complete   ## the environment .venv, with the command oddlens in .venv/bin

# This checkout, without its dependencies. The lock holds hatchling, which builds it.
EDITABLE := --no-deps --no-build-isolation --no-index -e .

.venv/.complete: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
	  || { echo "oddlens needs Python 3.12 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@command -v uv >/dev/null || $(BIN)/pip install -q uv || echo "uv cannot be installed: pip installs the packages, more slowly"
	@set -e; if command -v uv >/dev/null; then \
	    uv pip sync -q --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock; \
	    uv pip install -q --python $(BIN)/python $(EDITABLE); \
	  else \
	    $(BIN)/pip install -q --require-hashes -r requirements.lock; \
	    $(BIN)/pip install -q $(EDITABLE); \
	  fi
	@touch $@

lock:               ## pin all packages again after editing pyproject.toml
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --group dev --extra onnx pyproject.toml -o requirements.lock

envs: setup         ## write envs/*.yaml, conda's environments, from requirements.lock
	python workflow/envs.py

oddlens.sif: oddlens.def requirements.lock   ## the image for snakemake --sdm apptainer; needs apptainer
	apptainer build --force $@ oddlens.def

real-lenses: setup  ## download four real lenses, 7 MB, to resources/real-lenses (docs/real.md); config/real.yaml does it, too
	@$(SNAKEMAKE) -- retrieve

export: setup       ## a data set as PNG and FITS: make export DATASET=model_a [CONFIG=my.yaml STUDY=its_name]
	snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG)) -- results/$(or $(STUDY),default)/export/$(or $(DATASET),model_a)

bench: .venv-bench/.complete   ## images per second and errors, beside PyAutoLens, lenstronomy and caustics: ten minutes
	.venv-bench/bin/python -W ignore benchmarks/simulate.py

bench-train: setup  ## images per second of training, beside a plain loop with the same network: three minutes
	@python -W ignore benchmarks/train.py

bench-fit: setup    ## images per second of a fit of physics, beside what its operations could take: five minutes
	@python -W ignore benchmarks/fit.py

bench-score: setup  ## images per second that autoencoders score, and how soon the command starts: two minutes
	@python -W ignore benchmarks/score.py

bench-jobs: setup   ## time, cores and memory of the jobs of a study that has run: make bench-jobs [STUDY=default]
	@python benchmarks/jobs.py results/$(or $(STUDY),default)

bench-gpu: setup    ## simulation, training and fits on a GPU, and whether it agrees with the CPU
	@python -W ignore benchmarks/gpu.py

.venv-bench/.complete: requirements.lock benchmarks/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	@command -v uv >/dev/null || .venv-bench/bin/pip install -q uv
	@export PATH=$(CURDIR)/.venv-bench/bin:$$PATH; set -e; \
	  uv pip sync -q --compile-bytecode --require-hashes --python .venv-bench/bin/python requirements.lock; \
	  uv pip install -q --python .venv-bench/bin/python $(EDITABLE); \
  uv pip install -q --python .venv-bench/bin/python -c requirements.lock -r benchmarks/requirements.txt
	@touch $@

clean:              ## remove the environment, not the results
	rm -rf .venv .snakemake .pytest_cache .mypy_cache .ruff_cache
