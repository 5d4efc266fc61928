# fraudline: everything a developer or a curious reader runs. Needs python3 (3.11 or newer) and make, nothing else.
# `make` alone lists the targets.

PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
READY := .venv/.ready
SYNC := $(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test check soak bench format docs lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## make .venv from requirements.lock (the other targets do this themselves)

demo: $(READY) ## invent a month of transactions, decide it, show what was found
	@$(BIN)/fraudline demo

test: $(READY) ## run the tests, one process per processor
	@$(BIN)/pytest -n auto

check: $(READY) ## everything a change must pass: lint, types, import contracts, fresh docs, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/docs.py --check
	$(BIN)/pytest -n auto

soak: $(READY) ## the long runs: a million simulated seeds and fuzzed inputs of each kind, a thousand crashes (hours)
	$(BIN)/python -m tests.simulation --planted
	$(BIN)/python -m tests.simulation --seeds 1000000 --jobs 2
	$(BIN)/python -m tests.crashes --rounds 1000
	$(BIN)/python -m tests.fuzz --inputs 1000000

format: $(READY) ## put the code into its one layout, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## rewrite the generated parts of the documentation
	$(BIN)/python scripts/docs.py

bench: $(READY) ## measure every goal beside its peers, and say which are met (installs the peers; half an hour)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirements benchmarks/requirements.lock
	$(BIN)/python -m benchmarks

lock: $(UV) ## resolve pyproject.toml into requirements.lock again (add UPGRADE=--upgrade for newer versions)
	$(UV) pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) --output-file requirements.lock
	$(UV) pip compile pyproject.toml --all-extras --group dev --group bench --universal --generate-hashes --no-header \
	    --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) \
	    --constraints requirements.lock --output-file benchmarks/requirements.lock

clean: ## remove what these targets made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(UV):
	@echo "fraudline: fetching uv into .tools"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fraudline needs Python 3.11 or newer, this is " + sys.version)'
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	@touch $@

# hatchling comes from the lock too, so nothing is fetched that the lock does not name.
$(READY): requirements.lock pyproject.toml | $(UV)
	@echo "fraudline: making .venv from requirements.lock"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(SYNC) || { echo "fraudline: once more, trusting this machine's own certificates"; $(SYNC) --system-certs; }
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
