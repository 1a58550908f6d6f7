"""JSON Schema in bounded time and without a network, on the package `jsonschema`.

Errors: BadSchema, a schema that cannot be used. TimeoutError where a validation takes too long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from verifiers import patterns
from verifiers.records import canonical_json

SECONDS = 0.8
LONGEST = 200_000
DEFAULT = "https://json-schema.org/draft/2020-12/schema"
FORMATS = ("date", "email", "ipv4", "ipv6", "uuid", "time", "date-time")
NOTES = ("$schema", "$id", "$defs", "definitions", "$comment", "title", "description", "examples")
DIGIT, WORD = "0-9", "A-Za-z0-9_"
LOCK = threading.RLock()


class BadSchema(ValueError):
    """A schema that is none, refers to nothing that is here, or never ends."""


class Schema:
    """A compiled schema; raises BadSchema.

    formats: whether `format` is asserted, for the formats that are known here.
    """

    def __init__(self, schema: Any, formats: bool = False):
        from jsonschema import FormatChecker, validators
        from jsonschema.exceptions import SchemaError

        if not isinstance(schema, dict | bool):
            raise BadSchema("a schema must be an object, true or false")
        text = canonical_json(schema)
        if len(text) > LONGEST:
            raise BadSchema(f"a schema of over {LONGEST} characters")
        named = schema.get("$schema", DEFAULT) if isinstance(schema, dict) else DEFAULT
        if not isinstance(named, str):
            raise BadSchema("$schema must be a text")
        known = validators.validator_for({"$schema": named}, default=None)
        if known is None:
            raise BadSchema(f"the draft {named[:80]!r} is not known")
        if schema and isinstance(schema, dict) and not schema.keys() & {*known.VALIDATORS, *NOTES}:
            raise BadSchema("none of its keys is a word of JSON Schema: it would accept anything")
        self.deadline = 0.0
        try:
            with _bounded(self):
                known.check_schema(schema, format_checker=FormatChecker(()))
                self._check_references(schema, named)
        except SchemaError as error:
            raise BadSchema(f"the schema is none: {error.message[:200]}") from error
        except (TimeoutError, RecursionError) as error:
            raise BadSchema("the schema is too big to be checked") from error
        keywords = {name: self._watched(rule) for name, rule in known.VALIDATORS.items()}
        keywords |= {"uniqueItems": _unique, "multipleOf": _multiple}
        if formats:
            keywords["format"] = _format
        watched = validators.extend(known, validators=keywords)
        self.validator = watched(schema, registry=_registry())

    def _check_references(self, schema: Any, named: str) -> None:
        """Every reference must lead somewhere, and every pattern must be one."""
        from referencing import Specification
        from referencing.exceptions import Unresolvable
        from referencing.jsonschema import specification_with

        kind: Specification[Any] = specification_with(named)
        root = kind.create_resource(schema)
        registry = _registry().with_resource("", root)
        waiting = [(root, registry.resolver_with_root(root))]
        while waiting:
            resource, resolver = waiting.pop()
            inner = resource.contents
            if isinstance(inner, dict):
                for pattern in [inner.get("pattern"), *(inner.get("patternProperties") or ())]:
                    if isinstance(pattern, str):
                        _compiled(pattern)
                for word in ("$ref", "$dynamicRef", "$recursiveRef"):
                    if isinstance(inner.get(word), str):
                        try:
                            resolver.lookup(inner[word])
                        except (Unresolvable, ValueError) as error:
                            said = f"{word} {inner[word][:80]!r} leads nowhere here"
                            raise BadSchema(said) from error
            waiting += [(sub, resolver.in_subresource(sub)) for sub in resource.subresources()]

    def _watched(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Iterator[Any]:
            if time.process_time() > self.deadline:
                raise TimeoutError("the schema takes too long")
            yield from rule(*arguments) or ()

        return run

    def fault(self, value: Any) -> str | None:
        """Where `value` breaks the schema first, and how; None where it does not.

        Raises TimeoutError, or BadSchema where the schema refers to itself without end.
        """
        from referencing.exceptions import Unresolvable

        try:
            with _bounded(self):
                error = next(self.validator.iter_errors(value), None)
        except Unresolvable as error:
            raise BadSchema(f"a reference leads nowhere here: {error}"[:200]) from error
        except RecursionError as error:
            raise BadSchema("the schema refers to itself without end") from error
        if error is None:
            return None
        place = "".join(f"[{part!r}]" for part in error.absolute_path)[:120]
        return f"{error.validator} fails at ${place}"


@lru_cache(maxsize=1)
def _registry() -> Any:
    """The meta-schemas of all drafts; what is not among them is not fetched."""
    from jsonschema_specifications import REGISTRY

    return REGISTRY


@contextmanager
def _bounded(schema: Schema) -> Iterator[None]:
    """While it lasts, `jsonschema` searches patterns with a limit of time.

    The package searches with `re`, which cannot be stopped, in modules of its own.
    """
    from jsonschema import _keywords, _legacy_keywords, _utils

    modules: tuple[Any, ...] = (_keywords, _legacy_keywords, _utils)
    schema.deadline = time.process_time() + SECONDS
    limited = SimpleNamespace(search=lambda pattern, text: _search(pattern, text, schema.deadline))
    with LOCK:
        kept = [module.re for module in modules]
        for module in modules:
            module.re = limited
        try:
            yield
        finally:
            for module, own in zip(modules, kept, strict=True):
                module.re = own


def _search(pattern: str, text: str, deadline: float) -> Any:
    left = deadline - time.process_time()
    if left <= 0:
        raise TimeoutError("a pattern takes too long")
    return patterns.find(_compiled(pattern), text, seconds=left)


def _compiled(pattern: str) -> Any:
    try:
        return patterns.compiled(ecma(pattern))
    except patterns.BadPattern as error:
        raise BadSchema(str(error)) from error


def ecma(pattern: str) -> str:
    """A pattern of ECMA-262 as one of ours: `$` only at the very end, \\d and \\w only ASCII."""
    out, inside, place = [], False, 0
    while place < len(pattern):
        piece = pattern[place : place + 2] if pattern[place] == "\\" else pattern[place]
        place += len(piece)
        if piece == "[" and not inside:
            inside = True
            if pattern[place : place + 1] == "]" or pattern[place : place + 2] == "^]":
                raise BadSchema("an empty class in a pattern")
        elif piece == "]":
            inside = False
        elif piece == "[":
            piece = r"\["
        elif piece == "$" and not inside:
            piece = r"\Z"
        elif piece in ("\\d", "\\w"):
            kind = DIGIT if piece == "\\d" else WORD
            piece = kind if inside else f"[{kind}]"
        elif piece in ("\\D", "\\W") and not inside:
            kind = DIGIT if piece == "\\D" else WORD
            piece = f"[^{kind}]"
        elif piece == "\\Z":
            piece = "Z"
        out.append(piece)
    return "".join(out)


def _unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """`uniqueItems` in linear time."""
    from jsonschema.exceptions import ValidationError

    if wanted and validator.is_type(instance, "array"):
        kinds = {canonical_json(_number(item)) for item in instance}
        if len(kinds) < len(instance):
            yield ValidationError("items stand twice")


def _number(value: Any) -> Any:
    """A value with whole numbers in one form: 1.0 is 1, and true is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _number(inner) for name, inner in value.items()}
    return [_number(inner) for inner in value] if isinstance(value, list) else value


