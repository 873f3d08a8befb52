"""Watch what is served: inputs, predictions, and errors on the rows whose truth has come back."""

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from ..deployment.prediction_log import Logged, open_log, read_predictions
from ..evaluation.bootstrap import measure
from ..files import read_frame, read_json, write_json
from ..modeling import store
from ..modeling.predictor import Predictor, load_predictor
from ..preparation.derive import make_features
from ..problem import METRICS, TARGET_KIND, TEACHES
from ..problem.columns import convert
from ..problem.project import Project
from ..report import facts, heading, notice, number, table, write_card
from .drift import Drift, adjust, compare_column
from .truth import take_truth

PREDICTION = "prediction"  # the name under which the answers stand among the columns
SHOWN_COLUMNS = 20


@dataclass(frozen=True)
class Watch:
    """What `monitor` found.

    Attributes
    ----------
    alarms
        A sentence for each change that is not chance; empty when all is well.
    notes
        What could not be told, and why.
    drifts
        Every column with its adjusted p-value, the most suspicious first.
    quality
        The metric on the rows whose truth is known, or None when they are too few.
    """

    version: str
    rows: int
    labelled: int
    alarms: list[str]
    notes: list[str]
    drifts: list[Drift]
    quality: dict[str, float] | None

    def summary(self) -> str:
        """Return what was found, in a line."""
        if self.alarms:
            return f"ALARM: {'; '.join(self.alarms)}"
        return f"no alarm in {self.rows:,} predictions of version {self.version}" + "".join(
            f"; {note}" for note in self.notes
        )


def monitor(project: Project) -> Watch:
    """Compare the newest predictions of the champion with what it was trained and tested on.

    Writes reports/monitor.json and the card of step 8.

    Raises
    ------
    UserError
        If there is no champion, or the prediction log does not answer.
    """
    take_truth(project)
    settings = project.definition.improvement
    folder = store.champion_folder(project.models)
    predictor = load_predictor(folder)
    logged = read_predictions(open_log(project), folder.name, settings.window)
    labelled = logged.facts["actual"].notna()
    alarms: list[str] = []
    notes: list[str] = []
    drifts: list[Drift] = []
    quality = None
    if len(logged.facts) < settings.minimum_rows:
        notes.append(
            f"not enough yet to tell drift: {len(logged.facts)} predictions, "
            f"{settings.minimum_rows} are needed"
        )
    else:
        drifts = _drifts(logged, predictor, project.definition.columns.date)
        alarms += [
            f'"{d.column}" has drifted (p = {d.p_value:.1g}, PSI {d.psi:.2f}; {d.note})'
            for d in drifts
            if d.p_value < settings.false_alarm_rate
        ]
    if not TEACHES:
        pass  # nothing ever tells whether an answer was right
    elif labelled.sum() < settings.minimum_rows:
        notes.append(
            f"not enough yet to tell errors: the truth of {labelled.sum()} predictions is known, "
            f"{settings.minimum_rows} are needed"
        )
    else:
        quality = _quality(logged, labelled, project)
        alarms += _decay(quality, predictor, project)
    found = Watch(
        folder.name, len(logged.facts), int(labelled.sum()), alarms, notes, drifts, quality
    )
    write_json(project.reports / "monitor.json", asdict(found))
    _write_card(project, found)
    return found


def _drifts(logged: Logged, predictor: Predictor, date: str) -> list[Drift]:
    """Compare every feature, and the predictions, and adjust for their number.

    The date of the rows is left out: time always goes on.
    """
    reference = read_frame(predictor.folder / store.REFERENCE)
    answered = read_frame(predictor.folder / store.ANSWERS)
    features = make_features(predictor.schema.conform(logged.inputs))
    drifts = [
        compare_column(c.name, c.kind, reference[c.name], features[c.name])
        for c in predictor.schema.features
        if c.name != date
    ]
    answers = [convert(frame[PREDICTION], TARGET_KIND) for frame in (answered, logged.answers)]
    drifts.append(compare_column(PREDICTION, TARGET_KIND, *answers))
    adjusted = adjust([drift.p_value for drift in drifts])
    drifts = [Drift(d.column, p, d.psi, d.note) for d, p in zip(drifts, adjusted, strict=True)]
    return sorted(drifts, key=lambda d: d.p_value)


def _quality(logged: Logged, labelled: pd.Series, project: Project) -> dict[str, float] | None:
    definition = project.definition
    name = definition.problem.metric
    truth = convert(logged.facts.loc[labelled, "actual"], TARGET_KIND)
    answers = logged.answers[labelled.to_numpy()]
    return measure(truth, answers, definition.search.seed, names=[name]).get(name)


def _decay(quality: dict[str, float] | None, predictor: Predictor, project: Project) -> list[str]:
    """Return an alarm if even the better end of the interval is worse than what was promised."""
    if quality is None:
        return []
    name = project.definition.problem.metric
    metric = METRICS[name]
    promised = read_json(predictor.folder / store.METRICS)["test"][name]
    better_end, worse_end = ("high", "low") if metric.higher_is_better else ("low", "high")
    if metric.gain(quality[better_end], promised[worse_end]) >= 0:
        return []
    now, then = (
        f"{number(numbers['low'])} to {number(numbers['high'])}" for numbers in (quality, promised)
    )
    return [f"{metric.title} is {number(quality['value'])} ({now}), but {then} was promised"]


def _write_card(project: Project, found: Watch) -> None:
    alarms = [notice(alarm, "bad") for alarm in found.alarms]
    calm = [] if alarms or not found.drifts else [notice("No change that is not chance.", "good")]
    figures: dict[str, Any] = {
        "champion": found.version,
        "predictions looked at": found.rows,
        "of these with truth": found.labelled,
    }
    if found.quality:
        title = METRICS[project.definition.problem.metric].title
        figures[f"{title} now"] = number(found.quality["value"])
    shown = [
        {"column": d.column, "p, adjusted": d.p_value, "PSI": d.psi, "what changed most": d.note}
        for d in found.drifts[:SHOWN_COLUMNS]
    ]
    left = len(found.drifts) - len(shown)
    write_card(
        project.reports,
        "improve",
        found.summary(),
        *alarms,
        *calm,
        *(notice(note, "warn") for note in found.notes),
        facts(figures),
        *([heading("Drift of the inputs and of the predictions")] if shown else []),
        *([table(shown, f"{left} calmer columns are not shown." if left else "")] if shown else []),
    )
