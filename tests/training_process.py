"""A short process that writes the trainer's files with the trainer's own functions, and stops as it does."""

WRITER = """
import json, sys, time
from pathlib import Path
from trainer.training.schedule import Progress, Record
from trainer.pipelines.stages import Stages

place, steps = Path(sys.argv[1]), int(sys.argv[2])
stages, adapter = Stages(place), place / "adapter"
adapter.mkdir(exist_ok=True)
with stages.until_the_end():
    stages.begin("examples")
    stages.begin("tuning", folder=str(adapter), minutes=10.0)
    record = Record(adapter)
    for step in range(len(record.read()) + 1, steps + 1):
        record.add(Progress(step, steps, 2 / step, 8, 900, 0.02, 0.02 * step, 1.5 / step if step % 5 == 0 else None))
        time.sleep(0.02)
        stages.pause()
    for what in ("adapter", "base"):
        stages.begin("measuring", what=what)
    stages.begin("gate")
    stages.end(version="v1", promoted=True, reasons=["Better."], figures={"n": 160})
"""
