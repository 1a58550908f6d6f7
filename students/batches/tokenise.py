"""Rows to tokens on disk: made once, in several processes where it pays, resumed after a kill.

The folder is named by the content of the rows, by the tokenizer with its template, and by the kind
of row, so that the same rows are never tokenised twice. Lengths are no part of the name: what is
too long is decided when the tokens are read.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from students.batches.encode import LEARNED, Encoder
from students.batches.tokens import COLUMNS, Piece, Tokens, Writer, refuse
from students.errors import DataError
from verifiers.files import place

VERSION = 1
CHUNK = 256
PIECES_A_MARK = 16
OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
PAYS = 64 << 20
"""Bytes of rows from which processes of their own are worth their start."""

Rows = Iterable[Mapping[str, Any]]
Report = Callable[[str], None]
Chunk = tuple[int, list[Mapping[str, Any]]]

_encoder: Encoder


def tokenised(
    kind: str,
    rows: Rows,
    tokenizer: Any,
    cache: Path,
    strict: bool = True,
    report: Report = lambda text: None,
) -> Tokens:
    """The tokens of `rows`, which are of a `kind` (text, chat, pair), from the folder `cache`.

    Rows are read twice, one by one, and never held; so they are an iterable that can be read
    again. `strict` raises DataError, with a count, for rows that cannot be learned; else they are
    counted in `bad` and left out.
    """
    digest, amount, size = _digest(rows)
    if not amount:
        raise DataError("there is no row to train on")
    name = hashlib.sha256(f"{VERSION} {kind} {digest} {_named(tokenizer)}".encode()).hexdigest()
    done, partial = cache / name[:24], cache / f".{name[:24]}.partial"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name[:24]}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            writer = Writer(partial)
            try:
                left = size * (amount - writer.rows) // amount
                made = _pieces(kind, _chunks(rows, writer.rows), tokenizer, left)
                _write(made, writer, amount, strict, report)
            finally:
                writer.close()
            place(partial, done)
    tokens = Tokens.open(done)
    if strict:
        refuse(tokens.bad, tokens.rows)
    return tokens


def _digest(rows: Rows) -> tuple[str, int, int]:
    """A hash of the rows' content, how many they are and of how many bytes."""
    digest = hashlib.sha256()
    amount = size = 0
    for row in rows:
        try:
            said = orjson.dumps(row, default=str, option=OPTIONS)
        except TypeError:  # numbers of more than 64 bits, half of a surrogate pair
            said = f"{json.dumps(row, default=str, sort_keys=True)}\n".encode()
        digest.update(said)
        amount += 1
        size += len(said)
    return digest.hexdigest(), amount, size


def _named(tokenizer: Any) -> str:
    """A hash of everything that makes tokens of a text and texts of a chat."""
    digest = hashlib.sha256()
    words = (
        tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else str(tokenizer.get_vocab())
    )
    for part in (words, tokenizer.chat_template, tokenizer.special_tokens_map):
        digest.update(f"{len(str(part))} {part}".encode())
    return digest.hexdigest()


def _write(made: Iterator[Piece], writer: Writer, rows: int, strict: bool, report: Report) -> None:
    """Write all pieces, marked now and then; with `strict` stop where a row is bad."""
    if strict:
        refuse(writer.bad, writer.rows, writer.rows < rows)
    for number, piece in enumerate(made, 1):
        writer.add(piece)
        if number % PIECES_A_MARK == 0 or writer.rows == rows or (strict and writer.bad):
            writer.mark()
            report(f"{writer.rows:,} of {rows:,} rows tokenised")
            if strict:
                refuse(writer.bad, writer.rows, writer.rows < rows)


def _chunks(rows: Rows, done: int) -> Iterator[Chunk]:
    """(rows before, rows) of the rows behind the first `done`."""
    stream = islice(iter(rows), done, None)
    while chunk := list(islice(stream, CHUNK)):
        yield done, chunk
        done += len(chunk)


def _pieces(kind: str, chunks: Iterator[Chunk], tokenizer: Any, size: int) -> Iterator[Piece]:
    """The chunks encoded, in their order; in processes of their own where they are large."""
    workers = len(os.sched_getaffinity(0))
    if size < PAYS or workers < 2:
        encoder = Encoder(tokenizer)
        for chunk in chunks:
            yield _encoded(encoder, kind, chunk)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    waiting: deque[Future[Piece]] = deque()
    with ProcessPoolExecutor(workers, context, _start, (tokenizer,)) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_work, kind, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _start(tokenizer: Any) -> None:
    """Make a process ready to encode; it is one of many, so it needs no threads."""
    global _encoder
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _encoder = Encoder(tokenizer)


def _work(kind: str, chunk: Chunk) -> Piece:
    return _encoded(_encoder, kind, chunk)


def _encoded(encoder: Encoder, kind: str, chunk: Chunk) -> Piece:
    before, rows = chunk
    ids, index = [np.empty(0, np.uint32)], list[tuple[int, ...]]()
    bad: dict[str, tuple[int, int]] = {}
    for number, found in enumerate(encoder.encode(kind, rows), before + 1):
        if isinstance(found, DataError):
            count, first = bad.get(str(found), (0, number))
            bad[str(found)] = (count + 1, first)
            continue
        problem = rows[number - before - 1].get("problem_id")
        for marked in found:
            first = 1 + int((marked[1:] >= LEARNED).argmax())
            named = str(problem).encode() if problem else marked[: max(first, 8)].tobytes()
            group = int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), signed=True)
            ids.append(marked)
            index.append((len(marked), first, number, group))
    table = np.array(index, np.int64).reshape(-1, COLUMNS)
    return Piece(np.concatenate(ids), table, before + len(rows), bad)
