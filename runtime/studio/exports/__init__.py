"""What people said of attempts, as data sets: JSON lines in a format that trainers know, and a card that says what they
hold. Only what was said with consent leaves the log, unless everything is asked for.

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
