"""Ends the test run when one of its worker processes dies."""

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: pytest.TestReport) -> None:
    """Report the process and its test, and exit: pytest-xdist would wait for ever for the lost test."""
    pytest.exit(report.longrepr, returncode=1)
