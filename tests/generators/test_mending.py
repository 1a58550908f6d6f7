"""A damaged store: what can be read is kept, what cannot is named and made again, nothing is lost."""

import os
import random
import sqlite3

import pytest

from generators.errors import StoreError
from generators.store import Store
from generators.stored import Stored
from tests.generators.test_store import Echo, collect, requests
from verifiers.records import Verdict

NAMES = [f"question {n} " + "and so on " * 60 for n in range(300)]
ALL = len(NAMES)


@pytest.fixture
def path(tmp_path):
    """A store of 300 answers with a verdict each, and its pages."""
    file = tmp_path / "store.sqlite"
    with Store(file) as store:
        found = collect(Stored(Echo(), store), requests(NAMES, samples=1))
        for one in found:
            store.judged("judge", one.id, Verdict(status="wrong"))
        store.flush()
    return file


def pages(path, name):
    """The numbers of the pages of a table or an index, from 1."""
    db = sqlite3.connect(path)
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    raw = path.read_bytes()

    def children(page):
        head = raw[(page - 1) * size : page * size]
        if head[0] not in (2, 5):
            return [page]
        cells = int.from_bytes(head[3:5], "big")
        places = [int.from_bytes(head[12 + 2 * n : 14 + 2 * n], "big") for n in range(cells)]
        below = [int.from_bytes(head[at : at + 4], "big") for at in places]
        below.append(int.from_bytes(head[8:12], "big"))
        return [page, *(deeper for one in below for deeper in children(one))]

    return size, children(root)


def spoil(path, page, size, count=1, seed=0):
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(random.Random(seed).randbytes(size * count))


def again(path):
    """What the store holds and what is asked once more, by a new sampler."""
    with Store(path) as store:
        sampler = Stored(Echo(), store)
        found = collect(sampler, requests(NAMES, samples=1))
        assert {c.text for c in found} == {name.split("/")[0] for name in NAMES}
        return sampler.asked, store.damaged, store.ledger()


@pytest.mark.parametrize("where", ["first leaf", "middle leaf", "last leaf", "root"])
def test_random_bytes_in_a_page_cost_what_was_in_it(path, where, caplog):
    size, found = pages(path, "completions")
    page = {"first leaf": found[1], "middle leaf": found[len(found) // 2], "last leaf": found[-1],
            "root": found[0]}[where]  # fmt: skip
    spoil(path, page, size)
    asked, damaged, ledger = again(path)
    assert 0 < asked == len(damaged) <= (ALL if where == "root" else 16)
    assert f"{asked} answers could not be read" in caplog.text
    paid = {
        row["teacher"]: (row["completions"], row["unusable"], row["uncounted"]) for row in ledger
    }
    if where != "root":
        assert paid == {"echo": (ALL, asked, asked)}
    assert path.with_name("store.damaged-1.sqlite").stat().st_size > 0
    assert again(path)[:2] == (0, set())
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_damaged_index_costs_nothing(path):
    size, found = pages(path, "sqlite_autoindex_completions_1")
    for page in found:
        spoil(path, page, size)
    asked, damaged, ledger = again(path)
    assert (asked, damaged, ledger[0]["completions"]) == (0, set(), ALL)


def test_pages_here_and_there_and_a_file_that_ends_early(path):
    size, found = pages(path, "completions")
    for seed, page in enumerate(found[2::9]):
        spoil(path, page, size, seed=seed)
    os.truncate(path, path.stat().st_size - 3 * size)
    asked, damaged, _ = again(path)
    assert 0 < asked == len(damaged) < ALL
    assert again(path)[0] == 0


@pytest.mark.slow
def test_bytes_anywhere_never_bring_a_wrong_answer(path):
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(60):
        path.write_bytes(whole)
        for extra in ("-wal", "-shm"):
            path.with_name(path.name + extra).unlink(missing_ok=True)
        for _ in range(rng.choice([1, 1, 50])):
            with path.open("r+b") as file:
                file.seek(rng.randrange(4096, len(whole)))
                file.write(rng.randbytes(1))
        again(path)


def test_a_file_of_which_nothing_is_left_is_named_and_left_as_it_is(path):
    spoil(path, 1, 4096)
    raw = path.read_bytes()
    with pytest.raises(StoreError, match=r"store.sqlite is damaged .* left as it is"):
        Store(path)
    assert path.read_bytes() == raw


def test_a_damaged_store_that_another_run_uses_is_not_touched(path):
    size, found = pages(path, "completions")
    spoil(path, found[len(found) // 2], size)
    with Store(path) as other:
        other.served("echo")
        with Store(path) as store, pytest.raises(StoreError, match="another run uses it"):
            collect(Stored(Echo(), store), requests(NAMES, samples=1))
    assert again(path)[0] > 0


def test_a_reader_says_that_it_is_damaged(path):
    size, found = pages(path, "completions")
    spoil(path, found[len(found) // 2], size)
    with (
        Store(path, readonly=True) as store,
        pytest.raises(sqlite3.DatabaseError, match="mends it"),
    ):
        store.ledger()
