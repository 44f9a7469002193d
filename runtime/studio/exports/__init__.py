"""Exports labelled attempts as data sets: JSON lines in a standard format, and a data card. Only ratings with consent
are exported, unless everything is requested.

    python -m runtime export FOLDER --format stepwise
"""

from runtime.studio.exports.formats import FORMATS, Format, rows_of
from runtime.studio.exports.writing import Exported, ExportError, write_dataset, write_lines, write_text, zipped

__all__ = [
    "FORMATS",
    "ExportError",
    "Exported",
    "Format",
    "rows_of",
    "write_dataset",
    "write_lines",
    "write_text",
    "zipped",
]
