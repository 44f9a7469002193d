# make app    set up .venv, fetch the model, open the app          (MODEL=qwen2.5-coder-0.5b make app takes another;
#             seconds where llama.cpp can be had prebuilt or was compiled before, else minutes; NATIVE=1 make app compiles)
# make test   set up .venv, fetch the small test model, run lint, import contracts, types and a core of the tests
# make test-browser   every browser test, and the other tests that `make test` leaves out to stay short
# make test-slow   what takes minutes each: labels become an adapter, a hundred kills while labels arrive
# make lint   ruff, the import contracts and the types alone
# make llama-server   build llama.cpp's own server, which benchmarks and a test compare with (some ten minutes)
# make critic train the smallest base's critic on from the one in use, from training examples to the gate (some 15 minutes)
# make bench  measure our engine beside llama.cpp's server and the plain loop (ARGS=--quick make bench: two minutes)

PYTHON ?= python3
BIN := .venv/bin
TEST_MODEL := smollm2-135m
LLAMA_SERVER := .venv/llama-server
JOBS ?= 3
# A worker that died is not replaced, and one that hangs shows where and dies: either ends the run.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal --max-worker-restart 0 \
	-o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true

.PHONY: app test test-browser test-slow lint bench critic chromium llama-server clean

app: .venv/runtime.ready
	@$(BIN)/python -m runtime.models.trial || true
	@$(BIN)/python -m runtime models pull $(MODEL) || echo "Starting without a model; the page says what to do." >&2
	@$(BIN)/python app.py $(if $(MODEL),--model $(MODEL)) $(ARGS)

test: lint
	@$(BIN)/python -m runtime models pull $(TEST_MODEL)
	@$(PYTEST) $(ARGS)

test-browser: .venv/tests.ready
	@$(BIN)/python -m runtime models pull $(TEST_MODEL)
	@$(PYTEST) -m "(browser or rest) and not slow" $(ARGS)

test-slow: .venv/tests.ready
	@$(BIN)/python -m runtime models pull $(TEST_MODEL)
	@$(BIN)/python -m pytest -m slow -s $(ARGS)

lint: .venv/tests.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyrefly check

bench: .venv/trainer.ready
	@$(MAKE) --no-print-directory llama-server || echo "Going on without llama-server." >&2
	@for base in smollm2-135m qwen2.5-coder-0.5b; do $(BIN)/python -m runtime models pull $$base || exit 1; done
	@$(BIN)/python -m trainer bench $(ARGS)

critic: .venv/trainer.ready
	@$(BIN)/python -m runtime models pull $(TEST_MODEL)
	@$(BIN)/python -m trainer retrain --base $(TEST_MODEL) --four-bit --go-on --generated 2000 --minutes 5 $(ARGS)
	@$(BIN)/python -m runtime models adapters
	@$(BIN)/python -m runtime solve --no-log --model $(TEST_MODEL) --depth quick \
		"Lena buys 3 notebooks for 4 dollars each and a pen for 2 dollars. How much does she pay in all?"

# The browser tests drive a Chromium where there is one; this installs Debian's, and its lighter form where there is one.
chromium:
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null)
	@command -v chromium-headless-shell >/dev/null || apt-get install -y -qq chromium-headless-shell >/dev/null || true

# Makes .venv, takes or compiles llama.cpp, and installs the rest. NATIVE=1 compiles where a prebuilt one could be had.
.venv/runtime.ready: runtime/requirements.txt
	@$(PYTHON) -m runtime.install

.venv/tests.ready: tests/requirements.txt .venv/trainer.ready
	@$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	@touch $@

.venv/trainer.ready: trainer/requirements.txt .venv/runtime.ready
	@$(BIN)/python -m pip install --quiet -r trainer/requirements.txt
	@touch $@

llama-server: $(LLAMA_SERVER)/llama-server

# From the sources inside the package that the app runs on, so both are the same llama.cpp. One file without libraries.
$(LLAMA_SERVER)/llama-server: | .venv/runtime.ready
	@echo "Compiling llama.cpp's server (some ten minutes) ..." >&2
	@$(BIN)/python -m pip install --quiet 'cmake>=3.25,<5'
	@rm -rf $(LLAMA_SERVER) && mkdir -p $(LLAMA_SERVER)/build
	@$(BIN)/python -m pip download --quiet --no-deps --no-binary=llama-cpp-python --dest $(LLAMA_SERVER) \
		"llama-cpp-python==$$($(BIN)/python -c 'from importlib.metadata import version as v; print(v("llama-cpp-python"))')"
	@tar -xzf $(LLAMA_SERVER)/llama_cpp_python-*.tar.gz -C $(LLAMA_SERVER)/build --strip-components=1
	@$(BIN)/cmake -S $(LLAMA_SERVER)/build/vendor/llama.cpp -B $(LLAMA_SERVER)/build/out -DCMAKE_BUILD_TYPE=Release \
		-DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
		-DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
	@$(BIN)/cmake --build $(LLAMA_SERVER)/build/out --target llama-server --parallel $(JOBS)
	@mv $(LLAMA_SERVER)/build/out/bin/llama-server $@
	@rm -rf $(LLAMA_SERVER)/build $(LLAMA_SERVER)/*.tar.gz

clean:
	rm -rf .venv
