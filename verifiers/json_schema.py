"""`json_schema`: the text gives a JSON value that its schema accepts.

docs/verifiers.md states the policies.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from verifiers import json_values
from verifiers.golds import structured
from verifiers.records import Problem, Verdict, canonical_json
from verifiers.schemas import BadSchema, Schema

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


class JsonSchema:
    """Correct where the JSON value of the text is valid under the schema that is its ground truth.

    strict: True where the whole text must be the value, with nothing around it.
    formats: True where `format` is asserted; otherwise it is a note, as in the specification.
    """

    version = "2"
    trust = "pure"
    gold_type = "json"
    examples = (
        ({"prompt": "Ada, 36.", "answer": PERSON}, '{"name": "Ada", "age": 36}', "correct"),
        (
            {"prompt": "Ada, 36.", "answer": PERSON},
            'Here it is:\n```json\n{"name": "Ada", "age": 36}\n```',
            "correct",
        ),
        ({"prompt": "Ada, 36.", "answer": PERSON}, '{"name": "Ada", "age": "36"}', "wrong"),
        ({"prompt": "Ada, 36.", "answer": PERSON}, '{"name": "A", "age": 1, "age": 2}', "wrong"),
        ({"prompt": "Ada, 36.", "answer": {"type": "obj"}}, "{}", "undecided"),
    )

    def __init__(self, strict: bool = False, formats: bool = False):
        self.strict, self.formats = strict, formats

    def check_gold(self, problem: Problem) -> str | None:
        """A schema must be one of a known draft, and refer to nothing that is elsewhere."""
        try:
            self._schema(problem)
        except BadSchema as error:
            return str(error)
        return None

    def _schema(self, problem: Problem) -> Schema:
        try:
            return _compiled(canonical_json(structured(problem.answer)), self.formats)
        except (ValueError, RecursionError) as error:
            raise BadSchema(str(error)[:200]) from error

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Find the JSON value and validate it."""
        try:
            found = json_values.find(text, self.strict)
        except json_values.Fault as error:
            return Verdict(
                status="wrong", reason=error.reason, method="json", why=f"{error}",
            )  # fmt: skip
        shown: dict[str, Any] = {
            "extracted": text[found.start : found.end],
            "span": (found.start, found.end),
            "method": f"{found.how}/jsonschema",
        }
        try:
            fault = self._schema(problem).fault(found.value)
        except TimeoutError as error:
            return Verdict(
                status="undecided", reason="timeout", detail=str(error),
                why="validation was stopped", **shown,
            )  # fmt: skip
        except BadSchema as error:
            return Verdict(
                status="undecided", reason="bad_gold", detail=str(error), why=str(error), **shown
            )
        return Verdict(
            status="wrong" if fault else "correct",
            reason="different" if fault else "",
            why=f"the {found.how} JSON value is valid" if fault is None else fault,
            **shown,
        )


@lru_cache(maxsize=256)
def _compiled(schema: str, formats: bool) -> Schema:
    return Schema(json.loads(schema), formats)
