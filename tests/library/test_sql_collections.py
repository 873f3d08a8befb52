"""Whatever order collections end, are forced and are killed in: what is stored is what there is."""

import shutil
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from mlsteps.collection import collect, open_source, read_raw, sql, storage
from mlsteps.problem.project import ROWS, Project

BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - SQLite has no time zones
CURSORS = {  # types of SQLite, and what the column that grows holds after n steps of a second
    "INTEGER": lambda n: 2**60 + 150 + n,  # where a fraction is 256 from the next
    "": lambda n: n / 2 if n % 2 else n // 2,  # of any type: whole numbers and fractions
    "TEXT": lambda n: str(BEGIN + timedelta(seconds=n)),
    "DATETIME": lambda n: (BEGIN + timedelta(days=n)).strftime("%Y-%m-%d"),
}
OVERLAP = {"": 2.0, "DATETIME": 4 * 86400}  # four steps

PLACES = {  # where a collection can be killed: what is called there, several times
    "while it reads": (sql, "plain_table"),
    "while it writes": (storage, "bring"),
    "before its rename": (Path, "replace"),
}
GIVEN = {place: getattr(*called) for place, called in PLACES.items()}


class Collections(RuleBasedStateMachine):
    """A table that grows, and what is stored of it."""

    define = None  # is set by the test

    @initialize(kind=st.sampled_from([*CURSORS]), overlap=st.booleans())
    def begin(self, kind, overlap):
        self.folder, self.cursor = Path(mkdtemp(prefix="collections-")), CURSORS[kind]
        self.steps_back = 4 if overlap else 0
        self.database = sqlite3.connect(self.folder / "shop.db", isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute(f"CREATE TABLE orders (n INTEGER, grows {kind}, name TEXT)")
        data = {"source": "sql", "path": "", "url": "sqlite:///shop.db", "table": "orders"}
        data |= {"cursor": "grows", "overlap": OVERLAP.get(kind, 4) if overlap else 0}
        self.project = Project(self.folder, type(self).define(data=data))
        self.newest, self.seen, self.stale = 0, None, False
        self.rows_come([0, 0, 1, 1, 1])

    def teardown(self):
        if hasattr(self, "folder"):
            self.database.close()
            shutil.rmtree(self.folder)

    def source(self):
        return sorted(self.database.execute("SELECT n, name FROM orders").fetchall())

    def stored(self):
        if not (self.project.raw / ROWS).exists():
            return []
        rows = read_raw(self.project)
        return sorted(zip(rows["n"], rows["name"], strict=True))

    def read_again(self):
        """Return from which step on rows may come or change."""
        return 0 if self.seen is None else max(0, self.seen - self.steps_back)

    @rule(steps=st.lists(st.integers(0, 3), min_size=1, max_size=8))
    def rows_come(self, steps):
        places = [self.newest + sum(steps[: k + 1]) for k in range(len(steps))]
        self.newest = places[-1]
        rows = [(n, self.cursor(n), "new") for n in places]
        self.database.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)

    @rule(back=st.integers(0, 4))
    def a_row_comes_late(self, back):
        n = max(self.newest - back, self.read_again())
        self.database.execute("INSERT INTO orders VALUES (?, ?, 'late')", [n, self.cursor(n)])

    @rule(name=st.sampled_from("abc"))
    def rows_that_are_read_again_change(self, name):
        since = self.read_again()
        self.database.execute("UPDATE orders SET name = ? WHERE n >= ?", [name, since])

    @rule(place=st.integers(0, 99))
    def any_row_changes(self, place):
        """Let a row become another, which only a forced collection is sure to see."""
        n, _ = self.source()[place % len(self.source())]
        self.database.execute("UPDATE orders SET name = 'changed' WHERE n = ?", [n])
        self.stale = self.stale or n < self.read_again()

    @rule(force=st.booleans())
    def collect(self, force):
        collect(self.project, open_source, anew=force)
        self.stale = self.stale and not force
        if not self.stale:
            assert self.stored() == self.source()
        assert not list(self.project.raw.glob(".*"))
        self.seen = max(self.stored())[0]

    @rule(force=st.booleans(), place=st.sampled_from([*PLACES]), k=st.integers(0, 4))
    def collect_and_be_killed(self, force, place, k):
        times = iter(range(k))

        def counted(*arguments):
            if next(times, None) is None:
                raise KeyboardInterrupt
            return GIVEN[place](*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*PLACES[place], counted)
            with suppress(KeyboardInterrupt):
                self.collect(force)
        if stored := self.stored():  # it may have been killed after its rename
            self.seen = max(stored)[0]


def test_every_order_of_collections_ends_with_the_rows_of_the_source(define, monkeypatch):
    monkeypatch.setattr(sql, "CHUNK_ROWS", 3)
    monkeypatch.setattr(storage, "GROUP_ROWS", 5)
    monkeypatch.setattr(Collections, "define", staticmethod(define))
    slow = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    bounds = {"max_examples": 80, "stateful_step_count": 12, "deadline": None}
    run_state_machine_as_test(Collections, settings=settings(**bounds, suppress_health_check=slow))
