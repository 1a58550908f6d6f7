"""Constraints on the form of a response: lists, sections, titles, how it starts and ends."""

from __future__ import annotations

import json
import re
from typing import Any

from verifiers.constraints.kinds import Args, compare, exactly

PLACEHOLDER = re.compile(r"\[([^\[\]\n]{1,200})\](?!\()")
BULLET = re.compile(r"(?m)^[ \t]{0,40}[*+-][ \t]+(?=\S)(?![*-](?:[ \t]*[*-])*[ \t]*$)")
HIGHLIGHT = re.compile(r"(?<![*\\])(\*{1,3})(?=[^\s*])([^*\n]*[^*\s])\1(?!\*)")
TITLE = re.compile(r"<<([^<>\n]{1,1000})>>")
FENCE = re.compile(r"```[ \t]*(?:json|JSON|Json)?[ \t]*\n?(.*?)```", re.S)
ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
SIX = "******"
AROUND = " \t\r\n\"'”’*_"


def number_placeholders(text: str, args: Args) -> tuple[bool, str]:
    """At least so many `[placeholders]`; links, numbers and tick boxes are none."""
    held = [match[1].strip() for match in PLACEHOLDER.finditer(text)]
    found = sum(any(map(str.isalpha, inner)) and inner.lower() != "x" for inner in held)
    return compare(found, "at least", args["num_placeholders"], "placeholders")


def postscript(text: str, args: Args) -> tuple[bool, str]:
    """A postscript: the marker, at the start of a line or sentence behind something, and words."""
    marker = r"\.[ \t]?".join(map(re.escape, args["postscript_marker"].rstrip(".").split(".")))
    dot = r"\." if args["postscript_marker"].endswith(".") else ""
    start = r"(?:(?m:^)|(?<=[.!?\"'”’)*])[ \t])[ \t]{0,40}[*_#>]{0,4}[ \t]?"
    for match in re.finditer(rf"{start}{marker}{dot}(?![A-Za-z])", text, re.I):
        before, after = text[: match.start()], text[match.end() :]
        if any(map(str.isalnum, before)) and any(map(str.isalnum, after)):
            return True, "it has a postscript"
    return False, f"no postscript that starts with {args['postscript_marker']}"


def number_bullet_lists(text: str, args: Args) -> tuple[bool, str]:
    """Exactly so many bullet points: lines that begin with `*`, `-` or `+` and a blank."""
    return exactly(len(BULLET.findall(text)), args["num_bullets"], "bullet points")


def constrained_response(text: str, args: Args) -> tuple[bool, str]:
    """One of the three answers and no other."""
    said = [answer for answer in ANSWERS if answer in text]
    return len(said) == 1, f"it says {' and '.join(map(repr, said)) or 'none of the three'}"


def number_highlighted_sections(text: str, args: Args) -> tuple[bool, str]:
    """At least so many *highlighted* passages, of one line each."""
    found = len(HIGHLIGHT.findall(text))
    return compare(found, "at least", args["num_highlights"], "highlighted sections")


def multiple_sections(text: str, args: Args) -> tuple[bool, str]:
    """Exactly so many sections, each begun by a line with the splitter and its own number."""
    label = r"(\d{1,4}|[IVXLC]{1,8}|[A-Z])"
    line = rf"(?m)^[ \t]*[#*_>]{{0,8}}[ \t]*{re.escape(args['section_spliter'])}[ \t]*{label}(?!\w)"
    return exactly(len(set(re.findall(line, text))), args["num_sections"], "sections")


def json_format(text: str, args: Args) -> tuple[bool, str]:
    """The whole text is one JSON object or list, which may stand in a code fence."""
    text = text.strip()
    fenced = FENCE.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False, "it is no JSON"
    return isinstance(value, dict | list), f"it is a JSON {type(value).__name__}"


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def title(text: str, args: Args) -> tuple[bool, str]:
    """A title in double angular brackets, with words in it."""
    found = any(any(map(str.isalnum, match[1])) for match in TITLE.finditer(text))
    return found, "it has a title" if found else "no title in double angular brackets"


def two_responses(text: str, args: Args) -> tuple[bool, str]:
    """Two different responses with six asterisks between them."""
    parts = [" ".join(part.split()) for part in re.split(r"(?<!\*)\*{6}(?!\*)", text)]
    if len(parts) != 2 or not all(any(map(str.isalnum, part)) for part in parts):
        return False, f"{sum(map(bool, parts))} responses with {SIX} between them, 2 wanted"
    return parts[0] != parts[1], "two responses, " + ("one twice" if parts[0] == parts[1] else "ok")


def repeat_prompt(text: str, args: Args) -> tuple[bool, str]:
    """The request first, unchanged but for blanks, and an answer behind it."""
    asked, said = (" ".join(t.split()) for t in (args["prompt_to_repeat"], text))
    if not said.startswith(asked):
        return False, "it does not begin with the request"
    answered = any(map(str.isalnum, said[len(asked) :]))
    return answered, "the request" + (" and an answer" if answered else ", and no answer behind it")


def end_checker(text: str, args: Args) -> tuple[bool, str]:
    """Ends with the phrase; only quotes and emphasis may follow."""
    ends = {" ".join(text.rstrip(marks).split()) for marks in ("", AROUND)}
    phrase = " ".join(args["end_phrase"].split())
    right = any(end.endswith(phrase) for end in ends)
    return right, f"it ends with {' '.join(text.split())[-60:]!r}"


def quotation(text: str, args: Args) -> tuple[bool, str]:
    """The whole text stands between double quotation marks."""
    text = text.strip()
    if len(text) < 3 or text[0] not in '"“' or text[-1] not in '"”':
        return False, "it does not begin and end with a double quotation mark"
    inner = text[1:-1]
    if not any(map(str.isalnum, inner)):
        return False, "nothing is quoted"
    depth = 1
    for match in re.finditer(r"[\"“”]", inner):
        before = inner[match.start() - 1 : match.start()] or " "
        depth += 1 if match[0] == "“" or (match[0] == '"' and before in " \n\t([") else -1
        if depth < 1:
            return False, "the quotation ends before the text does"
    return True, "it is a quotation"
