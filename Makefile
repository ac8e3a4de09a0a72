# `make demo` and `make test` do all the set-up they need.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WAREHOUSE ?= sluice-warehouse
WORKERS ?= 2

.PHONY: demo test test-all test-trainers lint figures clean

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sluice needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=... to another.")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing Sluice into $(VENV) ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/core.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.core
	@echo "installing the test tools ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	@touch $@

demo: $(VENV)/.core  ## build, audit, publish and export a prompt set from examples/
	@$(BIN)/sluice run recipes/demo.yaml --warehouse $(WAREHOUSE)

test: $(VENV)/.dev  ## the default suite
	$(BIN)/python -m pytest -m "not slow and not trainers" -n $(WORKERS) --dist loadfile

test-all: $(VENV)/.dev  ## the long suites too: kills, load, every rung of the ladder
	$(BIN)/python -m pytest -m "not trainers"

test-trainers: requirements/trainers.lock  ## read exports with the trainers' own loaders, in an environment of their own
	$(PYTHON) -m venv .venv-trainers
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements/trainers.lock
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	.venv-trainers/bin/pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --target .venv-trainers/trl-with-prm trl==1.13.0
	.venv-trainers/bin/python -m pytest -m trainers
	PYTHONPATH=.venv-trainers/trl-with-prm .venv-trainers/bin/python -m pytest -m trainers -k steps_are_labelled

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove environments and the demo's warehouse
	rm -rf $(VENV) .venv-trainers $(WAREHOUSE)
