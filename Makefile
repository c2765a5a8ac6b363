# make lab      set up once, then open the labs           make test       everything; what CI runs
# make build    solutions/*.py -> notebooks               make test-fast  the quick part, for working
# make bench    side by side with other libraries         make test-all   also a second Python and Colab's torch
PYTHON ?= python3
NN ?=

.PHONY: lab setup test test-fast test-all build bench lock clean
lab: setup
	@.venv/bin/squint lab $(NN)

setup:
	@$(PYTHON) lib/squint/bootstrap.py

test test-fast test-all: setup
	@.venv/bin/python tests/run.py $@

build: setup
	@.venv/bin/squint build $(NN)

bench: setup
	@.venv/bin/python bench/run.py

# The exact versions of everything, from a fresh environment with every extra.
lock:
	@$(PYTHON) tests/lock.py

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
