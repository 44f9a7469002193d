"""Where the tests find what they did not make themselves."""

from pathlib import Path

from runtime import settings

# Asked before any test moves the home: the model files are read from where a person keeps them, and never written.
MODELS = settings.load().models_dir.absolute()
CATALOGUE = Path(__file__).parents[1] / "data" / "models" / "catalogue.json"
SMALL = "smollm2-135m"
