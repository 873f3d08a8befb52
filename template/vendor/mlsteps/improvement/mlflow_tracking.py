"""Where versions are recorded beside models/: in MLflow, as runs and in its model registry."""

import logging
import os
import re
import warnings
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import read_frame, read_json
from ..modeling import store
from ..problem.project import Project

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
CHAMPION, CHALLENGER = "champion", "challenger"  # aliases
SVG = re.compile(r"<figcaption>(?:<b>(.*?)</b>)?.*?</figcaption>(<svg.*?</svg>)", re.DOTALL)


def track(project: Project) -> str:
    """Tell MLflow what models/ holds, and return what was told in a line.

    Every evaluated version becomes a run with its parameters, metrics, figures, files and model,
    and a version in the registry; the champion and the challenger become aliases. What is known
    already is left as it is, so a call that failed, or was killed, is made good by the next.
    Where: the environment variable MLFLOW_TRACKING_URI, or mlflow.db in the project.
    """
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient, set_tracking_uri
    from mlflow.exceptions import MlflowException
    from mlflow.store.db import utils as database
    from sqlalchemy.exc import SQLAlchemyError

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    database.MAX_RETRY_COUNT = 4  # in a second, not 100; there is no variable for it
    given = os.environ.get(URI)
    set_tracking_uri(given or f"sqlite:///{project.root / 'mlflow.db'}")
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):  # it praises itself there
            warnings.simplefilter("ignore")
            return _track(project, MlflowClient(), local=not given)
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return f"MLflow was not told ({reason}); the next command tries again."
    finally:
        if not given:  # MLflow sets it, and another project may follow
            os.environ.pop(URI, None)


def _track(project: Project, client: "MlflowClient", *, local: bool) -> str:
    experiment = client.get_experiment_by_name(project.root.name)
    place = (project.root / "mlruns").as_uri() if local else None
    number = experiment.experiment_id if experiment else client.create_experiment(project.root.name, place)
    model = project.root.name
    known = _registered(client, model)
    new = [
        name
        for name in store.versions(project.models)
        if name not in known and (project.models / name / store.METRICS).is_file()
    ]
    for name in new:
        for run in client.search_runs([number], f"tags.version = '{name}'"):
            client.delete_run(run.info.run_id)  # its registration was never reached
        known[name] = _record(project, name, number)
    aliases = {CHAMPION: store.champion(project.models), CHALLENGER: _challenger(project)}
    for alias, version in aliases.items():
        if version in known:
            client.set_registered_model_alias(model, alias, known[version])
        elif known:
            client.delete_registered_model_alias(model, alias)
    return f"{len(new)} new in MLflow; {', '.join(f'{a} {v}' for a, v in aliases.items() if v)}"


def _registered(client: "MlflowClient", model: str) -> dict[str, str]:
    """Return the number in the registry of each version that stands there."""
    found = client.search_model_versions(f"name = '{model}'")
    return {one.tags["version"]: one.version for one in found if "version" in one.tags}


def _challenger(project: Project) -> str | None:
    """Return the version in the shadow of the champion, or else the newest that is not it."""
    newest = store.newest_version(project.models)
    other = newest if newest != store.champion(project.models) else None
    return store.challenger(project.models) or other


def _record(project: Project, version: str, experiment: str) -> str:
    """Make a run of a version and register its model; return its number in the registry."""
    import mlflow
    from mlflow.models import infer_signature

    folder = project.models / version
    run, results = read_json(folder / store.RUN), read_json(folder / store.METRICS)
    pipeline, features = (
        store.load_pipeline(folder / store.MODEL),
        read_frame(folder / store.REFERENCE),
    )
    tags = {"version": version, "model": run["model"], "problem": results["problem"]}
    with mlflow.start_run(experiment_id=experiment, run_name=version, tags=tags):
        mlflow.log_params(_parameters(run))
        mlflow.log_metrics(_metrics(run, results))
        for name, svg in _figures(project, version).items():
            mlflow.log_text(svg, f"figures/{name}.svg")
        mlflow.log_artifacts(str(folder), "version")
        model = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            serialization_format="skops",
            skops_trusted_types=store.TRUSTED,
            signature=infer_signature(features.head()),
            pip_requirements=[f"{n}=={v}" for n, v in run["versions"].items() if n != "python"],
        )
    registered = mlflow.register_model(model.model_uri, project.root.name, tags={"version": version})
    return str(registered.version)


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


def _figures(project: Project, version: str) -> dict[str, str]:
    """Return the plots of the report that show this version, by their titles."""
    evaluated = project.reports / "metrics.json"
    if not evaluated.is_file() or read_json(evaluated)["version"] != version:
        return {}
    found: dict[str, str] = {}
    for card in sorted(Path(project.reports / "cards").glob("*-evaluate.html")):
        for title, svg in SVG.findall(card.read_text(encoding="utf-8")):
            name = re.sub(r"\W+", "-", title).strip("-").lower() or f"plot-{len(found) + 1}"
            found[name] = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return found
