"""The tables of the prediction log, and the indexes by which it may have any size."""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn

AT_ONCE = 20_000  # labels in one transaction: the service is to get its turn, in SQLite too

TABLES = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False, index=True),  # UTC
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("prediction", sa.JSON, nullable=False),
    # The id of the champion's prediction, if this is a challenger's.
    sa.Column("shadow_of", sa.String(32), index=True),
)
CHAMPIONS = PREDICTIONS.c.shadow_of.is_(None)
sa.Index(  # in the order of `read_predictions`
    "ix_predictions_newest",
    *(PREDICTIONS.c.version, PREDICTIONS.c.at, PREDICTIONS.c.id),
    sqlite_where=CHAMPIONS,
    postgresql_where=CHAMPIONS,
)
FEEDBACK = sa.Table(
    "feedback",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("prediction_id", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime, nullable=False, index=True),  # UTC
    sa.Column("actual", sa.JSON, nullable=False),
    # Of the prediction. What writes a single label leaves them to the next command that reads.
    sa.Column("version", sa.String(100)),
    sa.Column("predicted_at", sa.DateTime),
    # The newest with a label, of a version or of all, are found without a look at the others.
    sa.Index("ix_feedback_newest", "predicted_at", "prediction_id"),
    sa.Index("ix_feedback_newest_of_version", "version", "predicted_at", "prediction_id"),
)


def create_tables(engine: sa.Engine) -> None:
    """Create the tables that are not there yet."""
    _create_missing(engine, TABLES.create_all)


def bring_up_to_date(engine: sa.Engine) -> None:
    """Make the columns and indexes that an older log lacks, and complete new labels."""
    create_tables(engine)
    _create_missing(engine, _add_columns)
    _complete(engine)
    _create_missing(engine, _add_indexes)


def _create_missing(engine: sa.Engine, make: Callable[[sa.Engine], None]) -> None:
    """Make what is missing, also where others do the same at this moment."""
    there: set[str] | None = None
    while True:
        try:
            return make(engine)
        except DBAPIError as error:
            before, there = there, _names(engine)
            if error.statement is None or there == before:  # no connection, or nobody made any
                raise


def _names(engine: sa.Engine) -> set[str]:
    inspector = sa.inspect(engine)
    return {
        f"{table}.{one['name']}"
        for table in inspector.get_table_names()
        for one in (*inspector.get_columns(table), *inspector.get_indexes(table))
    }


def _add_columns(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        there = {column["name"] for column in sa.inspect(connection).get_columns(FEEDBACK.name)}
        for column in FEEDBACK.columns:
            if column.name not in there:
                definition = CreateColumn(column).compile(dialect=engine.dialect)
                connection.execute(sa.text(f"ALTER TABLE {FEEDBACK.name} ADD COLUMN {definition}"))


def _add_indexes(engine: sa.Engine) -> None:
    for table in TABLES.sorted_tables:
        names = {index["name"] for index in sa.inspect(engine).get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in names:
                index.create(engine)


def _complete(engine: sa.Engine) -> None:
    """Note of each label that was written alone which version predicted, and when."""
    of_label = sa.and_(PREDICTIONS.c.id == FEEDBACK.c.prediction_id, CHAMPIONS)
    new = sa.and_(FEEDBACK.c.predicted_at.is_(None), sa.exists().where(of_label))
    number, values = FEEDBACK.c.number, {}
    for name, column in (("version", PREDICTIONS.c.version), ("predicted_at", PREDICTIONS.c.at)):
        values[name] = sa.select(column).where(of_label).scalar_subquery()
    with engine.connect() as connection:
        limits = sa.select(sa.func.min(number), sa.func.max(number)).where(new)
        first, last = connection.execute(limits).one()
    for start in range(first, last + 1, AT_ONCE) if first else ():
        some = number.between(start, start + AT_ONCE - 1)
        with engine.begin() as connection:
            connection.execute(FEEDBACK.update().where(new, some).values(values))
