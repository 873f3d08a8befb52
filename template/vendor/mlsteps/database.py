"""Open the databases that project.toml names, and say why one cannot be opened."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from .environment import from_environment, named
from .errors import UserError

PACKAGES = {"MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]"}  # of drivers called otherwise


def database_url(given: str, key: str, root: Path) -> sa.URL:
    """Return the URL of a database; a relative path of a file begins at `root`."""
    text, where = from_environment(given, key), named(given, key)
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):  # its text would repeat the URL
        raise UserError(
            f"{where} is not the URL of a database; give one like sqlite:///predictions.db or "
            "postgresql+psycopg://user@host/database."
        ) from None
    if text == given and (url.password or "password" in url.query):
        raise UserError(
            f"{key} holds a password; put the URL into an environment variable, DATABASE_URL say, "
            f'and write {key.rpartition(" ")[2]} = "env:DATABASE_URL".'
        )
    if not names_file(url):
        return url
    if not url.database or url.database == ":memory:":
        raise UserError(f"{where} names no file; give one, like sqlite:///predictions.db.")
    return url.set(database=str(root / url.database))


def names_file(url: sa.URL) -> bool:
    """Tell whether a database is a file of this machine; "md:" is DuckDB's service."""
    hosted = (url.database or "").startswith("md:")
    return url.get_backend_name() in {"sqlite", "duckdb"} and not hosted


def open_database(url: sa.URL, key: str, **options: Any) -> sa.Engine:
    """Return the engine of a database; nothing is connected yet."""
    try:  # rows may hold personal data: no error repeats them
        return sa.create_engine(url, hide_parameters=True, **options)
    except ModuleNotFoundError as error:
        package = PACKAGES.get(str(error.name), error.name)
        raise UserError(
            f"{key} needs the Python package {package}; add it with `uv add {package}`."
        ) from None
    except (NoSuchModuleError, ArgumentError, ValueError, TypeError):
        raise UserError(
            f'{key} names a database of the kind "{url.drivername}", which SQLAlchemy cannot open '
            "with these options; correct the URL, or add the package that brings it."
        ) from None
