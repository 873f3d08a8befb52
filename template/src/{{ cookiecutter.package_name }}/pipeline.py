"""The steps in order: what each reads, what it does, and what it writes.

A step runs again when the settings, the files or the code that it uses have changed: the code is
its function below, whatever of this project that function names, and the library.
"""

from itertools import chain

import mlsteps.collection
import mlsteps.evaluation
import mlsteps.exploration
import mlsteps.modeling
import mlsteps.preparation
import mlsteps.problem
from mlsteps import Project
from mlsteps.collection import read_raw, read_rest
from mlsteps.preparation import TrainedOn
from mlsteps.steps import Step

from .collection.source import fingerprint, read_rows
from .evaluation.card import CARD
from .evaluation.gate import gate
from .evaluation.plots import evaluation_sections
from .exploration.plots import exploration_sections
from .modeling import TRUSTED
from .modeling.candidates import CANDIDATES
from .modeling.predictor import load_model
from .preparation.clean import clean
from .preparation.features import add_features
from .preparation.split import cut_folds, take_test
from .problem.checks import check_rows
from .problem.metrics import METRICS


def collect(project: Project, *, force: bool = False) -> str:
    """Fetch the rows, as they are at their source."""
    return mlsteps.collection.collect(project, read_rows, anew=force)


def define(project: Project) -> str:
    """Check that the data can answer the question of project.toml."""
    raw = read_raw(project)
    for rows in chain([raw], read_rest(project)):
        check_rows(rows)
    return mlsteps.problem.define(project, raw, METRICS)


def prepare(project: Project, *, trained_on: TrainedOn | None = None) -> str:
    """Clean the rows, compute features, and keep test rows back."""
    raw, rest = clean(read_raw(project)), map(clean, read_rest(project))
    return mlsteps.preparation.prepare(project, raw, take_test, add_features, trained_on, rest)


def explore(project: Project) -> str:
    """Show what the training rows look like."""
    return mlsteps.exploration.explore(project, exploration_sections)


def train(project: Project) -> str:
    """Compare the candidates, and fit the best on all training rows."""
    return mlsteps.modeling.train(project, CANDIDATES, cut_folds, METRICS, TRUSTED)


def evaluate(project: Project) -> str:
    """Open the test set for the newest model."""
    return mlsteps.evaluation.evaluate(
        project, METRICS, load_model, evaluation_sections, gate, CARD
    )


QUESTION = ("type", "target", "positive", "normal", "horizon", "frequency", "season")
PROBLEM = tuple(f"problem.{key}" for key in QUESTION)
CHOICE = ("metric", "clusters", "minimum_stability", "learn_from", "flagged_share")
SEARCH = tuple(f"problem.{key}" for key in CHOICE)
PREPARED = tuple(
    f"data/prepared/{name}"
    for name in ("train.parquet", "test.parquet", "schema.json", "**/*.parquet")
)
TRAINING = ("data/prepared/train.parquet", "data/prepared/schema.json")
TRAINED = tuple(
    "models/{newest}/" + name
    for name in ("model.skops", "schema.json", "run.json", "training_keys.npy", "reference.parquet")
)
EVALUATED = ("models/{newest}/metrics.json", "models/{newest}/card.md", "reports/metrics.json")

STEPS = (
    Step(
        collect,
        settings=("data",),
        writes=("data/raw/data.parquet",),
        takes=("force",),
        changed=fingerprint,
    ),
    Step(
        define,
        settings=("problem", "columns", "split", "search.folds", "constraints", "data"),
        reads=("data/raw/*.parquet",),
    ),
    Step(
        prepare,
        settings=(*PROBLEM, "preparation", "columns", "split", "search.seed"),
        reads=("data/raw/*.parquet",),
        writes=PREPARED,
        takes=("trained_on",),
    ),
    Step(explore, settings=PROBLEM, reads=TRAINING),
    Step(
        train,
        settings=(*PROBLEM, *SEARCH, "evaluation", "split", "preparation", "search", "models"),
        reads=PREPARED,
        writes=TRAINED,
    ),
    Step(
        evaluate,
        settings=("problem", "evaluation", "constraints", "search.seed"),
        reads=(*TRAINED, *PREPARED),
        writes=EVALUATED,
    ),
)
