"""When to retrain: what [improvement] retrain names, and whether it has come about."""

from datetime import UTC, datetime, timedelta

from ..deployment.prediction_log import count_truth, open_log
from ..files import read_json
from ..modeling import store
from ..problem.project import Project
from .monitor import Watch


def reasons_to_retrain(project: Project, found: Watch) -> tuple[list[str], list[str]]:
    """Return why a challenger should be trained now, and what speaks against it."""
    settings = project.definition.improvement
    run = read_json(project.models / store.newest_version(project.models) / store.RUN)
    trained = datetime.fromisoformat(run["trained"])
    reasons: list[str] = []
    against: list[str] = []

    def weigh(due: bool, reason: str, otherwise: str) -> None:
        (reasons if due else against).append(reason if due else otherwise)

    candidates = project.definition.models.candidates
    if run["definition"]["models"]["candidates"] != candidates:
        reasons.append("[models] candidates has changed")
    for policy in settings.retrain:
        if policy == "always":
            reasons.append("it is done always")
        elif policy == "drift":
            weigh(bool(found.drifted), "; ".join(found.drifted), "no drift was seen")
        elif policy == "decay":
            weigh(bool(found.decayed), "; ".join(found.decayed), "the errors have not risen")
        elif policy == "schedule":
            age = datetime.now(UTC) - trained
            days = f"the newest version is {age / timedelta(days=1):.1f} days old"
            due = age >= timedelta(days=settings.every_days)
            weigh(due, days, f"{days}, {settings.every_days:g} are asked for")
        else:
            new = count_truth(open_log(project), trained.replace(tzinfo=None))["known"]
            came = f"the truth of {new:,} predictions came since the last training"
            weigh(
                new >= settings.new_labels, came, f"{came}, {settings.new_labels:,} are asked for"
            )
    return reasons, against
