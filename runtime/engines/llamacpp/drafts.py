"""Guesses the next tokens from the conversation so far (prompt lookup, n-gram speculation).

A refinement repeats much of the attempt it refines. The tokens that followed the same three tokens earlier are decoded
together with the present one. A guess is used only if the sampler draws it anyway, so neither greedy text nor the
distribution of sampled text changes.
"""

from __future__ import annotations

from collections.abc import Iterable

NGRAM = 3
LONGEST = 7


class PromptLookup:
    """Remembers where each sequence of three tokens last occurred."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self._length, self._pause = NGRAM, 0
        for token in tokens:
            self.append(token)

    def append(self, token: int) -> None:
        """Add a token of the prompt or a sampled one."""
        if len(self._tokens) >= NGRAM:
            self._after[tuple(self._tokens[-NGRAM:])] = len(self._tokens)
        self._tokens.append(token)

    def propose(self, at_most: int) -> list[int]:
        """Guesses at the next tokens; empty if the last three tokens are new, or if guesses failed recently."""
        if self._pause:
            self._pause -= 1
            return []
        start = self._after.get(tuple(self._tokens[-NGRAM:]))
        return self._tokens[start : start + min(self._length, at_most)] if start is not None else []

    def judged(self, proposed: int, accepted: int) -> None:
        """Adapt to a guess: longer ones after a full success, none for a while after a failure."""
        if accepted == proposed:
            self._length = min(self._length * 2 + 1, LONGEST)
        elif accepted * 2 < proposed:
            self._length, self._pause = NGRAM, 2 * (proposed - accepted)
