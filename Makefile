# Each target first installs what it needs into .venv, at the versions pinned in constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs
UV_INSTALLED := $(VENV)/.installed-uv
MACHINES_INSTALLED := $(VENV)/.installed-machines
LOWEST := .venv-lowest
DBT := .venv-dbt
DBT_INSTALLED := $(DBT)/.installed
NODE := $(VENV)/node
NODE_INSTALLED := $(VENV)/.installed-node
# Two test processes: a Dagster run and the emulator keep two cores busy.
WORKERS ?= 2

.PHONY: demo dev test test-long test-installed node test-dbt test-lowest lint docs bench bench-hour soak soak-kill prove-machines live-test \
	clean

demo: $(INSTALLED)   ## the whole story in the terminal: a sample shop, two days, a local Intercom
	$(BIN)/dinmo demo

dev: $(INSTALLED)    ## the demo's world in the Dagster UI, with its schedules and sensors running
	$(BIN)/dinmo demo --dev

# What users do is tested by test-installed, beside the package index.
OWN_TESTS := --dist worksteal --ignore dinmo_pipeline_tests/installed

test: $(INSTALLED)   ## every test that takes seconds at most
	$(BIN)/pytest -n $(WORKERS) $(OWN_TESTS) -m "not long"

test-long: $(INSTALLED)  ## others: programs that are started and killed as in production
	$(BIN)/pytest -n $(WORKERS) $(OWN_TESTS) -m long

test-installed: $(INSTALLED)  ## what users see: the wheel in fresh environments, dinmo dev, a Dagster project with dbt, editors
	$(BIN)/pytest -n $(WORKERS) --dist loadfile dinmo_pipeline_tests/installed

node: $(NODE_INSTALLED)  ## the YAML language server; with it, `make test-installed` asks what editors show

test-dbt: $(DBT_INSTALLED)  ## the tests beside a dbt project, which they build with dbt-duckdb
	$(DBT)/bin/pytest dinmo_pipeline_tests/dbt

test-lowest: $(UV_INSTALLED)  ## every test, on the lowest versions that pyproject.toml allows
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct --group test \
		--editable '.[ui,emulator,postgres,deploy]'
	$(LOWEST)/bin/pytest -n $(WORKERS) $(OWN_TESTS)

lint: $(INSTALLED)   ## linter, formatter, type checker, Dagster's own check of the definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs
	DINMO_CONFIG=dinmo_pipeline/demo/declarations $(BIN)/dg check defs

docs: $(DOCS_INSTALLED)  ## the documentation as a site; a warning, dead link or dead anchor fails it
	$(BIN)/sphinx-build --builder dirhtml --fail-on-warning --keep-going --fresh-env --quiet \
		--conf-dir docs . docs/_site

bench: $(INSTALLED)  ## speed and memory, beside raw DuckDB doing the same
	$(BIN)/python -m dinmo_pipeline_tests.bench

# How many activations are due: make bench-hour ACTIVATIONS=100.
ACTIVATIONS ?= 500

bench-hour: $(INSTALLED)  ## a tick of a schedule through Dagster's daemon, to right tags
	$(BIN)/python -m dinmo_pipeline_tests.bench hour --activations $(ACTIVATIONS)

# Longer runs: make soak MINUTES=60, make soak-kill KILLS=1000.
MINUTES ?= 10
KILLS ?= 300

soak: $(INSTALLED)   ## random people, faults and interrupted syncs, checked after every step
	$(BIN)/python -m dinmo_pipeline_tests.soak --minutes $(MINUTES)

soak-kill: $(INSTALLED)  ## syncs killed at random moments
	$(BIN)/python -m dinmo_pipeline_tests.soak.kill --kills $(KILLS)

prove-machines: $(MACHINES_INSTALLED)  ## two machines of Celery, two destinations, and kills in between; needs Linux
	$(BIN)/python -m dinmo_pipeline_tests.soak.machines --minutes $(MINUTES)

live-test: $(INSTALLED)  ## what only Intercom itself can answer; needs a test workspace
	$(BIN)/python -m dinmo_pipeline_tests.live

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'
	$(PIP) --constraint constraints.txt --editable . --group test --group lint
	touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(PIP) --constraint constraints.txt --group docs
	touch $@

$(NODE_INSTALLED): $(INSTALLED) dinmo_pipeline_tests/editors/package.json
	mkdir -p $(NODE)
	cp dinmo_pipeline_tests/editors/package.json $(NODE)/
	npm install --prefix $(NODE) --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	touch $@

$(DBT_INSTALLED): pyproject.toml dinmo_pipeline_tests/dbt/constraints.txt
	$(PYTHON) -m venv $(DBT)
	$(DBT)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(DBT)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint dinmo_pipeline_tests/dbt/constraints.txt --editable . --group dbt
	touch $@

$(MACHINES_INSTALLED): $(INSTALLED)
	$(PIP) --constraint constraints.txt --group machines
	touch $@

$(UV_INSTALLED): $(INSTALLED)
	$(PIP) --constraint constraints.txt --group lowest
	touch $@

clean:               ## remove everything that these targets made
	rm -rf $(VENV) $(LOWEST) $(DBT) docs/_site .dagster .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
