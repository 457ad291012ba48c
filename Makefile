# Two commands: `make demo` for a live hospital in the browser, `make test` for a tested project.
# Everything lands in .venv and data/; nothing else of the machine is touched, except that `make test` installs the
# servers that the tests need (mosquitto, PostgreSQL, Chromium) where it has the right to.

SHELL := /bin/bash
VENV ?= .venv
# The first Python of 3.11 or newer on the path.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
RUN := $(VENV)/bin

.PHONY: demo test lint bench soak clean

demo: $(VENV)/.runtime
	@$(RUN)/wardwatt demo

test: $(VENV)/.dev
	@bash deploy/test-servers.sh
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports
	@$(RUN)/pytest -n auto --dist worksteal

lint: $(VENV)/.dev
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: $(VENV)/.dev
	$(RUN)/wardwatt bench ingest

# Long: about 25 minutes. SOAK_MINUTES=2 shortens the two runs of chaos, CHAOS_SEED repeats one.
soak: $(VENV)/.dev
	@bash deploy/test-servers.sh
	@$(RUN)/pytest -n 0 -o python_files='soak_*.py' tests/soak

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Wardwatt needs Python 3.11 or newer; install it (Debian: apt-get install python3 python3-venv) and run make again."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "The virtual environment could not be made; on Debian: apt-get install python3-venv, then run make again."; exit 1; }

$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Wardwatt and what it needs into $(VENV) ..."
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Wardwatt with its test tools into $(VENV) ..."
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(VENV)/.runtime $@

clean:
	rm -rf $(VENV) data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
