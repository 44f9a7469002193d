"""With an adapter, llama.cpp and peft agree; a merged file is the base with the adapter in its weights."""

import json
import shutil

import gguf
import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tables import rest
from tiny import tiny_adapter
from transformers import AutoModelForCausalLM

from runtime.engines.base import Sampling
from runtime.engines.hf import HfEngine
from runtime.engines.llamacpp import LlamaCppEngine
from runtime.files import sha256_of
from runtime.types import Message
from trainer.benchmarks.peers import plain_llama
from trainer.weights import export, merge, parity
from trainer.weights.base import RECORD, Source
from trainer.weights.export import ExportError, to_gguf_adapter
from trainer.weights.from_adapter import to_peft

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

ASKED = [Message(role="user", content="What is 2 + 3?")]


@pytest.fixture(scope="module")
def adapters(tiny_bases, tiny_adapters, tmp_path_factory):
    """Peft folders by architecture: a plain adapter and an activated one."""
    folder, found = tmp_path_factory.mktemp("adapters"), {}
    for name, base in tiny_bases.items():
        made = tiny_adapters
        if name != "llama":
            called = {"actor": None, "critic": "<|im_start|>assistant\n"}
            made = {role: tiny_adapter(base, folder, f"{name}-{role}", text) for role, text in called.items()}
        found[name] = {role: made[role].peft for role in ("actor", "critic")}
    return found


def compared(base, adapter, gguf_file):
    return parity.parity(base.hf, adapter, base.gguf, gguf_file, parity.conversations(base.hf, adapter))


def value(path, key):
    return export.metadata(export.open_gguf(path), key)


# From peft to GGUF


@pytest.mark.parametrize(
    ("architecture", "role"),
    [("llama", "critic"), *rest(("llama", "actor"), ("qwen2", "actor"), ("qwen2", "critic"), ("qwen3", "actor"))],
)
def test_llama_cpp_and_peft_agree_with_an_adapter(architecture, role, tiny_bases, adapters, tmp_path):
    base, adapter, gguf_file = tiny_bases[architecture], adapters[architecture][role], tmp_path / "adapter.gguf"
    to_gguf_adapter(adapter, gguf_file, base.gguf, "f32")
    found = compared(base, adapter, gguf_file)
    assert found.max_difference < 1e-3
    assert (found.argmax_agreement, found.same_tokens, found.same_greedy) == (1, found.texts, found.texts)


@pytest.mark.rest
def test_the_parity_check_detects_another_adapter_and_a_missing_permutation(
    tiny_bases, adapters, tmp_path, monkeypatch
):
    base, gguf_file = tiny_bases["llama"], tmp_path / "adapter.gguf"
    to_gguf_adapter(adapters["llama"]["critic"], gguf_file, base.gguf, "f32")
    found = compared(base, adapters["llama"]["actor"], gguf_file)
    assert found.max_difference > 0.1
    assert found.argmax_agreement < 0.5
    monkeypatch.setitem(export.PAIRED, "llama", False)
    to_gguf_adapter(adapters["llama"]["actor"], gguf_file, base.gguf, "f32")
    assert compared(base, adapters["llama"]["actor"], gguf_file).max_difference > 0.1


def test_llama_cpp_reads_the_activation_tokens_of_an_adapter(tiny_bases, adapters, tmp_path):
    base, adapter, gguf_file = tiny_bases["llama"], adapters["llama"]["critic"], tmp_path / "adapter.gguf"
    to_gguf_adapter(adapter, gguf_file, base.gguf)
    asked = json.loads((adapter / "adapter_config.json").read_text())["alora_invocation_tokens"]
    engine = LlamaCppEngine(base.gguf, context=512, threads=1, adapters={"critic": gguf_file})
    assert list(engine._adapters.get("critic").invocation) == asked
    engine.close()


