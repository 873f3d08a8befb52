"""Versions of the model on disk, and which of them is the champion."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from ..errors import UserError
from ..files import read_json, write_json
from ..preparation import transformers

MODEL = "model.skops"
SCHEMA = "schema.json"
METRICS = "metrics.json"
CARD = "card.md"
RUN = "run.json"
KEYS = "training_keys.npy"
REFERENCE = "reference.parquet"  # a sample of the training rows, which drift is measured against
ANSWERS = "answers.parquet"  # what it answered on test rows

# A model file may name these types beyond those that skops trusts by itself. Nothing else is
# loaded: a model that needs more is refused, so add here what a candidate of your own needs.
TRUSTED = [
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    *(f"{transformers.__name__}.{name}" for name in ("Clipper", "DateParts", "TextTopics")),
]


def new_version(models: Path) -> str:
    """Return a name for a version: the time in UTC, later than every version there is."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    newest = max([now, *versions(models)])
    if newest == now and not (models / now).exists():
        return now
    head, _, count = newest.partition("_")
    return f"{head}_{int(count or 1) + 1}"


def versions(models: Path) -> list[str]:
    """Return the names of all whole versions, the oldest first."""
    return sorted(path.parent.name for path in models.glob(f"[0-9]*/{RUN}"))


def newest_version(models: Path) -> str:
    """Return the version that was trained last.

    Raises
    ------
    UserError
        If there is none.
    """
    names = versions(models)
    if not names:
        raise UserError(f"There is no model in {models}; train one with `run`.")
    return names[-1]


def version_folder(models: Path, version: str) -> Path:
    """Return the folder of a version.

    Raises
    ------
    UserError
        If there is no such version.
    """
    known = versions(models)
    if version not in known:
        raise UserError(f'There is no version "{version}"; versions: {", ".join(known) or "none"}.')
    return models / version


def save_pipeline(pipeline: Pipeline, path: Path) -> None:
    """Write a fitted pipeline; nothing in the file can be executed."""
    skops.io.dump(pipeline, path)


def load_pipeline(path: Path) -> Pipeline:
    """Read a pipeline.

    Raises
    ------
    UserError
        If the file is missing or damaged, or names a type that is not trusted.
    """
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        pipeline = None if unknown else skops.io.load(path, trusted=TRUSTED)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; train a model with `run`.") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f"{path} cannot be read ({error}); train again with `run`.") from error
    if pipeline is None:
        raise UserError(
            f"{path} needs the types {', '.join(unknown)}, which are not trusted; if they are "
            "yours, add them to TRUSTED in modeling/store.py."
        )
    return pipeline


def champion(models: Path) -> str | None:
    """Return the version that serves, or None before the first promotion."""
    return _pointer(models).get("version")


def champion_folder(models: Path) -> Path:
    """Return the folder of the version that serves.

    Raises
    ------
    UserError
        If none was promoted yet.
    """
    version = champion(models)
    if version is None:
        raise UserError("There is no champion yet; `run` makes one, or `promote VERSION`.")
    return version_folder(models, version)


def promote(models: Path, version: str) -> None:
    """Let `version` serve from now on, and remember its predecessors.

    Raises
    ------
    UserError
        If there is no such version, or it failed the gate.
    """
    folder = version_folder(models, version)
    if not (folder / METRICS).exists():
        raise UserError(f"Version {version} has not been evaluated; run `evaluate` first.")
    gate = read_json(folder / METRICS)["gate"]
    if not gate["passed"]:
        raise UserError(f"Version {version} failed the gate: {'; '.join(gate['reasons'])}.")
    pointer = _pointer(models)
    if pointer.get("version") == version:
        return
    predecessors = pointer.get("predecessors", [])
    if pointer:
        predecessors = [*predecessors, pointer["version"]]
    _point(models, version, predecessors)


def rollback(models: Path) -> str:
    """Let the champion's predecessor serve again, and return its version.

    Raises
    ------
    UserError
        If there is none.
    """
    predecessors = _pointer(models).get("predecessors", [])
    if not predecessors:
        raise UserError("There is no earlier champion to go back to.")
    *earlier, version = predecessors
    version_folder(models, version)
    _point(models, version, earlier)
    return version


def training_keys(models: Path, version: str) -> np.ndarray:
    """Return the keys (uint64) of the rows that a version was trained on."""
    return np.load(models / version / KEYS, allow_pickle=False)


def _pointer(models: Path) -> dict[str, Any]:
    path = models / "champion.json"
    try:
        return read_json(path)
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON ({error}); promote a version again.") from None


def _point(models: Path, version: str, predecessors: list[str]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(
        models / "champion.json",
        {"version": version, "promoted": now, "predecessors": predecessors},
    )
