"""Versions of the model on disk, which of them is the champion, and the history of decisions.

A version is a folder that appears whole. ``champion.json`` names the one that serves, and
``history.jsonl`` has a line for each decision.
"""

import io
import json
import math
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from ..errors import UserError
from ..files import read_json, version_age, write_json, write_text
from ..problem.project import Project
from ..report import in_markdown

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
CHAMPION, CHALLENGER, HISTORY = "champion.json", "challenger.json", "history.jsonl"
MOST_TIMES = 10  # its size a model file may unpack to: `train` does not compress it
ANYWAY = "\n## Promoted all the same\n\n"  # the last heading of a card

# A model file may name these types beyond those that skops trusts by itself, and those that the
# project names. Nothing else is loaded.
TRUSTED = [
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "numpy.mean",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # of SplineTransformer, as the next one
    "scipy.interpolate._bsplines.BSpline",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
    "xgboost.sklearn.XGBRegressor",
]

# What the estimators of scikit-learn, which skops trusts, and those of this library are made of
# (losses, kernels, trees) is defined in these modules, none of which reads or writes a file.
PARTS = re.compile(
    r"(sklearn\.(_loss|calibration|cluster|ensemble|feature_selection|gaussian_process|impute|metrics|"
    r"model_selection|multiclass|neighbors|neural_network|tree\._tree|utils\._bunch|"
    r"utils\._metadata_requests)|mlsteps\.(modeling\.(detectors|ensemble|estimators|forecast_model|"
    r"forecasters)|preparation\.(panel|transformers)))\."
)

# Classes that have moved since a version of this library that was released: old name, new name.
# A model file is read as if it named the new ones, so a champion serves on after an update.
MOVED: dict[str, str] = {}

Line = dict[str, Any]  # of the history


