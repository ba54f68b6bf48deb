# microtill: everything a newcomer, a developer or CI runs. `make help` lists it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Tests wait for virtual hardware half of the time: one worker more than there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
FUZZ_SECONDS ?= 600

.DEFAULT_GOAL := help
.PHONY: help setup run demo test lint format bench golden fuzz image clean

help: ## list every target
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(BIN)/.ready $(BIN)/.dev ## make the virtual environment with pinned dependencies

$(BIN)/.ready: pyproject.toml host_tools/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("microtill needs Python 3.11 or newer; set PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e . -c host_tools/constraints.txt
	@touch $@

$(BIN)/.dev: $(BIN)/.ready
	$(BIN)/python -m pip install -q -e '.[dev,peers]' -c host_tools/constraints.txt
	$(BIN)/python -m pip install -q --target .typings --upgrade --no-deps -c host_tools/constraints.txt micropython-esp32-stubs micropython-stdlib-stubs
	@touch $@

run: $(BIN)/.ready ## the terminal in your browser, with its own acquirer and a demo merchant
	$(BIN)/microtill run

demo: $(BIN)/.ready ## one sale end to end, told line by line; exit 0 only if the acquirer holds it
	$(BIN)/microtill demo

image: $(BIN)/.ready ## compile the firmware and pack the release image (ROMFS)
	$(BIN)/microtill image

test: $(BIN)/.dev ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests

lint: $(BIN)/.dev ## ruff, the MicroPython lint, the dependency rule, pyright, mpy-cross
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m microtill.release.lint
	$(BIN)/pyright --pythonpath /nonexistent -p firmware/pyrightconfig.json
	$(BIN)/pyright -p host_tools/pyrightconfig.json --pythonpath $(BIN)/python

format: $(BIN)/.dev ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BIN)/.dev ## our figures beside the peers', and build/bench.json
	$(BIN)/python tests/perf/bench.py

golden: $(BIN)/.dev ## the terminal's screens, old beside new, in build/golden.html (RECORD=--record keeps the new)
	$(BIN)/python -m tests.ui.golden $(RECORD)

fuzz: $(BIN)/.dev ## the fuzz tests for FUZZ_SECONDS (600)
	MICROTILL_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m pytest -n $(WORKERS) tests -k fuzz

clean: ## remove what was built (the virtual environment stays)
	rm -rf build .pytest_cache .ruff_cache .hypothesis
