"""Check the definition against the data, and say the problem in plain words."""

import pandas as pd

from .. import report
from ..errors import UserError
from ..report import counted, number
from ..variants import of_type
from .columns import Inference, column_of, doubts, infer
from .definition import Definition
from .eligible import DATE, find_repetitions, newest_rows
from .metric import Metric, Metrics, all_metrics, select_metric
from .project import Project
from .sample import FOLDER, read_sample
from .series import validate_series
from .suspicious import without_strays
from .validation import ValidationResult, check_present, convert_column, quoted

USES = {  # of the columns that a key of [columns] names; where several do, the last one is said
    "drop": "dropped",
    "unknown_at_prediction": "unknown at prediction",
    "id": "id",
    "group": "group",
    "series": "tells the series apart",
    "date": "date",
}


def define(project: Project, frame: pd.DataFrame, metrics: Metrics) -> str:
    """Check the definition of a project against its data, and write a card for the report.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    frame : DataFrame
        The rows as collected.
    metrics : mapping of str to Metric
        The project's own metrics.

    Returns
    -------
    str
        The problem in plain words, a sentence on each line.

    Raises
    ------
    UserError
        If the two do not fit: a column is absent, the target cannot be predicted, values do not
        fit their kind, or there are too few rows, groups or dates.

    Examples
    --------
    >>> print(define(open_project(), frame, {}))  # doctest: +SKIP
    Predict "left", 2 classes: no 75.4%, yes 24.6%, from 7 columns of 3,000 rows.
    ...
    """
    definition = project.collected()
    result = check(definition, frame, metrics)
    named, uses = definition.columns.named(), {definition.problem.target: "target"}
    for key, use in USES.items():
        uses |= dict.fromkeys(named.get(key, []), use)
    kinds, sample = result.kinds, read_sample(project.raw / FOLDER)
    columns = [
        {
            "column": name,
            "for": uses.get(name, "input"),
            "kind": kinds[name].kind if name in kinds else None,
            "because it": kinds[name].reason if name in kinds else None,
            "missing, %": 100 * frame[name].isna().mean(),
        }
        for name in frame.columns
    ]
    first, *others = said = result.sentences + (sample.sentences() if sample else [])
    report.write_card(
        project.reports,
        "define",
        first,
        *map(report.paragraph, others),
        report.details("Columns", report.table(columns, "What the columns are for")),
        *([sample.section()] if sample else []),
    )
    return "\n".join(said)


def check(definition: Definition, frame: pd.DataFrame, metrics: Metrics) -> ValidationResult:
    """Check every part of the definition that names or needs data."""
    problem, present = definition.problem, list(frame.columns)
    metric = select_metric(problem.metric, all_metrics(problem.type, metrics))
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(f'The data has more than one column "{twice[0]}"; names must differ.')
    if problem.target:  # known labels may come later, as feedback
        check_present("[problem] target", [problem.target], present, needed=problem.needs_target)
    for key, names in definition.columns.named().items():
        check_present(f"[columns] {key}", names, present)
    result = (validate_series if problem.of_series else _validate_rows)(definition, frame)
    task, test, *notes = result.sentences
    return ValidationResult([task, test, *_bar(definition, metric), *notes], result.kinds)


def _bar(definition: Definition, metric: Metric) -> list[str]:
    problem, limits = definition.problem, definition.constraints
    bar = "at least" if metric.higher_is_better else "at most"
    bar = "" if problem.minimum == "none" else f" of {bar} {number(problem.minimum)},"
    rival = problem.RIVAL.format(problem=problem)
    seconds, megabytes, milliseconds = (number(limit) for _, limit in limits)
    cost = f"{seconds} s to fit, {megabytes} MB on disk and {milliseconds} ms to predict one row"
    return [
        f"Good enough is {metric.title}{bar} clearly better than {rival}.",
        f"The model may take {cost}.",
    ]


