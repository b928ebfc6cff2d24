# The two commands: `make sample` and `make test`. Both set up ./.venv first; nothing else has to be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= sample-store

.PHONY: sample test setup lint lock

sample: $(VENV)/.installed
	$(BIN)/parallel-qa run sample --store $(STORE)
	$(BIN)/parallel-qa batches $(STORE) --batch-size 32 --show 3

test: $(VENV)/.tested $(VENV)/.browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

lint: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

setup: $(VENV)/.tested

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "parallel-qa needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@echo "Setting up ./$(VENV), which takes a minute or two the first time."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements.lock | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev,convert,s3]'
	@touch $@

# Pages are tested in a browser: one that is there, else the system's package or Playwright's download. Without any, those
# tests are skipped.
$(VENV)/.browser: | $(VENV)/.tested
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -yqq --no-install-recommends chromium; } > /dev/null 2>&1 \
	  || timeout 300 $(BIN)/playwright install chromium > /dev/null 2>&1 \
	  || echo "No Chromium is to be had here: the tests of pages will be skipped."
	@touch $@

# Newest versions that pyproject.toml allows, as exact versions.
lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet 'torch==2.13.0' --editable '.[dev,convert,train,s3]'
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock
