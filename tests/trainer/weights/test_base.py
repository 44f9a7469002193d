"""The base that an adapter is trained on: the served weights, unpacked once."""

import os
import shutil

import gguf
import llama_cpp as llama
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from runtime import settings
from runtime.engines.llamacpp.chat import Chat
from runtime.engines.llamacpp.measure import loaded
from runtime.files import sha256_of
from runtime.models.download.files import ModelError
from trainer.weights import merge
from trainer.weights.base import BENCH_FILE, BaseError, base_file, base_folder, source_of
from trainer.weights.export import open_gguf

pytestmark = [pytest.mark.model, pytest.mark.timeout(120)]

TEXTS = ["What is 12 + 345?", "2 ² and ½ cup, ¼", "小明有24颗糖", "<|im_start|>user\n3.5 × 10<|im_end|>\n"]


@pytest.fixture(scope="module")
def quantized(tiny_bases, tmp_path_factory):
    """Q8_0 files by architecture: the first shares its embeddings with the output, the other has its own output."""
    folder = tmp_path_factory.mktemp("quantized")
    made = {"llama": folder / "llama.gguf", "qwen2": folder / "qwen2.q8.gguf"}
    for name, path in made.items():
        merge._quantize(tiny_bases[name].gguf, path, merge.QUANTIZED["Q8_0"])
    return made


@pytest.fixture(scope="module")
def folders(quantized, tmp_path_factory):
    chosen = settings.load(home=tmp_path_factory.mktemp("home"))
    return {architecture: base_folder(path, chosen) for architecture, path in quantized.items()}


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_gguf_file_is_unpacked_into_a_transformers_folder(architecture, quantized, folders):
    path, folder = quantized[architecture], folders[architecture]
    assert (folder.parent.name, folder.name) == ("bases", path.stem)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    weights, tied = model.state_dict(), architecture == "llama"
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert model.config.tie_word_embeddings == tied
    assert (model.get_output_embeddings().weight is model.get_input_embeddings().weight) == tied
    assert not hasattr(model.config, "quantization_config")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], 2)
    stored = {tensor.name: tensor for tensor in open_gguf(path).tensors}
    assert len(stored) == len(weights) - tied
    for key, weight in weights.items():
        module, _, ending = key.rpartition(".")
        if (tied and module == "lm_head") or (tied and module.endswith(("q_proj", "k_proj"))):
            continue  # tied, or in another order: the next test covers them
        tensor = stored[f"{names.get_name(module)}.{ending}"]
        expected = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
        assert torch.equal(weight, expected.to(torch.bfloat16)), key


def test_rotary_rows_are_in_the_order_of_transformers(folders, tiny):
    whole = AutoModelForCausalLM.from_pretrained(tiny.hf, dtype=torch.float32)
    unpacked = AutoModelForCausalLM.from_pretrained(folders["llama"], dtype=torch.float32)
    for (name, one), other in zip(whole.named_parameters(), unpacked.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-2, rtol=2e-2), name


def test_tokens_and_chat_template_equal_those_of_the_file(quantized, folders):
    tokenizer = AutoTokenizer.from_pretrained(folders["llama"])
    with loaded(quantized["llama"]) as model:
        chat = Chat(model)
        assert [tokenizer.encode(text) for text in TEXTS] == [chat.tokens(text, special=True) for text in TEXTS]
        assert tokenizer.chat_template == llama.llama_model_chat_template(model, None).decode()


def test_a_folder_is_used_as_it_is(tiny, home):
    assert base_folder(tiny.hf, settings.load()) == tiny.hf
    assert not (home / "bases").exists()


@pytest.mark.rest
def test_a_file_is_unpacked_again_only_when_it_changes(quantized, folders, tmp_path):
    path, chosen = tmp_path / "llama.gguf", settings.load()
    shutil.copy(quantized["llama"], path)
    folder = chosen.home / "bases" / "llama"
    shutil.copytree(folders["llama"], folder)
    weights, made_from = folder / "model.safetensors", source_of(folder)
    first = weights.stat().st_ino
    os.utime(path, ns=(1, 1))  # a new time, the same bytes
    assert base_folder(path, chosen) == folder
    assert weights.stat().st_ino == first
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert base_folder(path, chosen) == folder
    assert weights.stat().st_ino != first
    assert source_of(folder).sha256 == sha256_of(path) != made_from.sha256
    assert [entry.name for entry in folder.parent.iterdir()] == ["llama"]


@pytest.mark.rest
def test_an_unfinished_conversion_leaves_nothing(quantized, home, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PreTrainedTokenizerBase, "save_pretrained", full)
    with pytest.raises(BaseError, match=r"could not be written.*No space left.*SOLILOQUY_HOME"):
        base_folder(quantized["llama"], settings.load())
    assert list((home / "bases").iterdir()) == []


def test_a_file_that_is_no_model_is_refused(home):
    damaged = home / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(BaseError, match=r"damaged\.gguf could not be read by transformers"):
        base_folder(damaged, settings.load())
    with pytest.raises(ModelError, match="neither a known name"):
        base_folder("nobody-7b", settings.load())


def test_the_bench_model_is_a_base_by_its_name(tmp_path):
    assert base_file("bench", settings.load()) == BENCH_FILE  # `trainer export --base bench` reads it
    folder = base_folder("bench", settings.load(home=tmp_path))
    assert folder == tmp_path / "bases" / "bench" and source_of(folder).file == "bench.gguf"
