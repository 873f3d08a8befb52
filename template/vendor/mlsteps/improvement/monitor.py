"""Watch what is served: inputs, predictions, and errors on the rows whose truth has come back."""

from dataclasses import asdict, dataclass

from ..deployment.prediction_log import LoggedPredictions, log_engine, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json, write_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor, Predictor
from ..problem.columns import convert
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, all_metrics
from ..problem.project import Project
from ..report import number
from . import row_replay
from .concept import Change, Quality, Window, errors, find_change, quality, windows
from .drift import Drift, adjust, compare_column
from .policy import Policy
from .side_by_side import SideBySide, look_side_by_side
from .truth import take_truth

PREDICTION, SCORE = "prediction", "score"  # under these names answers stand among the columns
MOST_TIMES = 10  # as many rows as [improvement] window are shown over time
FILE = "monitor.json"


@dataclass(frozen=True)
class Watch:
    """What `monitor` found.

    Attributes
    ----------
    drifted, decayed
        A sentence for each change that is not chance: of inputs and predictions, and of errors.
    notes
        What could not be told, and why.
    drifts
        Every column with its adjusted p-value, the most suspicious first.
    quality, promised
        The metric with its interval on the newest rows whose truth is known, and on the test set;
        None while they are too few.
    shadow
        The metric of champion and challenger on the same rows; None if there is no challenger.
    change
        Where the errors rose.
    windows
        The metric over time, of all versions that have served.
    """

    version: str
    rows: int
    labelled: int
    drifted: list[str]
    decayed: list[str]
    notes: list[str]
    drifts: list[Drift]
    quality: Quality | None
    promised: Quality | None
    shadow: SideBySide | None
    change: Change | None
    windows: list[Window]

    @property
    def alarms(self) -> list[str]:
        """All sentences about changes; empty when all is well."""
        return [*self.drifted, *self.decayed]

    def summary(self) -> str:
        """Return what was found, in a line."""
        if self.alarms:
            return f"ALARM: {'; '.join(self.alarms)}"
        return f"no alarm in {self.rows:,} predictions of version {self.version}" + "".join(
            f"; {note}" for note in self.notes
        )


def monitor(
    project: Project, metrics: Metrics, load_predictor: LoadPredictor, policy: Policy
) -> Watch:
    """Compare the newest predictions of the champion with what it was trained and tested on.

    Takes the truth that ``[improvement] truth`` brings, and writes reports/monitor.json.

    Raises
    ------
    UserError
        If there is no champion, or the prediction log does not answer.
    """
    definition, settings = project.definition, project.definition.improvement
    metric = all_metrics(definition.problem.type, metrics)[definition.problem.metric]
    kind = definition.problem.target_kind
    predictor = load_predictor(store.champion_folder(project.models))
    notes, decayed = [], []
    try:
        take_truth(project)
    except UserError as error:  # what is known already can still be looked at
        notes.append(f"no truth was taken: {error.message}".rstrip("."))
    engine = log_engine(project)
    newest = read_predictions(engine, predictor.version, settings.window)
    labelled = read_predictions(engine, predictor.version, settings.window, labelled=True)
    drifts: list[Drift] = []
    now = promised = change = None
    if len(newest.metadata) < settings.minimum_rows:
        notes.append(
            f"not enough yet to tell drift: {len(newest.metadata)} predictions, "
            f"{settings.minimum_rows} are needed"
        )
    else:
        drifts = _drifts(newest, predictor, definition)
    if len(labelled.metadata) < settings.minimum_rows:
        notes.append(
            f"not enough yet to tell errors: the truth of {len(labelled.metadata)} predictions is "
            f"known, {settings.minimum_rows} are needed"
        )
    else:
        promised = _promised(predictor, project)
        now = quality(labelled, labelled.predictions, metric, project)
        change = find_change(errors(labelled, kind))
        decayed = _decay(now, promised, change, metric)
    found = Watch(
        version=predictor.version,
        rows=len(newest.metadata),
        labelled=len(labelled.metadata),
        drifted=[
            f'"{d.column}" has drifted (p = {d.p_value:.1g}, PSI {d.psi:.2f}; {d.note})'
            for d in drifts
            if policy.has_drifted(d, settings)
        ],
        decayed=decayed,
        notes=notes,
        drifts=drifts,
        quality=now,
        promised=promised,
        shadow=look_side_by_side(project, predictor.version, metric),
        change=change,
        windows=_windows(project, metric),
    )
    engine.dispose()
    write_json(project.reports / FILE, asdict(found) | {"alarms": found.alarms})
    return found


def _drifts(logged: LoggedPredictions, predictor: Predictor, definition: Definition) -> list[Drift]:
    """Compare every feature that is watched, and the predictions, and adjust for their number."""
    replay = row_replay
    if definition.problem.of_series:
        from . import forecast_replay as replay  # needs statsmodels
    kind = definition.problem.target_kind
    columns, with_answers = replay.monitored_columns(predictor.schema, definition.columns.date)
    reference = read_frame(predictor.folder / store.REFERENCE)
    answered = read_frame(predictor.folder / store.TEST_PREDICTIONS)
    features = predictor.features(predictor.schema.conform(logged.inputs))
    drifts = [compare_column(c.name, c.kind, reference[c.name], features[c.name]) for c in columns]
    if with_answers:
        predictions = [convert(frame[PREDICTION], kind) for frame in (answered, logged.predictions)]
        drifts.append(compare_column(PREDICTION, kind, *predictions))
        if SCORE in answered:
            drifts.append(compare_column(SCORE, "number", answered[SCORE], logged.predictions[SCORE]))
    adjusted = adjust([drift.p_value for drift in drifts])
    drifts = [Drift(d.column, p, d.psi, d.note) for d, p in zip(drifts, adjusted, strict=True)]
    return sorted(drifts, key=lambda d: d.p_value)


def _promised(predictor: Predictor, project: Project) -> Quality:
    metrics = read_json(predictor.folder / store.METRICS)
    return dict(metrics["test"][project.definition.problem.metric])


def _decay(
    now: Quality | None,
    promised: Quality,
    change: Change | None,
    metric: Metric,
) -> list[str]:
    """Say that even the better end of the interval is worse than promised, or the errors rose."""
    alarms = []
    better_end, worse_end = ("high", "low") if metric.higher_is_better else ("low", "high")
    if now and metric.gain(now[better_end], promised[worse_end]) < 0:
        here, then = (
            f"{number(numbers['low'])} to {number(numbers['high'])}" for numbers in (now, promised)
        )
        alarms.append(f"{metric.title} is {number(now['value'])} ({here}), but {then} was promised")
    if change:
        alarms.append(
            f"the errors have risen: {change.before:.3f} of 1 a row before, "
            f"{change.after:.3f} since, seen after {change.rows:,} rows with truth (ADWIN)"
        )
    return alarms


def _windows(project: Project, metric: Metric) -> list[Window]:
    settings, definition = project.definition.improvement, project.definition
    last = MOST_TIMES * settings.window
    logged = read_predictions(log_engine(project), last=last, labelled=True)
    seed = definition.search.seed
    kind = definition.problem.target_kind
    return windows(logged, metric, kind, settings.minimum_rows, seed)
