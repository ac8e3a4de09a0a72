# Each target does all the set-up that it needs; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
TRAINERS ?= .venv-trainers
WAREHOUSE ?= sluice-warehouse
WORKERS ?= 2
TRAINER_TESTS = $(sort $(shell grep -rl 'pytest.mark.trainers' tests --include='test_*.py'))
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help venv demo test test-all test-trainers lint clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Sluice needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=... to another.")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: requirements/core.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing Sluice into $(VENV) ..."
	@$(VENV)/bin/python $(PIP) -r requirements/core.lock
	@$(VENV)/bin/python $(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.core
	@echo "installing the test tools ..."
	@$(VENV)/bin/python $(PIP) -r requirements/dev.lock
	@touch $@

$(TRAINERS)/.done: requirements/trainers.lock pyproject.toml
	@echo "installing the trainers into $(TRAINERS), which takes minutes ..."
	$(PYTHON) -m venv --clear $(TRAINERS)
	@$(TRAINERS)/bin/python $(PIP) --no-deps -r requirements/trainers.lock
	@$(TRAINERS)/bin/python $(PIP) --no-deps -e .
	@$(TRAINERS)/bin/python $(PIP) --no-deps --target $(TRAINERS)/trl-with-prm trl==1.13.0
	@touch $@

venv: $(VENV)/.dev  ## an environment with the locked versions and the test tools, in .venv

demo: $(VENV)/.core  ## build, audit, publish and export a prompt set from examples/
	@$(VENV)/bin/sluice run recipes/demo.yaml --warehouse $(WAREHOUSE)

test: $(VENV)/.dev  ## the default suite
	$(VENV)/bin/python -m pytest -m "not slow and not trainers" -n $(WORKERS) --dist loadfile

test-all: $(VENV)/.dev  ## the long suites too: kills, load, every rung of the ladder
	$(VENV)/bin/python -m pytest -m "not trainers"

test-trainers: $(TRAINERS)/.done  ## read exports with the trainers' own loaders, in an environment of their own
	$(TRAINERS)/bin/python -m pytest -m trainers $(TRAINER_TESTS)
	PYTHONPATH=$(TRAINERS)/trl-with-prm $(TRAINERS)/bin/python -m pytest -m trainers $(TRAINER_TESTS) -k steps_are_labelled

lint: $(VENV)/.dev  ## ruff, with every rule on and each exception explained in pyproject.toml
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

clean:  ## remove the environments and the demo's warehouse
	rm -rf $(VENV) $(TRAINERS) $(WAREHOUSE)
