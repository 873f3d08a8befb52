"""Where the project stands, on one screen."""

from ..deployment.prediction_log import count_predictions, open_log
from ..files import read_json
from ..modeling import store
from ..problem.metric import Metrics, all_metrics
from ..problem.project import Project
from ..report import number
from .monitor import FILE


def status(project: Project, metrics: Metrics) -> list[str]:
    """Return the lines that `status` prints: versions, the champion, and its life so far."""
    names = store.versions(project.models)
    champion = store.champion(project.models)
    if not names:
        return ["no model yet; train one with `run`"]
    lines = [_version(project, name, champion, metrics) for name in names]
    if champion is None:
        return [*lines, "no champion yet; `promote VERSION` makes one"]
    with open_log(project) as log:
        made, known = count_predictions(log, champion)
    lines.append(f"the champion made {made:,} predictions; the truth of {known:,} is known")
    challenger = store.challenger(project.models)
    if challenger:
        lines.append(f"{challenger} answers in its shadow, in the log only")
    lines += [
        f"last decision: {line['event']}; {line['reason']}"
        for line in store.read_history(project.models)[-1:]
    ]
    path = project.reports / FILE
    if path.is_file():
        found = read_json(path)
        if found["version"] == champion:
            lines += [f"alarm: {alarm}" for alarm in found["alarms"]]
    return lines


def _version(project: Project, name: str, champion: str | None, metrics: Metrics) -> str:
    run = read_json(project.models / name / store.RUN)
    path = project.models / name / store.METRICS
    sign = "*" if name == champion else " "
    if not path.is_file():
        return f"{sign} {name}  {run['model']}, not evaluated"
    results = read_json(path)
    test = results["test"][results["metric"]]
    gate = "gate passed" if results["gate"]["passed"] else "gate failed"
    known = all_metrics(results["problem"], metrics)
    title = known[results["metric"]].title if results["metric"] in known else results["metric"]
    return (
        f"{sign} {name}  {run['model']}, {title} {number(test['value'])} "
        f"({number(test['low'])} to {number(test['high'])}), {gate}"
    )
