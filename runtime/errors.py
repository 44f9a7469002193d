"""The one kind of error that a person may see: its text is a sentence that names the cause and the remedy.

Every boundary (engine, store, models, settings, text) raises its own subclass; the command line and the page catch
this one.
"""


class SoliloquyError(Exception):
    """Something that a person can understand and act on."""
