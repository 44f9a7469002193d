"""Paths and files that the tests find instead of making."""

from runtime import settings
from runtime.files import ROOT

# Read before any test moves the home: the model files are read from a person's folder, and never written.
MODELS = settings.load().models_dir.absolute()
CATALOGUE = ROOT / "data" / "models" / "catalogue.json"
SMALL = "smollm2-135m"
BENCH = ROOT / "data" / "models" / "bench" / "bench.gguf"
"""A tiny model that ships with the project: where any model will do, it takes a tenth of the time."""
