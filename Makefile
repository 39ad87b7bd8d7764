# make demo: the whole workflow on the embedded data, on this machine's CPU. make test: lints and tests.
.PHONY: env demo test lint test-fast test-slow kill-test kill-driver-test slurm-test gpu-check bench format clean help
.DEFAULT_GOAL := help

PYTHON ?= python3.11
CORES ?= 2
# envs/requirements.cuda12.lock where NVIDIA's driver is older than 580
LOCK ?= envs/requirements.lock
GPU_CHECK ?=
BIN := .venv/bin
READY := .venv/.ready
SCHEMA := config/schema.json

help:
	@echo "make env    set up .venv and config/schema.json, run nothing"
	@echo "make demo   run the whole workflow on the embedded data ($(CORES) cores), print where the report is"
	@echo "make test   lint, type check, and every test; make lint, test-fast, test-slow: a part of it"
	@echo "make kill-test  kill every stage of a tiny run at 20 moments, compare (half an hour)"
	@echo "make kill-driver-test  kill Snakemake at 20 moments in each of three ways, compare (half an hour)"
	@echo "make slurm-test  the tiny run on a local SLURM cluster, undisturbed and with every fault (a quarter of an hour)"
	@echo "make gpu-check  on one GPU: parity with the CPU, a whole run, speed (8 minutes; benchmarks/gpu/README.md)"
	@echo "make bench  speed and memory on this machine's CPU, as ratios beside their targets (ten minutes)"
	@echo "make format format code and rules"
	@echo "make clean  remove the environment and the caches; results stay"
	@echo "PYTHON=python3.11 sets up .venv, CORES=2 run demo and tests, LOCK=envs/requirements.cuda12.lock is for older drivers"

# pip, not a resolver: the lock names every package. The .pth file makes mmdet find torchvision's kernels.
$(READY): $(LOCK)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --disable-pip-version-check -r $(LOCK)
	$(BIN)/python -m pipeline.detection.op_finder --write-pth
	@touch $@

# what editors complete and check config files with: from the config's models
$(SCHEMA): $(READY) $(wildcard pipeline/config/*.py)
	PYTHONPATH=. $(BIN)/python -m pipeline.config.root

env: $(READY) $(SCHEMA)

demo: $(READY) $(SCHEMA)
	$(BIN)/snakemake --cores $(CORES)

test: lint test-fast test-slow

lint: $(READY) $(SCHEMA)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/basedpyright
	$(BIN)/snakemake --lint

# one thread a process: two workers with two threads each would wait for each other on two cores
test-fast: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 $(BIN)/pytest -n $(CORES) --dist loadgroup -m "not slow"

test-slow: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 $(BIN)/pytest -n $(CORES) --dist loadgroup --durations 20 -m slow

kill-test: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 PYTHONPATH=.:tests/workflow $(BIN)/python tests/faults/kill_stages.py

kill-driver-test: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 PYTHONPATH=.:tests/workflow $(BIN)/python tests/faults/kill_drivers.py

slurm-test: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 PYTHONPATH=.:tests/workflow:tests/slurm $(BIN)/python tests/slurm/disturb.py

# a machine's own Python where its torch sees a GPU: there .venv may be missing, and no network to make it
gpu-check:
	@if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then python=python3; \
	else $(MAKE) $(READY) && python=$(BIN)/python; fi && \
	OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=20000 PYTHONPATH=. $$python -m benchmarks.gpu $(GPU_CHECK)

bench: $(READY)
	OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS=1 PYTHONPATH=. $(BIN)/python -W ignore -m benchmarks.bench

format: $(READY) $(SCHEMA)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

clean:
	rm -rf .venv .snakemake .pytest_cache .ruff_cache .hypothesis $(SCHEMA)
