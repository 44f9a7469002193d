"""What ends a run of all tests when one of the processes that run them dies."""

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: pytest.TestReport) -> None:
    """Name the process and its test, and leave: pytest-xdist would wait for what nobody runs any more."""
    pytest.exit(report.longrepr, returncode=1)
