"""Tokenises conversations with the tokenizer's chat template, to the same tokens as llama.cpp."""

from __future__ import annotations

import re

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from runtime.engines.base import EngineError
from runtime.engines.template import Template
from runtime.types import Message, Messages


class Chat:
    """A tokenizer and its chat template, for any thread. Raises EngineError for a template whose text lacks the
    problem."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        if not tokenizer.chat_template:
            raise EngineError(
                f"{name} has no chat template, so its prompt format is unknown. "
                "Use an instruct or chat version of this model."
            )
        self.name = name

        def render(messages: Messages, opened: bool) -> str:
            turns = [{"role": each["role"], "content": each["content"]} for each in messages]
            return str(tokenizer.apply_chat_template(turns, add_generation_prompt=opened, tokenize=False))

        self._template = Template(render, name)
        self._bos = tokenizer.bos_token or ""
        self.end: int = tokenizer.eos_token_id
        """The token that ends a turn."""
        self.tokenizer: Tokenizer = tokenizer.backend_tokenizer
        # A lock, as recognising control tokens is a state of the tokenizer that all threads share.
        self._plain = Tokenizer.from_str(self.tokenizer.to_str())
        self._plain.encode_special_tokens = True
        special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._controls = re.compile("|".join(map(re.escape, special)) or r"(?!)")

    def prompt_tokens(self, messages: Messages, opened: bool = True) -> list[int]:
        """The tokens of a conversation, with the assistant's turn open, or (`opened` False) without. Raises
        EngineError."""
        turns = [Message(role=each["role"], content=self._defused(each["content"])) for each in messages]
        unfinished = turns.pop()["content"] if turns[-1]["role"] == "assistant" else ""
        text = self._template(turns, opened)
        add_bos = not (self._bos and text.startswith(self._bos))
        return self.tokenizer.encode(text + unfinished, add_special_tokens=add_bos).ids

    def plain_tokens(self, text: str) -> list[int]:
        """Tokens of a text; control tokens are treated as text."""
        return self._plain.encode(text, add_special_tokens=False).ids

    def _defused(self, content: str) -> str:
        """Break up control tokens in a person's text, so that it cannot close its own turn."""
        return self._controls.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)
