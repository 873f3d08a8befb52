"""The one object that answers: for the command line, batch scoring, the service and the tests."""

from .{{ cookiecutter.__data }} import Predictor, load_predictor

__all__ = ["Predictor", "load_predictor"]
