"""The transformers engine alone: it agrees with transformers and peft, and reads nothing twice."""

import gc
import shutil
import weakref
from threading import Event

import pytest
import torch
from asking import ask
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from runtime.engines.base import EngineError, Sampling
from runtime.engines.hf import HfEngine
from runtime.engines.hf import model as hf_model
from runtime.engines.hf.loading import fastest_dtype
from runtime.engines.hf.rows import choose

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]


GREEDY = Sampling(max_tokens=20)
PARTS, CHOICES = ["2 + 3 = 5\n", "5 + 4 = 8\n", "So"], ["+", "-"]
PROMPTS = [ask(f"Tell me about {number} ². " + "Go on. " * (5 * number % 7)) for number in range(8)]


def made(tiny, adapters=None, **more):
    folders = {name: adapter.peft for name, adapter in (adapters or {}).items()}
    return HfEngine(tiny.hf, adapters=folders, **{"dtype": "float32", "parallel": 3, "context": 1024} | more)


@pytest.fixture(scope="module")
def engine(tiny, tiny_adapters):
    engine = made(tiny, tiny_adapters)
    yield engine
    engine.close()


@pytest.fixture
def reference(tiny, tiny_adapters):
    """transformers and peft on the same files: by adapter, the tokenizer and the model."""

    def load(adapter):
        model = AutoModelForCausalLM.from_pretrained(tiny.hf, dtype=torch.float32)
        model = PeftModel.from_pretrained(model, tiny_adapters[adapter].peft) if adapter else model
        return AutoTokenizer.from_pretrained(tiny.hf), model.eval()

    return load


@pytest.fixture
def lengths(engine, monkeypatch):
    """Records the number of tokens per row, for each forward pass from now on."""
    seen, forward = [], engine._model._base.forward

    def watched(**inputs):
        seen.append(inputs["input_ids"].shape[1])
        return forward(**inputs)

    monkeypatch.setattr(engine._model._base, "forward", watched)
    return seen


def texts(engine, prompts=PROMPTS, **more):
    return [group[0].text for group in engine.sample(prompts, GREEDY, **more)]


# the same as transformers and peft


@pytest.mark.parametrize("adapter", [None, "actor", "critic"])
def test_the_text_equals_that_of_generate(adapter, engine, reference):
    tokenizer, model = reference(adapter)
    expected = []
    for messages in PROMPTS:
        opened = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        inputs = tokenizer(opened, return_tensors="pt")
        with torch.no_grad():
            tokens = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        expected.append(tokenizer.decode(tokens, skip_special_tokens=True))
    assert texts(engine, adapter=adapter) == expected


@pytest.mark.parametrize("adapter", [None, "actor", "critic"])
@pytest.mark.parametrize("at_once", [512, 7])
def test_choices_have_the_probabilities_of_a_single_forward_pass(adapter, at_once, engine, reference, monkeypatch):
    monkeypatch.setattr(hf_model, "READ_AT_ONCE", at_once)
    tokenizer, model = reference(adapter)
    opened = tokenizer.apply_chat_template(PROMPTS[0], add_generation_prompt=True, tokenize=False)
    tokens, marks = tokenizer(opened).input_ids, []
    for part in PARTS:
        tokens += tokenizer(part).input_ids
        marks.append(len(tokens) - 1)
    with torch.no_grad():
        logprobs = model(input_ids=torch.tensor([tokens])).logits[0, marks].log_softmax(-1)
    expected = logprobs[:, [tokenizer(choice).input_ids[0] for choice in CHOICES]]
    found = engine.choice_logprobs(PROMPTS[0], PARTS, CHOICES, adapter=adapter)
    assert torch.tensor(found).allclose(expected, atol=1e-3)


def test_a_gguf_file_is_the_same_model(engine, tiny):
    from_file = HfEngine(tiny.gguf, context=256, dtype="float32")
    assert texts(from_file, PROMPTS[:2]) == texts(engine, PROMPTS[:2])
    from_file.close()


# nothing is read twice


def test_the_prompt_of_many_samples_is_read_once(engine, lengths):
    list(engine.sample([ask("What is two and three?")], Sampling(temperature=1.0, max_tokens=4), n=6))
    assert lengths[0] > 1
    assert set(lengths[1:]) == {1}


def test_the_shared_prefix_of_two_requests_is_read_once(engine, lengths):
    facts = "The sum of a and b is c. " * 20
    list(engine.sample([ask(facts + "First?"), ask(facts + "Second?")], Sampling(max_tokens=1)))
    assert lengths[0] > 100
    assert lengths[1] < 20


def test_a_continued_reply_is_not_read_again(engine, lengths):
    text = "".join(engine.stream(ask("Say more about it."), GREEDY))
    del lengths[:]
    engine.choice_logprobs(ask("Say more about it."), [text, " Right"], CHOICES)
    assert sum(lengths) < 6


def test_cancelling_stops_the_reading_of_a_prompt(engine, lengths, monkeypatch):
    class SetAfterThreePasses(Event):
        def is_set(self):
            return len(lengths) >= 3

    monkeypatch.setattr(hf_model, "READ_AT_ONCE", 16)
    ((found,),) = engine.sample([ask("apple " * 500)], GREEDY, cancel=SetAfterThreePasses())
    assert (found.finish, found.text, lengths) == ("cancelled", "", [16, 16, 16])


