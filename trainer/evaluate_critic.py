"""How well the critic finds the first error, measured as ProcessBench does (arXiv 2412.06559).

    python -m trainer evaluate-critic --trajectories FILE.jsonl

Accuracy on wrong attempts (the first error at its exact place), on right ones (none found), and their harmonic mean F1;
for the critic as it is, and for each of its witnesses alone, from the same readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime import prompts
from runtime.critic import Critic
from runtime.engines.base import Engine, EngineError
from runtime.settings import Settings
from trainer.runs import ResultFile, run_missing
from trainer.sources import JudgedAttempt
from trainer.statistics import harmonic, wilson