def new_version(models: Path) -> str:
    """Return a name for a version: the time in UTC, later than every version there is."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    newest = max([now, *versions(models)], key=version_age)
    if newest == now and not (models / now).exists():
        return now
    head, _, count = newest.partition("_")
    return f"{head}_{int(count or 1) + 1}"


def versions(models: Path) -> list[str]:
    """Return the names of all whole versions, the oldest first."""
    return sorted((path.parent.name for path in models.glob(f"[0-9]*/{RUN}")), key=version_age)


def newest_version(models: Path) -> str:
    """Return the version that was trained last."""
    names = versions(models)
    if not names:
        raise UserError(f"There is no model in {models}; train one with `run`.")
    return names[-1]


def version_folder(models: Path, version: str) -> Path:
    """Return the folder of a version, which has to be one of those that there are."""
    known = versions(models)
    if version not in known:
        raise UserError(f'There is no version "{version}"; versions: {", ".join(known) or "none"}.')
    return models / version


def save_pipeline(pipeline: BaseEstimator, path: Path) -> None:
    """Write a fitted pipeline; nothing in the file can be executed."""
    skops.io.dump(pipeline, path)


def load_pipeline(path: Path, trusted: Sequence[str] = ()) -> BaseEstimator:
    """Read a pipeline, unless it is made of types that are not trusted."""
    try:
        _check_size(path)
        pipeline, unknown = _load(_with_new_names(path), trusted)
        if not unknown:
            return pipeline
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; train a model with `run`.") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise UserError(f"{path} cannot be read ({error}); train again with `run`.") from error
    raise UserError(
        f"{path} needs the types {', '.join(unknown)}, which are not trusted; if they are yours, "
        "add them to TRUSTED in modeling/__init__.py, otherwise train again with `run`."
    )


def check_trusted(name: str, parts: list[BaseEstimator | None], trusted: Sequence[str]) -> None:
    """Raise an error if a candidate cannot be stored, or is made of types that are not trusted."""
    try:
        _, unknown = _load(io.BytesIO(skops.io.dumps(parts)), trusted)
    except Exception as error:  # what it is made of may be anything
        raise UserError(
            f'Candidate "{name}" cannot be stored and read again ({error}); make it of functions '
            "and classes that stand in modules."
        ) from error
    if unknown:
        raise UserError(
            f'Candidate "{name}" needs the types {", ".join(unknown)}, which are not trusted; if '
            "they are yours, add them to TRUSTED in modeling/__init__.py."
        )


def _load(file: Path | io.BytesIO, trusted: Sequence[str]) -> tuple[Any, list[str]]:
    """Return what a file holds, unless it needs types that are not trusted, and these."""
    types = skops.io.get_untrusted_types(file=file)
    unknown = sorted(t for t in {*types} - {*TRUSTED, *trusted} if not is_part(t))
    return None if unknown else skops.io.load(file, trusted=types), unknown


def is_part(name: str) -> bool:
    """Return whether a type is defined in one of `PARTS`, not only imported there."""
    module, _, own = name.rpartition(".")
    if not PARTS.match(name):
        return False
    return getattr(getattr(import_module(module), own, None), "__module__", "") == module


def _check_size(path: Path) -> None:
    """Raise an error, before anything is unpacked, if a model file would fill the memory."""
    with ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_TIMES * path.stat().st_size:
        raise UserError(f"it unpacks to {size / 1e6:,.0f} MB, as no model of `train` does")


def _with_new_names(path: Path) -> Path | io.BytesIO:
    """Return a model file that names the classes of `MOVED` by their new names."""
    if not MOVED:
        return path
    changed = io.BytesIO()
    with ZipFile(path) as old, ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                content = json.dumps(json.loads(content, object_hook=_rename)).encode()
            new.writestr(name, content)
    return changed


def _rename(node: dict[str, Any]) -> dict[str, Any]:
    new = MOVED.get(f"{node.get('__module__')}.{node.get('__class__')}")
    if new:
        node["__module__"], _, node["__class__"] = new.rpartition(".")
    return node


def champion(models: Path) -> str | None:
    """Return the version that serves, or None before the first promotion."""
    version: str | None = _pointer(models)["version"]
    return version


def champion_folder(models: Path) -> Path:
    """Return the folder of the version that serves.

    Parameters
    ----------
    models : Path
        The folder of all versions: ``open_project().models``.

    Returns
    -------
    Path
        What `load_predictor` takes.

    Raises
    ------
    UserError
        If none was promoted yet, or the version was deleted.

    Examples
    --------
    >>> from pathlib import Path
    >>> champion_folder(Path("no_models_yet"))
    Traceback (most recent call last):
    mlsteps.errors.UserError: There is no champion yet; `run` makes one, or `promote VERSION`.
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
    write_json(models / CHALLENGER, {"version": version})


def predecessor(project: Project) -> str | None:
    """Return the version that served before the champion, or None.

    One that was deleted, or was made for another target, is passed over.
    """
    return next(reversed(_predecessors(project)), None)


def promote(
    project: Project, version: str, reason: str, anyway: str = "", **figures: float
) -> None:
    """Let `version` serve from now on, and record its predecessors and why.

    One that failed the gate only serves if `anyway` says why it may; its card then says so as well.
    """
    models = project.models
    folder = version_folder(models, version)
    if not _predicts(folder, project):
        raise UserError(
            f"Version {version} was made for another problem or target than project.toml names, "
            f'"{project.definition.problem.target}".'
        )
    if not (folder / METRICS).exists():
        raise UserError(f"Version {version} has not been evaluated; run `evaluate` first.")
    gate = read_json(folder / METRICS)["gate"]
    failed = f"failed the gate: {'; '.join(gate['reasons'])}"
    if not gate["passed"] and not anyway:
        raise UserError(
            f"Version {version} {failed}. If it is to serve all the same, say why: "
            f'`promote {version} --anyway "the reason"`.'
        )
    accepted = {} if gate["passed"] else {"anyway": f"{anyway}; it {failed}"}
    if anyway:
        reason += f"{', though it failed the gate' if accepted else ''}: {anyway}"
    pointer = _pointer(models)
    before = pointer["version"]
    if before != version:
        predecessors = [*pointer["predecessors"], before] if before else []
        line = new_line("promoted", version, before, reason, **figures) | accepted
        _point(models, predecessors, line)
        add_to_card(models, version)


