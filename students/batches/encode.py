"""Texts, chats and pairs as token ids, with the mark of what is learned.

A document is tokenised whole, as anyone will tokenise what the chat template renders. No token may
straddle the border between what the model is given and what it writes: where one would, the parts
are tokenised one by one, exactly as the model meets them when it generates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from students.batches.pack import Document
from students.batches.templates import Template, Written
from students.errors import DataError
from students.formats import Message, as_chat, as_pair, as_text

LEARNED = np.uint32(1 << 31)
"""The bit of a token id that says that the token is learned."""

NOTHING = "have no token to learn"
STRADDLES = "have a token that straddles the border between prompt and completion"

Marked = np.ndarray
"""uint32 [T]: token ids of a document, those that are learned with the bit LEARNED."""


class Encoder:
    """Rows to marked token ids, for one tokenizer."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.template = Template(tokenizer)
        if tokenizer.eos_token is None:
            raise DataError("the tokenizer has no end token, so no end could be learned")
        added = tokenizer.added_tokens_decoder.items()
        self._greedy = {token for token, mark in added if mark.rstrip}

    def encode(self, kind: str, rows: Sequence[Any]) -> list[list[Marked] | DataError]:
        """The documents of each row of a `kind` (text, chat, pair), or what is wrong with it.

        A pair has two, the chosen and the rejected one.
        """
        found: list[list[Marked] | DataError] = [[] for _ in rows]
        texts: list[Written] = []
        owners: list[int] = []
        for place, row in enumerate(rows):
            try:
                written = self._written(kind, row)
            except DataError as error:
                found[place] = error
                continue
            texts += written
            owners += [place] * len(written)
        for place, marked in zip(owners, self._marked(texts, kind == "text"), strict=True):
            before = found[place]
            if isinstance(marked, DataError):
                found[place] = marked
            elif not (marked[1:] >= LEARNED).any():
                found[place] = DataError(NOTHING)
            elif isinstance(before, list):
                before.append(marked)
        return found

    def _written(self, kind: str, row: Any) -> list[Written]:
        if kind == "text":
            text = as_text(row)
            if not text.strip():
                raise DataError(NOTHING)
            return [Written(text, ())]
        chats = as_pair(row) if kind == "pair" else (as_chat(row),)
        written = [document for chat in chats for document in self.template.written(chat)]
        if not written:
            raise DataError(NOTHING)
        if kind == "pair" and len(written) != 2:
            raise DataError("have more than one answer on a side, in contexts that differ")
        return written

    def _marked(self, texts: Sequence[Written], plain: bool) -> list[Marked | DataError]:
        """Marked ids of texts; of `plain` ones every token but the first is learned."""
        if not texts:
            return []
        if not self.tokenizer.is_fast:
            return [self._plain(t.text) if plain else self._pieces(t) for t in texts]
        backend = self.tokenizer.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        whole = [text.text for text in texts]
        if plain:
            return [self._ended(e.ids) for e in backend.encode_batch_fast(whole)]
        encodings = backend.encode_batch(whole, add_special_tokens=False)
        return [self._masked(t, e) for t, e in zip(texts, encodings, strict=True)]

    def _masked(self, written: Written, encoding: Any) -> Marked | DataError:
        """The ids of a text; its parts one by one where a token straddles a border."""
        ids = np.array(encoding.ids, np.uint32)
        for start, end in written.spans:
            first = self._first(encoding, start, end)
            if first is None:
                return self._pieces(written)
            last = len(ids) if end == len(written.text) else encoding.char_to_token(end - 1) + 1
            ids[first:last] |= LEARNED
        return ids

    def _first(self, encoding: Any, start: int, end: int) -> int | None:
        """The token that begins the part [start, end); None where one straddles its border.

        Blanks at its head may belong to no token, or to a mark before it that takes them up.
        """
        for place in range(start, end):
            token = encoding.char_to_token(place)
            if token is None or encoding.ids[token] in self._greedy:
                continue
            return token if encoding.token_to_chars(token)[0] >= start else None
        return None

    def _pieces(self, written: Written) -> Marked | DataError:
        borders = [0, *(place for span in written.spans for place in span), len(written.text)]
        pieces = [written.text[a:b] for a, b in pairwise(borders)]
        encoded = self.tokenizer(pieces, add_special_tokens=False)["input_ids"]
        ids = [token for tokens in encoded for token in tokens]
        if self.tokenizer.decode(ids, clean_up_tokenization_spaces=False) != written.text:
            return DataError(STRADDLES)
        marked = [np.array(tokens, np.uint32) for tokens in encoded]
        for tokens in marked[1::2]:
            tokens |= LEARNED
        return np.concatenate(marked)

    def _plain(self, text: str) -> Marked:
        return self._ended(self.tokenizer(text)["input_ids"])

    def _ended(self, ids: Sequence[int]) -> Marked:
        end = self.tokenizer.eos_token_id
        marked = np.array(ids if ids[-1:] == [end] else [*ids, end], np.uint32)
        marked[1:] |= LEARNED
        return marked


def document(marked: Marked) -> Document:
    """Marked ids as a document of the packed batch; nothing stands before its first token, so that
    is never learned."""
    learned = marked >= LEARNED
    learned[:1] = False
    return Document((marked & ~LEARNED).tolist(), learned.tolist())


def encode_prompts(tokenizer: Any, chats: Sequence[list[Message]]) -> list[list[int]]:
    """Token ids of prompts that the model is to answer."""
    template = Template(tokenizer)
    texts = [template.text(chat, prompt=True) for chat in chats]
    return tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
