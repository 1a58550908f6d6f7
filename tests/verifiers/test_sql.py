"""`sql`: databases of every kind, what a query may not do, and a runner that comes back."""

import sqlite3
import time

import pytest

from verifiers import base, sql, sqlite_runner
from verifiers.records import Problem

SCRIPT = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'y');"
QUERY = "SELECT b, count(*) FROM t GROUP BY b"


def verdict(text, db=SCRIPT, query=QUERY, **more):
    problem = Problem(prompt="?", answer={"db": db, "query": query, **more}, verifier="sql")
    return base.judge("sql", base.load("sql"), problem, text)


def test_a_database_may_be_a_file_or_a_script_in_one(tmp_path):
    binary, script = tmp_path / "t.db", tmp_path / "t.sql"
    with sqlite3.connect(binary) as connection:
        connection.executescript(SCRIPT)
    connection.close()
    script.write_text(SCRIPT)
    before = binary.read_bytes()
    for path in (binary, script):
        assert verdict(QUERY, str(path)).correct
        assert verdict("SELECT b, a FROM t", str(path)).status == "wrong"
        assert verdict("DELETE FROM t", str(path)).status == "wrong"
    assert binary.read_bytes() == before


def test_the_rows_must_agree_on_every_database():
    other = SCRIPT + "INSERT INTO t VALUES (4, 'z');"
    lucky = "SELECT b, count(*) FROM t WHERE a < 4 GROUP BY b"
    assert verdict(lucky).correct
    assert verdict(lucky, [SCRIPT, other]).status == "wrong"
    assert verdict(QUERY, [SCRIPT, other]).correct


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n", "timeout"),
        ("SELECT count(*) FROM " + ", ".join(f"t t{i}" for i in range(20)), "timeout"),
        ("SELECT zeroblob(1000000000) FROM t", "memory"),
        ("SELECT randomblob(100) FROM t", "crash"),
        ("ATTACH '/tmp/other.db' AS o", "crash"),
        ("PRAGMA user_version", "crash"),
        ("SELECT load_extension('x')", "crash"),
        ("INSERT INTO t VALUES (9, 'q')", "crash"),
        (f"{QUERY}; {QUERY}", "crash"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000) SELECT i, i FROM n, t LIMIT 150000", "output"),
    ],
)  # fmt: skip
def test_what_a_query_does_is_its_own_fault(query, reason):
    start = time.process_time()
    found = verdict(f"```sql\n{query}\n```")
    assert (found.status, found.reason) == ("wrong", reason), found
    assert time.process_time() - start < 1
    assert verdict(QUERY).correct


def test_a_runner_that_hangs_is_replaced(monkeypatch):
    monkeypatch.setattr(sql._helper(), "seconds", 0.3)
    deep = ["a0 AS (SELECT 1)"]
    deep += [f"a{i} AS (SELECT * FROM a{i - 1} x, a{i - 1} y)" for i in range(1, 30)]
    assert verdict("WITH " + ", ".join(deep) + " SELECT count(*) FROM a29").status == "wrong"
    assert verdict(QUERY).correct


def test_order_counts_where_it_is_asked_for():
    assert sql.is_ordered("SELECT a FROM t ORDER BY a")
    assert not sql.is_ordered("SELECT * FROM (SELECT a FROM t ORDER BY a) -- ORDER BY a")
    assert not sql.is_ordered("SELECT 'ORDER BY a' FROM t")
    by = "SELECT a FROM t ORDER BY a"
    assert verdict("SELECT a FROM t ORDER BY a DESC", query=by).status == "wrong"
    assert verdict("SELECT a FROM t ORDER BY a DESC", query=by, ordered=False).correct


def test_values_are_compared_by_kind():
    def same(one, other):
        return sqlite_runner.comparable(one) == sqlite_runner.comparable(other)

    assert same(1, 1.0)
    assert same(0.1 + 0.2, 0.3)
    assert not same(1, "1")
    assert not same(0.3, 0.3001)
    assert not same(None, 0)
    assert not same("x", b"x")
