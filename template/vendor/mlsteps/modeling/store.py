"""Versions of the model on disk, and which of them is the champion."""

import io
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from ..errors import UserError
from ..files import read_json, unreadable, write_json
from ..problem.project import Project
from ..steps import lock
from .history import Line, add_line, new_line

MODEL = "model.skops"
SCHEMA = "schema.json"
METRICS = "metrics.json"
CARD = "card.md"
RUN = "run.json"
KEYS = "training_keys.npy"
REFERENCE = "reference.parquet"  # a sample of the training rows, which drift is measured against
TEST_PREDICTIONS = "test_predictions.parquet"  # of test rows
TEST_FORECASTS = "test_forecasts.parquet"  # of series, by a model that was fitted before the test
OUT_OF_FOLD = "out_of_fold.parquet"  # predictions of training rows, by models fitted without them
CHAMPION, CHALLENGER = "champion.json", "challenger.json"
STALE_SECONDS = 3600  # a temporary file that is older was left by a process that was killed

# A model file may name these types beyond those that skops trusts by itself, and those that the
# project names. Nothing else is loaded.
TRUSTED = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "mlsteps.modeling.forecast_model.ForecastModel",
    "mlsteps.modeling.estimators.Clusterer",
    "mlsteps.modeling.estimators.Detector",
    "mlsteps.modeling.forecasters.arima.Arima",
    "mlsteps.modeling.forecasters.lags.Lags",
    "mlsteps.modeling.forecasters.local.Exponential",
    "mlsteps.modeling.forecasters.local.Theta",
    "mlsteps.preparation.transformers.Clipper",
    "mlsteps.preparation.transformers.DateParts",
    "mlsteps.preparation.transformers.TextTopics",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # of SplineTransformer, as the next one
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]

# Classes that have moved since a version of this library that was released: old name, new name.
# A model file is read as if it named the new ones, so a champion serves on after an update.
MOVED: dict[str, str] = {}


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
    """Return the version that was trained last."""
    names = versions(models)
    if not names:
        raise UserError(f"There is no model in {models}; train one with `run`.")
    return names[-1]


def version_folder(models: Path, version: str) -> Path:
    """Return the folder of a version."""
    known = versions(models)
    if version not in known:
        raise UserError(f'There is no version "{version}"; versions: {", ".join(known) or "none"}.')
    return models / version


def save_pipeline(pipeline: BaseEstimator, path: Path) -> None:
    """Write a fitted pipeline; nothing in the file can be executed."""
    skops.io.dump(pipeline, path)


def load_pipeline(path: Path, trusted: Sequence[str] = ()) -> BaseEstimator:
    """Read a pipeline."""
    trusted = [*TRUSTED, *trusted]
    try:
        file = _with_new_names(path)
        unknown = sorted(set(skops.io.get_untrusted_types(file=file)) - set(trusted))
        pipeline = None if unknown else skops.io.load(file, trusted=trusted)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; train a model with `run`.") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f"{path} cannot be read ({error}); train again with `run`.") from error
    if pipeline is not None:
        return pipeline
    own = {name.rpartition(".")[2] for name in TRUSTED if name.startswith("mlsteps.")}
    for name in unknown:
        if name.rpartition(".")[2] in own:
            raise UserError(
                f"{path} was made by an earlier version of this project's library (it names "
                f"{name}); train again with `run`."
            )
    raise UserError(
        f"{path} needs the types {', '.join(unknown)}, which are not trusted; if they are "
        "yours, add them to TRUSTED in modeling/predictor.py."
    )


def _with_new_names(path: Path) -> Path | io.BytesIO:
    """Return a model file that names the classes of `MOVED` by their new names."""
    with ZipFile(path) as old:
        nodes = json.loads(old.read("schema.json"))
        renamed = json.loads(json.dumps(nodes), object_hook=_rename)
        if renamed == nodes:
            return path
        changed = io.BytesIO()
        with ZipFile(changed, "w") as new:
            for name in old.namelist():
                is_schema = name == "schema.json"
                new.writestr(name, json.dumps(renamed) if is_schema else old.read(name))
    return changed


def _rename(node: dict[str, Any]) -> dict[str, Any]:
    new = MOVED.get(f"{node.get('__module__')}.{node.get('__class__')}")
    if new:
        node["__module__"], _, node["__class__"] = new.rpartition(".")
    return node


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


