# make demo   the whole workflow on the embedded data set, then its table
# make test   the tests
# make lint   ruff, mypy, import-linter, snakefmt, snakemake --lint
# make bench  every benchmark, side by side with what people use instead
# Each makes .venv first. PYTHON=python3.12 make demo takes another interpreter (3.11 or newer).

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: demo test lint bench

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kdcache needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	touch $@

demo: $(READY)
	snakemake --cores all
	@cat results/demo/report/table.txt

test: $(READY)
	pytest

lint: $(READY)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check Snakefile
	snakemake --lint

bench: $(READY)
	for program in benchmarks/*.py; do echo "== $$program"; python $$program || exit 1; done
