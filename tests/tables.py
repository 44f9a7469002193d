"""Tables of cases that are cheaper than tests: one test reads a whole table."""

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Signature
from typing import Any

import pytest


def table(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable:
    """Like `pytest.mark.parametrize`, but one test that reads every row and reports all failing rows. Only for pure
    code, as all rows share the same fixtures."""
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

        each_row.__signature__ = Signature()  # otherwise pytest would look for fixtures of these names
        return each_row

    return whole


def rest(*rows: Any) -> list[Any]:
    """Rows of `pytest.mark.parametrize` that `make test` leaves to `make test-browser` and CI."""
    return [pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=pytest.mark.rest) for row in rows]