def _validate_rows(definition: Definition, frame: pd.DataFrame) -> ValidationResult:
    problem, folds = definition.problem, definition.search.folds
    _check_slices(definition, frame)
    eligible, left_out = _eligible(definition, frame)
    values, used = column_of(eligible, problem.target), len(eligible)
    test = int(used * definition.split.test_share)
    if used and (used - test <= folds or test < 2):
        raise UserError(
            f"The data has {counted(len(frame), 'row')}, {used:,} of them usable; that is not "
            f"enough for [search] folds = {folds} and [split] test_share = "
            f"{definition.split.test_share:g}, so add rows or lower folds."
        )
    target = of_type("problem", problem.type).check_target(values, problem, folds)
    split = _check_split(definition, eligible)
    kinds = _kinds(definition, frame)
    columns, rows = counted(len(kinds), "column"), counted(used, "row")
    task = problem.TASK.format(problem=problem, target=target, columns=columns, rows=rows)
    empty = quoted(name for name in kinds if frame[name].isna().all())
    unknown = quoted(definition.columns.unknown_at_prediction)
    dates = "" if problem.needs_target else quoted(n for n in kinds if kinds[n].kind == "date")
    later = problem.target and problem.target not in frame.columns
    open_kinds = kinds.keys() - definition.columns.kinds.keys()
    strays, _, _ = without_strays(frame.filter(open_kinds), definition.data.decimal)
    notes = {
        **left_out,
        **{f'"{mark}" {why}, once [data] missing names it.': True for mark, why in strays.items()},
        f'The data has no column "{problem.target}", so no row has a label yet.': later,
        f"Empty, so without use: {empty}; [columns] drop leaves it out.": empty,
        f"When a row was counts: {dates}; [columns] drop leaves it out.": dates,
        f"Not known at prediction time, so not used: {unknown}.": unknown,
    } | dict.fromkeys(doubts(kinds), True)
    return ValidationResult([task, split, *(n for n, worth in notes.items() if worth)], kinds)


def _eligible(definition: Definition, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that `prepare` keeps, and sentences on the others with how many they are."""
    problem, date = definition.problem, definition.columns.date
    repeated = find_repetitions(frame, definition)
    missing = ~repeated & column_of(frame, problem.target).isna() & problem.needs_target
    rows = pd.DataFrame(index=frame.index[~repeated & ~missing])
    if date and definition.split.newest_rows:
        inferred = infer(frame[date], definition.columns.date_written())
        rows[DATE] = convert_column(frame[date], inferred, "[columns] date")
    newest = newest_rows(rows, definition).index
    counts = {
        "Equal to another": int(repeated.sum()),
        "Without a target": int(missing.sum()),
        "Older than the newest": len(rows) - len(newest),
    }
    eligible = frame if len(newest) == len(frame) else frame.loc[newest]
    return eligible, {f"{what}, so not used: {counted(n, 'row')}.": n for what, n in counts.items()}


def _check_slices(definition: Definition, frame: pd.DataFrame) -> None:
    slices = definition.evaluation.slices
    check_present("[evaluation] slices", slices, list(frame.columns))
    for name in set(slices) & set(definition.not_features()):
        raise UserError(
            f'[evaluation] slices names "{name}", which [columns] puts aside; only inputs of the '
            "model can be sliced by."
        )


def _check_split(definition: Definition, frame: pd.DataFrame) -> str:
    """Say how the test set is taken, once its dates and groups were checked."""
    share, folds = f"{definition.split.test_share:.0%}", definition.search.folds
    date, group, span, groups = definition.columns.date, definition.columns.group, "", 0
    if date:
        inferred = infer(frame[date], definition.columns.date_written())
        dates = convert_column(frame[date], inferred, "[columns] date").dropna()
        if dates.nunique() < 2:
            raise UserError(f'[columns] date "{date}" has no two different dates to split by.')
        span = f"{dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}"
    if group:
        groups = frame[group].nunique()
        if groups <= folds:
            raise UserError(
                f'[columns] group "{group}" has {counted(groups, "group")}; more than '
                f"[search] folds = {folds} are needed."
            )
    return {
        "none": "All rows are for training, and all are scored.",
        "date": f'Test on the newest {share} of the rows by "{date}" ({span}).',
        "group": f'Test on {share} of the {groups:,} groups "{group}", drawn at random.',
        "random": f"Test on {share} of the rows, drawn at random.",
    }[definition.split_by()]


def _kinds(definition: Definition, frame: pd.DataFrame) -> dict[str, Inference]:
    """Return the kind of each input column, once all its values were checked."""
    stated, kinds = definition.columns.kinds, {}
    for name in frame.columns.difference(definition.not_inputs(), sort=False):
        inferred = infer(frame[name], stated.get(name, ""), definition.data.decimal)
        if inferred.kind in ("number", "date"):  # anything can be a category or a text
            convert_column(frame[name], inferred, "[columns.kinds]")
        kinds[name] = inferred
    if frame[list(kinds)].isna().all(axis=None):
        raise UserError(
            "No column is left as an input: each one is empty, the target, or put aside in "
            "[columns]."
        )
    return kinds
