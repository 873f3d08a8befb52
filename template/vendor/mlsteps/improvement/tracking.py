"""Record versions in MLflow as well: as runs, and in its model registry."""

import logging
import os
import warnings
from contextlib import redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING, Any

from skops.io import get_untrusted_types

from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..problem.project import Project
from ..report import build

if TYPE_CHECKING:  # MLflow takes some seconds to load
    from mlflow import MlflowClient

URI = "MLFLOW_TRACKING_URI"
MOST_LETTERS = 500  # in a parameter
# Quick to give up, as the next command tries again; and no reports to the makers of MLflow.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def track(project: Project, load_predictor: LoadPredictor) -> str:
    """Tell MLflow what models/ holds, if ``[improvement] tracking`` is "mlflow".

    Every evaluated version becomes a run with its parameters, metrics, files and model, and a
    version in the registry under the name of the project's folder; the champion and the challenger
    become aliases. What is known already is left as it is, so a call that failed, or was killed, is
    made good by the next. Where: the environment variable MLFLOW_TRACKING_URI, or mlflow.db in the
    project.
    """
    if project.definition.improvement.tracking != "mlflow":
        return ""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient, set_tracking_uri
        from mlflow.exceptions import MlflowException
        from mlflow.store.db import utils as database
    except ImportError as error:
        return f"MLflow was not told ({error}); add it with `uv add mlflow`."
    from sqlalchemy.exc import SQLAlchemyError

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    database.MAX_RETRY_COUNT = 4  # in a second, not 100; there is no variable for it
    given = os.environ.get(URI)
    set_tracking_uri(given or f"sqlite:///{project.root / 'mlflow.db'}")
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):  # it praises itself there
            warnings.simplefilter("ignore")
            return _track(project, load_predictor, MlflowClient(), local=not given)
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return f"MLflow was not told ({reason}); the next command tries again."
    finally:
        if not given:  # MLflow sets it, and another project may follow
            os.environ.pop(URI, None)


def _track(
    project: Project, load_predictor: LoadPredictor, client: "MlflowClient", *, local: bool
) -> str:
    model, models = project.root.name, project.models
    found = client.get_experiment_by_name(model)
    place = (project.root / "mlruns").as_uri() if local else None
    experiment = found.experiment_id if found else client.create_experiment(model, place)
    registered = client.search_model_versions(f"name = '{model}'")
    known = {one.tags["version"]: one.version for one in registered if "version" in one.tags}
    evaluated = [v for v in store.versions(models) if (models / v / store.METRICS).is_file()]
    new = [version for version in evaluated if version not in known]
    for version in new:
        for run in client.search_runs([experiment], f"tags.version = '{version}'"):
            client.delete_run(run.info.run_id)  # its registration was never reached
        known[version] = _record(project, version, experiment, load_predictor)
    champion, newest = store.champion(models), store.newest_version(models)
    challenger = store.challenger(models) or (newest if newest != champion else None)
    aliases = {"champion": champion, "challenger": challenger}
    for alias, holder in aliases.items():
        if holder in known:
            client.set_registered_model_alias(model, alias, known[holder])
        elif known:
            client.delete_registered_model_alias(model, alias)
    return f"{len(new)} new in MLflow; {', '.join(f'{a} {v}' for a, v in aliases.items() if v)}"


def _record(project: Project, version: str, experiment: str, load_predictor: LoadPredictor) -> str:
    """Make a run of a version and register its model; return its number in the registry."""
    import mlflow
    from mlflow.models import infer_signature

    folder = project.models / version
    run, results = read_json(folder / store.RUN), read_json(folder / store.METRICS)
    features = read_frame(folder / store.REFERENCE)
    tags = {"version": version, "model": run["model"], "problem": results["problem"]}
    with mlflow.start_run(experiment_id=experiment, run_name=version, tags=tags):
        mlflow.log_params(_parameters(run))
        mlflow.log_metrics(_metrics(run, results))
        mlflow.log_artifacts(str(folder), "version")  # the model, its card, its schema
        if version == store.newest_version(project.models):
            mlflow.log_artifact(str(build(project.reports, project.root.name)), "report")
        model = mlflow.sklearn.log_model(
            load_predictor(folder).pipeline,
            name="model",
            serialization_format="skops",
            # Loading has just checked them against the types that the project trusts.
            skops_trusted_types=get_untrusted_types(file=folder / store.MODEL),
            signature=infer_signature(features.head()),
            pip_requirements=[f"{n}=={v}" for n, v in run["versions"].items() if n != "python"],
        )
    name = project.root.name
    return str(mlflow.register_model(model.model_uri, name, tags={"version": version}).version)


def _parameters(run: dict[str, Any]) -> dict[str, str]:
    """Return what was chosen: the candidate with its settings, and the definition."""
    parameters = {"model": run["model"], "training_rows": run["training_rows"]}
    parameters |= {f"model.{name}": value for name, value in run["settings"].items()}
    for table, keys in run["definition"].items():
        parameters |= {f"{table}.{key}": value for key, value in keys.items()}
    return {name: str(value)[:MOST_LETTERS] for name, value in parameters.items()}


def _metrics(run: dict[str, Any], results: dict[str, Any]) -> dict[str, float]:
    metrics = {f"test_{name}": numbers["value"] for name, numbers in results["test"].items()}
    for name, numbers in results["test"].items():
        metrics |= {f"test_{name}_{end}": numbers[end] for end in ("low", "high")}
    metrics |= {f"baseline_{name}": value for name, value in results["baseline"].items()}
    metrics |= {f"cv_{line['model']}": line["cv_mean"] for line in run["leaderboard"]}
    return metrics | results["costs"]
