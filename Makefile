# `make demo`: install into .venv, fuse and score the sample scene. `make test`: every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test bench clean

$(BIN)/pifnet: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch  # first and alone: the pinned build, whatever the other packages would draw in
	$(PIP) --editable .
	touch $@

$(VENV)/.test: $(BIN)/pifnet
	$(PIP) --editable '.[test]'
	touch $@

demo: $(BIN)/pifnet
	mkdir -p demo
	$(BIN)/pifnet fuse sample_data/lr.hdr sample_data/hr.tif --output demo/fused.tif --overwrite
	$(BIN)/pifnet metrics demo/fused.tif sample_data/reference.tif

test: $(VENV)/.test  # tests run in a process for each core
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal

bench: $(VENV)/.test  # those that need no data; others take a scene, or the folder of real scenes
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/network.py
	$(BIN)/python benchmarks/network_times.py --sides 64
	$(BIN)/python benchmarks/fuse_memory.py
	$(BIN)/python benchmarks/throughput.py --size 1024 1024

clean:
	rm -rf $(VENV) demo build *.egg-info
