"""Record versions in MLflow as well: as runs, and in its model registry."""

import logging
import os
import warnings
from contextlib import redirect_stderr
from io import StringIO

import pandas as pd
from skops.io import get_untrusted_types

from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..problem.project import Project
from ..report import build

URI = "MLFLOW_TRACKING_URI"
MOST_LETTERS = 500  # in a parameter
# Quick to give up, as the next command tries again; and no reports to the makers of MLflow.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def track(project: Project, load_predictor: LoadPredictor) -> str:
    """Record in MLflow what models/ holds, and return a sentence for the command line.

    What MLflow knows already is left as it is, so the next call makes good one that failed.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:  # it takes some seconds to load
        import mlflow
        from mlflow.store.db import utils as database
    except ImportError as error:
        return f"nothing is recorded in MLflow ({error}); add it with `uv add mlflow`."
    from sqlalchemy.exc import SQLAlchemyError

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    database.MAX_RETRY_COUNT = 4  # in a second, not 100; there is no variable for it
    server = os.environ.get(URI)
    mlflow.set_tracking_uri(server or f"sqlite:///{project.root / 'mlflow.db'}")
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):  # it praises itself there
            warnings.simplefilter("ignore")
            return _record_new(project, load_predictor, local=not server)
    except (mlflow.MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return f"nothing is recorded in MLflow ({reason}); the next command tries again."
    finally:
        if not server:  # MLflow sets it, and another project may follow
            os.environ.pop(URI, None)


def _record_new(project: Project, load_predictor: LoadPredictor, *, local: bool) -> str:
    """Record each evaluated version that is not in the registry, and who is champion."""
    import mlflow

    client, name, models = mlflow.MlflowClient(), project.root.name, project.models
    if client.get_experiment_by_name(name) is None:
        client.create_experiment(name, (project.root / "mlruns").as_uri() if local else None)
    mlflow.set_experiment(name)
    registered = client.search_model_versions(f"name = '{name}'")
    known = {one.tags["version"]: one.version for one in registered if "version" in one.tags}
    evaluated = [v for v in store.versions(models) if (models / v / store.METRICS).is_file()]
    new = [version for version in evaluated if version not in known]
    known |= {version: _record(project, version, load_predictor) for version in new}
    champion, newest = store.champion(models), store.newest_version(models)
    challenger = store.challenger(models) or (newest if newest != champion else None)
    aliases = {"champion": champion, "challenger": challenger}
    for alias, version in aliases.items():
        if version in known:
            client.set_registered_model_alias(name, alias, known[version])
        elif known:
            client.delete_registered_model_alias(name, alias)
    return f"{len(new)} new in MLflow; {', '.join(f'{a} {v}' for a, v in aliases.items() if v)}"


def _record(project: Project, version: str, load_predictor: LoadPredictor) -> str:
    """Make a run of a version and register its model; return its number in the registry."""
    import mlflow
    from mlflow.models import infer_signature

    folder, name = project.models / version, project.root.name
    run, results = read_json(folder / store.RUN), read_json(folder / store.METRICS)
    chosen = pd.json_normalize({**run["definition"], "model": run["settings"]}).iloc[0].to_dict()
    parameters = chosen | {"model": run["model"], "training_rows": run["training_rows"]}
    metrics = {f"baseline_{name}": value for name, value in results["baseline"].items()}
    for metric, numbers in results["test"].items():
        metrics[f"test_{metric}"] = numbers["value"]
        metrics |= {f"test_{metric}_{end}": numbers[end] for end in ("low", "high")}
    metrics |= {f"cv_{line['model']}": line["cv_mean"] for line in results["leaderboard"]}
    tags = {"version": version, "model": run["model"], "problem": results["problem"]}
    with mlflow.start_run(run_name=version, tags=tags):
        mlflow.log_params({key: str(value)[:MOST_LETTERS] for key, value in parameters.items()})
        mlflow.log_metrics(metrics | results["costs"])
        mlflow.log_artifacts(str(folder), "version")  # the model, its card, its schema
        if version == store.newest_version(project.models):
            mlflow.log_artifact(str(build(project.reports, name)), "report")
        model = mlflow.sklearn.log_model(
            load_predictor(folder).pipeline,
            name="model",
            serialization_format="skops",
            # Loading has just checked them against the types that the project trusts.
            skops_trusted_types=get_untrusted_types(file=folder / store.MODEL),
            signature=infer_signature(read_frame(folder / store.REFERENCE).head()),
            pip_requirements=[f"{n}=={v}" for n, v in run["versions"].items() if n != "python"],
        )
    return str(mlflow.register_model(model.model_uri, name, tags={"version": version}).version)
