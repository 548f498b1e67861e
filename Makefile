# Two commands do everything: `make devnet` and `make test`.
PYTHON ?= $(or $(shell command -v python3.11),python3.12)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# One process of tests for each processor.
ON_EACH_CORE := -n logical --dist worksteal

# Tests start hundreds of processes: each would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: devnet test lint guide-coverage hunt hostile mutants fuzz bench rpc-clients wasm clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

devnet: $(STAMP)
	$(BIN)/parahost devnet

test: $(STAMP)
	$(BIN)/python -m pytest -m "not hostile" $(ON_EACH_CORE)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

hunt: $(STAMP)
	$(BIN)/parahost simulate hunt --seeds 1..200

hostile: $(STAMP)
	$(BIN)/python -m pytest -m hostile

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz

mutants: $(STAMP)
	$(BIN)/python -m tests.mutants

guide-coverage: $(STAMP)
	$(BIN)/python -m tests.guide_coverage

bench: $(STAMP)
	@for file in bench/bench_*.py; do \
		name=$$(basename $$file .py); echo "== $$name"; \
		$(BIN)/python -m bench.$$name || exit 1; \
	done

rpc-clients: $(STAMP)
	for client in substrate_interface async_substrate_interface; do \
		$(PYTHON) -m venv build/rpc-clients/$$client && \
		build/rpc-clients/$$client/bin/pip install --quiet --disable-pip-version-check \
			--only-binary :all: --require-hashes -r docs/rpc/$$client.txt || exit 1; \
	done
	cd docs/rpc && npm install --no-package-lock --no-audit --no-fund --silent

wasm:
	$(MAKE) -C src/parahost/parachains

clean:
	rm -rf .venv .venv-3.12 devnet-data
