"""Trains an adapter on what people rated or corrected: whether that is enough, running the trainer, and reading its
progress.

The trainer is not imported but started as a command. It writes its progress into a folder and stops when it finds a
stop file there, so a run continues when the page and its server have ended.
"""

from runtime.studio.training.material import NEEDED, Readiness, Trainable, preview, readiness
from runtime.studio.training.progress import Standing, read_standing
from runtime.studio.training.runs import Plan, Training, TrainingError

__all__ = [
    "NEEDED",
    "Plan",
    "Readiness",
    "Standing",
    "Trainable",
    "Training",
    "TrainingError",
    "preview",
    "read_standing",
    "readiness",
]
