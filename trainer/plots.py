"""The look of all plots."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INK, FAINT = "#333333", "#999999"
BLUE, BROWN, VIOLET = "#1f6f8b", "#b3560f", "#7a5195"


@contextmanager
def figure(path: Path) -> Generator[Any]:
    """A matplotlib figure, saved as a PNG at the end."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    made = pyplot.figure(figsize=(9, 3.6), layout="constrained")
    yield made
    made.savefig(path, dpi=130)
    pyplot.close(made)


def quiet(*axes: Any) -> None:
    """Remove the frame's top and right, and draw a light grid."""
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(axis="y", color="#e6e6e6")
        one.set_axisbelow(True)
