"""The records that every package shares: problem, completion, verdict, group.

Ids are 24 hex digits of sha256 over canonical JSON, so that equal things have equal ids on every
machine. The same field names stand in JSONL, in Parquet and in the store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Status = Literal["correct", "wrong", "undecided"]
FinishReason = Literal["stop", "length", "error"]
Isolation = Literal["none", "bubblewrap", "namespaces", "landlock", "unsafe"]
Gold = Literal["given", "computed", "consensus", "tests"]
Message = dict[str, str]
WRITTEN = "written"
"""Teacher identity of an answer that stood in the question's own row."""
ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no blanks and no escapes beyond what JSON needs; NaN is refused."""
    return ENCODER.encode(value)


def content_id(value: Any) -> str:
    """24 hex digits that name `value` by its content."""
    data = canonical_json(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()[:24]


class Record(BaseModel):
    """Base of all records: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(Record):
    """A question with its ground truth and the name of the verifier that judges answers to it."""

    id: str = ""
    prompt: str | list[Message]
    answer: Any = None
    verifier: str = "math"
    gold: Gold = "given"
    source: str = ""
    difficulty: float | None = None
    parents: list[str] = Field(default_factory=list)
    meta: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _name(self) -> Problem:
        if not self.id:
            self.id = problem_id(self.prompt, self.answer, self.verifier)
        return self

    @property
    def text(self) -> str:
        """The prompt as plain text: the last user message where it is a chat."""
        if isinstance(self.prompt, str):
            return self.prompt
        users = [m["content"] for m in self.prompt if m.get("role") == "user"]
        return users[-1] if users else ""

    def messages(self, system: str | None = None) -> list[Message]:
        """The prompt as chat messages, `system` in front where one is given."""
        chat = (
            [{"role": "user", "content": self.prompt}]
            if isinstance(self.prompt, str)
            else [dict(m) for m in self.prompt]
        )
        return [{"role": "system", "content": system}, *chat] if system else chat


def problem_id(prompt: str | list[Message], answer: Any, verifier: str) -> str:
    """The id of a problem: prompt (or messages), answer and verifier."""
    return content_id({"prompt": prompt, "answer": answer, "verifier": verifier})


class Usage(Record):
    """Tokens of one completion, and what they cost in US dollars where a price is known.

    `cached_tokens` are those of the prompt that the provider had in its cache.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None


class Completion(Record):
    """One sampled answer to one problem, right or wrong, as the sampler returned it.

    `top_logprobs` are the likeliest tokens at each place with their log-probs. `seconds` is the
    time that the answer took; the store keeps it, the data does not.
    """

    id: str = ""
    problem_id: str
    index: int = 0
    reasoning: str = ""
    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage = Field(default_factory=Usage)
    token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    top_logprobs: list[dict[str, float]] | None = None
    teacher: dict[str, str] = Field(default_factory=dict)
    sampling: dict[str, Any] = Field(default_factory=dict)
    request_key: str
    seconds: float = Field(default=0.0, exclude=True)

    @model_validator(mode="after")
    def _name(self) -> Completion:
        if not self.id:
            self.id = completion_id(self.problem_id, self.request_key)
        return self

    @property
    def sampled(self) -> bool:
        """False where nobody was asked: the answer was written beside the question."""
        return self.teacher.get("identity") != WRITTEN

    def answering(self, problem: str) -> Completion:
        """The same paid answer for another problem with the same prompt."""
        if problem == self.problem_id:
            return self
        return self.model_copy(
            update={"problem_id": problem, "id": completion_id(problem, self.request_key)}
        )


def completion_id(problem: str, request_key: str) -> str:
    """The id of a completion: the problem it answers and the request that was paid."""
    return content_id({"problem_id": problem, "request_key": request_key})


class Verdict(Record):
    """What a verifier says of a text.

    `wrong` blames the submission, `undecided` blames nobody: it is dropped and counted, never
    trained on as a negative. `seconds` is working time, without the queue. `span` are the
    characters (start, end) of the text that `extracted` was read from, and `why` says in one
    sentence how it was compared and why the verdict came out.
    """

    status: Status
    score: float = Field(default=0.0, ge=0.0, le=1.0)
    reason: str = ""
    extracted: str | None = None
    span: tuple[int, int] | None = None
    method: str = ""
    why: str = ""
    detail: str = ""
    seconds: float = 0.0
    verifier: str = ""
    version: str = ""
    isolation: Isolation = "none"

    @model_validator(mode="before")
    @classmethod
    def _score(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("score") is None:
            return {**data, "score": 1.0 if data.get("status") == "correct" else 0.0}
        return data

    @property
    def correct(self) -> bool:
        """True where the verifier confirmed the answer."""
        return self.status == "correct"


VERDICTS = TypeAdapter(list[Verdict])
"""Several verdicts, to and from JSON."""


class Group(Record):
    """A problem with all its judged completions."""

    problem: Problem
    samples: list[tuple[Completion, Verdict]] = Field(default_factory=list)

    @property
    def pass_rate(self) -> float | None:
        """Correct over decided samples; None where nothing was decided."""
        return pass_rate(verdict.status for done, verdict in self.samples if done.sampled)


def pass_rate(statuses: Iterable[str]) -> float | None:
    """Share of `correct` among the decided statuses; None where there is none."""
    decided = [status for status in statuses if status != "undecided"]
    return sum(status == "correct" for status in decided) / len(decided) if decided else None
