# Every target sets up .venv first where it is missing or older than what it was made from.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope

.PHONY: help setup labs test verify quick nbval unit unit-all unit-quick lint portable format train record bench clean

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' \
	  || { echo "Python 3.11.5 or newer is needed, $$($(PYTHON) --version) was found; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

setup: $(READY) ## make .venv with the exact versions of constraints.txt

labs: $(READY) ## execute every notebook on the embedded data and render reports/index.html
	@status=0; $(BIN)/labkit run || status=$$?; $(BIN)/labkit report && exit $$status

# Runs each part, also after one that failed; a line for each at the end, and failure if any failed.
define run_parts
	@status=0; summary=; for part in $(1); do \
	  start=$$SECONDS; result=passed; \
	  $(MAKE) --no-print-directory $$part || { result=FAILED; status=1; }; \
	  summary+="$$(printf '%-12s %s in %d s' $$part $$result $$((SECONDS - start)))"$$'\n'; \
	done; printf '%s' "$$summary"; exit $$status
endef

# Two processes with two threads each would fight for two cores: one thread each.
test verify quick nbval unit unit-all unit-quick: export OMP_NUM_THREADS = 1

test: $(READY) ## all notebooks, lint, and the tests of each kind: about 22 minutes on two cores
	$(call run_parts,lint nbval unit)

verify: $(READY) ## everything there is, every shipped checkpoint included
	$(call run_parts,lint nbval unit-all)

quick: $(READY) ## lint and the fast tests: at most 90 seconds
	$(call run_parts,lint unit-quick)

nbval: $(READY) ## re-execute the notebooks and compare with their recorded outputs
	$(PYTEST) --nbval --nbval-current-env labs

unit: $(READY) ## the tests, without those that only verify runs
	$(PYTEST) -m "not slow"

unit-all: $(READY)
	$(PYTEST)

unit-quick: $(READY)
	$(PYTEST) -m "not slow and not heavy"

lint: $(READY) ## ruff, mypy, import-linter, complete notebooks
	@status=0; for check in "ruff check ." "ruff format --check ." mypy lint-imports "labkit lint"; do \
	  echo "$$check"; $(BIN)/$$check || status=1; done; exit $$status

portable: $(READY) ## run notebooks and replays as other processors would (before recording is accepted)
	$(BIN)/labkit portable

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