# drawing

LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0, -9.0]])


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(temperature=0.0), {0}),
        (Sampling(temperature=1.0, top_k=2, top_p=1.0, min_p=0.0), {0, 1}),
        (Sampling(temperature=1.0, top_k=1, top_p=1.0, min_p=0.0), {0}),
        (Sampling(temperature=1.0, top_k=0, top_p=0.9, min_p=0.0), {0, 1, 2}),
        (Sampling(temperature=1.0, top_k=0, top_p=0.0, min_p=0.0), {0}),
        (Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.2), {0, 1}),
        (Sampling(temperature=9.0, top_k=99, top_p=1.0, min_p=0.0), {0, 1, 2, 3, 4}),
        (Sampling(temperature=0.2).full(), {0, 1, 2, 3, 4}),
    ],
)
def test_only_tokens_within_the_sampling_limits_are_drawn(sampling, possible):
    draws = [i / 400 for i in range(400)] + [1 - 1e-12]
    assert set(choose(LOGITS.repeat(len(draws), 1), sampling, draws)) == possible


def test_tokens_are_drawn_in_proportion_to_their_probability():
    draws = [(i + 0.5) / 2000 for i in range(2000)]
    tokens = choose(LOGITS.repeat(2000, 1), Sampling(temperature=2.0, top_k=0, top_p=1.0, min_p=0.0), draws)
    shares = torch.tensor(tokens).bincount(minlength=5) / 2000
    assert shares.allclose((LOGITS[0] / 2).softmax(-1), atol=2e-3)


# loading and closing


@pytest.mark.rest
def test_another_number_type_gives_nearly_the_same_scores(engine, tiny):
    low = made(tiny, dtype="bfloat16")
    found, expected = (torch.tensor(each.choice_logprobs(PROMPTS[0], PARTS, CHOICES)) for each in (low, engine))
    assert 0 < (found - expected).abs().max() < 0.5
    assert fastest_dtype("cpu") in (torch.float32, torch.bfloat16)


@pytest.mark.rest
@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif("not torch.cuda.is_available()")])],
)
def test_adapters_work_on_a_four_bit_base(device, tiny, tiny_adapters):
    # Both are the default on a GPU.
    quantized = made(tiny, tiny_adapters, **({"four_bit": True} if device == "cpu" else {"dtype": None}))
    assert "Linear4bit" in {type(module).__name__ for module in quantized._model._base.modules()}
    base, *adapted = (texts(quantized, adapter=adapter) for adapter in (None, "actor", "critic"))
    assert all(base)
    assert all(text not in base for found in adapted for text in found)
    quantized.close()


def test_closing_frees_the_weights(tiny, tiny_adapters):
    engine = made(tiny, tiny_adapters)
    next(engine.sample(PROMPTS, GREEDY, adapter="actor"))
    weights = weakref.ref(engine._model._base.get_input_embeddings().weight)
    engine.close()
    gc.collect()
    assert weights() is None


def test_too_little_memory_is_an_error_with_a_remedy(engine, monkeypatch):
    def full(**inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine._model._base, "forward", full)
    with pytest.raises(EngineError, match=r"not enough memory.*SOLILOQUY_CONTEXT"):
        list(engine.stream(ask("something that was never read"), GREEDY))


def copied(folder, to, **changes):
    """A copy of a folder in which files have other contents, or are missing."""
    shutil.copytree(folder, to)
    for name, text in changes.items():
        (path,) = to.glob(f"{name}.*")
        path.unlink() if text is None else path.write_text(text)
    return to


def test_a_folder_that_cannot_be_loaded_is_refused_with_a_message(tiny, tmp_path):
    cases = {
        tmp_path / "none": r"There is no folder .*none",
        tmp_path / "none.gguf": r"There is no file .*none\.gguf",
        copied(tiny.hf, tmp_path / "bare", chat_template=None): r"bare has no chat template.*instruct or chat version",
        copied(tiny.hf, tmp_path / "empty", model=None): r"empty could not be loaded by transformers",
        copied(tiny.hf, tmp_path / "cut", model="cut"): r"cut could not be loaded by transformers",
    }
    for path, sentence in cases.items():
        with pytest.raises(EngineError, match=sentence):
            HfEngine(path, dtype="float32")


def test_an_adapter_of_another_model_is_refused_with_a_message(tiny, tiny_adapters, tmp_path):
    config = (tiny_adapters["actor"].peft / "adapter_config.json").read_text().replace('"r": 4', '"r": 8')
    wide = copied(tiny_adapters["actor"].peft, tmp_path / "wide", adapter_config=config)
    cases = {tmp_path: r"is not in .*adapter_config\.json is missing", wide: "does not fit this model"}
    for folder, sentence in cases.items():
        with pytest.raises(EngineError, match=sentence):
            HfEngine(tiny.hf, adapters={"actor": folder}, dtype="float32")


def test_a_template_that_refuses_a_conversation_is_an_error(tiny, tmp_path):
    template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(EngineError, match=r"chat template of strict cannot be used \(roles must alternate\)"):
        HfEngine(copied(tiny.hf, tmp_path / "strict", chat_template=template), dtype="float32")
