"""The report's card of step 8: alarms, the metric over time, drift, and every decision."""

from typing import Any

import pandas as pd

from ..deployment.prediction_log import count_predictions, in_words, open_log
from ..files import read_json
from ..modeling import store
from ..plots import BLUE, GREY, ORANGE, new_figure, plot_style
from ..problem.metric import Metrics, all_metrics
from ..problem.project import Project
from ..report import facts, figure, heading, notice, paragraph, table, write_card
from .monitor import FILE

SHOWN_COLUMNS, SHOWN_DECISIONS = 20, 20


@plot_style()
def write_improve_card(project: Project, summary: str, metrics: Metrics) -> None:
    """Write the card from reports/monitor.json, models/history.jsonl and the prediction log."""
    path, problem = project.reports / FILE, project.definition.problem
    parts = []
    if path.is_file():
        title = all_metrics(problem.type, metrics)[problem.metric].title
        parts = _monitored(project, read_json(path), title)
    write_card(project.reports, "improve", summary, *parts, *_decisions(project))


def _monitored(project: Project, found: dict[str, Any], title: str) -> list[str]:
    """Show what the last `monitor` found."""
    with open_log(project) as log:
        made, known = count_predictions(log)
    figures = {"champion": store.champion(project.models), "predictions": in_words(made)}
    figures["with true labels"] = in_words(known)
    if found["quality"]:
        figures[f"{title} now"] = found["quality"]["value"]
    if shadow := found["shadow"]:
        figures["in the shadow"] = shadow["challenger"]
        figures["its predictions with true labels"] = shadow["rows"]
        for role, numbers in shadow["quality"].items():
            figures[f"{title} of the {role} on these"] = numbers["value"]
    alarms = [notice(alarm, "bad") for alarm in found["alarms"]]
    if not alarms and found["drifts"]:
        alarms = [notice("No change that is not chance.", "good")]
    parts = [*alarms, *(notice(note, "warn") for note in found["notes"]), facts(figures)]
    if found["feedback"]:
        parts.append(paragraph(f"True labels: {found['feedback']}."))
    if len(found["windows"]) > 1:
        parts.append(_over_time(title, found))
    if drifts := found["drifts"]:
        names = {"p_value": "p, adjusted", "psi": "PSI", "note": "what changed most"}
        left = len(drifts) - SHOWN_COLUMNS
        caption = f"Calmer columns that are not shown: {left}." if left > 0 else ""
        shown = pd.DataFrame(drifts[:SHOWN_COLUMNS]).rename(columns=names)
        parts += [heading("Drift of the inputs and of the predictions"), table(shown, caption)]
    return parts


def _over_time(title: str, found: dict[str, Any]) -> str:
    """Plot the metric on windows of the predictions with true labels, and who made them."""
    windows = pd.DataFrame(found["windows"])
    fig, axes = new_figure(width=6.5)
    ends, value = windows["rows"].cumsum() - windows["rows"] / 2, windows["value"]
    errors = [(value - windows["low"]).clip(lower=0), (windows["high"] - value).clip(lower=0)]
    axes.errorbar(ends, value, errors, color=BLUE, ecolor=GREY, elinewidth=1, marker="o")
    if found["performance"]:
        tested = found["performance"]["tested"]
        axes.axhspan(tested["low"], tested["high"], color=BLUE, alpha=0.12, linewidth=0)
    changed = windows["version"] != windows["version"].shift()
    for between in ends.rolling(2).mean()[changed].dropna():
        axes.axvline(between, color=ORANGE, linestyle="--", linewidth=1)
    axes.set(xlabel="predictions with true labels, the newest on the right", ylabel=title)
    caption = (
        f"{title} with its 95 % interval, on windows. The band is what the test set promised of "
        "the champion that serves; a dashed line is a change of the champion."
    )
    return figure(fig, caption, "Over time")


def _decisions(project: Project) -> list[str]:
    """Show the newest decisions, the last one first."""
    lines = store.read_history(project.models)
    if not lines:
        return [paragraph("Nothing was decided yet.")]
    shown = pd.DataFrame(lines[-SHOWN_DECISIONS:][::-1])
    shown["at"] = shown["at"].str[:19].str.replace("T", " ")
    names = {"at": "when (UTC)", "event": "decision", "reason": "why"}
    shown = shown[["at", "event", "champion", "other", "reason"]].rename(columns=names)
    left = len(lines) - len(shown)
    more = f"{left} earlier ones stand in models/history.jsonl." if left else ""
    return [heading("Decisions"), table(shown, more)]
