"""The report's card of step 8: alarms, the metric over time, drift, and every decision."""

from typing import Any

import pandas as pd

from ..deployment.prediction_log import count_predictions, open_log
from ..files import read_json
from ..modeling import store
from ..plots import BLUE, GREY, ORANGE, new_figure, plot_style
from ..problem.metric import Metrics, all_metrics
from ..problem.project import Project
from ..report import facts, figure, heading, notice, number, paragraph, table, write_card
from .feedback import FILE as FEEDBACK
from .feedback import FeedbackResult
from .monitor import FILE

SHOWN_COLUMNS, SHOWN_DECISIONS = 20, 20


@plot_style()
def write_improve_card(project: Project, summary: str, metrics: Metrics) -> None:
    """Write the card from reports/monitor.json, models/history.jsonl and the prediction log."""
    path = project.reports / FILE
    found = read_json(path) if path.is_file() else {}
    write_card(
        project.reports,
        "improve",
        summary,
        *_monitored(project, found, metrics),
        *_decisions(project),
    )


def _monitored(project: Project, found: dict[str, Any], metrics: Metrics) -> list[str]:
    if not found:
        return []
    problem = project.definition.problem
    metric = all_metrics(problem.type, metrics)[problem.metric]
    with open_log(project) as log:
        made, known = count_predictions(log)
    figures: dict[str, Any] = {
        "champion": store.champion(project.models),
        "predictions": made,
        "of these with truth": known,
    }
    if found["quality"]:
        figures[f"{metric.title} now"] = number(found["quality"]["value"])
    if found["shadow"]:
        figures |= _shadow(found["shadow"], metric.title)
    calm = not found["alarms"] and found["drifts"]
    parts = [
        *(notice(alarm, "bad") for alarm in found["alarms"]),
        *([notice("No change that is not chance.", "good")] if calm else []),
        *(notice(note, "warn") for note in found["notes"]),
        facts(figures),
        *_feedback(project),
    ]
    if len(found["windows"]) > 1:
        parts.append(_over_time(metric.title, found))
    if found["drifts"]:
        parts += _drifts(pd.DataFrame(found["drifts"]))
    return parts


def _drifts(drifts: pd.DataFrame) -> list[str]:
    names = {"p_value": "p, adjusted", "psi": "PSI", "note": "what changed most"}
    left = len(drifts) - SHOWN_COLUMNS
    caption = f"{left} calmer columns are not shown." if left > 0 else ""
    shown = drifts.head(SHOWN_COLUMNS).rename(columns=names)
    return [heading("Drift of the inputs and of the predictions"), table(shown, caption)]


def _shadow(shadow: dict[str, Any], title: str) -> dict[str, Any]:
    """Say how champion and challenger do on the rows that both have predicted."""
    figures = {"in the shadow": shadow["challenger"], "its answers with truth": shadow["rows"]}
    for role, numbers in shadow["quality"].items():
        figures[f"{title} of the {role} on these"] = number(numbers["value"])
    return figures


def _feedback(project: Project) -> list[str]:
    """Say what became of the feedback that a file or a query brought last."""
    path = project.reports / FEEDBACK
    if not path.is_file():
        return []
    content = read_json(path)
    return [paragraph(f"Truth from {content.pop('from')}: {FeedbackResult(**content).summary()}.")]


def _over_time(title: str, found: dict[str, Any]) -> str:
    """Plot the metric on windows of the predictions with true labels, and who made them."""
    windows, promised = pd.DataFrame(found["windows"]), found["promised"]
    plot, axes = new_figure(width=6.5)
    ends = windows["rows"].cumsum() - windows["rows"] / 2
    value = windows["value"]
    errors = [(value - windows["low"]).clip(lower=0), (windows["high"] - value).clip(lower=0)]
    axes.errorbar(ends, value, errors, color=BLUE, ecolor=GREY, elinewidth=1, marker="o")
    if promised:
        axes.axhspan(promised["low"], promised["high"], color=BLUE, alpha=0.12, linewidth=0)
    version = windows["version"]
    for between in ends.rolling(2).mean()[version != version.shift()].dropna():
        axes.axvline(between, color=ORANGE, linestyle="--", linewidth=1)
    axes.set_xlabel("predictions with truth, the newest on the right")
    axes.set_ylabel(title)
    caption = (
        f"{title} with its 95 % interval, on windows. The band is what the test set promised of "
        "the champion that serves; a dashed line is a change of the champion."
    )
    return figure(plot, caption, "Over time")


def _decisions(project: Project) -> list[str]:
    lines = store.read_history(project.models)
    if not lines:
        return [paragraph("Nothing was decided yet.")]
    names = {"at": "when (UTC)", "event": "decision", "reason": "why"}
    shown = pd.DataFrame(lines[-SHOWN_DECISIONS:][::-1])
    shown["at"] = shown["at"].str[:19].str.replace("T", " ")
    shown = shown[["at", "event", "champion", "other", "reason"]].rename(columns=names)
    left = len(lines) - len(shown)
    more = f"{left} earlier ones stand in models/history.jsonl." if left else ""
    return [heading("Decisions"), table(shown, more)]
