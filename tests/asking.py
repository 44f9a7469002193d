"""Helpers with which the tests call an engine."""

from runtime.types import Message


def ask(text, prefix=None):
    """A conversation of one question, with the beginning of its reply if given."""
    messages = [Message(role="user", content=text)]
    return messages if prefix is None else [*messages, Message(role="assistant", content=prefix)]


def drained(stream):
    """All pieces of a stream, and the completion at its end."""
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value
