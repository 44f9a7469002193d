"""The session log: every run and rating, in one SQLite file."""

import sys

# sqlite_utils imports pandas and numpy where they are installed, to store their values, which we never do. That is most
# of a second for every command that opens the log.
_UNUSED = [name for name in ("numpy", "pandas") if name not in sys.modules]
for name in _UNUSED:
    sys.modules[name] = None  # pyrefly: ignore[unsupported-operation]  # None makes an import fail
try:
    import sqlite_utils  # noqa: F401
finally:
    for name in _UNUSED:
        del sys.modules[name]