def _multiple(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """`multipleOf` in exact decimals, so that 19.99 is a multiple of 0.01."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "number") and Fraction(str(instance)) % Fraction(str(step)):
        yield ValidationError("no multiple")


def _format(validator: Any, name: str, instance: Any, schema: Any) -> Iterator[Any]:
    """`format`, where it is known here."""
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str):
        if name not in FORMATS:
            raise BadSchema(f"the format {name!r} cannot be checked; known: {', '.join(FORMATS)}")
        if not _conforms(name, instance[:500]) or len(instance) > 500:
            yield ValidationError(f"no {name}")


def _conforms(name: str, text: str) -> bool:
    import datetime
    import ipaddress
    import re
    import uuid

    readers: dict[str, Callable[[str], Any]] = {
        "date": datetime.date.fromisoformat,
        "ipv4": ipaddress.IPv4Address,
        "ipv6": ipaddress.IPv6Address,
        "uuid": uuid.UUID,
        "time": datetime.time.fromisoformat,
        "date-time": datetime.datetime.fromisoformat,
    }
    shapes = {
        "date": r"\d{4}-\d\d-\d\d",
        "email": r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+",
        "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "time": r"\d\d:\d\d:\d\d(?:\.\d+)?(?:[zZ]|[+-]\d\d:\d\d)",
        "date-time": r"\d{4}-\d\d-\d\d[tT]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[zZ]|[+-]\d\d:\d\d)",
    }
    if name in shapes and not re.fullmatch(shapes[name], text, re.A):
        return False
    try:
        if name in readers:
            readers[name](text)
    except ValueError:
        return False
    return True
