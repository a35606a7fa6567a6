PYTHON ?= python3
BIN := .venv/bin

SECONDS ?= 600

.PHONY: run test test-slow test-all test-without-tensorflow lint audit fuzz typefaces line-words docs clean

# Train, evaluate, and read the example pictures. Real MNIST is used where it is found or can be
# downloaded (DIGITCLI_DATA=folder says where it is), digits drawn by digitcli itself otherwise.
run: .venv/run
	$(BIN)/digitcli train --data auto
	$(BIN)/digitcli evaluate --data auto
	$(BIN)/digitcli predict examples/*.png examples/*.jpg
	$(BIN)/digitcli predict examples/form/filled.jpg --form examples/form/form.toml

PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Every room, in minutes.
test: .venv/dev
	$(PYTEST) -m 'not slow'

# Trainings, Ray, several processes, the browser, hostile environments; tests/conftest.py names the files.
test-slow: .venv/dev
	$(PYTEST) -m slow

# What a Python that TensorFlow has no release for can do, which is all but training and exporting.
test-without-tensorflow: .venv/dev
	PYTHONPATH=$(CURDIR)/tests/without_tensorflow $(PYTEST) -m 'not slow'

test-all: test test-slow test-without-tensorflow

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Damaged and hostile input for every reader, SECONDS each: how many, the slowest, the most memory.
fuzz: .venv/dev
	$(BIN)/python -m pip install --quiet --editable '.[fuzz]' || echo "Without atheris: mutations that do not follow the coverage."
	$(BIN)/python tests/fuzz --seconds $(SECONDS)

# Known vulnerabilities of what is installed; skipped, loudly, where their database cannot be reached.
audit: .venv/dev
	$(BIN)/python .ci/audit.py

# Typefaces to train the line reader with: DIGITCLI_TYPEFACES=build/typefaces python -m digitcli.detector lines FILE
typefaces: .venv/bin/python
	npm install --no-audit --no-fund --ignore-scripts --prefix build/typefaces \
	  $$($(BIN)/python -c 'from digitcli.simulator.typefaces import packages; print(*packages())')

# assets/line-words.tflite anew: most of its lines are drawn by the simulator of then, which had other hands.
line-words: .venv/run typefaces
	rm -rf build/then && git worktree prune
	git worktree add --detach build/then $$($(BIN)/python -c 'from digitcli.detector.older import COMMIT; print(COMMIT)')
	DIGITCLI_TYPEFACES=build/typefaces $(BIN)/python -m digitcli.detector words digitcli/assets/line-words.tflite --older build/then
	git worktree remove --force build/then

# The site, in build/site.
docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --quiet

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "digitcli needs Python 3.11 or newer; name one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ .venv/run
