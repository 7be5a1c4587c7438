# FedIoMT: `make demo` and `make test` set everything up on first use. `make help` lists the rest.

PYTHON ?= python3
# Linux: `make demo TORCH=gpu` takes the registry's CUDA build of torch; the default is the CPU build.
TORCH ?= cpu
TORCH_VERSION := 2.13.0
ARGS ?=

BIN := .venv/bin
FORGE = $(firstword $(wildcard node_modules/@foundry-rs/forge-*/bin/forge))
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
READY := .venv/.ready-$(TORCH) node_modules/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint format contracts invariants mutants slither proofs bench clean check-tools

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## virtual environment and npm packages, pinned

demo: $(READY) ## the whole story: hospitals train, the chain records, tokens are claimed and redeemed
	@$(BIN)/fediomt demo $(ARGS)

test: $(READY) ## every test (22 minutes of processor time)
	@$(BIN)/python -m pytest -m 'not slow' -n auto --dist loadfile $(ARGS)

test-slow: $(READY) ## the tests that `make test` leaves out: attacks, 10^5 schedules (about an hour)
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint: $(READY) ## types, style, import boundaries, Solidity lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	npx --no-install solhint --max-warnings 0 'contracts/**/*.sol'

format: $(READY) ## format the Python sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

contracts: $(READY) ## compile the Solidity sources into the packaged artifacts
	$(BIN)/python -m chain.compile

invariants: $(READY) ## the contracts' invariants, 1000 runs of 64 calls each
	FOUNDRY_PROFILE=evidence $(FORGE) test --match-test '^invariant_'

mutants: $(READY) ## change the contracts in one place at a time: which changes does no test notice? (hours; ARGS='--sample 300')
	$(FORGE) build
	@$(BIN)/python -m tests.mutation $(ARGS)

# Both pull other versions of what .venv has, so each has an environment of its own.
slither: node_modules/.ready .venv-slither/.ready ## static analysis of the contracts; clean, or argued in the code
	@PATH="$(CURDIR)/node_modules/.bin:$(CURDIR)/chain/solc:$$PATH" FOUNDRY_OUT=out/slither FOUNDRY_CACHE_PATH=cache/slither \
	  .venv-slither/bin/slither . $(ARGS)

proofs: node_modules/.ready .venv-halmos/.ready ## symbolic proofs of the contracts' arithmetic, within stated bounds
	@PATH="$(CURDIR)/node_modules/.bin:$(CURDIR)/.venv-halmos/bin:$$PATH" FOUNDRY_PROFILE=proofs \
	  .venv-halmos/bin/halmos --forge-build-out out/proofs --solver z3 --loop 20 --solver-timeout-assertion 600s $(ARGS)
	@.venv-halmos/bin/python contracts/test/proofs/floors.py

.venv-slither/.ready: TOOL := slither-analyzer==0.11.6
.venv-halmos/.ready: TOOL := halmos==0.3.3
.venv-slither/.ready .venv-halmos/.ready: | check-tools
	@$(PYTHON) -m venv $(@D) && $(@D)/bin/python -m pip --disable-pip-version-check -qq install $(TOOL)
	@touch $@

bench: $(READY) ## reproduce docs/benchmarks.md
	$(BIN)/fediomt bench all

clean: ## remove the virtual environment, npm packages and build output (runs/ stays)
	rm -rf .venv .venv-slither .venv-halmos node_modules out cache artifacts-hardhat *.egg-info

check-tools:
	@command -v $(PYTHON) >/dev/null || { echo "FedIoMT needs Python >= 3.11: install it or name it, make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "FedIoMT needs Python >= 3.11, $(PYTHON) is older: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "FedIoMT needs Python's venv module: install it (on Debian, package python3-venv)" >&2; exit 1; }
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "FedIoMT needs Node >= 20 with npm: install it" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node, 10) < 20 ? 1 : 0)' || { echo "FedIoMT needs Node >= 20, this is $$(node --version)" >&2; exit 1; }

# The CPU build carries a local version label; where no configured index offers it, uv knows where it is published.
$(firstword $(READY)): pyproject.toml constraints.txt | check-tools
	@echo "Setting up Python packages in .venv (once, about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
ifeq ($(shell uname -s)-$(TORCH),Linux-cpu)
	@$(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit(m.version("torch").split("+")[0] != "$(TORCH_VERSION)")' 2>/dev/null \
	  || $(PIP) install -c constraints.txt 'torch==$(TORCH_VERSION)+cpu' 2>/dev/null \
	  || { $(PIP) install -c constraints.txt uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend cpu 'torch==$(TORCH_VERSION)'; }
else
	@$(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit("cpu" not in m.version("torch"))' 2>/dev/null \
	  && $(PIP) uninstall --yes torch || true
endif
	@$(PIP) install -c constraints.txt -e '.[dev,privacy]'
	@touch $@

node_modules/.ready: package.json package-lock.json | check-tools
	@echo "Setting up npm packages in node_modules (once, about half a minute)"
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
