# Salus: make demo, make test, make check, make bench, make bench-peers, make bench-quality,
# make docs. Needs only make and a Python from 3.11 to 3.13.
SHELL := /bin/sh
VENV ?= .venv
PIP_FLAGS ?=
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo "$$p" && break; done)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check bench bench-peers bench-quality docs lock clean

demo: $(INSTALLED)
	@$(BIN)/python scripts/demo.py

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_layers.py tests/test_laws.py

bench: $(INSTALLED)
	@for script in start train_cifar10 train_throughput serve serve_tasks findings groups; do $(BIN)/python benchmarks/$$script.py $(BENCH_FLAGS) || exit 1; done

# One environment for each peer that the benchmarks compare with: .venv-peers/NAME from benchmarks/peers/NAME.txt.
PEERS := $(patsubst benchmarks/peers/%.txt,.venv-peers/%/.installed,$(wildcard benchmarks/peers/*.txt))

bench-peers: $(PEERS)

.venv-peers/%/.installed: benchmarks/peers/%.txt
	@test -x .venv-peers/$*/bin/python || $(PYTHON) -m venv .venv-peers/$*
	.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -r $<
	@touch $@

# Both sides of every set, five to six hours; stop it at any time, what is measured stays in the cache.
bench-quality: $(INSTALLED)
	$(BIN)/python benchmarks/quality.py --output benchmarks/results/quality.json $(BENCH_FLAGS)
	$(BIN)/python benchmarks/one_row.py --output benchmarks/results/one_row.json
	$(BIN)/python benchmarks/repeat.py --output benchmarks/results/repeat.json

docs: $(INSTALLED)
	$(BIN)/python scripts/check_docs.py

# What the machine must have is tested before anything is downloaded.
$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 to 3.13 was found. On Debian or Ubuntu: sudo apt-get install python3 python3-venv; on macOS: brew install python@3.13"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python has no ensurepip. On Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@$(PYTHON) scripts/find_libgomp.py || exit 1
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[train,deep,transfer,dev]'
	@touch $(INSTALLED)

lock: $(INSTALLED)
	$(BIN)/python scripts/lock.py > constraints.txt.new && mv constraints.txt.new constraints.txt

clean:
	rm -rf $(VENV) .venv-peers build dist src/salus.egg-info
