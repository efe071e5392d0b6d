# Two commands set everything up: `make demo` and `make test`. Both make the environment in .venv
# when there is none and use it again when there is one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
PINS := pyproject.toml constraints.txt
# One numeric thread for each test worker: threads of several workers on few cores wait for each other.
# A ledger waits for the disk at every entry, a third of a small study's time: files of tests lie in
# memory where 4 GB of it are free and programs may be run from there.
IN_MEMORY := $(shell grep -q '^tmpfs /dev/shm .*noexec' /proc/mounts 2>/dev/null || \
  df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 >= 4096 {print "PYTEST_DEBUG_TEMPROOT=/dev/shm"}')
# Imports are half of many a test, so compiled files are kept, whatever the surroundings say.
unexport PYTHONDONTWRITEBYTECODE
# Two at a time, neighbours at the same worker, so that what a module prepares is prepared once.
PAIR := -n 2 --dist worksteal
TEST_ENV := OMP_NUM_THREADS=1 $(IN_MEMORY)

.PHONY: help demo test test-slow test-long bench check lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       run the main job: four sites, one private synthetic census, into demo/"
	@echo "make test       format, lint and type checks, then the default tests"
	@echo "make test-slow  the heavier tests"
	@echo "make test-long  faults of whole deployments and the heaviest tests, most of an hour"
	@echo "make bench      speed and memory, one line of JSON for each part, in ten minutes"
	@echo "make check      the format, lint and type checks alone"
	@echo "make clean      remove .venv, caches and demo/"

demo: $(VENV)/.runtime-ready
	@if [ -e demo ]; then echo "Removing demo/, left by an earlier run."; rm -rf demo; fi
	@echo "Running: fedsynth simulate --demo adult --out demo"
	@$(BIN)/fedsynth simulate --demo adult --out demo

test: check
	@echo "Running the default tests."
	@$(TEST_ENV) $(BIN)/python -m pytest $(PAIR)

test-slow: $(VENV)/.dev-ready
	@echo "Running the slow tests that bear no other beside them."
	@$(TEST_ENV) $(BIN)/python -m pytest -m "slow and alone"
	@echo "Running the other slow tests, two at a time."
	@$(TEST_ENV) $(BIN)/python -m pytest -m "slow and not alone and not long" $(PAIR)

test-long: $(VENV)/.dev-ready
	@echo "Running the tests that take minutes each, two at a time."
	@$(TEST_ENV) $(BIN)/python -m pytest -m "slow and long" $(PAIR)

bench: $(VENV)/.dev-ready
	@for part in startup step sketch sampler federation; do \
		echo "Measuring $$part."; \
		$(TEST_ENV) $(BIN)/python -m simulations.benchmarks.$$part || exit 1; \
	done

check lint: $(VENV)/.dev-ready
	@echo "Checking format, lint and types."
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is older than the pins when they change, and the environment is then brought up to date.
$(VENV)/.runtime-ready: $(PINS) | $(BIN)/python
	@echo "Installing fedsynth and the libraries it needs into $(VENV) (a few minutes, once)."
	@$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev-ready: $(PINS) | $(BIN)/python
	@echo "Installing fedsynth, its libraries and the test tools into $(VENV) (a few minutes, once)."
	@$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@ $(VENV)/.runtime-ready

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fedsynth needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Making the environment $(VENV)."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
