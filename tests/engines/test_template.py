"""Chat templates of every kind: the prompt that results, and which templates are refused."""

import json
import shutil

import llama_cpp as llama
import pytest
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from places import CATALOGUE, MODELS, ROOT

from runtime.engines.base import EngineError, Sampling
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.engines.llamacpp.chat import Chat, jinja_template
from runtime.models.gguf_header import read_header
from runtime.prompts import templates
from runtime.prompts.actor_turn import conversation
from runtime.prompts.critic_turn import put_to_critic
from runtime.types import Problem

BENCH = ROOT / "data" / "models" / "bench" / "bench.gguf"

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (  # puts the system text into the last user turn; the other turns must alternate
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}"
    "{% else %}{% set system = none %}{% set rest = messages %}{% endif %}{{ bos_token }}"
    "{% for m in rest %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}"
    "[INST] {% if loop.last and system %}{{ system }}\n\n{% endif %}{{ m['content'] }}[/INST]"
    "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
NO_SYSTEM = (  # writes user and assistant turns only
    "{% for m in messages %}{% if m['role'] == 'user' %}USER: {{ m['content'] }}\n"
    "{% elif m['role'] == 'assistant' %}ASSISTANT: {{ m['content'] }}\n{% endif %}{% endfor %}ASSISTANT:"
)


def message(role, content):
    return {"role": role, "content": content}


TALK = [
    message("system", "Be brief."), message("user", "2 + 3?"), message("assistant", "5"), message("user", "And 4 more?")
]  # fmt: skip


def template(source):
    return jinja_template(source, "<s>", "</s>", "model.gguf")


@pytest.mark.parametrize(
    ("source", "read"),
    [
        (
            CHATML,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2 + 3?<|im_end|>\n<|im_start|>assistant\n5"
            "<|im_end|>\n<|im_start|>user\nAnd 4 more?<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            LLAMA3,
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
            "<|end_header_id|>\n\n2 + 3?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n5<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nAnd 4 more?<|eot_id|><|start_header_id|>assistant"
            "<|end_header_id|>\n\n",
        ),
        (
            GEMMA,
            "<s><start_of_turn>user\nBe brief.\n\n2 + 3?<end_of_turn>\n<start_of_turn>model\n5<end_of_turn>\n"
            "<start_of_turn>user\nAnd 4 more?<end_of_turn>\n<start_of_turn>model\n",
        ),
        (MISTRAL, "<s>[INST] 2 + 3?[/INST] 5</s>[INST] Be brief.\n\nAnd 4 more?[/INST]"),
        (NO_SYSTEM, "USER: Be brief.\n\n2 + 3?\nASSISTANT: 5\nUSER: And 4 more?\nASSISTANT:"),
    ],
)
def test_every_kind_of_template_keeps_the_whole_conversation(source, read):
    assert template(source)(TALK) == read


@pytest.mark.parametrize("source", [GEMMA, MISTRAL])
def test_consecutive_turns_of_one_role_are_merged_if_roles_must_alternate(source):
    twice = [message("user", "one"), message("user", "two"), message("assistant", "a"), message("assistant", "b"),
             message("user", "three")]  # fmt: skip
    once = [message("user", "one\n\ntwo"), message("assistant", "a\n\nb"), message("user", "three")]
    assert template(source)(twice) == template(source)(once)


@pytest.mark.parametrize("source", [CHATML, LLAMA3])
def test_a_template_without_restrictions_gets_the_conversation_unchanged(source):
    messages = [*TALK, message("user", "Again?"), message("system", "Last.")]
    plain = Jinja2ChatFormatter(source, eos_token="</s>", bos_token="<s>")
    assert template(source)(messages) == plain(messages=messages).prompt


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for m in messages %}{{ m['content'] }}", "cannot be used"),
        ("{{ messages | nothing }}", "cannot be used"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages.__class__.__mro__ }}", "cannot be used|drops the problem"),
        ("{{ raise_exception('no') }}", "cannot be used .no."),
        ("", "drops"),
        ("chatml", "drops"),
        ("{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}", "drops"),
        ("{{ messages[0]['content'] }}", "drops"),
        ("{{ messages[-1]['content'] }}", "drops"),
        (
            "{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] }}{% endif %}{% endfor %}",
            "drops",
        ),
        (
            "{% for m in messages %}{% if m['role'] != 'assistant' %}{{ m['content'] }}{% endif %}{% endfor %}",
            "drops",
        ),
    ],
)
def test_a_template_that_fails_or_drops_text_is_refused_with_a_message(source, reason):
    with pytest.raises(EngineError, match=f"The chat template of model.gguf .*({reason}).* or another model") as caught:
        template(source)
    assert "\n" not in str(caught.value)