def challenger(models: Path) -> str | None:
    """Return the version that predicts in the champion's shadow, for the log only, or None."""
    path = models / CHALLENGER
    version = read_json(path).get("version") if path.is_file() else None
    return version if version in versions(models) and version != champion(models) else None


def set_challenger(models: Path, version: str | None) -> None:
    """Let a version predict in the champion's shadow, or none."""
    if version is None:
        (models / CHALLENGER).unlink(missing_ok=True)
    else:
        write_json(models / CHALLENGER, {"version": version})


def predecessor(project: Project) -> str | None:
    """Return the version that served before the champion, or None.

    One that was deleted, or was made for another target, is passed over.
    """
    return next(iter(_predecessors(project)[::-1]), None)


def promote(project: Project, version: str, reason: str, **figures: float) -> None:
    """Let `version` serve from now on, and record its predecessors and why."""
    models = project.models
    folder = version_folder(models, version)
    target = project.definition.problem.target
    if not _predicts(folder, project):
        raise UserError(
            f"Version {version} was made for another problem or target than project.toml names, "
            f'"{target}".'
        )
    if not (folder / METRICS).exists():
        raise UserError(f"Version {version} has not been evaluated; run `evaluate` first.")
    gate = read_json(folder / METRICS)["gate"]
    if not gate["passed"]:
        raise UserError(f"Version {version} failed the gate: {'; '.join(gate['reasons'])}.")
    try:
        pointer = _pointer(models)
    except UserError:  # damaged, so it is made anew
        pointer = {}
    if pointer.get("version") == version:
        return
    before = pointer.get("version")
    predecessors = [*pointer["predecessors"], before] if pointer else []
    _point(models, predecessors, new_line("promoted", version, before, reason, **figures))


def rollback(project: Project, reason: str, **figures: float) -> str:
    """Let the champion's predecessor serve again, and return its version."""
    predecessors = _predecessors(project)
    if not predecessors:
        raise UserError("There is no earlier champion to go back to.")
    *earlier, version = predecessors
    line = new_line("rolled back", version, champion(project.models), reason, **figures)
    _point(project.models, earlier, line)
    return version


@contextmanager
def locked(models: Path) -> Iterator[None]:
    """Hold the lock of what makes versions; a process that ends, or is killed, frees it."""
    with lock(models):
        finish(models)
        yield


def finish(models: Path) -> None:
    """Finish what a process that was killed has left: a line of history, temporary files."""
    try:
        line = _pointer(models).get("line")
    except UserError:  # damaged: the next promotion makes it anew
        line = None
    if line:
        add_line(models, line)
    for path in models.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            _delete(path)


def prune(project: Project, keep: int) -> list[str]:
    """Delete the oldest versions until `keep` are left; return their names.

    The champion, its predecessor, the challenger and the newest version stay in any case.
    """
    models = project.models
    names = versions(models)
    kept = {champion(models), predecessor(project), challenger(models), *names[-1:]}
    spare = [name for name in names if name not in kept]
    pruned = spare[: max(0, len(names) - keep)]
    for name in pruned:
        gone = models / f".{name}.tmp"  # so that no half version can be seen
        (models / name).rename(gone)
        _delete(gone)
    return pruned


def training_keys(models: Path, version: str) -> np.ndarray:
    """Return the keys (uint64) of the rows that a version was trained on."""
    path = models / version / KEYS
    try:
        keys: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise unreadable(path, error) from None
    return keys


def _predicts(folder: Path, project: Project) -> bool:
    schema, problem = read_json(folder / SCHEMA), project.definition.problem
    return bool(schema["problem"] == problem.type and schema["target"] == problem.target)


def _pointer(models: Path) -> dict[str, Any]:
    """Return the content of champion.json, empty before the first promotion."""
    path = models / CHAMPION
    if not path.is_file():
        return {}
    pointer: dict[str, Any] = read_json(path)
    try:
        whole = isinstance(pointer["version"], str) and isinstance(pointer["predecessors"], list)
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise UserError(f"{path} names no version; promote one again.")
    return pointer


def _predecessors(project: Project) -> list[str]:
    models = project.models
    there = [v for v in versions(models) if _predicts(models / v, project)]
    return [v for v in _pointer(models).get("predecessors", []) if v in there]


def _point(models: Path, predecessors: list[str], line: Line) -> None:
    """Change the champion; the line goes with it, so that neither is ever without the other."""
    version, now = line["champion"], line["at"]
    content = {"version": version, "promoted": now, "predecessors": predecessors, "line": line}
    write_json(models / CHAMPION, content)
    add_line(models, line)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
