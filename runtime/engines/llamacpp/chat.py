"""Tokenises conversations with the chat template of the model file."""

from __future__ import annotations

import re

import llama_cpp as llama
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from runtime.engines.llamacpp.model import vocab_of
from runtime.engines.template import Template, unusable
from runtime.types import Message, Messages


class Chat:
    """The tokenizer and the chat template of a loaded model, for any thread. Raises EngineError for a template whose
    text lacks the problem."""

    def __init__(self, model: llama.llama_model_p, name: str = "this model") -> None:
        self._vocab = vocab_of(model)
        self._bos = self._special(llama.llama_vocab_bos(self._vocab))  # pyrefly: ignore[bad-argument-type]
        source = (llama.llama_model_chat_template(model, None) or b"").decode("utf-8", "replace")
        eos = self._special(llama.llama_vocab_eos(self._vocab))  # pyrefly: ignore[bad-argument-type]
        self._template = jinja_template(source, self._bos, eos, name)
        self._controls = self._control_tokens()

    def prompt_tokens(self, messages: Messages) -> list[int]:
        """The tokens of a conversation, with the assistant's turn open."""
        turns = [Message(role=each["role"], content=self._defused(each["content"])) for each in messages]
        unfinished = turns.pop()["content"] if turns[-1]["role"] == "assistant" else ""
        return self.tokens(self._template(turns) + unfinished, special=True)

    def tokens(self, text: str, special: bool = False) -> list[int]:
        """Tokens of a text; `special` recognises control tokens."""
        data = text.encode("utf-8")
        add_bos = special and llama.llama_vocab_get_add_bos(self._vocab) and not text.startswith(self._bos)
        buffer = (llama.llama_token * (len(data) + 8))()
        size = llama.llama_tokenize(self._vocab, data, len(data), buffer, len(buffer), add_bos, special)
        return list(buffer[:size])

    def _defused(self, content: str) -> str:
        """Break up control tokens in a person's text, so that it cannot close its own turn."""
        return self._controls.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)

    def _control_tokens(self) -> re.Pattern[str]:
        size = llama.llama_vocab_n_tokens(self._vocab)
        texts = (self._special(token) for token in range(size) if llama.llama_vocab_is_control(self._vocab, token))
        return re.compile("|".join(re.escape(text) for text in texts if len(text) > 1) or r"(?!)")

    def _special(self, token: int) -> str:
        text = llama.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8", "replace") if text else ""


def jinja_template(source: str, bos: str, eos: str, name: str) -> Template:
    """The tested template of a model file (`name`). Raises EngineError."""
    try:
        formatter = Jinja2ChatFormatter(source, eos_token=eos, bos_token=bos)
    except Exception as error:
        raise unusable(name, error) from error

    def render(messages: Messages, _opened: bool) -> str:
        return formatter(messages=messages).prompt  # pyrefly: ignore[bad-argument-type]

    return Template(render, name)
