"""`json_schema`: hostile schemas and values end in time, and nothing is fetched."""

import re
import socket
import time

import jsonschema
import pytest

from verifiers import base, schemas
from verifiers.records import Problem


def verdict(schema, text, **options):
    problem = Problem(prompt="?", answer=schema)
    return base.judge("json_schema", base.load("json_schema", options), problem, text)


def doubled(depth):
    """A schema that tries both of two equal branches at every level."""
    levels = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(depth)}
    return {"$ref": "#/$defs/d0", "$defs": levels | {f"d{depth}": False}}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "^(a|aa)+(b|bb)+(a|aa)+(b|bb)+c$"}, '"' + "ab" * 4000 + '"'),
        ({"patternProperties": {"(.*)*(.*)*x$": {}}}, '{"' + "y" * 5000 + '": 1}'),
        (
            {"patternProperties": {"^(a|a)*b$": {}}, "unevaluatedProperties": False},
            '{"' + "a" * 40 + '": 1}',
        ),
        (doubled(30), "1"),
        ({"uniqueItems": True}, "[" + ",".join(f'{{"a":{i}}}' for i in range(20000)) + "]"),
    ],
)
def test_no_schema_and_no_value_takes_long(schema, text):
    start = time.process_time()
    found = verdict(schema, text)
    assert found.reason in ("timeout", "different", "")
    assert found.status != "wrong" or found.reason != "timeout"
    assert time.process_time() - start < 2


def test_a_reference_elsewhere_is_never_fetched(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for place in ("http://127.0.0.1:9/s.json", "https://example.com/s", "file:///etc/passwd"):
        for schema in ({"$ref": place}, {"properties": {"a": {"$ref": place}}}):
            assert verdict(schema, '{"a": 1}').reason == "bad_gold"


def test_what_is_done_to_the_library_is_undone():
    verdict({"pattern": "a"}, '"a"')
    assert jsonschema._keywords.re is jsonschema._utils.re is re


def test_patterns_are_those_of_the_specification():
    assert schemas.ecma(r"^\d[\w.]$") == r"^[0-9][A-Za-z0-9_.]\Z"
    assert schemas.ecma(r"[$^]\$") == r"[$^]\$"
    assert verdict({"pattern": r"^\p{L}+$"}, '"Zoë"').correct
    assert verdict({"pattern": r"^\d+$"}, '"1\\n"').status == "wrong"


def test_a_verdict_says_what_fails_and_where():
    schema = {"properties": {"a": {"items": {"type": "integer"}}}}
    text = 'Here:\n{"a": [1, "x"]}'
    found = verdict(schema, text)
    assert found.why == "type fails at $['a'][1]"
    assert text[slice(*found.span)] == '{"a": [1, "x"]}'
