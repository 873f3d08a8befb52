"""The log of predictions: what was asked, what was answered, and what it really was."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ..errors import UserError
from ..problem.project import Project

BUSY_SECONDS = 2.0  # how long SQLite waits for another writer before it says "locked"
FROM_ENVIRONMENT = "env:"

TABLES = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    TABLES,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False, index=True),  # UTC
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("inputs", sa.JSON, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
)
FEEDBACK = sa.Table(
    "feedback",
    TABLES,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("prediction", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime, nullable=False),  # UTC
    sa.Column("actual", sa.JSON, nullable=False),
)


@dataclass(frozen=True)
class Logged:
    """Predictions from the log, the oldest first; the index of each frame is the id.

    Attributes
    ----------
    facts
        ``at`` (UTC), ``version`` and ``actual``: the newest feedback, None where there is none.
    inputs
        The rows that were asked, as they were given.
    answers
        ``prediction`` and what came with it.
    """

    facts: pd.DataFrame
    inputs: pd.DataFrame
    answers: pd.DataFrame


def open_log(project: Project) -> sa.Engine:
    """Return the engine of ``[serving] log``; nothing is connected yet.

    The value is a SQLAlchemy URL, or ``env:NAME`` for a URL that stands in the environment
    variable NAME, as one with a password has to. A relative SQLite path begins at the project.

    Raises
    ------
    UserError
        If it is no such URL, holds a password, or its driver is not installed.
    """
    given = project.definition.serving.log
    text, where = given, "[serving] log"
    if given.startswith(FROM_ENVIRONMENT):
        name = given.removeprefix(FROM_ENVIRONMENT)
        where = f"The environment variable {name}, which [serving] log names,"
        text = os.environ.get(name, "")
        if not text:
            raise UserError(f"{where} is not set; set it to the URL of a database.")
    try:
        url = sa.make_url(text)
        if text is given and (url.password or "password" in url.query):
            raise UserError(
                "[serving] log holds a password; put the URL into an environment variable, "
                'LOG_URL say, and write log = "env:LOG_URL".'
            )
        if url.get_backend_name() == "sqlite":
            return _sqlite(url, project.root, where)
        return _engine(url, pool_pre_ping=True)
    except NoSuchModuleError:
        raise UserError(f"{where} names a kind of database that SQLAlchemy lacks.") from None
    except (ArgumentError, ValueError):  # its text would repeat the URL
        raise UserError(
            f"{where} is not the URL of a database; give one like sqlite:///predictions.db or "
            "postgresql+psycopg://user@host/database."
        ) from None
    except ModuleNotFoundError as error:
        raise UserError(
            f"{where} needs the Python package {error.name}; add it with `uv add {error.name}`."
        ) from None


def read_predictions(
    engine: sa.Engine, version: str | None = None, last: int | None = None
) -> Logged:
    """Read what was logged.

    Parameters
    ----------
    engine
        From `open_log`.
    version
        Only what this version answered.
    last
        Only the newest so many.

    Raises
    ------
    UserError
        If the database does not answer.
    """
    newest = (
        sa.select(FEEDBACK.c.prediction, sa.func.max(FEEDBACK.c.number).label("number"))
        .group_by(FEEDBACK.c.prediction)
        .subquery()
    )
    query = (
        sa.select(PREDICTIONS, FEEDBACK.c.actual)
        .outerjoin(newest, newest.c.prediction == PREDICTIONS.c.id)
        .outerjoin(FEEDBACK, FEEDBACK.c.number == newest.c.number)
        .order_by(PREDICTIONS.c.at.desc(), PREDICTIONS.c.id)
        .limit(last)
    )
    if version is not None:
        query = query.where(PREDICTIONS.c.version == version)
    try:
        TABLES.create_all(engine)
        with engine.connect() as connection:
            rows = connection.execute(query).all()[::-1]
    except SQLAlchemyError as error:
        raise UserError(f"The prediction log does not answer ({why(error)}); try again.") from None
    ids = pd.Index([row.id for row in rows], name="id")
    return Logged(
        pd.DataFrame(
            {
                "at": pd.Series([row.at for row in rows], index=ids, dtype="datetime64[us]"),
                "version": pd.Series([row.version for row in rows], index=ids, dtype="str"),
                "actual": pd.Series([row.actual for row in rows], index=ids, dtype=object),
            }
        ),
        pd.DataFrame([row.inputs for row in rows], index=ids),
        pd.DataFrame([row.answer for row in rows], index=ids),
    )


def why(error: Exception) -> str:
    """Say in a few words what a database complained of, without the statement and the rows."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).splitlines() if origin is not error else []
    return ": ".join([type(origin).__name__, *lines[:1]])


def _engine(url: sa.URL, **options: Any) -> sa.Engine:
    # The writer hands over JSON as text. Rows may hold personal data: no error repeats them.
    return sa.create_engine(url, json_serializer=str, hide_parameters=True, **options)


def _sqlite(url: sa.URL, root: Path, where: str) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise UserError(f"{where} names no file; give one, like sqlite:///predictions.db.")
    engine = _engine(
        url.set(database=str(root / url.database)), connect_args={"timeout": BUSY_SECONDS}
    )

    @sa.event.listens_for(engine, "connect")
    def _write_ahead(connection: Any, _: Any) -> None:
        # Readers and the writer do not block each other, and what is committed survives a kill.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
