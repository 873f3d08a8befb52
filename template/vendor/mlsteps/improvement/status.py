"""Where the project stands, on one screen."""

from ..deployment.prediction_log import count_predictions, in_words, open_log
from ..files import read_json
from ..modeling import store
from ..problem.metric import Metrics, all_metrics
from ..problem.project import Project
from ..report import number
from .monitor import FILE


def status(project: Project, metrics: Metrics) -> list[str]:
    """Return the lines that `status` prints: versions, the champion, and its life so far."""
    models = project.models
    names, champion = store.versions(models), store.champion(models)
    if not names:
        return ["no model yet; train one with `run`"]
    lines = [
        f"{'*' if name == champion else ' '} {name}  {_tested(project, name, metrics)}"
        for name in names
    ]
    if champion is None:
        return [*lines, "no champion yet; `promote VERSION` makes one"]
    with open_log(project) as log:
        made, known = count_predictions(log, champion)
    predictions = f"{in_words(made)} prediction{'' if made == 1 else 's'}"
    lines.append(f"the champion made {predictions}, {in_words(known)} with true labels")
    if why := store.promoted_anyway(models, champion):
        lines.append(f"it was promoted all the same: {why}")
    if challenger := store.challenger(models):
        lines.append(f"{challenger} predicts in its shadow, for the log only")
    if history := store.read_history(models):
        lines.append(f"last decision: {history[-1]['event']}; {history[-1]['reason']}")
    path = project.reports / FILE
    found = read_json(path) if path.is_file() else {}
    if found.get("version") == champion:
        lines += [f"alarm: {alarm}" for alarm in found["alarms"]]
    return lines


def _tested(project: Project, version: str, metrics: Metrics) -> str:
    """Return the model of a version and how good it was on the test set."""
    folder = project.models / version
    model = read_json(folder / store.RUN)["model"]
    if not (folder / store.METRICS).is_file():
        return f"{model}, not evaluated"
    results = read_json(folder / store.METRICS)
    name, gate = results["metric"], "passed" if results["gate"]["passed"] else "failed"
    known = all_metrics(results["problem"], metrics)
    title = known[name].title if name in known else name
    value, low, high = (number(results["test"][name][key]) for key in ("value", "low", "high"))
    return f"{model}, {title} {value} ({low} to {high}), gate {gate}"
