"""Rows as the documents that are packed."""

from students.batches.encode import Encoder, document
from students.formats import as_chat


def encoded(tokenizer, rows):
    """The documents of chats, learned where an assistant speaks, its end token included."""
    found = Encoder(tokenizer).encode("chat", [as_chat(row) for row in rows])
    return [document(marked) for each in found for marked in each]
