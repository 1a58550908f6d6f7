"""All problems of a run on disk, so that they can be split and looked up whatever their number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from generators.errors import SourceError
from generators.shelf import Scratch
from verifiers.records import Message, Problem, content_id

SCHEMA = """
CREATE TABLE pile (
    number INTEGER PRIMARY KEY, id TEXT, prompt BLOB, family TEXT, side INTEGER, body TEXT
)"""
ASKED, HELD, WRITTEN = 0, 1, 2


class Pile(Scratch):
    """Problems in the order in which they came, each of them asked, held out, or written by a
    teacher after the split."""

    def __init__(self) -> None:
        super().__init__(SCHEMA)
        self.db.create_function("draw", 2, lambda seed, name: content_id([seed, name]))
        self._indexed = False

    def add(self, problem: Problem, written: bool = False) -> None:
        """Put a problem on top; it is asked."""
        row = (
            problem.id, _key(problem.prompt), _family(problem), WRITTEN if written else ASKED,
            problem.model_dump_json(),
        )  # fmt: skip
        self.db.execute("INSERT INTO pile VALUES (NULL, ?, ?, ?, ?, ?)", row)

    def hold_out(self, n: int, by: str, seed: int) -> None:
        """Hold out prompts at random, or whole families, until there are `n` problems.

        All problems with one prompt fall on the same side, so `n` problems are held out exactly
        where prompts are unique (`by` id), and at least `n` otherwise. With families, problems of
        others that share a prompt with a chosen one are held out too. A prompt is drawn by the
        least id of its problems: the choice depends on the problems and the seed, not on their
        order. Raises SourceError where nothing would be left to ask.
        """
        (total,) = self.db.execute("SELECT count(*) FROM pile").fetchone()
        if n >= total:
            raise SourceError(f"cannot hold out {n} of {total} problems: nothing is left")
        self._index()
        for prompts in self._drawn(n, by, seed):
            if n <= 0:
                break
            where = f"WHERE side = {ASKED} AND prompt IN ({prompts[0]})"
            n -= self.db.execute(f"UPDATE pile SET side = {HELD} {where}", prompts[1:]).rowcount
        if next(self.asked(), None) is None:
            what = "prompts" if by == "id" else "families"
            raise SourceError(f"holding out whole {what} leaves nothing to ask")

    def _drawn(self, n: int, by: str, seed: int) -> list[tuple[str, bytes | str]]:
        """The sets of prompts that are held out one after the other, as queries; enough for `n`."""
        if by == "id":
            rows = self.db.execute(
                "SELECT prompt FROM pile GROUP BY prompt ORDER BY draw(?, min(id)) LIMIT ?",
                (seed, n),
            )
            return [("?", prompt) for (prompt,) in rows]
        rows = self.db.execute(
            "SELECT family FROM pile GROUP BY family ORDER BY draw(?, family)", (seed,)
        )
        return [("SELECT prompt FROM pile WHERE family = ?", family) for (family,) in rows]

    def asked(self) -> Iterator[Problem]:
        """Those that are not held out and were not written by a teacher."""
        return self._each(f"side = {ASKED}")

    def held(self) -> Iterator[Problem]:
        """Those that are held out."""
        return self._each(f"side = {HELD}")

    def to_ask(self) -> Iterator[Problem]:
        """All that are not held out."""
        return self._each(f"side <> {HELD}")

    def find(self, problem: str) -> tuple[int, Problem]:
        """Place and problem of an id; raises KeyError where it is unknown."""
        self._index()
        row = self.db.execute("SELECT number, body FROM pile WHERE id = ?", (problem,)).fetchone()
        if row is None:
            raise KeyError(problem)
        return row[0], Problem.model_validate_json(row[1])

    def knows(self, prompt: str | list[Message]) -> bool:
        """Whether a problem, held out or not, has this prompt."""
        self._index()
        found = self.db.execute("SELECT 1 FROM pile WHERE prompt = ? LIMIT 1", (_key(prompt),))
        return found.fetchone() is not None

    def _each(self, which: str) -> Iterator[Problem]:
        for (body,) in self.db.execute(f"SELECT body FROM pile WHERE {which} ORDER BY number"):
            yield Problem.model_validate_json(body)

    def _index(self) -> None:
        """Indexes are made when they are needed: filling the pile is faster without."""
        if not self._indexed:
            for column in ("prompt", "id", "family"):
                self.db.execute(f"CREATE INDEX by_{column} ON pile ({column})")
            self._indexed = True


def _family(problem: Problem) -> str:
    return str(problem.meta.get("family") or problem.source)


def _key(prompt: str | list[Message]) -> bytes:
    return hashlib.sha256(str(prompt).encode("utf-8", "surrogatepass")).digest()[:16]
