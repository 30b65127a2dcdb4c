# `make help` lists what there is. Python's own venv and pip are enough; uv, where it is installed, makes `make dev` faster.
.DEFAULT_GOAL := setup
.DELETE_ON_ERROR:
.PHONY: help setup dev demo test check schema web basemap wheel bench lock clean

PY  ?= python3
BIN  = .venv/bin
PIN  = --no-deps --only-binary :all: --require-hashes
PIP  = $(BIN)/python -m pip --disable-pip-version-check --quiet
# The locks name no host, so any mirror that pip is set up for will do.
UV_LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: .venv/.ready-run ## install what the city needs into .venv (the default)
	@echo "Ready. Next: make demo"

dev: .venv/.ready-dev ## install what developers need as well

demo: .venv/.ready-run ## run the reference city with simulated traffic
	@$(BIN)/onelot demo

test: .venv/.ready-dev ## run the tests
	$(BIN)/python -m pytest -n 2 tests

check: .venv/.ready-dev ## format, lint, types, import floors and the contract tests, as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/contracts

schema: .venv/.ready-dev ## write <package>/schema.sql anew from the migrations
	$(BIN)/python -m tests.contracts.schema

web: ## build the page into web/dist (needs Node 20 or newer; who only runs a city does not)
	cd web && npm ci --silent && npm run --silent build

basemap: .venv/.ready-dev ## draw the reference city's map anew from simulators/city (half a minute)
	$(BIN)/python -m simulators.city.basemap onelot/basemap

wheel: .venv/.ready-dev ## build dist/onelot-….whl: code, SQL, pages and data, for an installation without a checkout
	@rm -rf build dist/onelot-*.whl
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; then W="$(BIN)/python -m pip"; else W="$(PY) -m pip --python $(BIN)/python"; fi; \
	    $$W wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build && ls dist/onelot-*.whl

bench: .venv/.ready-dev ## measure, print the table, write bench.json
	$(BIN)/onelot bench --json bench.json

lock: ## write the locks anew (needs uv): development first, the runtime inside its bounds
	$(UV_LOCK) -o requirements/dev.txt requirements/dev.in
	sed -n 's/^\([A-Za-z0-9._-]*==.*[^ \\]\) *\\$$/\1/p' requirements/dev.txt > requirements/.bounds
	$(UV_LOCK) -c requirements/.bounds -o requirements/run.txt requirements/run.in
	@rm requirements/.bounds

clean: ## remove .venv and what tools left behind, never the city's data
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './web/node_modules/*' -prune -exec rm -rf {} +

# Stamps, not files inside .venv, say that a step is whole: a venv without pip, or one killed half-way, looks ready and is not.
.venv/.ready-run: requirements/run.txt pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "OneLot needs Python 3.11 or newer. Then: make PY=python3.12")'
	@if $(PY) -m venv .venv >/dev/null 2>&1; then \
	    echo "Installing into .venv (once, under a minute)"; \
	    $(PIP) install $(PIN) -r requirements/run.txt; \
	elif $(PY) -m pip --version >/dev/null 2>&1; then \
	    rm -rf .venv && $(PY) -m venv --without-pip .venv && \
	    echo "Installing into .venv (once, under a minute)" && \
	    $(PY) -m pip --quiet --python $(BIN)/python install $(PIN) -r requirements/run.txt; \
	else \
	    rm -rf .venv; echo "Python has no venv module here. Run: apt-get install python3-venv   then: make" >&2; exit 1; \
	fi
	@$(call install_ourselves)
	@touch $@

.venv/.ready-dev: requirements/dev.txt .venv/.ready-run
	@if command -v uv >/dev/null && uv pip install --quiet --python $(BIN)/python $(PIN) -r requirements/dev.txt 2>/dev/null; then :; \
	elif $(BIN)/python -m pip --version >/dev/null 2>&1; then $(PIP) install $(PIN) -r requirements/dev.txt; \
	else $(PY) -m pip --quiet --python $(BIN)/python install $(PIN) -r requirements/dev.txt; fi
	@touch $@

# Editable and from the lock's own setuptools: no network. `compat` points at the folder, so packages added later are found too.
install_ourselves = \
	if $(BIN)/python -m pip --version >/dev/null 2>&1; then PIP="$(PIP)"; else PIP="$(PY) -m pip --quiet --python $(BIN)/python"; fi; \
	$$PIP install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
