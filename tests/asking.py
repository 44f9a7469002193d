"""Helpers with which the tests call an engine."""

from runtime.types import Message


def ask(text, begun=None):
    """A conversation of one question, with the beginning of its reply if given."""
    messages = [Message(role="user", content=text)]
    return messages if begun is None else [*messages, Message(role="assistant", content=begun)]


def drained(stream):
    """All pieces of a stream, and the completion at its end."""
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value
