# Everything a developer or a machine does here. `make help` lists it.
# A fresh Debian 12 needs nothing but make and python3.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
# What `make test` runs: packages, modules, classes or methods.
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint bench docs clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 14

venv: $(INSTALLED) ## create or refresh .venv with everything that is needed

$(INSTALLED): setup.cfg pyproject.toml
	@tools/make-venv "$(PYTHON)" "$(VENV)"
	@touch "$@"

demo: venv ## run the simulated house in this terminal
	@$(PY) -m simulator.demo

test: venv ## run the tests, with the programs they talk to
	@tools/test-packages
	@$(PY) tools/run-tests $(TESTS)

lint: venv ## check style and types
	$(PY) -m ruff check . tools/run-tests
	$(PY) -m ruff format --check . tools/run-tests
	$(PY) -m mypy
	$(PY) -m mypy twisted/plugins/*.py

bench: venv ## measure: one line of JSON for each benchmark
	@for one in bench/bench_*.py; do $(PY) "$$one" || exit 1; done

docs: venv ## write the reference and the example configuration
	@$(PY) -m astrameter.reference

clean: ## remove everything that was made here
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis _trial_temp*
	find . -name __pycache__ -prune -exec rm -rf {} +
