"""What the body of a request looks like, and how it differs from provider to provider.

A server that refuses a word names it in its complaint. What does not change the meaning of a
request is then left out or said in other words, from then on and for all requests, and the log says
so once. What would change the meaning (a temperature, log-probs) is the recipe's to change.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import orjson

from generators.teachers.errors import TeacherError
from verifiers.sampler import Request

OURS = {"model", "messages", "prompt", "n", "stream", "stream_options"}
OPTIONAL = ("seed", "stream_options", "n", "continue_final_message")
RENAMED = {"max_tokens": "max_completion_tokens"}
TOKENS = {"return_token_ids": True, "logprobs": 0}
log = logging.getLogger("distill.teacher")
Encode = Callable[[list[dict[str, str]]], list[int]]


class Dialect:
    """The words of one teacher. `api` is `chat` or `completions`.

    With `encode` prompts go as the token ids that it makes of them, through `completions`, and
    answers come with theirs and the log-probs that they were drawn with, as vLLM gives them.
    """

    def __init__(
        self, model: str, api: str = "chat", stream: bool = False, encode: Encode | None = None
    ):
        self.model, self.stream, self.encode = model, stream, encode
        self.api = "completions" if encode else api
        self.unknown: set[str] = set()
        self.renamed: set[str] = set()

    def body(self, request: Request, key: str, n: int = 1, prefix: str = "") -> bytes:
        """The body of a request for `n` samples, which goes on from `prefix` where there is one.

        The seed is the request's own, so that samples of one problem differ and can repeat. A
        value of null in the sampling leaves that word out.
        """
        if clash := OURS & request.sampling.keys():
            raise TeacherError(f"sampling must not set {', '.join(sorted(clash))}")
        body: dict[str, Any] = {"model": self.model, **self._asked(request.messages, prefix)}
        body["seed"] = int(key[:8], 16) >> 1
        body |= self._sampling(request.sampling) | (TOKENS if self.encode else {})
        if n > 1:
            body["n"] = n
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        for word in self.renamed & body.keys():
            body[RENAMED[word]] = body.pop(word)
        return dumps({k: v for k, v in body.items() if v is not None and k not in self.unknown})

    def _asked(self, messages: list[dict[str, str]], prefix: str) -> dict[str, Any]:
        if self.encode:
            return {"prompt": self.encode(messages)}
        if self.api == "completions":
            return {"prompt": "\n\n".join(m["content"] for m in messages) + prefix}
        if not prefix:
            return {"messages": messages}
        chat = [*messages, {"role": "assistant", "content": prefix}]
        return {"messages": chat, "continue_final_message": True, "add_generation_prompt": False}

    def _sampling(self, sampling: dict[str, Any]) -> dict[str, Any]:
        words = dict(sampling)
        count = words.get("logprobs")
        if type(count) is int:
            del words["logprobs"]
            if self.api == "completions":
                words["logprobs"] = count
            else:
                words |= {"logprobs": True} | ({"top_logprobs": count} if count else {})
        schema = words.pop("json_schema", None)
        if schema is not None:
            form = {"name": "answer", "schema": schema, "strict": True}
            words["response_format"] = {"type": "json_schema", "json_schema": form}
        return words

    def adapt(self, complaint: str, sent: bytes) -> bool:
        """Learn from the complaint of a 4xx about `sent`; True where asking again makes sense."""
        body = orjson.loads(sent)
        for word, other in RENAMED.items():
            if word in body and re.search(rf"\b{other}\b", complaint):
                if word not in self.renamed:
                    self.renamed.add(word)
                    log.warning("the teacher wants %s instead of %s", other, word)
                return True
        for word in OPTIONAL:
            if word in body and re.search(rf"\b{word}\b", complaint):
                if word not in self.unknown:
                    self.unknown.add(word)
                    log.warning("the teacher does not take %r; it is left out", word)
                return True
        return False

    @property
    def continues(self) -> bool:
        """True where an answer may go on from a prefix."""
        if self.encode:
            return False
        return self.api == "completions" or "continue_final_message" not in self.unknown

    @property
    def takes_n(self) -> bool:
        """True where one request may ask for several samples."""
        return "n" not in self.unknown


def dumps(value: Any) -> bytes:
    """JSON; texts with lone surrogates, which UTF-8 cannot hold, as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()
