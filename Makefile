# Two commands: `make demo` and `make test`. Both set up what they need by themselves.
#   make demo CLICKS=path/to/log.csv TEST=2        your own log, its last two days as the test part
#   make demo CLICKS=log.csv USERS=visitor ITEM=sku TIME=at       a log with visitors instead of sessions
#   make demo PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu"
#                                                  PyTorch without its GPU libraries, which are gigabytes

PYTHON ?= python3
PIP_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
# A virtual environment knows its own place: a moved checkout needs a new one, hence the path in the mark's name.
READY := $(VENV)/ready-$(shell pwd | cksum | cut -d ' ' -f 1)
PORT ?= 5000
SETTINGS ?= pipelines/settings.toml
SCHEDULE_PORT ?= 3000
SERVE_PORT ?= 8000
TESTED_WITH := pytest hypothesis onnxruntime pandas scikit-learn httpx2
# Of the oldest versions, what touches them: reading, kernels, learning, saved models, tracking.
OLDEST_TESTS ?= tests/clicks tests/kernels tests/model tests/recommender tests/contract tests/exporting tests/tracking/test_registry.py

.DEFAULT_GOAL := help
.PHONY: help demo test compiled plain system lint types house docs links bench dashboard serve schedule release oldest clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

# The mark is taken away first and set last: an interrupted set-up leaves none, and the next one starts clean.
$(READY): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV): some minutes the first time, nothing the second."
	@$(if $(PIP_FLAGS),:,echo 'PyTorch comes as pip finds it; for the smaller one without GPU libraries see the head of the Makefile.')
	@if test -e $@; then rm $@; else $(PYTHON) -m venv --clear $(VENV); fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[dev,docs,pipelines,serve,redis,export,cluster,s3]'
	@touch $@

demo: $(READY)  ## the main job: on a made-up log, or on yours with CLICKS=path
	@$(BIN)/recsys-gru demo $(CLICKS) $(if $(TEST),--test-days $(TEST)) $(if $(SESSION),--session $(SESSION)) \
		$(if $(USERS),--user $(USERS)) $(if $(ITEM),--item $(ITEM)) $(if $(TIME),--time $(TIME))

# Two processes at any time: one alone takes too long on old processors. Files of tests go in their order: that of
# xdist has those with the fewest tests last, which take the longest, and one worker would wait for the other.
test: $(READY)  ## all that continuous integration runs
	+$(MAKE) --no-print-directory -j 2 compiled lint types plain
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-append --cov-report=term --cov-fail-under=95

# Where nothing is compiled yet, two workers would each compile the same.
compiled: $(READY)
	$(BIN)/python -m pytest -q tests/baselines/test_known_answers.py -k corner

plain: $(READY)  ## the tests of the compiled loops, run as plain Python
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -m kernels --cov --cov-report= `grep -rl --include='test_*.py' mark.kernels tests`

system:  ## what the tests need beside Python, by apt-get: a browser, Redis, HAProxy, PostgreSQL (.ci/system has the list)
	@.ci/system

lint: $(READY)  ## style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)  ## types, strictly
	$(BIN)/mypy

house: $(READY)  ## from the code: the names of docs/api/, the picture and table of the rooms
	$(BIN)/python docs/make_api.py
	$(BIN)/python docs/make_house.py

docs: house  ## the site in build/site, every warning an error: FORGE=https://.../tree/main/ links folders of the code
	$(BIN)/python -m sphinx -W --keep-going -q -c docs . build/site
	@echo "build/site/index.html"

links: $(READY)  ## whether what the documents link to elsewhere is still there; needs the network
	$(BIN)/python -m sphinx -b linkcheck -q -c docs -D nb_execution_mode=off . build/links

bench: $(READY)  ## the measurements in benchmarks/: LOGS=folder REFERENCE=checkout of the published code
	$(BIN)/python -m benchmarks $(if $(LOGS),--logs $(LOGS)) $(if $(REFERENCE),--reference $(REFERENCE))

dashboard: $(READY)  ## the MLflow pages of mlruns/ on this machine: PORT=5000 EXPERIMENT=nightly
	@$(BIN)/recsys-gru dashboard --port $(PORT) $(if $(EXPERIMENT),--experiment $(EXPERIMENT))

serve: $(READY)  ## the service and its page: MODEL=folder (the demo's if not given) SERVE_PORT=8000 SERVE_FLAGS="--sessions memory"
	@exec $(BIN)/recsys-gru serve $(MODEL) --port $(SERVE_PORT) $(SERVE_FLAGS)

schedule: $(READY)  ## the nightly schedule with its own pages, no server needed: SETTINGS=my.toml SCHEDULE_PORT=3000
	@exec $(BIN)/recsys-gru schedule --settings $(SETTINGS) --port $(SCHEDULE_PORT)

release: $(READY)  ## wheel, source archive and SBOM in dist/, checked alone: PYTHONS="python3.11 python3.12" PIP_FLAGS=...
	@PIP_FLAGS="$(PIP_FLAGS)" $(BIN)/python .ci/release.py $(PYTHONS)

oldest:  ## tests with the oldest versions that pyproject.toml allows, in .venv-oldest: BUT=torch
	@test -e .venv-oldest/ready || { $(PYTHON) -m venv --clear .venv-oldest && $(PYTHON) .ci/oldest.py $(BUT) > .venv-oldest/oldest.txt \
		&& .venv-oldest/bin/python -m pip install --quiet $(PIP_FLAGS) -c .venv-oldest/oldest.txt -e '.[serve,redis,export]' $(TESTED_WITH) \
		&& touch .venv-oldest/ready; }
	.venv-oldest/bin/python -m pytest -p no:cacheprovider -q -W ignore::DeprecationWarning $(OLDEST_TESTS)

clean:  ## take away everything that was made, but not mlruns/
	rm -rf $(VENV) .venv-oldest build dist demo *.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
