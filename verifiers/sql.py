"""`sql`: the text's query gives the rows that the ground truth's query gives, run by SQLite.

docs/verifiers.md states the policies. Queries run in `verifiers.sqlite_runner`, a process of its
own, on a copy of the database, and can only read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from verifiers import sqlite_runner
from verifiers.golds import structured
from verifiers.helper import Died, Helper
from verifiers.json_values import tagged
from verifiers.records import Problem, Verdict
from verifiers.visible import visible

LONGEST = 100_000
STARTS = r"(?:\s|--[^\n]*\n|/\*.{0,2000}?\*/|\()*(?:select|with|values)\b"
FENCE = re.compile(r"(?:```|~~~)[ \t]{0,9}(\w{0,20})[^\n]{0,200}\n(.*?)(?:```|~~~|\Z)", re.S)
TICKED = re.compile(r"`(?=[^`\n]*(?i:\bfrom\b|\bvalues\b|\d))([^`\n]{6,2000})`")
OPENS = re.compile(STARTS, re.I | re.S)
BARE = re.compile(r"(?im)^[ \t]*(?:(?:sql|query|answer)[ \t]*:[ \t]*)?(?=(?:select|with|values)\b)")
ENDS = re.compile(r";|\n[ \t]*\n|\Z")
CHANGES = "insert|update|delete|replace|create|drop|alter|pragma|explain|attach|begin|merge"
GOES_ON = (
    "select|from|where|group|order|having|limit|offset|union|except|intersect|and|or|on|as|with|left"
    "|right|inner|outer|full|cross|join|natural|using|window|when|then|else|end|case|not|in|exists"
    f"|values|{CHANGES}"
)
OUTPUT = re.compile(rf"\s*(?!(?:{CHANGES})\b)", re.I)
"""How a block without a language starts that shows what a query gives, not a statement."""
PROSE = re.compile(
    rf"(?<=[\w)'\"`\];]);?\s*\n[ \t]*\n(?![ \t]*(?i:{GOES_ON})\b)"
    r"[ \t]*[*_#>]{0,4}[A-Z][a-z]+\b(?!\s*\()"
)
"""Where a query ends and words about it begin: an empty line, then a word that is none of SQL's."""
SORTS = re.compile(r"\border\s+by\b", re.I)
HIDDEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'[^']*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z)",
    re.S,
)
SCRIPT = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'y');"
ASKED = {
    "prompt": "How often does each b stand in t?",
    "answer": {"db": SCRIPT, "query": "SELECT b, count(*) FROM t GROUP BY b"},
}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
NO_QUERY = "no fenced block, tag or line holds a SELECT, WITH or VALUES"


class _Gold(NamedTuple):
    dbs: list[str]
    query: str
    ordered: bool


class BadGold(ValueError):
    """A ground truth that is no `{"db", "query", "ordered"}`."""


