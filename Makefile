# Every target makes .venv first and runs what is in it; nothing outside this folder is needed but
# Python 3.11 or newer, make and bash. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-long test-deep mutants cover contract-nomad contract-openstack check format bench lock clean
SEEDS ?= 0..10000
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Many tests wait for programs and servers: three processes keep two cores busy. How they share
# the tests is said in tests/plugins/turns.py.
PROCESSES ?= 3
PYTEST := $(BIN)/python -m pytest -n $(PROCESSES)
PROGRAM := $(wildcard controller reconcilers models infra simulator web worker)
CODE := $(PROGRAM) $(wildcard migrations tests tools)
SAY := @echo '==>'

help: ## Show this list
	@printf 'make TARGET [PYTHON=python3.12] [ARGS="..."]\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-19s %s\n", $$1, $$2}'

setup: ## Make .venv from the lock; at once when nothing changed (PYTHON= chooses the interpreter)
	@PYTHON='$(PYTHON)' bash scripts/setup.sh

run: setup ## Run the demo until all is quiet: a simulated cloud, real programs (ARGS= passes options)
	@$(BIN)/hrsi demo --until-quiet $(ARGS)

test: setup ## Run all tests, several at a time (ARGS="tests/unit -k pool" narrows)
	@bash scripts/test_packages.sh || echo "       Without it, the tests that need it fail; the others go on."
	$(SAY) "tests"
	@$(PYTEST) $(ARGS)

test-long: setup ## Live through 10,000 short hard lives (an hour; SEEDS=4000..10000 goes on from there), and as many of publication
	$(SAY) "lives of publication $(SEEDS)"
	@HRSI_PUBLICATION_LIVES='$(SEEDS)' $(PYTEST) tests/stateful/test_publication_life.py
	$(SAY) "lives $(SEEDS)"
	@$(BIN)/hrsi simulate --lives $(SEEDS)

test-deep: setup ## Run all tests with the long Hypothesis profile (hours rather than minutes)
	$(SAY) "tests, long profile"
	@HYPOTHESIS_PROFILE=long $(PYTEST) --timeout 3600 $(ARGS)

contract-nomad: setup ## Run the contract suites of Nomad against a live one (nomad on PATH, or NOMAD_ADDR= names one)
	@command -v nomad >/dev/null || [ -n "$(NOMAD_ADDR)" ] || { \
	  echo "There is no live Nomad to test against: put nomad on the PATH (private agents are started), or set"; \
	  echo "NOMAD_ADDR (and NOMAD_TOKEN) to one where jobs of ours may be registered."; exit 2; }
	$(SAY) "contract of Nomad, live"
	@CONTRACT_NOMAD_ADDR='$(NOMAD_ADDR)' CONTRACT_NOMAD_TOKEN='$(NOMAD_TOKEN)' \
	  $(BIN)/python -m pytest -m live tests/contract tests/e2e $(ARGS)

mutants: setup ## Plant breakages of the protocols one by one and see that the tests find each
	@$(BIN)/python -m tools.mutants $(ARGS)

cover: setup ## Run all tests and list the branches of decisions and records that none takes
	$(SAY) "tests, counting branches"
	@$(PYTEST) --cov=models --cov=reconcilers --cov-branch --cov-report=term-missing $(ARGS)

contract-openstack: setup ## Run the cloud contract on a live OpenStack as well (OS_CLOUD= and HRSI_OPENSTACK_PROJECT= name it)
	@[ -n "$(OS_CLOUD)" ] && [ -n "$(HRSI_OPENSTACK_PROJECT)" ] || { \
	  echo "Set OS_CLOUD to an entry of clouds.yaml, HRSI_OPENSTACK_PROJECT to the project that servers may be"; \
	  echo "made in, and HRSI_OPENSTACK_IMAGE, _NETWORKS, _SECURITY_GROUPS where the defaults do not do."; exit 2; }
	$(SAY) "the contract of the cloud, on $(OS_CLOUD) too"
	@CONTRACT_OS_CLOUD='$(OS_CLOUD)' HRSI_OPENSTACK_PROJECT='$(HRSI_OPENSTACK_PROJECT)' \
	  $(BIN)/python -m pytest tests/contract/test_cloud_*.py -n 0 --timeout 3600 $(ARGS)

check: setup ## Check format, lint, types, imports between the parts and style; changes nothing
	$(SAY) "format"
	@$(BIN)/ruff format --quiet --check --output-format concise $(CODE) || { echo "Run 'make format', then look at what it changed."; exit 1; }
	$(SAY) "lint"
	@$(BIN)/ruff check --quiet $(CODE)
	$(SAY) "types"
	@$(BIN)/mypy --no-error-summary $(CODE)
	$(SAY) "imports between the parts"
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report"; exit 1; }
	$(SAY) "style"
	@$(BIN)/python -m tools.style_gate $(PROGRAM) tests

format: setup ## Format the code and mend what lint can mend by itself
	$(SAY) "format"
	@$(BIN)/ruff check --quiet --fix-only $(CODE)
	@$(BIN)/ruff format $(CODE)

bench: setup ## Run the benchmarks and print their tables
	$(SAY) "benchmarks"
	@ls tests/bench/bench_*.py >/dev/null 2>&1 || { echo "There is no benchmark yet: add tests/bench/bench_NAME.py."; exit 1; }
	@$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' -q -s -p no:randomly --timeout 0 $(ARGS)

lock: setup ## Write requirements.lock anew (ARGS="ruff mypy" renews these, ARGS=--upgrade all)
	@scripts/lock.sh $(ARGS)

clean: ## Remove .venv and every cache
	$(SAY) "removing .venv and caches"
	@rm -rf .venv .setup.lock .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
