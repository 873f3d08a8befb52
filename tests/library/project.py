"""A project as a user has it, made in a moment: the owned code and project.toml, rendered."""

import contextlib
import importlib
import json
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType, SimpleNamespace

import jinja2
import tomlkit
import yaml
from click.testing import CliRunner
from mlsteps.collection import collect, open_source
from mlsteps.deployment.log_tables import FEEDBACK, PREDICTIONS, TABLES
from mlsteps.deployment.prediction_log import open_log
from mlsteps.modeling import store
from mlsteps.problem.project import open_project
from sqlalchemy import insert

REPOSITORY = Path(__file__).parent.parent.parent
TEMPLATE = REPOSITORY / "template"
FOLDER = Path(mkdtemp(prefix="mlsteps-"))  # of the packages; each problem type has its own
NEEDS_TARGET = ("classification", "regression", "forecasting")


@cache
def answers_of(problem_type, serving="fastapi"):
    """Return the answers of a project, each the default but for the type of problem."""
    config = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
    answers = {
        name: question["default"]
        for name, question in config.items()
        if isinstance(question, dict) and "choices" in question
    }
    name = f"{problem_type}_{serving}"
    return answers | {
        "problem_type": problem_type,
        "serving": serving,
        "project_name": name,
        "project_slug": name,
        "package_name": name,
        "description": "",
        "author_name": "",
        "author_email": "",
    }


def render(path, answers):
    """Return the text of a file of the template for some answers."""
    text = (TEMPLATE / path).read_text(encoding="utf-8")
    environment = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
    return environment.from_string(text).render(cookiecutter=answers)


@cache
def package(problem_type, serving="fastapi"):
    """Return the package that a project of this type owns, imported."""
    answers = answers_of(problem_type, serving)
    source = TEMPLATE / "src" / "{{ cookiecutter.package_name }}"
    for path in source.rglob("*.*"):
        if "__pycache__" in path.parts or path.is_dir():
            continue
        target = FOLDER / answers["package_name"] / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(path.relative_to(TEMPLATE), answers), encoding="utf-8")
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return importlib.import_module(answers["package_name"])


def part(problem_type, name, serving="fastapi") -> ModuleType:
    """Return a module that a project owns, "modeling.predictor" say."""
    made = package(problem_type, serving)
    return importlib.import_module(f"{made.__name__}.{name}")


def project_toml(problem_type, serving="fastapi", **answers):
    """Return the text of project.toml as the template has it."""
    return render("project.toml", answers_of(problem_type, serving) | answers)


def sample(problem_type):
    """Return the path of the embedded data."""
    path = re.search(r'^path = "(.*)"', project_toml(problem_type), re.MULTILINE)[1]
    return TEMPLATE / path


def run_in(folder, *arguments):
    """Run a command of the project in `folder`, as its user would."""
    text = (
        (Path(folder) / "project.toml").read_text(encoding="utf-8") if _is_project(folder) else ""
    )
    named = re.search(r'^type = "(\w+)"', text, re.MULTILINE)
    main = part(named[1] if named else "classification", "cli").main
    with contextlib.chdir(folder):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _is_project(folder):
    return (Path(folder) / "project.toml").is_file()


def collect_rows(project, **options):
    """Collect what [data] of a project names."""
    return collect(project, open_source, **options)


def edit(project, **tables):
    """Change keys of a project's project.toml, and return the project as it is then."""
    path = project.root / "project.toml"
    document = tomlkit.parse(path.read_text(encoding="utf-8"))
    for table, keys in tables.items():
        document[table].update(keys)
    path.write_text(document.as_string(), encoding="utf-8")
    return open_project(project.root)


def load(project, version=None):
    """Return the predictor of a version, the champion's if none is named."""
    folder = project.models / version if version else store.champion_folder(project.models)
    return part(project.definition.problem.type, "modeling.predictor").load_model(folder)


def log(project, rows, truth=None, challenger=None):
    """Put predictions for `rows` into the log, as the service does, with their true labels."""
    predictor = load(project)
    inputs = rows[[column.name for column in predictor.schema.inputs]]
    predictions = predictor.predict(inputs)
    beside = load(project, challenger).predict(inputs) if challenger else predictions
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_log(project) as engine:
        TABLES.create_all(engine)
        with engine.begin() as connection:
            lines = zip(records(inputs), records(predictions), records(beside), strict=True)
            for k, (row, answer, shadow) in enumerate(lines):
                key, at = f"{k:032d}", now + timedelta(microseconds=k)
                line = {"id": key, "at": at, "version": predictor.version}
                connection.execute(
                    insert(PREDICTIONS).values(inputs=row, prediction=answer, **line)
                )
                if truth is not None:
                    actual = json.dumps(truth.tolist()[k])
                    connection.execute(
                        insert(FEEDBACK).values(prediction_id=key, at=at, actual=actual)
                    )
                if challenger:
                    seen = {"id": f"{k:031d}s", "at": at, "version": challenger, "inputs": "{}"}
                    connection.execute(
                        insert(PREDICTIONS).values(prediction=shadow, shadow_of=key, **seen)
                    )


def shadowed(project):
    """Let a copy of the champion predict in its shadow; return its version."""
    version = store.champion(project.models)
    copy = f"{version}_{len(store.versions(project.models)) + 1}"
    shutil.copytree(project.models / version, project.models / copy)
    store.set_challenger(project.models, copy)
    return copy


def records(frame):
    """Return each row as the JSON that the log holds."""
    return [json.dumps(row) for row in json.loads(frame.to_json(orient="records"))]


def true_labels(project, rows):
    """Return what rows turned out to be: their target, or else what the champion says."""
    if project.definition.problem.needs_target:
        return rows[project.definition.problem.target]
    return load(project).predict(rows)["prediction"]


def at(root):
    """Return what `edit` takes, for a folder."""
    return SimpleNamespace(root=root)
