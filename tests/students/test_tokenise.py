"""Tokens on disk: made once, the same after a kill, and cut to length only when they are read."""

import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from students import models
from students.batches import tokenise
from students.batches.encode import LEARNED, Encoder
from students.batches.pack import pack
from students.batches.tokenise import tokenised
from students.batches.units import units
from students.errors import DataError
from students.sources import FileSource


class Rows:
    """Rows that count how often they are read, and may break off."""

    def __init__(self, count, breaks=None, wrong=()):
        self.count, self.breaks, self.wrong, self.read = count, breaks, wrong, 0

    def __iter__(self):
        self.read += 1
        for n in range(self.count):
            if self.read == 2 and n == self.breaks:
                raise KeyboardInterrupt
            completion = {} if n in self.wrong else {"completion": "so it is " + "x" * (n % 50)}
            yield {"prompt": f"question {n}", **completion}


@pytest.fixture(scope="module")
def tokenizer():
    return models.byte_tokenizer()


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(tokenise, "CHUNK", 16)
    monkeypatch.setattr(tokenise, "PIECES_A_MARK", 2)


def files(cache):
    return {file.name: file.read_bytes() for file in cache.glob("*/*")}


def test_rows_are_tokenised_once_whatever_their_kind(tokenizer, tmp_path, monkeypatch):
    rows = Rows(300)
    first = tokenised("chat", rows, tokenizer, tmp_path)
    documents = [m for (m,) in Encoder(tokenizer).encode("chat", list(Rows(300)))]
    assert np.array_equal(first.ids, np.concatenate(documents))
    assert first.index[:, 0].tolist() == [len(d) for d in documents]
    assert first.index[:, 2].tolist() == list(range(1, 301))
    monkeypatch.setattr(Encoder, "encode", None)
    again = tokenised("chat", Rows(300), tokenizer, tmp_path)
    assert np.array_equal(first.ids, again.ids)
    with pytest.raises(TypeError):  # other rows are other tokens
        tokenised("chat", Rows(301), tokenizer, tmp_path)


def test_another_template_makes_other_tokens(tokenizer, tmp_path):
    tokenised("chat", Rows(3), tokenizer, tmp_path)
    other = models.byte_tokenizer()
    other.chat_template = other.chat_template.replace("<|user|>", "<|system|>").replace("m[", " m[")
    tokenised("chat", Rows(3), other, tmp_path)
    assert len(list(tmp_path.glob("[0-9a-f]*"))) == 2