@pytest.mark.rest
@pytest.mark.parametrize(
    ("type", "kinds", "agreement"),
    # The random adapter is far stronger than a trained one.
    [("q8_0", {"Q8_0", "F16"}, 0.85), *rest(("f16", {"F16"}, 0.98))],
)
def test_smaller_tensor_types_agree_nearly(type, kinds, agreement, tiny_bases, adapters, tmp_path):
    base, adapter, gguf_file = tiny_bases["qwen2"], adapters["qwen2"]["actor"], tmp_path / "adapter.gguf"
    to_gguf_adapter(adapter, gguf_file, base.gguf, type)
    assert {tensor.tensor_type.name for tensor in export.open_gguf(gguf_file).tensors} == kinds
    found = compared(base, adapter, gguf_file)
    assert found.max_difference > 0
    assert found.argmax_agreement > agreement


@pytest.mark.rest
def test_rank_stabilised_lora_keeps_its_scale(tiny_bases, tmp_path):
    base, adapter, gguf_file = tiny_bases["qwen2"], tmp_path / "adapter", tmp_path / "adapter.gguf"
    config = LoraConfig(
        r=9, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base.hf, dtype=torch.float32), config)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    adapted.save_pretrained(adapter)
    to_gguf_adapter(adapter, gguf_file, base.gguf, "f32")
    assert compared(base, adapter, gguf_file).max_difference < 1e-3


def test_an_adapter_names_its_base(tiny_bases, adapters, tmp_path):
    base, adapter, gguf_file = tiny_bases["llama"], adapters["llama"]["actor"], tmp_path / "critic-1.gguf"
    to_gguf_adapter(adapter, gguf_file, base.gguf)
    assert value(gguf_file, "general.name") == "critic-1"
    assert value(gguf_file, "soliloquy.base.name") == "tiny"
    assert value(gguf_file, "soliloquy.base.sha256") == sha256_of(base.gguf)


def test_without_the_file_the_base_is_read_from_the_training_folder(tiny_bases, adapters, tmp_path):
    folder, adapter = tmp_path / "base", tmp_path / "adapter"
    shutil.copytree(tiny_bases["qwen2"].hf, folder)
    shutil.copytree(adapters["qwen2"]["actor"], adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": str(folder)}))
    record = Source(file="some.Q4.gguf", bytes=1, modified=1, sha256="ab" * 32)
    (folder / RECORD).write_text(record.model_dump_json())
    to_gguf_adapter(adapter, tmp_path / "a.gguf", tiny_bases["qwen2"].gguf)
    to_gguf_adapter(adapter, tmp_path / "b.gguf")
    one, other = (export.open_gguf(tmp_path / name) for name in ("a.gguf", "b.gguf"))
    assert value(tmp_path / "b.gguf", "soliloquy.base.sha256") == "ab" * 32
    assert value(tmp_path / "b.gguf", "soliloquy.base.name") == "some.Q4"
    assert [t.name for t in one.tensors] == [t.name for t in other.tensors]
    assert all((a.data == b.data).all() for a, b in zip(one.tensors, other.tensors, strict=True))


@pytest.mark.parametrize("role", ["critic", *rest("actor")])
@pytest.mark.parametrize("architecture", ["llama", *rest("qwen2")])
def test_a_gguf_adapter_becomes_the_peft_adapter_it_was_made_from(architecture, role, tiny_bases, adapters, tmp_path):
    base, adapter, gguf_file = tiny_bases[architecture], adapters[architecture][role], tmp_path / "adapter.gguf"
    to_gguf_adapter(adapter, gguf_file, base.gguf, "f32")
    config = to_peft(gguf_file, base.hf, tmp_path / "again")
    given = PeftConfig.from_pretrained(adapter)
    assert (config.r, config.lora_alpha) == (given.r, given.lora_alpha)
    assert config.alora_invocation_tokens == given.alora_invocation_tokens
    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (adapter, tmp_path / "again"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key].float(), other[key]) for key in one)


def test_only_a_gguf_adapter_of_this_base_becomes_a_peft_adapter(tiny_bases, adapters, tmp_path):
    gguf_file = tmp_path / "adapter.gguf"
    to_gguf_adapter(adapters["qwen2"]["actor"], gguf_file, tiny_bases["qwen2"].gguf)
    with pytest.raises(ExportError, match="this adapter's base"):
        to_peft(gguf_file, tiny_bases["llama"].hf, tmp_path / "again")
    assert not (tmp_path / "again").exists()


# What cannot become a GGUF adapter


