"""Training an adapter with what people said: whether there is enough, a run of the trainer in a process of its own, and
what its files tell.

The trainer is never imported here. It is started as a command, writes what it does into a folder, and is asked to stop
by a file; so a run outlives the page and the server that began it.
"""

from runtime.studio.training.material import NEEDED, Readiness, preview, readiness
from runtime.studio.training.progress import Standing, read_standing
from runtime.studio.training.runs import Plan, Training, TrainingError

__all__ = [
    "NEEDED",
    "Plan",
    "Readiness",
    "Standing",
    "Training",
    "TrainingError",
    "preview",
    "read_standing",
    "readiness",
]
