# Each target first installs what it needs into .venv, from the versions pinned in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Two test processes: a Dagster run and the emulator keep two cores busy.
WORKERS ?= 2

.PHONY: demo dev test lint bench soak soak-kill live-test clean

demo: $(INSTALLED)   ## the whole story in the terminal: a sample shop, two days, a local Intercom
	$(BIN)/dinmo demo

dev: $(INSTALLED)    ## that same world in the Dagster UI, schedules and sensor running
	$(BIN)/dinmo demo --dev

test: $(INSTALLED)   ## every test
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

lint: $(INSTALLED)   ## linter, formatter, type checker, Dagster's own check of the definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs

bench: $(INSTALLED)  ## speed and memory, beside raw DuckDB doing the same
	$(BIN)/python -m dinmo_pipeline_tests.bench

# Longer proofs, for as long as one likes: make soak MINUTES=60, make soak-kill KILLS=300.
MINUTES ?= 10
KILLS ?= 300

soak: $(INSTALLED)   ## a state machine of people, faults and interrupted syncs
	$(BIN)/python -m dinmo_pipeline_tests.soak --minutes $(MINUTES)

soak-kill: $(INSTALLED)  ## syncs killed at random moments
	$(BIN)/python -m dinmo_pipeline_tests.soak.kill --kills $(KILLS)

live-test: $(INSTALLED)  ## what only Intercom itself can tell, on a test workspace of yours
	$(BIN)/python -m dinmo_pipeline_tests.live

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable . --group test --group lint
	touch $@

clean:               ## remove everything that was made here
	rm -rf $(VENV) .dagster .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
