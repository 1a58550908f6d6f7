"""Chats as the text that a model sees, and which parts of it the model writes itself.

What the model writes in a turn is told from what it is given by rendering the chat twice: up to
the turn, with the prompt that asks for an answer, and with the turn. The first must be a prefix of
the second, and what follows must say what the row says, up to the token that ends the turn. A
template that rewrites earlier turns, as those do that drop their thoughts, makes a document of
each turn: the turn is learned in the very context in which the model will have to write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from students.errors import DataError
from students.formats import CLOSE, OPEN, Chat, Message

STAND_IN = "answer"
PREFIX = (
    "are not rendered by the chat template as a prefix of their continuation, so the completion "
    "cannot be told from the prompt"
)
CHANGED = (
    "hold an assistant's message that the chat template does not render as it is written, so "
    "another text would be learned"
)
OPENED = (
    "have no thought, and the chat template opens every answer with one; give the reasoning, or "
    "a template that does not open it"
)
ENDLESS = (
    "are rendered by a chat template that closes the assistant's turn with no special token, so "
    "its end could not be learned"
)
EMPTY = "hold an assistant's message without any text"


@dataclass(frozen=True)
class Written:
    """A rendered text and the parts [start, end) of it, in characters, that are learned."""

    text: str
    spans: tuple[tuple[int, int], ...]


class Template:
    """The chat template of a tokenizer; without one, texts stand one below the other."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.values()
        marks = {*tokenizer.all_special_tokens, *(t.content for t in added if t.special)}
        self._mark = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))))
        starts = [] if tokenizer.chat_template else tokenizer("")["input_ids"]
        self._start = tokenizer.bos_token if starts[:1] == [tokenizer.bos_token_id] else ""

    def text(self, messages: list[Message], prompt: bool, tools: Any = None) -> str:
        """`messages` as text; `prompt` adds what asks the model to answer.

        Raises DataError where the template refuses them.
        """
        if not self.tokenizer.chat_template:
            said = [message["content"] for message in messages]
            if prompt:
                return self._start + "\n".join(said)
            return self._start + "\n".join(said[:-1]) + said[-1] + self.tokenizer.eos_token
        try:
            return self.tokenizer.apply_chat_template(
                messages, tools=tools, tokenize=False, add_generation_prompt=prompt
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise DataError(f"are refused by the chat template: {error}") from error

    def written(self, chat: Chat) -> list[Written]:
        """The documents of a chat: one, or as many as turns need a context of their own.

        Raises DataError, in words that follow "3 rows", where nothing could be learned from it
        or something else than what it says.
        """
        found: list[Written] = []
        text, spans = "", list[tuple[int, int]]()
        for place in range(len(chat.messages)):
            if not chat.learned(place):
                continue
            before = self.text(chat.messages[:place], True, chat.tools) if place else self._opening
            cut = chat.cut and place == len(chat.messages) - 1
            after = before + self._turn(chat, place, before, cut)
            if spans and not before.startswith(text):
                found.append(Written(text, tuple(spans)))
                spans = []
            text = after
            spans.append((len(before), len(after)))
        return [*found, Written(text, tuple(spans))] if spans else found

    @property
    def _opening(self) -> str:
        """What stands before a chat that the assistant begins."""
        whole = self.text([{"role": "assistant", "content": STAND_IN}], False)
        return whole[: whole.find(STAND_IN)]

    def _turn(self, chat: Chat, place: int, before: str, cut: bool) -> str:
        """What the model writes in turn `place`, up to and with the token that ends it."""
        message = chat.messages[place]
        if not message["content"].strip() and not message.get("tool_calls"):
            raise DataError(EMPTY)
        after = self.text(chat.messages[: place + 1], False, chat.tools)
        if after.startswith(before):
            end = self._end(message, before, after[len(before) :])
            if end is not None:
                return after[len(before) :][: end.start() if cut else end.end()]
        if OPEN in message["content"]:
            return self._by_hand(chat, place, before, cut)
        if after.startswith(before):
            raise DataError(CHANGED)
        raise DataError(OPENED if before.rstrip().endswith(OPEN) else PREFIX)

    def _end(self, message: Message, before: str, body: str) -> re.Match[str] | None:
        """The mark that ends the turn; None where `body` does not say up to it what it should."""
        marks = list(self._mark.finditer(body))
        if not marks:
            raise DataError(ENDLESS)
        want = _bare(message["content"])
        thought = OPEN in want
        opened = OPEN if thought and before.rstrip().endswith(OPEN) else ""
        if message.get("tool_calls"):
            return marks[-1] if want in opened + _bare(body) else None
        for mark in marks:
            said = opened + _bare(body[: mark.start()])
            if said == want or (not thought and said.endswith(want)):
                return mark
        return None

    def _by_hand(self, chat: Chat, place: int, before: str, cut: bool) -> str:
        """A turn whose thought the template would drop: as written, with the template's end."""
        plain = {**chat.messages[place], "content": STAND_IN}
        text = self.text([*chat.messages[:place], plain], False, chat.tools)
        where = text.rfind(STAND_IN)
        head, tail = text[:where], text[where + len(STAND_IN) :]
        content = chat.messages[place]["content"]
        end = self._mark.search(tail)
        if end is None:
            raise DataError(ENDLESS)
        if before.startswith(head) and _bare(before[len(head) :]) in ("", OPEN):
            opened = before[len(head) :].strip()
        elif head.startswith(before) and _bare(head[len(before) :]) == OPEN + CLOSE:
            opened = ""
        else:
            raise DataError(CHANGED)
        if not content.lstrip().startswith(opened) or plain.get("tool_calls"):
            raise DataError(CHANGED)
        if opened:
            content = content.lstrip().removeprefix(opened).lstrip("\n")
        return content + ("" if cut else tail[: end.end()])


def _bare(text: str) -> str:
    """`text` without blanks, which templates trim and add."""
    return "".join(text.split())