def promoted_anyway(models: Path, version: str) -> str:
    """Return why a version that failed the gate may serve, "" if it did not fail or may not."""
    lines = [line for line in read_history(models) if line["champion"] == version]
    return next((line["anyway"] for line in reversed(lines) if "anyway" in line), "")


def add_to_card(models: Path, version: str) -> None:
    """Let the card of a version say why it may serve though it failed the gate, if it may."""
    path = models / version / CARD
    if said := promoted_anyway(models, version):
        text = path.read_text(encoding="utf-8").partition(ANYWAY)[0]
        write_text(path, f"{text}{ANYWAY}{in_markdown(said)}.\n")


def rollback(project: Project, reason: str, **figures: float) -> str:
    """Let the champion's predecessor serve again, and return its version."""
    predecessors = _predecessors(project)
    if not predecessors:
        raise UserError("There is no earlier champion to go back to.")
    *earlier, version = predecessors
    line = new_line("rolled back", version, champion(project.models), reason, **figures)
    _point(project.models, earlier, line)
    return version


def prune(project: Project, keep: int) -> list[str]:
    """Delete the oldest versions until `keep` are left, and return their names.

    The champion, its predecessor, the challenger and the newest version stay in any case. What a
    process that was killed has left goes as well, so the caller has to hold the lock.
    """
    models = project.models
    names = versions(models)
    kept = {champion(models), predecessor(project), challenger(models), *names[-1:]}
    pruned = [name for name in names if name not in kept][: max(0, len(names) - keep)]
    for name in pruned:
        (models / name).rename(models / f".{name}.tmp")  # so that no half version can be seen
    for path in models.glob(".*.tmp/"):
        shutil.rmtree(path)
    return pruned


def training_keys(models: Path, version: str) -> np.ndarray:
    """Return the keys (uint64) of the rows that a version was trained on."""
    keys: np.ndarray = np.load(models / version / KEYS, allow_pickle=False)
    return keys


def new_line(event: str, champion: str, other: str | None, reason: str, **figures: float) -> Line:
    """Return a line for the history."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    line = {"at": now, "event": event, "champion": champion, "other": other, "reason": reason}
    return line | {k: v if math.isfinite(v) else None for k, v in figures.items()}


def read_history(models: Path) -> list[Line]:
    """Return all lines, the oldest first; that of the champion is there in any case."""
    path = models / HISTORY
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    try:
        history = [json.loads(line) for line in lines]
    except ValueError as error:
        raise UserError(f"{path} has a line that is no JSON ({error}); delete the line.") from None
    line = _pointer(models)["line"]
    return history if line is None or line in history else [*history, line]


def add_line(models: Path, line: Line) -> None:
    """Add a line to the history; the file is whole at every moment."""
    lines = [*(known for known in read_history(models) if known != line), line]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_text(models / HISTORY, text)


def _predicts(folder: Path, project: Project) -> bool:
    schema, problem = read_json(folder / SCHEMA), project.definition.problem
    return bool(schema["problem"] == problem.type and schema["target"] == problem.target)


def _pointer(models: Path) -> dict[str, Any]:
    """Return the content of champion.json, which names no version before the first promotion."""
    empty: dict[str, Any] = {"version": None, "predecessors": [], "line": None}
    path = models / CHAMPION
    if not path.is_file():
        return empty
    reason = "it names no version"
    try:
        pointer = empty | json.loads(path.read_bytes())
        if isinstance(pointer["version"], str):
            return pointer
    except (OSError, ValueError, TypeError) as error:
        reason = str(error)
    raise UserError(
        f"models/{CHAMPION} is damaged ({reason}); move it away and `promote`, in their order, the "
        f"champions that {HISTORY} names, the last one last."
    )


def _predecessors(project: Project) -> list[str]:
    models = project.models
    there = [v for v in versions(models) if _predicts(models / v, project)]
    return [v for v in _pointer(models)["predecessors"] if v in there]


def _point(models: Path, predecessors: list[str], line: Line) -> None:
    """Change the champion; the line goes with it, so that neither is ever without the other."""
    version, now = line["champion"], line["at"]
    content = {"version": version, "promoted": now, "predecessors": predecessors, "line": line}
    write_json(models / CHAMPION, content)
    add_line(models, line)
