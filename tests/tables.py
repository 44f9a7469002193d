"""Tables of cases that cost less than a test does: one test reads a whole table."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Signature
from typing import Any

import pytest


def table(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable:
    """As `pytest.mark.parametrize`, but one test, which reads every row and reports all rows that fail. For tests of
    pure code alone: whatever a fixture makes would be the same for all rows."""
    cases = [{names: row} if isinstance(names, str) else dict(zip(names, row, strict=True)) for row in rows]

    def whole(test: Callable) -> Callable:
        @wraps(test)
        def each_row() -> None:
            failures = []
            for case in cases:
                try:
                    test(**case)
                except (Exception, pytest.fail.Exception) as failure:  # noqa: BLE001 - whatever it is
                    failure.add_note(f"{case}")
                    failures.append(failure)
            if failures:
                raise BaseExceptionGroup(f"{len(failures)} of {len(cases)} rows", failures)

        each_row.__signature__ = Signature()  # else pytest would look for fixtures of these names
        return each_row

    return whole
