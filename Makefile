# make run: see it work.  make test: build and run every test that needs only this folder.
# README.md and CONTRIBUTING.md say more. PYTHON=python3.12 chooses the interpreter of .venv,
# VENV=path another place for it, ARGS="..." goes to the program that the target runs.
VENV ?= .venv
PYTHON ?= $(firstword $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done) python3)
BIN := $(VENV)/bin
INSTALL = VENV="$(VENV)" $(PYTHON) scripts/install.py
STUBBED = $(subst /,.,$(patsubst src/%.pyi,%,$(shell find src -name '*.pyi' | sort)))
CODE := src tests benchmarks examples scripts fuzz setup.py
unexport PYTHONPATH

.PHONY: run test lint lint-ruff lint-format lint-mypy lint-stubs lint-cython bench bench-streams
.PHONY: peers test-peers
.PHONY: torture sanitize fuzz build-inplace wheel clean

run:
	@$(INSTALL) demo
	@$(BIN)/pylog demo $(ARGS)

test:
	@$(INSTALL) demo dev
	$(BIN)/python -m pytest $(ARGS)

lint: lint-ruff lint-format lint-mypy lint-stubs lint-cython  # make -k lint: all, whatever fails
lint-ruff lint-format lint-mypy lint-stubs lint-cython: lint-tools
lint-tools:
	@$(INSTALL) dev
lint-ruff:
	$(BIN)/ruff check -q --output-format concise $(wildcard $(CODE))
lint-format:
	$(BIN)/ruff format --check --output-format concise $(wildcard $(CODE))
lint-mypy:
	$(BIN)/mypy
lint-stubs:
	MYPYPATH=src $(BIN)/stubtest $(STUBBED) --concise --mypy-config-file tests/style/stubtest.ini \
		--allowlist tests/style/stubtest-allowlist.txt --ignore-unused-allowlist
lint-cython:
	PATH="$(BIN):$$PATH" cython-lint src

bench:
	@$(INSTALL) bench
	$(BIN)/python -m benchmarks.suite $(ARGS)

bench-streams:
	@$(INSTALL) bench streams
	$(BIN)/python -m benchmarks.suite --streams $(ARGS)

peers:  # a real Kafka, Kafka Streams and the clients of other makers into .peers/, once
	$(PYTHON) scripts/peers/kafka.py fetch
	$(PYTHON) scripts/peers/streams.py fetch
	$(PYTHON) scripts/peers/clients.py fetch
test-peers: peers
	@$(INSTALL) dev
	$(BIN)/python -m pytest -m peer $(ARGS)

torture:
	@$(INSTALL) demo dev
	$(BIN)/python -m pytest -m slow $(ARGS)

SANITIZE := build/sanitize
sanitize:
	@$(INSTALL) dev
	PYLOG_SANITIZE=address,undefined $(BIN)/python setup.py -q build --build-base $(SANITIZE) \
		--build-lib $(SANITIZE)/lib
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:handle_sigbus=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	PYTHONPATH=$(SANITIZE)/lib $(BIN)/python -m pytest tests/logcore tests/pylog \
		-k "not memory" $(ARGS)  # limits on memory and the sanitizer do not agree

fuzz:  # libFuzzer with clang; without it, gcc replays the corpus
	$(PYTHON) fuzz/run.py $(ARGS)

build-inplace:  # for work on the tree itself: PYTHONPATH=src .venv/bin/python -m pytest
	$(BIN)/python scripts/build_inplace.py
wheel:
	@$(INSTALL) --wheel

clean:  # what was built; .venv, .peers and pylog-data stay
	rm -rf build dist src/*.egg-info
	find src -name '*.c' -delete -o -name '*.html' -delete -o -name '*.so' -delete
