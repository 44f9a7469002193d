"""The llama.cpp engine alone, on the real small model: slots that are freed, control tokens, files that are refused."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import llama_cpp
import pytest
from asking import ask, drained

from runtime.engines.base import ContextOverflow, EngineError, Sampling
from runtime.engines.llamacpp import LlamaCppEngine

pytestmark = [pytest.mark.model, pytest.mark.timeout(60)]

ENDLESS = Sampling(max_tokens=900)
COUNT = ask("Count from 1 to 1000: 1, 2, 3, 4, and so on.", "1, 2, 3, 4, 5, 6, 7, 8,")


@pytest.fixture
def own_engine(small_model):
    """An engine that a test may break or close."""
    engine = LlamaCppEngine(small_model, context=512, parallel=1, threads=1)
    yield engine
    engine.close()


# interruptions


def busy(seconds=0.2):
    started = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - started) / seconds


@pytest.mark.parametrize("how", ["stream", "sample"])
def test_closing_the_generator_frees_its_slots(how, small_engine):
    if how == "stream":
        open_ones = [small_engine.stream(COUNT, ENDLESS) for _ in range(4)]
        for stream in open_ones:
            next(stream)
        for stream in open_ones:
            stream.close()
    else:
        with pytest.raises(ContextOverflow):
            list(small_engine.sample([COUNT, COUNT, ask("apple " * 1100)], ENDLESS))
    deadline = time.monotonic() + 5
    while (load := busy()) > 0.2 and time.monotonic() < deadline:
        pass
    assert load <= 0.2


def test_closing_the_engine_raises_in_waiting_threads(own_engine):
    streams = [own_engine.stream(COUNT, Sampling(max_tokens=400)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(drained, stream) for stream in streams]
        time.sleep(0.3)
        own_engine.close()
        for future in waiting:
            with pytest.raises(EngineError, match="unloaded"):
                future.result(timeout=10)
    own_engine.close()


# the prompt


def control_tokens(path):
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    vocab = llama_cpp.llama_model_get_vocab(model)
    ids = range(llama_cpp.llama_vocab_n_tokens(vocab))
    found = [llama_cpp.llama_vocab_get_text(vocab, i) for i in ids if llama_cpp.llama_vocab_is_control(vocab, i)]
    llama_cpp.llama_model_free(model)
    return [text.decode() for text in found]


def test_control_tokens_in_a_persons_text_are_read_as_plain_text(small_engine, small_model):
    tokens = control_tokens(small_model)
    assert "<|im_end|>" in tokens
    empty = small_engine.count(ask(""))
    # A control token is one token; the same letters as text are several.
    opened = [token for token in tokens if small_engine.count(ask(token * 20)) <= empty + 21]
    assert opened == []


# files


@pytest.mark.rest
def test_a_truncated_file_is_refused_with_a_message(small_model, tmp_path):
    path = tmp_path / "half.gguf"
    with small_model.open("rb") as source, path.open("wb") as half:
        shutil.copyfileobj(source, half)
        half.truncate(small_model.stat().st_size // 2)
    with pytest.raises(EngineError, match=r"half\.gguf is cut short"):
        LlamaCppEngine(path)


def test_a_file_without_a_chat_template_is_refused_with_a_message(small_model, tmp_path):
    path, size = tmp_path / "base.gguf", small_model.stat().st_size
    with small_model.open("rb") as source, path.open("wb") as file:
        head = source.read(1 << 23)
        assert head.count(b"tokenizer.chat_template") == 1
        file.write(head.replace(b"tokenizer.chat_template", b"tokenizer.chat_templat_"))
        file.truncate(size)
    with pytest.raises(EngineError, match=r"base\.gguf has no chat template.*instruct or chat version"):
        LlamaCppEngine(path)


@pytest.mark.parametrize("data", [b"", b"GGUF", b"not a model at all" * 100])
def test_a_file_that_is_no_model_is_refused_with_a_message(data, tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(data)
    with pytest.raises(EngineError, match=r"other\.gguf"):
        LlamaCppEngine(path)


def test_a_missing_file_is_refused_with_a_message(tmp_path):
    with pytest.raises(EngineError, match=r"none\.gguf cannot be read"):
        LlamaCppEngine(tmp_path / "none.gguf")
