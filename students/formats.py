"""Rows of the field's dataset formats, as what a student learns from: texts, chats and pairs.

text    {"text"}
chat    {"messages"}, {"prompt", "completion"}, ShareGPT's {"conversations"} with from and value,
        Alpaca's {"instruction", "input", "output"}
pair    {"chosen", "rejected"}, with a prompt in any of the ways above or as the messages that
        both begin with
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from students.errors import DataError

Row = Mapping[str, Any]
Message = dict[str, Any]

SPEAKERS = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
    "model": "assistant", "assistant": "assistant", "bot": "assistant",
    "function_call": "assistant", "system": "system", "tool": "tool", "function": "tool",
    "function_response": "tool", "observation": "tool",
}  # fmt: skip
REASONING = ("reasoning_content", "reasoning", "thinking")
OPEN, CLOSE = "<think>", "</think>"
CHATS = "messages, prompt and completion, conversations, instruction and output"


@dataclass(frozen=True)
class Chat:
    """A conversation, and what of it is learned.

    Args:
        messages: role and content of each, and what else the chat template reads; reasoning
            stands in think tags at the head of the content.
        learn: messages before this one are context, even where the assistant speaks.
        cut: the last message was cut off, so that it has no end.
        tools: what the assistant may call, as JSON schemas.
    """

    messages: list[Message]
    learn: int = 0
    cut: bool = False
    tools: list[Any] | None = None

    def learned(self, place: int) -> bool:
        """True where message `place` is one that the student learns to write."""
        message = self.messages[place]
        wanted = place >= self.learn and message.get("weight") != 0
        return wanted and message["role"] == "assistant"


def as_text(row: Row) -> str:
    """The document of a row; raises DataError where it has none."""
    _whole(row)
    text = row.get("text")
    if not isinstance(text, str):
        raise DataError("have no column 'text', which plain texts are read from")
    return text


def as_chat(row: Row | Chat) -> Chat:
    """The chat of a row of any format; raises DataError, in words that follow "3 rows"."""
    if isinstance(row, Chat):
        return row
    _whole(row)
    cut, tools = bool(row.get("cut")), _tools(row)
    for column in ("messages", "conversations"):
        if row.get(column):
            return Chat(_said(row, column), cut=cut, tools=tools)
    if row.get("prompt") is not None and row.get("completion") is not None:
        before, after = _said(row, "prompt"), _messages(row["completion"], "assistant")
        return Chat([*before, *after], len(before), cut, tools)
    if row.get("instruction") is not None and row.get("output") is not None:
        before = _instruction(row)
        after = _messages(row["output"], "assistant")
        return Chat([*before, *after], 0, cut, tools)
    if "text" in row:
        raise DataError("are plain texts, which have no completion; a cpt stage reads them")
    raise DataError(f"are of no known format; known are {CHATS}")


def as_pair(row: Row) -> tuple[Chat, Chat]:
    """The chosen and the rejected chat of a row, the same but for the completion.

    Raises DataError, in words that follow "3 rows".
    """
    _whole(row)
    if not row.get("chosen") or not row.get("rejected"):
        raise DataError("have no chosen and rejected completion")
    sides = [_messages(row[side], "assistant") for side in ("chosen", "rejected")]
    if all(side[0]["role"] == "assistant" for side in sides):
        before = _prompt(row)
        sides = [[*before, *side] for side in sides]
        shared = len(before)
    else:
        shared = 0
        for a, b in zip(*sides, strict=False):
            if a != b:
                break
            shared += 1
    if not shared or any(len(side) == shared for side in sides):
        raise DataError("have no prompt that the chosen and the rejected completion answer")
    tools = _tools(row)
    cuts = [bool(row.get(f"{side}_cut")) for side in ("chosen", "rejected")]
    chosen, rejected = (
        Chat(side, shared, cut, tools) for side, cut in zip(sides, cuts, strict=True)
    )
    return chosen, rejected


def _whole(row: Row) -> None:
    if "bad_row" in row:
        raise DataError("are no JSON objects")


def _prompt(row: Row) -> list[Message]:
    """What both completions of a pair answer."""
    for column in ("prompt", "messages", "conversations", "question"):
        if row.get(column):
            return _said(row, column)
    return _instruction(row) if row.get("instruction") else []


def _said(row: Row, column: str) -> list[Message]:
    """The messages of a column, behind the row's own system prompt."""
    messages = _messages(row[column], "user")
    system = row.get("system")
    if isinstance(system, str) and system and messages[0]["role"] != "system":
        messages.insert(0, {"role": "system", "content": system})
    return messages


def _instruction(row: Row) -> list[Message]:
    """Alpaca: earlier turns, and the instruction with its input below."""
    asked = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
    turns = [
        {"role": role, "content": text}
        for pair in row.get("history") or []
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    return _said({**row, "turns": [*turns, {"role": "user", "content": asked}]}, "turns")


def _messages(value: Any, speaker: str) -> list[Message]:
    """A text, a message or a list of messages, also as JSON text; `speaker` says a mere text."""
    if isinstance(value, str):
        listed = _json(value) if value.startswith('[{"') else None
        if not isinstance(listed, list) or not all(isinstance(m, dict) for m in listed):
            return [{"role": speaker, "content": value}]
        value = listed
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list) or not value:
        raise DataError(f"hold neither a text nor messages where the {speaker} speaks")
    return [_message(item) for item in value]


def _message(item: Any) -> Message:
    """A message with role, content and whatever else is not empty."""
    if not isinstance(item, Mapping):
        raise DataError("hold a message that is not an object")
    message = {key: value for key, value in item.items() if value is not None}
    if "role" not in message:
        name = str(message.pop("from", None))
        if name not in SPEAKERS:
            raise DataError(f"hold a message of unknown speaker {name!r}")
        message = {"role": SPEAKERS[name], "content": message.pop("value", ""), **message}
    content = message.get("content", "")
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise DataError("hold a message whose content is not a text")
    if message["role"] == "assistant":
        thought = next((message.pop(key) for key in REASONING if message.get(key)), None)
        if CLOSE in content and OPEN not in content:
            content = f"{OPEN}\n{content}"
        elif thought and OPEN not in content:
            content = f"{OPEN}\n{thought}\n{CLOSE}\n\n{content}"
        if message.get("tool_calls"):
            message["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return {**message, "content": content}


def _part(part: Any) -> str:
    if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
        raise DataError("hold a message with a part that is not a text")
    return part["text"]


def _call(call: Any) -> Any:
    """A tool call with its arguments as an object, as templates want it, not as JSON text."""
    function = call.get("function", call) if isinstance(call, Mapping) else {}
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        return call
    parsed = {**function, "arguments": _json(arguments)}
    return {**call, "function": parsed} if "function" in call else parsed


def _tools(row: Row) -> list[Any] | None:
    tools = row.get("tools")
    tools = _json(tools) if isinstance(tools, str) and tools else tools
    return list(tools) if isinstance(tools, list) and tools else None


def _json(text: str) -> Any:
    """What JSON text holds; the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
