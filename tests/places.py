"""Where the tests find what they did not make themselves."""

from runtime import settings
from runtime.files import ROOT

# Asked before any test moves the home: the model files are read from where a person keeps them, and never written.
MODELS = settings.load().models_dir.absolute()
CATALOGUE = ROOT / "data" / "models" / "catalogue.json"
SMALL = "smollm2-135m"
