# make demo     the whole workflow on the embedded data set, then its table
# make test     the tests
# make coverage the tests, more slowly, and how much of the code they cover
# make fuzz     annotation files, files of boxes and stores with every single mistake, and with thousands of several
# make lint     ruff, mypy, import-linter, snakefmt, snakemake --lint
# make docs     the documentation, into docs/_build/html; warnings are errors
# make bench    every benchmark, side by side with what people use instead, and a table of all with their targets
# make gpu      the tests of a GPU and its measurements, in eight minutes; it installs nothing and takes PYTHON as it is
# make teacher  train the demo's teacher again, into results/teacher/run
# Each but gpu makes .venv first. PYTHON=python3.12 make demo takes another interpreter (3.11 or newer).

PYTHON ?= python3
VENV := .venv
# Stamps: what tests, lint and documentation need is installed; what the demo needs is installed.
READY := $(VENV)/.installed
WORKFLOW_READY := $(VENV)/.workflow
PIP_INSTALL := $(VENV)/bin/pip install --disable-pip-version-check -q -c constraints.txt
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: demo test coverage fuzz lint docs bench gpu teacher

$(VENV):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kdcache needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(VENV)
	$(PIP_INSTALL) -e ".[dev,docs]"
	touch $(READY) $(WORKFLOW_READY)

$(WORKFLOW_READY): pyproject.toml constraints.txt | $(VENV)
	$(PIP_INSTALL) -e ".[workflow]"
	touch $@

demo: $(WORKFLOW_READY)
	kdcache demo

# one process for each core; more threads would compete for them; the tests of a file, and those in a browser, share
# one; tests/conftest.py says which begin
PYTEST := OMP_NUM_THREADS=1 pytest -n auto --dist loadgroup --no-loadscope-reorder

test: $(READY)
	$(PYTEST)

coverage: $(READY)
	$(PYTEST) --cov

fuzz: $(READY)
	OMP_NUM_THREADS=1 pytest --hypothesis-profile fuzz --timeout 3600 -k 'mutations or boxes_file' tests

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy --strict
	mypy --no-warn-unused-ignores tests   # ignores of the strict run
	MYPYPATH=benchmarks mypy --no-warn-unused-ignores --explicit-package-bases benchmarks
	lint-imports
	snakefmt --check Snakefile pipeline/workflow
	snakemake --lint

docs: $(READY)
	sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

bench: $(READY)
	python benchmarks/all.py

# An image for a GPU has its own torch: nothing is installed, and what is missing is named before anything runs.
# Packages that it lacks may lie in a folder that PYTHONPATH names.
gpu:
	PYTHONPATH=$(CURDIR)$${PYTHONPATH:+:$$PYTHONPATH} $(PYTHON) -m pipeline.cli doctor --gpu

TEACHER := results/teacher
teacher: $(READY)
	kdcache demo-data $(TEACHER)/data --persons 8000 --val-persons 600 --seed 1000 --no-noise
	kdcache build $(TEACHER)/store.zarr --teacher none --images $(TEACHER)/data/train \
		--annotations $(TEACHER)/data/annotations/person_keypoints_train.json
	kdcache train $(TEACHER)/store.zarr --settings pipeline/demo/teacher.yaml --out $(TEACHER)/run --device cpu \
		--val-images $(TEACHER)/data/val --val-annotations $(TEACHER)/data/annotations/person_keypoints_val.json