def changed(adapter, to, weights=None, **config):
    """A copy of an adapter with other settings or additional weights."""
    shutil.copytree(adapter, to)
    path = to / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    if weights:
        file = to / "adapter_model.safetensors"
        save_file(load_file(file) | weights, file)
    return to


def test_adapters_with_unsupported_parts_are_refused(tiny_bases, adapters, tmp_path):
    plain, out = adapters["llama"]["actor"], tmp_path / "out.gguf"
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    cases = {
        tmp_path / "none": "is not an adapter of peft",
        changed(plain, tmp_path / "ranks", rank_pattern={"q_proj": 2}): "no plain LoRA",
        changed(plain, tmp_path / "dora", {f"{layer}.lora_magnitude_vector": torch.ones(64)}): r"holds .*magnitude",
        changed(plain, tmp_path / "saved", {"base_model.model.lm_head.weight": torch.ones(2, 2)}): r"holds .*lm_head",
    }
    for folder, sentence in cases.items():
        with pytest.raises(ExportError, match=sentence):
            to_gguf_adapter(folder, out, tiny_bases["llama"].gguf)
    with pytest.raises(ExportError, match=r"'q2_k' is no number type of a GGUF adapter"):
        to_gguf_adapter(plain, out, tiny_bases["llama"].gguf, "q2_k")
    assert not out.exists()


def test_an_adapter_of_another_base_is_refused(tiny_bases, adapters, tmp_path):
    wide = {"base_model.model.model.layers.0.mlp.up_proj.lora_B.weight": torch.ones(256, 4)}
    other = changed(adapters["llama"]["actor"], tmp_path / "wide", wide)
    with pytest.raises(ExportError, match=r"does not fit tiny\.gguf.*the base that the adapter was trained on"):
        to_gguf_adapter(other, tmp_path / "out.gguf", tiny_bases["llama"].gguf)


def test_an_architecture_that_was_never_compared_is_refused(tiny_bases, adapters, tmp_path, monkeypatch):
    monkeypatch.delitem(export.PAIRED, "qwen2")
    with pytest.raises(ExportError, match=r"'qwen2', whose export has not been compared with peft"):
        to_gguf_adapter(adapters["qwen2"]["actor"], tmp_path / "out.gguf", tiny_bases["qwen2"].gguf)


def test_a_failed_export_leaves_nothing_behind(tiny_bases, adapters, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", full)
    with pytest.raises(ExportError, match=r"cannot be written.*No space left"):
        to_gguf_adapter(adapters["llama"]["actor"], tmp_path / "new" / "out.gguf", tiny_bases["llama"].gguf)
    assert list((tmp_path / "new").iterdir()) == []


# Merged files


@pytest.fixture(scope="module")
def gguf_adapters(tiny_bases, adapters, tmp_path_factory):
    """Plain adapters by architecture, and an activated one."""
    folder, made = tmp_path_factory.mktemp("adapters"), {}
    for name, base in tiny_bases.items():
        made[name] = folder / f"{name}.gguf"
        to_gguf_adapter(adapters[name]["actor"], made[name], base.gguf, "f32")
    made["activated"] = folder / "activated.gguf"
    to_gguf_adapter(adapters["llama"]["critic"], made["activated"], tiny_bases["llama"].gguf)
    return made


@pytest.mark.parametrize(
    ("architecture", "quantization", "limit"), [("llama", "F16", 2e-3), *rest(("qwen2", "BF16", 2e-2))]
)
def test_a_merged_file_has_the_weights_of_pefts_merge(
    architecture, quantization, limit, tiny_bases, adapters, gguf_adapters, tmp_path
):
    base, out = tiny_bases[architecture], tmp_path / "merged.gguf"
    merge.merge(base.gguf, gguf_adapters[architecture], out, quantization)
    model = AutoModelForCausalLM.from_pretrained(base.hf, dtype=torch.float32)
    expected = PeftModel.from_pretrained(model, adapters[architecture]["actor"]).merge_and_unload().state_dict()
    found = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=out.name, dtype=torch.float32).state_dict()
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.allclose(found[name], weight, atol=limit, rtol=limit), name


