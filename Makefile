# make app    set up .venv, fetch the model, open the app          (MODEL=qwen2.5-coder-0.5b make app takes another)
# make test   set up .venv, fetch the small test model, run lint, import contracts and all tests
# make lint   ruff and the import contracts alone

PYTHON ?= python3
BIN := .venv/bin
TEST_MODEL := smollm2-135m

.PHONY: app test lint chromium clean

app: .venv/runtime.ready
	@$(BIN)/python -m runtime models pull $(MODEL) || echo "Starting without a model; the page says what to do." >&2
	@$(BIN)/python app.py $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: lint
	@$(BIN)/python -m runtime models pull $(TEST_MODEL)
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/tests.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

# The browser tests drive a Chromium where there is one; this installs Debian's.
chromium:
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Soliloquy needs Python 3.11 or newer; name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip

.venv/runtime.ready: runtime/requirements.txt | .venv/bin/python
	@echo "Installing what the app needs (llama.cpp is compiled: some minutes the first time) ..." >&2
	@$(BIN)/python -m pip install --quiet -r runtime/requirements.txt
	@touch $@

.venv/tests.ready: tests/requirements.txt .venv/runtime.ready
	@$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@

clean:
	rm -rf .venv
