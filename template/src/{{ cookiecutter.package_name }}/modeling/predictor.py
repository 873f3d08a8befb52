"""The one predictor: the command line, the service and a notebook load a model with it."""

from pathlib import Path

from mlsteps import open_project
from mlsteps.modeling import Predictor, champion_folder, load_predictor

from ..preparation.features import add_features
from .decision import adjust

# A stored model may be made of the estimators of scikit-learn, of the library's, and of the classes
# named here: your own, as "package.module.Class".
TRUSTED: list[str] = []


def load_model(folder: Path) -> Predictor:
    """Return the model of a version, from its folder in models/."""
    return load_predictor(folder, add_features, adjust, TRUSTED)


def load_champion() -> Predictor:
    """Return the model that serves, of the project in this folder or above: for a notebook."""
    return load_model(champion_folder(open_project().models))