@pytest.mark.rest
def test_a_merged_file_agrees_with_peft(tiny_bases, adapters, gguf_adapters, tmp_path):
    base, out = tiny_bases["llama"], tmp_path / "merged.gguf"
    merge.merge(base.gguf, gguf_adapters["llama"], out, "F16")
    trained = HfEngine(base.hf, adapters={"actor": adapters["llama"]["actor"]}, context=512, dtype="float32")
    merged = LlamaCppEngine(out, context=512, threads=1)
    greedy = Sampling(max_tokens=12)
    ((expected,),) = trained.sample([ASKED], greedy, adapter="actor")
    ((plain,),) = trained.sample([ASKED], greedy)
    ((found,),) = merged.sample([ASKED], greedy)
    assert found.text == expected.text != plain.text
    merged.close()
    trained.close()


@pytest.mark.rest
def test_stock_llama_cpp_opens_a_merged_file_with_the_metadata_of_the_base(tiny_bases, gguf_adapters, tmp_path):
    out = tmp_path / "merged.gguf"
    merge.merge(tiny_bases["qwen2"].gguf, gguf_adapters["qwen2"], out, "Q4_K_M")
    before, after = export.open_gguf(tiny_bases["qwen2"].gguf), export.open_gguf(out)
    added = {"general.file_type", "general.quantization_version"}
    kept = {name for name in before.fields if not name.startswith("GGUF.")} - added
    assert {name for name in after.fields if not name.startswith("GGUF.")} - added == kept
    for name in kept:
        assert before.fields[name].types == after.fields[name].types, name
        assert before.fields[name].contents() == after.fields[name].contents(), name
    assert {tensor.name for tensor in after.tensors} == {tensor.name for tensor in before.tensors}
    model = plain_llama(out, n_ctx=256, n_threads=1)
    reply = model.create_chat_completion([dict(ASKED[0])], max_tokens=4, temperature=0)
    assert reply["usage"]["completion_tokens"] >= 1
    model.close()


@pytest.mark.rest
def test_untouched_weights_keep_their_bytes(tiny_bases, gguf_adapters, tmp_path):
    small, out = tmp_path / "small.gguf", tmp_path / "merged.gguf"
    merge._quantize(tiny_bases["llama"].gguf, small, merge.QUANTIZED["Q8_0"])
    merge.merge(small, gguf_adapters["llama"], out, "Q8_0")
    before, after = ({t.name: t for t in export.open_gguf(path).tensors} for path in (small, out))
    for name in ("token_embd.weight", "output_norm.weight"):
        assert (before[name].data == after[name].data).all()
    touched = "blk.0.attn_q.weight"
    rows = [gguf.dequantize(each[touched].data, each[touched].tensor_type) for each in (before, after)]
    assert np.abs(rows[0] - rows[1]).max() > 0.1


@pytest.mark.rest
def test_adapters_that_cannot_be_merged_are_refused(tiny_bases, gguf_adapters, small_model, tmp_path):
    silent = tmp_path / "silent.gguf"
    data = tiny_bases["llama"].gguf.read_bytes()
    silent.write_bytes(data.replace(b"tokenizer.chat_template", b"tokenizer.chat_templatX"))
    base, out = tiny_bases["llama"].gguf, tmp_path / "merged.gguf"
    cases = [
        (base, gguf_adapters["activated"], "Q8_0", r"activated\.gguf is an activated adapter.*no merged file"),
        (silent, gguf_adapters["llama"], "Q8_0", r"silent\.gguf has no chat template"),
        (base, gguf_adapters["qwen2"], "Q8_0", r"adapter of a qwen2 model and tiny\.gguf is llama"),
        (base, base, "Q8_0", r"tiny\.gguf is not an adapter"),
        (small_model, gguf_adapters["llama"], "Q8_0", r"llama\.gguf does not fit"),
        (base, gguf_adapters["llama"], "Q3", r"'Q3' is no known type"),
        (base, tmp_path / "none.gguf", "Q8_0", r"none\.gguf cannot be read"),
    ]
    for base_file, gguf_file, quantization, sentence in cases:
        with pytest.raises(ExportError, match=sentence):
            merge.merge(base_file, gguf_file, out, quantization)
    assert not out.exists()
