"""Rows of a database are collected whole, once each, and what is wrong is said in a sentence."""

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest
from mlsteps.collection import preview, read_raw, sql, storage
from mlsteps.errors import UserError
from project import collect_rows, edit, run_in

MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS i FROM n"


@pytest.fixture
def execute(tmp_path):
    """Change the database that the tests read."""

    def run(statement, rows=None):
        with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
            if rows is None:
                database.executescript(statement)
            else:
                database.executemany(statement, rows)

    return run


@pytest.fixture
def shop(own, execute, tmp_path, monkeypatch):
    """Point a project at a table of 25 orders, with some settings changed."""
    execute("CREATE TABLE orders (id INTEGER, at TEXT, name TEXT, price REAL, paid)")
    orders = [(n, f"2026-01-{n // 2 + 1:02} 10:00:00", f"ö{n}", n / 4, n % 2) for n in range(25)]
    execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    monkeypatch.setattr(sql, "CHUNK_ROWS", 10)

    def point(**settings):
        return edit(
            own, data={"source": "sql", "path": "", "table": "orders", "query": "", **settings}
        )

    return point


@pytest.fixture
def queried(shop):
    """Point a project at a query."""

    def point(text, **settings):
        project = shop(table="", query="query.sql", **settings)
        (project.root / "query.sql").write_text(text, encoding="utf-8")
        return project

    return point


def ids(project):
    return read_raw(project)["id"].tolist()


def test_a_table_becomes_rows_with_their_types(shop):
    project = shop(missing=["ö3"])
    assert collect_rows(project).startswith("25 rows and 5 columns from sqlite:///")
    rows = read_raw(project)
    assert rows["id"].tolist() == list(range(25))
    assert rows["price"].tolist() == [n / 4 for n in range(25)]
    assert rows["name"].isna().tolist() == [n == 3 for n in range(25)]
    assert {str(kind) for kind in rows.dtypes} == {"int64", "str", "float64"}
    provenance = json.loads((project.raw / "provenance.json").read_text(encoding="utf-8"))
    (source,) = provenance["sources"]
    assert source["name"].endswith("shop.db, table orders")
    assert source["rows"] == 25


def test_a_query_has_bound_parameters(queried):
    text = "SELECT id, 'a;b' AS odd -- a comment\nFROM orders WHERE name > :name AND id < :id;\n"
    project = queried(text, parameters={"name": "ö'; DROP TABLE orders", "id": 3})
    collect_rows(project)
    assert ids(project) == [0, 1, 2]


def test_a_column_of_mixed_types_becomes_text(shop, execute):
    execute("INSERT INTO orders VALUES (25, '', '', NULL, 'later')")
    project = shop()
    collect_rows(project)
    assert read_raw(project)["paid"].tolist() == [*(str(n % 2) for n in range(25)), "later"]


@pytest.mark.parametrize("cursor", ["id", "at"])
def test_only_new_rows_are_fetched(shop, execute, cursor):
    project = shop(cursor=cursor)
    collect_rows(project)
    execute("UPDATE orders SET name = 'old' WHERE id < 20")
    execute("INSERT INTO orders VALUES (25, '2026-01-13 10:00:00', 'of the same time', 0, 0)")
    execute("INSERT INTO orders VALUES (26, '2026-02-01 10:00:00', 'new', 0, 0)")
    assert collect_rows(project).endswith("shop.db, table orders, 2 of them new")
    assert sorted(ids(project)) == list(range(27))
    assert "old" not in set(read_raw(project)["name"])


def test_an_incremental_run_that_finds_nothing_changes_nothing(shop):
    project = shop(cursor="at")
    collect_rows(project)
    before = (project.raw / "data.parquet").read_bytes()
    collect_rows(project)
    assert (project.raw / "data.parquet").read_bytes() == before


def test_rows_that_were_written_late_are_found_within_the_overlap(shop, execute):
    project = shop(cursor="at", overlap=3 * 86400)
    collect_rows(project)
    execute("INSERT INTO orders VALUES (25, '2026-01-11 00:00:00', 'late', 0, 0)")
    collect_rows(project)
    assert sorted(ids(project)) == list(range(26))