def test_what_broke_off_goes_on_and_is_the_same(tokenizer, tmp_path, often, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    tokenised("chat", Rows(200), tokenizer, whole)
    with pytest.raises(KeyboardInterrupt):
        tokenised("chat", Rows(200, breaks=150), tokenizer, broken)
    done = []
    real = Encoder.encode
    monkeypatch.setattr(
        Encoder, "encode", lambda self, kind, rows: done.append(len(rows)) or real(self, kind, rows)
    )
    tokenised("chat", Rows(200), tokenizer, broken)
    assert files(whole) == files(broken)
    assert sum(done) == 200 - 128


@pytest.mark.slow
def test_processes_make_the_same_tokens(tokenizer, tmp_path, often, monkeypatch):
    one, many = tmp_path / "one", tmp_path / "many"
    tokenised("chat", Rows(200), tokenizer, one)
    monkeypatch.setattr(tokenise, "PAYS", 0)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    tokenised("chat", Rows(200), tokenizer, many)
    assert files(one) == files(many)


def test_bad_rows_are_refused_with_a_count_or_left_out(tokenizer, tmp_path, often):
    rows = Rows(100, wrong=(3, 20, 90))
    with pytest.raises(DataError, match=r"1 of the first 16 rows are of no .*the first is row 4"):
        tokenised("chat", rows, tokenizer, tmp_path)
    tokens = tokenised("chat", Rows(100, wrong=(3, 20, 90)), tokenizer, tmp_path, strict=False)
    assert [(count, first) for count, first in tokens.bad.values()] == [(3, 4)]
    assert len(tokens.index) == 97
    with pytest.raises(DataError, match="3 of 100 rows"):
        tokenised("chat", Rows(100, wrong=(3, 20, 90)), tokenizer, tmp_path)
    with pytest.raises(DataError, match="no row"):
        tokenised("chat", [], tokenizer, tmp_path)
    none = tokenised("chat", [{"odd": 2**70}], tokenizer, tmp_path, strict=False)
    for policy in ("refuse", "cut", "split"):
        with pytest.raises(DataError, match="none of 1 rows can be learned"):
            units(none, 1, 10, policy)


def test_length_is_decided_when_tokens_are_read(tokenizer, tmp_path):
    rows = [{"prompt": "p", "completion": "c" * n} for n in (5, 40, 80)]
    tokens = tokenised("chat", rows, tokenizer, tmp_path)
    whole, counts = units(tokens, 1, 100, "refuse")
    assert whole.lengths.tolist() == [10, 45, 85]
    assert counts == {}
    with pytest.raises(
        DataError, match=r"2 of 3 rows are longer than max_length=20.*longest has 85"
    ):
        units(tokens, 1, 20, "refuse")
    left, counts = units(tokens, 1, 50, "drop")
    assert left.lengths.tolist() == [10, 45]
    assert counts == {"too_long_dropped": 1}
    left, counts = units(tokens, 1, 20, "cut")
    assert left.lengths.tolist() == [10, 20, 20]
    assert counts == {"too_long_cut": 2}
    assert tokenizer.decode(left[1][0].ids) == "<|user|>p<|end|><|assistant|>" + "c" * 16
    with pytest.raises(DataError, match="none of 3 rows"):
        units(tokens, 1, 4, "cut")


def test_a_pair_is_dropped_as_a_whole(tokenizer, tmp_path):
    rows = [{"prompt": "p", "chosen": "c" * n, "rejected": "r"} for n in (5, 80)]
    tokens = tokenised("pair", rows, tokenizer, tmp_path)
    assert len(tokens.index) == 4
    left, counts = units(tokens, 2, 50, "drop")
    assert [len(unit) for unit in left] == [2]
    assert counts == {"too_long_dropped": 1}
    assert left.groups[0] == units(tokens, 2, 100, "refuse")[0].groups[1]  # of one prompt


@pytest.mark.parametrize("length", [5, 7, 10, 41])
def test_a_split_text_loses_no_token_and_learns_each_once(tokenizer, tmp_path, length):
    text = "a text of some length, to be split in parts"
    tokens = tokenised("text", [{"text": text}, {"text": "short"}], tokenizer, tmp_path)
    parts, counts = units(tokens, 1, length, "split")
    assert max(parts.lengths) <= length
    assert counts == {"too_long_split": 1 + (length == 5)}
    learned = [i for (d,) in parts for i, m in zip(d.ids, d.mask, strict=True) if m]
    whole = tokenizer.decode(learned)
    assert whole == text[1:] + "<|end|>hort<|end|>"
    assert not any(d.mask[0] for (d,) in parts)


def test_units_are_packed_as_they_are(tokenizer, tmp_path):
    tokens = tokenised("chat", Rows(50), tokenizer, tmp_path)
    found, _ = units(tokens, 1, 512, "refuse")
    source = FileSource(found, 1000, seed=0)
    seen = []
    for _, batch in zip(range(source.steps(1)), source, strict=False):
        seen += batch.lengths
    assert sorted(seen) == sorted(found.lengths)
    batch = pack(found[:3])
    assert batch.mask.tolist() == [bool(i >= LEARNED) for i in tokens.ids[: sum(batch.lengths)]]
    half = found.part(np.arange(50) % 2 == 0)
    assert half[1][0] == found[2][0]


def test_memory_does_not_grow_with_the_rows(tokenizer, tmp_path):
    def peak(count):
        tracemalloc.start()
        found, _ = units(tokenised("chat", Rows(count), tokenizer, tmp_path), 1, 512, "refuse")
        FileSource(found, 4096, seed=0).steps(1)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(1_000), peak(4_000)
    assert large - small < 3_000 * 60  # what an epoch's order and places take, not the rows


SCRIPT = """
import os, signal, sys
from pathlib import Path
from students import models
from students.batches.tokenise import tokenised

class Rows:
    read = 0
    def __iter__(self):
        self.read += 1
        for n in range(9000):
            if self.read == 2 and n == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
            yield {"prompt": f"question {n}", "completion": "so it is " + "x" * (n % 50)}

tokenised("chat", Rows(), models.byte_tokenizer(), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_kill_loses_no_tokens_and_makes_no_others(tokenizer, tmp_path):
    def run(folder, kill):
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / folder), str(kill)], check=False
        ).returncode

    assert run("killed", 7000) == -signal.SIGKILL
    (partial,) = (tmp_path / "killed").glob(".*.partial")
    assert '"rows": 4096' in (partial / "mark.json").read_text()
    assert run("killed", -1) == 0
    assert run("whole", -1) == 0
    assert files(tmp_path / "whole") == files(tmp_path / "killed")
