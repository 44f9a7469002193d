"""Guesses at the next tokens from what the conversation has said before (prompt lookup, n-gram speculation).

A refinement repeats much of what it refines. Tokens that followed the same three tokens earlier are decoded together
with the token at hand; each counts only if the sampler then draws it anyway, so neither greedy text nor the
distribution of sampled text changes.
"""

from __future__ import annotations

from collections.abc import Iterable

NGRAM = 3
LONGEST = 7


class PromptLookup:
    """Remembers where each run of three tokens was last followed by something."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self._length, self._pause = NGRAM, 0
        for token in tokens:
            self.append(token)

    def append(self, token: int) -> None:
        """A token of the prompt, or one that was drawn."""
        if len(self._tokens) >= NGRAM:
            self._after[tuple(self._tokens[-NGRAM:])] = len(self._tokens)
        self._tokens.append(token)

    def propose(self, at_most: int) -> list[int]:
        """What may follow now; empty where nothing similar was said, or guessing has not paid lately."""
        if self._pause:
            self._pause -= 1
            return []
        start = self._after.get(tuple(self._tokens[-NGRAM:]))
        return self._tokens[start : start + min(self._length, at_most)] if start is not None else []

    def judged(self, proposed: int, accepted: int) -> None:
        """Learn from a guess: longer after a full success, silent for a while after a failure."""
        if accepted == proposed:
            self._length = min(self._length * 2 + 1, LONGEST)
        elif accepted * 2 < proposed:
            self._length, self._pause = NGRAM, 2 * (proposed - accepted)
