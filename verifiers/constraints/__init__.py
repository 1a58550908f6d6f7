"""The constraints of verifiable instructions (IFEval, arXiv 2311.07911), by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verifiers.constraints import language, layout, words
from verifiers.constraints.kinds import (
    Constraint,
    count,
    letter,
    phrase,
    phrases,
    relation,
    whole_text,
)

CONSTRAINTS: Mapping[str, Constraint] = {
    "keywords:existence": Constraint(words.existence, {"keywords": phrases}),
    "keywords:frequency": Constraint(
        words.frequency, {"keyword": phrase, "frequency": count, "relation": relation}
    ),
    "keywords:forbidden_words": Constraint(words.forbidden_words, {"forbidden_words": phrases}),
    "keywords:letter_frequency": Constraint(
        words.letter_frequency,
        {"letter": letter, "let_frequency": count, "let_relation": relation},
    ),
    "language:response_language": Constraint(
        language.response_language, {"language": language.code}
    ),
    "length_constraints:number_sentences": Constraint(
        words.number_sentences, {"num_sentences": count, "relation": relation}
    ),
    "length_constraints:number_paragraphs": Constraint(
        words.number_paragraphs, {"num_paragraphs": count}
    ),
    "length_constraints:number_words": Constraint(
        words.number_words, {"num_words": count, "relation": relation}
    ),
    "length_constraints:nth_paragraph_first_word": Constraint(
        words.nth_paragraph_first_word,
        {"num_paragraphs": count, "nth_paragraph": count, "first_word": phrase},
    ),
    "detectable_content:number_placeholders": Constraint(
        layout.number_placeholders, {"num_placeholders": count}
    ),
    "detectable_content:postscript": Constraint(layout.postscript, {"postscript_marker": phrase}),
    "detectable_format:number_bullet_lists": Constraint(
        layout.number_bullet_lists, {"num_bullets": count}
    ),
    "detectable_format:constrained_response": Constraint(layout.constrained_response, {}),
    "detectable_format:number_highlighted_sections": Constraint(
        layout.number_highlighted_sections, {"num_highlights": count}
    ),
    "detectable_format:multiple_sections": Constraint(
        layout.multiple_sections, {"section_spliter": phrase, "num_sections": count}
    ),
    "detectable_format:json_format": Constraint(layout.json_format, {}),
    "detectable_format:title": Constraint(layout.title, {}),
    "combination:two_responses": Constraint(layout.two_responses, {}),
    "combination:repeat_prompt": Constraint(layout.repeat_prompt, {"prompt_to_repeat": whole_text}),
    "startend:end_checker": Constraint(layout.end_checker, {"end_phrase": phrase}),
    "startend:quotation": Constraint(layout.quotation, {}),
    "change_case:capital_word_frequency": Constraint(
        words.capital_word_frequency, {"capital_frequency": count, "capital_relation": relation}
    ),
    "change_case:english_capital": Constraint(words.english_capital, {}),
    "change_case:english_lowercase": Constraint(words.english_lowercase, {}),
    "punctuation:no_comma": Constraint(words.no_comma, {}),
}
KNOWN_ARGS = frozenset(name for constraint in CONSTRAINTS.values() for name in constraint.args)


def read(entry: Any) -> tuple[str, dict[str, Any]]:
    """Id and arguments of one entry of a ground truth; raises ValueError, in words.

    A null argument that another constraint has, as tables with one column an argument hold it, is
    the same as none.
    """
    if not isinstance(entry, Mapping) or not {"id"} <= entry.keys() <= {"id", "kwargs"}:
        raise ValueError("each entry must be an object with `id` and `kwargs`")
    name, given = entry["id"], entry.get("kwargs") or {}
    if not isinstance(name, str) or name not in CONSTRAINTS:
        raise ValueError(f"unknown instruction {name!r}")
    if not isinstance(given, Mapping):
        raise ValueError(f"{name}: kwargs must be an object")
    wanted = CONSTRAINTS[name].args
    held = {k: v for k, v in given.items() if k in wanted or v is not None or k not in KNOWN_ARGS}
    for key in held:
        if key not in wanted:
            raise ValueError(f"{name}: unknown kwarg {key!r}")
    args = {}
    for key, reads in wanted.items():
        if held.get(key) is None:
            raise ValueError(f"{name}: no kwarg {key!r}")
        try:
            args[key] = reads(held[key])
        except ValueError as error:
            raise ValueError(f"{name}: {key} {error}") from None
    if args.get("nth_paragraph", 0) > args.get("num_paragraphs", 0):
        raise ValueError(f"{name}: nth_paragraph is above num_paragraphs")
    return name, args