def test_a_conversation_that_a_template_refuses_is_an_error_with_a_message():
    with pytest.raises(EngineError, match=r"The chat template of model\.gguf cannot be used \(Conversation roles must"):
        template(GEMMA)([message("assistant", "5"), message("user", "2 + 3?")])


# Models with trained adapters: their prompts must never change


def shipped():
    bases = json.loads(CATALOGUE.read_text("utf-8"))["bases"]
    yield pytest.param(BENCH, id="bench")
    for base in bases:
        yield pytest.param(MODELS / base["file"], id=base["name"], marks=pytest.mark.model)


@pytest.mark.parametrize("path", list(shipped()))
def test_the_prompts_of_our_models_equal_those_of_their_own_template(path):
    if not path.is_file():
        pytest.skip(f"{path.stem} is not here")
    params = llama.llama_model_default_params()
    params.vocab_only = True
    model = llama.llama_model_load_from_file(str(path).encode(), params)
    try:
        chat = Chat(model)
        vocab = llama.llama_model_get_vocab(model)
        plain = Jinja2ChatFormatter(
            read_header(path).chat_template,
            eos_token=chat._special(llama.llama_vocab_eos(vocab)),
            bos_token=chat._bos,
        )
        problem = Problem(text="Lena has 3 pens and buys 4. How many has she?")
        talks = [
            conversation(problem),
            list(put_to_critic(problem)),
            [*conversation(problem), message("assistant", "3 + 4 = 8"), message("user", templates.template("refine"))],
            TALK,
            [message("user", "a"), message("user", "b"), message("assistant", "c"), message("assistant", "d"), *TALK],
        ]
        for talk in talks:
            assert chat._template(talk) == plain(messages=talk).prompt
            unfinished = [*talk, message("assistant", "3 + 4")]
            if talk[-1]["role"] == "user":
                assert chat.prompt_tokens(unfinished) == chat.tokens(
                    plain(messages=talk).prompt + "3 + 4", special=True
                )
    finally:
        llama.llama_model_free(model)


def test_a_real_model_with_a_template_without_system_role_answers(tmp_path):
    """The bench model with a chat template that needs alternating turns and has no system role."""
    gguf = rewritten(tmp_path / "gemma.gguf", GEMMA)
    engine = LlamaCppEngine(gguf, context=256, parallel=1, threads=1)
    try:
        stream = engine.stream(TALK, Sampling(max_tokens=4))
        assert list(stream) is not None
        assert engine.count(TALK) > 10
    finally:
        engine.close()
    with pytest.raises(EngineError, match=r"chat template of broken\.gguf cannot be used"):
        LlamaCppEngine(rewritten(tmp_path / "broken.gguf", "{% if"), context=256, parallel=1, threads=1)


def rewritten(path, source):
    """The bench model with another chat template."""
    import gguf

    shutil.copy(BENCH, path)
    reader = gguf.GGUFReader(BENCH)
    writer = gguf.GGUFWriter(path, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", "tokenizer.chat_template"):
            kind = field.types[0]
            of = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, of)
    writer.add_chat_template(source)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.model
@pytest.mark.parametrize("source", [CHATML, GEMMA, MISTRAL, NO_SYSTEM])
def test_transformers_renders_every_kind_of_template_the_same(source, tiny):
    from runtime.engines.hf.chat import Chat as HfChat
    from runtime.engines.hf.loading import load_tokenizer

    tokenizer = load_tokenizer(tiny.hf)
    tokenizer.chat_template = source
    special = {name: getattr(tokenizer, f"{name}_token") for name in ("bos", "eos")}
    ours = jinja_template(source, special["bos"], special["eos"], "model.gguf")
    assert HfChat(tokenizer, "model")._template(TALK) == ours(TALK)
