# Everything sets itself up from nothing: make, and Python 3.11 or newer with pip.
#   make demo   what it does, on real text: a minute the first time, half of it later
#   make test   style, types, and the default tests
#   make slow   the tests that take minutes          make bench   against its peers
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
WORKERS ?= 2

.PHONY: demo test lint types unit slow twists bench clean

demo: $(VENV)/ready
	@$(BIN)/python examples/demo.py

test: lint types unit

lint: $(VENV)/ready-for-tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/ready-for-tests build/ns/hartonomous
	@$(BIN)/mypy

unit: $(VENV)/ready-for-tests
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal

slow: $(VENV)/ready-for-slow-tests twists
	@$(BIN)/pytest -q -m slow -n $(WORKERS) --dist worksteal

twists: $(VENV)/ready-for-tests
	@for twist in reparse reopen batch1 norules; do \
		echo "golden scripts, twist $$twist"; \
		$(BIN)/pytest -q tests/golden --twist $$twist || exit 1; \
	done

bench: $(VENV)/ready-for-benchmarks
	@$(BIN)/python tests/bench $(BENCH)

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo.hdb $(VENV)

# mypy wants to meet the folders under the name they are installed by
build/ns/hartonomous:
	@mkdir -p build/ns && ln -sfn ../.. $@

# Debian's python3 may lack ensurepip: then the system's pip fills the environment. An interrupted
# installation leaves no stamp, so the next make takes it up again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Hartonomous needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@$@ -m pip --version >/dev/null 2>&1 || $(PYTHON) -m pip --quiet --python $@ install pip

$(VENV)/ready: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/ready-for-tests: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), with what the tests need"
	@$(PIP) install --editable '.[test]'
	@touch $(VENV)/ready $@

$(VENV)/ready-for-benchmarks: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), with what tests and benchmarks need"
	@$(PIP) install --editable '.[test,bench]'
	@touch $(VENV)/ready $(VENV)/ready-for-tests $@

$(VENV)/ready-for-slow-tests: pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), with what tests, benchmarks and comparisons need"
	@$(PIP) install --editable '.[test,bench,oracle,kernel]'
	@touch $(VENV)/ready $(VENV)/ready-for-tests $(VENV)/ready-for-benchmarks $@
