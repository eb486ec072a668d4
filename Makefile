# Darkroom's commands, each by its name: `make help` lists them. Works with GNU make 3.81 (macOS) and newer.

VENV := .venv
BIN := $(VENV)/bin
# The requirements name everything with its hash. Left to look for more, an older pip (23.2, say) stumbles over extras.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
PYTEST := $(BIN)/python -m pytest
UV ?= uv
DATABASE ?= both
# Packages that other packages ask for, but that Darkroom never imports: 40 MB. `pip check` complains about them. The tests of
# `darkroom up` run without them, all other tests with them.
LEFT_OUT := polyfactory faker tzdata rich-click rich pygments markdown-it-py mdurl email-validator dnspython valkey
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run dev test coverage chaos bench check format format-check lint types contracts migrations screenshots examples clients lock clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)$$/  make \1	\2/p' Makefile | expand -t 20

run: $(VENV)/installed ## start everything on http://127.0.0.1:8000 (Ctrl-C stops it)
	@exec $(BIN)/python -m webapp up --with-parent $$PPID

dev: $(VENV)/installed-dev ## like run, with a detailed log, and started again whenever a file changes
	@LOG_LEVEL=debug exec $(BIN)/python -m watchfiles \
	  'sh -c "exec $(BIN)/python -m webapp up --with-parent $$PPID"' tasks webapp static

test: $(VENV)/installed-dev ## run all tests: on SQLite, on PostgreSQL, in the browser, in a short storm; BROWSER=firefox alone
	$(BIN)/python -m tests $(if $(filter command,$(firstword $(origin BROWSER))),--browser $(BROWSER))

coverage: $(VENV)/installed-dev ## measure what the tests on SQLite reach, line by line and branch by branch
	$(PYTEST) -n 2 --dist worksteal -p pytest_cov --cov --ignore=tests/browser --ignore=tests/chaos/test_short.py

chaos: $(VENV)/installed-dev ## kill every part under load, count what is lost: ROUNDS=10 DATABASE=postgres SEED=1
	$(BIN)/python -m tests.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) --database $(DATABASE) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/installed-bench ## measure, beside a reference: BENCH=submit,status ROUNDS=3 SECONDS=3 SCALE=1
	@$(BIN)/python -m tests.chromium
	@exec $(BIN)/python -m tests.bench $(if $(BENCH),--parts $(BENCH)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SCALE),--scale $(SCALE))

check: format-check lint types contracts migrations test ## everything that must hold before a change goes in

format: $(VENV)/installed-dev ## put the code into its standard form
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

format-check: $(VENV)/installed-dev
	$(BIN)/python -m ruff format --check .

lint: $(VENV)/installed-dev ## look for mistakes and bad habits (ruff), and for imports that are not declared (deptry)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m deptry tasks webapp

types: $(VENV)/installed-dev ## check the types, strictly (mypy)
	$(BIN)/python -m mypy

contracts: $(VENV)/installed-dev ## check who may import whom (import-linter)
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

migrations: $(VENV)/installed-dev ## check that the migrations make the code's tables, also of older libraries, and stay
	$(PYTEST) -q tests/tasks/db/test_migrations.py

clients: $(VENV)/installed-dev ## check the API's document by redocly, and as TypeScript (needs npm)
	@mkdir -p test-results
	$(BIN)/python -c "import json; from webapp.app import api_document; print(json.dumps(api_document()))" > test-results/openapi.json
	npx --yes @redocly/cli@2.77.0 lint --skip-rule operation-4xx-response test-results/openapi.json
	npx --yes openapi-typescript@7.13.0 test-results/openapi.json --output test-results/api.ts
	npx --yes --package typescript@7.0.2 tsc --noEmit --strict test-results/api.ts

screenshots: $(VENV)/installed-dev ## make the pictures of the README and the docs
	@$(BIN)/python -m tests.chromium
	$(BIN)/python -m tests.browser.screenshots

examples: $(VENV)/installed ## draw the example pictures of an empty gallery
	$(BIN)/python -m tasks.demo.example_pictures

lock: ## pin the requirements anew, with hashes (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(LOCK) $(LEFT_OUT:%=--no-emit-package %) pyproject.toml -o requirements.txt
	$(LOCK) $(LEFT_OUT:%=--no-emit-package %) --extra otel -c requirements.txt pyproject.toml -o requirements-otel.txt
	$(LOCK) --extra otel --group dev -c requirements-otel.txt pyproject.toml -o requirements-dev.txt
	$(LOCK) --group bench -c requirements-dev.txt pyproject.toml -o requirements-bench.txt

clean: ## remove what was installed and cached; data/ and media/ stay
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The files below say what is installed, and are made again when the requirements change.

$(VENV)/installed: $(BIN)/python requirements.txt pyproject.toml
	@echo "Installing what Darkroom needs into $(VENV) (this takes a minute) ..."
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-dev requirements-bench.txt
	@echo "Installing what the benchmark needs ..."
	@$(PIP) --require-hashes -r requirements-bench.txt
	@touch $@

$(BIN)/python:
	@for python in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { venvless=$$python; continue; }; \
	  exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$venvless" ]; then \
	  echo "$$venvless cannot make virtual environments; on Debian: apt install python3-venv" >&2; \
	else \
	  echo "Darkroom needs Python 3.11 or newer. Install it, or say where it is: make run PYTHON=/path/to/python3" >&2; \
	fi; exit 1
