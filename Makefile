# The two commands: `make sample` and `make test`. Both set up ./.venv first; nothing else has to be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= sample-store
# The versions that everything is tested with. `make LOCK= ...` takes the newest that pyproject.toml allows.
LOCK := requirements.lock
PIP_INSTALL = $(BIN)/python -m pip install --quiet --progress-bar off --disable-pip-version-check --log $(VENV)/pip.log $(LOCK:%=--constraint %)
PIP_FAILED = { echo "pip could not install what is needed; the whole of what it did is in $(VENV)/pip.log." \
  "If it found no way to PyPI, tell it one: pip config set global.proxy ... (or global.index-url)." \
  "If a version in requirements.lock is not to be had for this system: make LOCK= $(MAKECMDGOALS)" \
  "To try another Python: rm -rf $(VENV); make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }

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
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
	  || { echo "parallel-qa needs Python 3.11 to 3.14, which $(PYTHON) is not: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up ./$(VENV), which takes a minute or two the first time."
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml $(LOCK) | $(BIN)/python
	@$(PIP_INSTALL) --editable '.[run]' || $(PIP_FAILED)
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@$(PIP_INSTALL) --editable '.[dev]' || $(PIP_FAILED)
	@touch $@

# Pages are tested in a browser: one that is there, else the system's package or Playwright's download. Without any, those
# tests are skipped.
$(VENV)/.browser: | $(VENV)/.tested
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -yqq --no-install-recommends chromium; } > /dev/null 2>&1 \
	  || timeout 300 $(BIN)/playwright install chromium > /dev/null 2>&1 \
	  || echo "No Chromium is to be had here: the tests of pages will be skipped."
	@touch $@

# The versions for every Python that pyproject.toml allows. What is in the lock stays as it is where it fits;
# `make lock UPGRADE=--upgrade` takes the newest of all.
lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-package parallel-qa \
	  --no-header --no-annotate $(UPGRADE) --output-file $(LOCK) pyproject.toml
