# Every target sets up .venv first where it is missing or older than what it was made from.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup labs test nbval lint format train record bench clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $$($(PYTHON) --version) was found; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

setup: $(READY) ## make .venv with the exact versions of constraints.txt

labs: $(READY) ## execute every notebook on the embedded data and render reports/index.html
	@status=0; $(BIN)/labkit run || status=$$?; $(BIN)/labkit report && exit $$status

# Two processes with two threads each would fight for two cores: one thread each.
test nbval: export OMP_NUM_THREADS = 1

test: lint nbval ## lint, types, layers, unit tests, and nbval over every notebook
	$(BIN)/python -m pytest -n 2 --dist loadscope

nbval: $(READY) ## re-execute the notebooks and compare with their recorded outputs
	$(BIN)/python -m pytest --nbval --nbval-current-env -n 2 --dist loadscope labs

lint: $(READY) ## ruff, mypy, import-linter, notebook limits
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/labkit lint

format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(READY) ## make every checkpoint that is not up to date (resumes after an interruption)
	$(BIN)/labkit train --all

record: $(READY) ## execute the notebooks and record their outputs (for instructors)
	$(BIN)/labkit record --all

bench: $(READY) ## every speed claim beside its peers
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	for script in benchmarks/*.py; do $(BIN)/python $$script; done

clean: ## remove what can be made again, the environment included
	rm -rf .venv reports dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