def test_the_overlap_is_exact_of_dates_without_a_time_and_of_large_numbers(shop, execute):
    execute("UPDATE orders SET at = substr(at, 1, 10), id = id + 1152921504606847126")
    for cursor, overlap, late in (("at", 3 * 86400, "2026-01-10"), ("id", 4, "2026-01-01")):
        project = shop(cursor=cursor, overlap=overlap)
        collect_rows(project)
        last = max(ids(project))
        execute("INSERT INTO orders VALUES (?, ?, 'late', 0, 0)", [(last + 1, late)])
        collect_rows(project)
        assert max(ids(project)) == last + 1


def test_whole_numbers_may_be_followed_by_fractions(shop, execute):
    project = shop(cursor="paid")
    execute("UPDATE orders SET paid = id")
    collect_rows(project)
    execute("UPDATE orders SET paid = 24.5 WHERE id = 24")
    execute("INSERT INTO orders VALUES (25, '', '', 0, 24.25)")
    collect_rows(project)
    assert sorted(read_raw(project)["paid"]) == [*range(25), 24.25, 24.5], (
        "24 is seen to go by --force"
    )


def test_force_fetches_all_rows_again(shop, execute):
    project = shop(cursor="id")
    collect_rows(project)
    execute("DELETE FROM orders WHERE id < 5")
    assert len(ids(project)) == 25
    assert run_in(project.root, "collect", "--force").exit_code == 0
    assert ids(project) == list(range(5, 25))


def test_other_settings_fetch_all_rows_again(shop, execute):
    collect_rows(shop(cursor="id"))
    execute("UPDATE orders SET name = 'changed'")
    project = shop(cursor="at")
    collect_rows(project)
    assert set(read_raw(project)["name"]) == {"changed"}


@pytest.mark.parametrize("cursor", ["", "id", "at"])
@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_an_interrupted_collection_ends_with_the_rows_of_the_source(
    shop, execute, monkeypatch, cursor, chunks
):
    project = shop(cursor=cursor)
    collect_rows(project)
    before = (project.raw / "data.parquet").read_bytes()
    later = [(n, f"2026-02-{n // 2 - 11:02} 10:00:00", "", 0, 0) for n in range(25, 50)]
    execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", later)
    bring, brought = storage.bring, []

    def bring_some(*arguments):
        if len(brought) == chunks:
            raise KeyboardInterrupt
        brought.append(arguments)
        return bring(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "bring", bring_some)
        with pytest.raises(KeyboardInterrupt):
            collect_rows(project)
    assert (project.raw / "data.parquet").read_bytes() == before
    execute("INSERT INTO orders VALUES (50, '2026-02-13 10:00:00', 'in between', 0, 0)")
    collect_rows(project)
    assert sorted(ids(project)) == list(range(51))
    assert not list(project.raw.glob(".*"))


KILLED = """
import os, signal, sys
from dataclasses import replace
from mlsteps.collection import collect, open_source, sql
from mlsteps.problem.project import open_project
sql.CHUNK_ROWS = 10
def dying(project):
    stream = open_source(project)
    def read(since):
        for number, table in enumerate(stream.read(since)):
            if number == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            yield table
    return replace(stream, read=read)
collect(open_project(), dying, anew="--force" in sys.argv)
"""


def test_a_killed_process_loses_no_rows_whether_forced_or_not(shop, execute):
    project = shop(cursor="id")
    collect_rows(project)
    for first, option in ((25, "--force"), (46, "")):
        rows = [(n, "", f"{n}", 0, 0) for n in range(first, first + 21)]
        execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)
        script = [sys.executable, "-c", KILLED, option]
        assert subprocess.run(script, check=False, cwd=project.root).returncode == -signal.SIGKILL
        assert list(project.raw.glob(".spool*")), "it was killed in the middle"
        assert ids(project) == list(range(first)), "the last good data stays"
        collect_rows(project)
        assert ids(project) == list(range(first + 21))
        assert not list(project.raw.glob(".*"))


def test_columns_that_are_not_what_they_were_are_named(shop, execute):
    project = shop()
    collect_rows(project)
    execute("ALTER TABLE orders DROP COLUMN at")
    execute("ALTER TABLE orders ADD COLUMN region TEXT DEFAULT 'north'")
    execute("UPDATE orders SET price = 'free'")
    assert collect_rows(project).splitlines()[1:] == [
        '"at" is gone.',
        '"region" is new (str).',
        '"price" was float64 and is str now.',
    ]
    card = (project.reports / "cards" / "2-collect.html").read_text(encoding="utf-8")
    assert "&quot;region&quot; is new (str) since the last collection" in card


