# Needs Python 3.11 or newer, make and git; everything else comes from the lock files into .venv.

VENV ?= .venv
FLOWS ?= flows/
ARGS ?=
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' --group build

.DEFAULT_GOAL := help
.PHONY: help run test chromium cases check drift format bench lock

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run.stamp ## start journeyflow on SQLite with the flows folder (FLOWS=...)
	@$(BIN)/journeyflow serve --flows $(FLOWS) $(ARGS)

test: $(VENV)/dev.stamp chromium ## run all tests (ARGS="-k rule_4_3")
	@$(BIN)/pytest -n auto --dist worksteal $(ARGS)

# From Debian's packages, where that is possible; where not, the tests that look at pages are skipped.
chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Debian's package chromium"; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium; } \
			>/dev/null 2>&1 && command -v chromium >/dev/null && exit 0; \
	fi; \
	echo "NO CHROMIUM ON THIS MACHINE, and it can't be installed here: the tests that look at pages are skipped" >&2

cases: $(VENV)/dev.stamp ## send the API 2,000 requests made from its OpenAPI document
	@JOURNEYFLOW_API_CASES=2000 $(BIN)/pytest -n 0 $(ARGS) tests/api/test_openapi_cases.py

check: $(VENV)/dev.stamp ## lint, format, types, layers, lock files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory drift

drift: $(VENV)/dev.stamp ## tell whether the lock files agree with pyproject.toml
	@$(BIN)/pytest -q tests/test_lock_files.py

format: $(VENV)/dev.stamp ## put the sources into the form that check wants
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/dev.stamp ## measure, beside the floors
	@$(BIN)/python -m benchmarks $(ARGS)

lock: | $(BIN)/uv ## write the lock files anew from pyproject.toml (ARGS=--upgrade)
	@$(COMPILE) --all-extras --group dev $(ARGS) --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --constraint requirements-dev.lock $(ARGS) --output-file requirements.lock pyproject.toml

# A stamp is as new as what was last installed. --no-build-isolation: the build backend is in the lock as well.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements-dev.lock into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "journeyflow needs Python 3.11 or newer (PYTHON=/path/to/python)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(BIN)/uv: | $(BIN)/python
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