class Sql:
    """Correct where the query of the text gives the rows of the ground truth's query.

    The ground truth is `{"db", "query", "ordered"}`. `db` is a script that makes the database, the
    path of one or of a script, or a list of these, on each of which the rows must agree. `ordered`
    says whether the order of rows counts; where it is absent, it does if `query` ends in ORDER BY.
    """

    version = "3"
    trust = "pure"
    gold_type = "json"
    limit = 18.0
    examples = (
        (ASKED, "```sql\nSELECT b, SUM(1) AS n FROM t GROUP BY 1 ORDER BY n;\n```", "correct"),
        (ASKED, "SELECT b, a FROM t", "wrong"),
        (ASKED, "DROP TABLE t", "wrong"),
        (ASKED, ENDLESS, "wrong"),
        ({**ASKED, "answer": {"db": SCRIPT, "query": "SELECT z FROM t"}}, "SELECT 1", "undecided"),
    )

    def check_gold(self, problem: Problem) -> str | None:
        """The database must come about, and the query must run on it."""
        try:
            gold = _gold(problem)
        except BadGold as error:
            return str(error)
        return _fault(tuple(gold.dbs), gold.query)

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Run the query of `text` and compare its rows."""
        gold = _gold(problem)
        found = query(text)
        if found is None:
            return Verdict(status="wrong", reason="no_answer", method="sql", why=NO_QUERY)
        start, end, how = found
        said = text[start:end]
        outcome = _asked(gold, said)
        shown = {"extracted": said, "span": (start, end), "method": f"{how}/sqlite"}
        if outcome["outcome"] == "bad_gold":
            return Verdict(
                status="undecided", reason="bad_gold", detail=outcome["why"],
                why=outcome["why"], **shown,
            )  # fmt: skip
        right = outcome["outcome"] == "same"
        order = "in order" if gold.ordered else "in any order"
        return Verdict(
            status="correct" if right else "wrong",
            reason="" if right else outcome.get("reason", "different"),
            why=f"run on the database, rows compared {order}: {outcome['why']}",
            **shown,
        )


@cache
def _helper() -> Helper:
    return Helper(Path(sqlite_runner.__file__), sqlite_runner.SECONDS + 0.2)


def _asked(gold: _Gold, said: str | None) -> dict[str, str]:
    """What the runner says; a query that costs it its life is at fault itself."""
    if said is not None and len(said) > LONGEST:
        return {"outcome": "failed", "reason": "output", "why": "it is too long"}
    lucky = said is not None and is_ordered(gold.query) and not SORTS.search(HIDDEN.sub(" ", said))
    task = {
        "dbs": gold.dbs, "gold": gold.query, "ordered": gold.ordered, "query": said, "lucky": lucky,
    }  # fmt: skip
    failed = "bad_gold" if said is None else "failed"
    try:
        answer: dict[str, str] = _helper().ask(task)
        return answer
    except TimeoutError:
        return {"outcome": failed, "reason": "timeout", "why": "it was stopped"}
    except Died:
        return {"outcome": failed, "reason": "memory", "why": "it took too much memory"}


@lru_cache(maxsize=4096)
def _fault(dbs: tuple[str, ...], said: str) -> str | None:
    outcome = _asked(_Gold(list(dbs), said, False), None)
    return outcome["why"] if outcome["outcome"] == "bad_gold" else None


def _gold(problem: Problem) -> _Gold:
    """The ground truth; raises BadGold."""
    given = structured(problem.answer)
    if not isinstance(given, Mapping) or not {"db", "query"} <= set(given):
        raise BadGold('the answer must be {"db": script or path, "query": SQL, "ordered": bool}')
    dbs = [given["db"]] if isinstance(given["db"], str) else given["db"]
    if not isinstance(dbs, list) or not dbs or not all(isinstance(d, str) and d for d in dbs):
        raise BadGold("`db` must be a script, a path or a list of these")
    said = given["query"]
    if not isinstance(said, str) or not said.strip():
        raise BadGold("`query` must be SQL")
    ordered = given.get("ordered")
    if ordered is not None and not isinstance(ordered, bool):
        raise BadGold(f"`ordered` must be true or false, not {ordered!r}")
    return _Gold(dbs, said, is_ordered(said) if ordered is None else ordered)


def is_ordered(said: str) -> bool:
    """Whether a query has an ORDER BY of its own, outside of all brackets."""
    depth = 0
    for word in re.finditer(r"[()]|\border\s+by\b", HIDDEN.sub(" ", said), re.I):
        if word[0] == "(":
            depth += 1
        elif word[0] == ")":
            depth -= 1
        elif depth == 0:
            return True
    return False


def query(text: str) -> tuple[int, int, str] | None:
    """Where the query of a text stands, and how it was found; None where there is none.

    The last fenced block that is no mere output, else the last answer tag, else the text itself up
    to an empty line with words behind it, else the last code in backticks or line that starts like
    one.
    """
    seen = visible(text)
    at = text.rfind(seen) if seen else 0
    fences = [
        (m.start(2), m.end(2))
        for m in FENCE.finditer(seen)
        if m[2].strip() and _states(m[1].lower(), m[2])
    ]
    if fences:
        start, end = fences[-1]
        return at + start, at + end, "fenced"
    if (tag := tagged(seen)) and OPENS.match(seen[slice(*tag)]):
        return at + tag[0], at + tag[1], "tagged"
    lines = [m.end() for m in BARE.finditer(seen)]
    ticked = [(m.start(1), m.end(1)) for m in TICKED.finditer(seen) if OPENS.match(m[1])]
    if OPENS.match(seen[:LONGEST]):
        end = _end(seen)
        if not any(place > end for place in (*lines, *(start for start, _ in ticked))):
            return at, at + end, "whole"
    if lines and (not ticked or lines[-1] > ticked[-1][0]):
        stop = ENDS.search(seen, lines[-1])
        return at + lines[-1], at + (stop.end() if stop else len(seen)), "line"
    return (at + ticked[-1][0], at + ticked[-1][1], "code") if ticked else None


def _end(seen: str) -> int:
    """Where the query that a text starts with ends, be it that words about it follow."""
    prose = PROSE.search(HIDDEN.sub(lambda hidden: "x" * len(hidden[0]), seen[:LONGEST]))
    return prose.start() if prose else len(seen.rstrip())


def _states(language: str, block: str) -> bool:
    """Whether a fenced block is there to be run."""
    if not language:
        return bool(OPENS.match(block)) or not OUTPUT.match(block)
    return language in ("sql", "sqlite", "sqlite3")