def test_a_preview_shows_rows_types_and_count_and_writes_nothing(shop):
    project = shop()
    before = {path: path.stat().st_mtime_ns for path in project.root.rglob("*")}
    shown = run_in(project.root, "collect", "--preview").output
    assert "2026-01-05 10:00:00" in shown
    assert "2026-01-06" not in shown
    assert "price  float64" in shown
    assert "25 rows and 5 columns" in shown
    assert {path: path.stat().st_mtime_ns for path in project.root.rglob("*")} == before


def test_the_definition_is_written_for_what_the_database_holds(own, shop):
    rows = pd.read_csv(own.root / "rows.csv")
    target = own.definition.problem.target
    project = shop()
    with closing(sqlite3.connect(own.root.parent / "shop.db")) as database:
        rows.to_sql("orders", database, index=False, if_exists="replace")
    said = run_in(project.root, "define", "--target", target)
    assert said.exit_code == 0, said.output
    assert 'path = ""' in (project.root / "project.toml").read_text(encoding="utf-8")


BAD = [
    ({"url": "env:NOBODYS_URL"}, r"NOBODYS_URL, which \[data\] url names, is not set"),
    ({"url": "nowhere"}, r"\[data\] url is not the URL of a database"),
    ({"url": "sqlite:///none.db"}, r"a database file that does not exist: .*none\.db"),
    ({"url": "duckdb:///none.db"}, r"a database file that does not exist: .*none\.db"),
    ({"url": "mysql://me@db/shop"}, r"needs the Python package mysqlclient; add it with `uv add"),
    ({"url": "postgresql://me:secret@db/shop"}, r"\[data\] url holds a password"),
    ({"url": "foo://db/shop"}, r'kind "foo", which SQLAlchemy cannot open'),
    ({"url": "postgresql://127.0.0.1:1/shop"}, r"shop does not give table orders: .*refused"),
    ({"table": "none"}, r"does not give table none: no such table"),
    ({"cursor": "none"}, r"does not give table orders: no such column: none"),
    ({"cursor": "name"}, r'cursor is "name", which does not tell which rows are new'),
    ({"table": "", "query": "no.sql"}, r"query no\.sql cannot be read: No such file"),
    ({"table": ""}, r"set table or query; neither is set"),
    ({"query": "query.sql"}, r"set table or query; both are set"),
]


@pytest.mark.parametrize(("settings", "sentence"), BAD)
def test_a_mistake_gets_one_sentence(shop, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        collect_rows(shop(**settings))


QUERIES = [
    ("SELECT * FORM orders", r'does not give query query\.sql: near "FORM": syntax error'),
    ("SELECT id, id FROM orders", r'has 2 columns named "id"'),
    ("SELECT * FROM orders WHERE id > :low", r"the parameters \['low'\], but .* gives \[\]"),
    ("SELECT * FROM orders WHERE id < 0", r"query query\.sql has no rows; nothing was changed"),
    ("\n", r"query query\.sql is empty; write a SELECT into it"),
    ("DELETE FROM orders", r"query gives no rows; write a SELECT, and nothing else"),
]


@pytest.mark.parametrize(("text", "sentence"), QUERIES)
def test_a_query_that_is_wrong_gets_one_sentence(queried, text, sentence):
    with pytest.raises(UserError, match=sentence):
        collect_rows(queried(text))


def test_a_column_that_grows_needs_a_value_in_each_row(shop, execute):
    project = shop(cursor="id")
    collect_rows(project)
    execute("INSERT INTO orders VALUES (NULL, '', '', 0, 0)")
    for look in (collect_rows, preview):
        with pytest.raises(UserError, match=r'cursor is "id", .* with a value in each row'):
            look(project)


def test_a_statement_that_takes_too_long_is_ended(queried):
    with pytest.raises(UserError, match=r"within \[data\] timeout_seconds = 0\.2; raise it"):
        collect_rows(queried(MANY, timeout_seconds=0.2))
