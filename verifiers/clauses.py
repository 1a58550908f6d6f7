"""What one sentence states.

What explains, denies or takes something back is cut off, and the longest part behind its verb that
reads as mathematics is its result. The caller says what reads as mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifiers import asked
from verifiers.cues import (
    ABOUT_IT,
    AFTERTHOUGHT,
    ANNOTATION,
    ANNOUNCING,
    APPOSED,
    ASIDE_IN_BRACKETS,
    ASIDES,
    BOLD,
    BOUND,
    BRACKETED_NOT,
    BREAK,
    CASES,
    CAUSE,
    CHANGED,
    COMPUTED,
    CONDITIONAL,
    CONSEQUENCE,
    COPULA,
    CUE,
    ENDING,
    EQUATED,
    FAULTED,
    FRONT,
    GIVING,
    HEDGE,
    IMPLIES,
    LABELLED,
    LATE,
    LATER,
    LEADING,
    LIMITED,
    MATHS,
    NEGATION,
    NUMBER,
    OPTION,
    PARTITIVE,
    PURPOSE,
    RANGE,
    RATHER,
    REACHED,
    REASON,
    RETRACTED,
    ROUGHLY,
    SENTENCE,
    SPOKEN,
    START,
    STATES,
    TASK,
    TENDING,
    TWICE,
    VALUE,
    VERB,
    WORDS,
)

Reads = Callable[[str], bool]


def clause(rest: str) -> str:
    """The answer at the start of `rest`, the text behind "the answer is"."""
    rest = rest.lstrip(" \t*_:")
    if not rest.strip():
        return ""
    if rest[0] == "\n":
        rest = rest.lstrip()
    display = re.match(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", rest, re.S)
    if display:
        return (display[1] or display[2]).strip()
    line = rest.split("\n", 1)[0]
    sentence = SENTENCE.split(line.strip() + " ", maxsplit=1)[0]
    return trimmed(sentence)


def trimmed(sentence: str) -> str:
    """A clause without what explains it, what it denies and what it takes back."""
    sentence = BRACKETED_NOT.sub("", ANNOTATION.sub("", sentence)).strip()
    sentence = RATHER.sub("", RETRACTED.sub("", sentence)).strip()
    if CASES.search(sentence):
        return bare(sentence)
    for pattern in (ASIDES, REASON, NEGATION):
        match = pattern.search(sentence)
        if match and match.start() > 0:
            sentence = sentence[: match.start()]
    return bare(sentence)


def bare(text: str) -> str:
    """Without emphasis, quotes and closing punctuation; an exclamation is no factorial."""
    text = text.strip().strip("`").strip()
    text = re.sub(r"\*\*(.+?)\*\*|__(.+?)__", lambda m: m[1] or m[2], text)
    text = re.sub(r"(?<=\d)\*\*(?!\s*[-\d(x])", "", text)
    if text.endswith("!"):
        text = text[:-1]
    while text and (
        text[-1] in ".,;:\"'" or (text[-1] == "}" and text.count("}") > text.count("{"))
    ):
        text = text[:-1].rstrip()
    return text.strip('*_ "').strip()


def result(sentence: str, reads: Reads) -> str | None:
    """The result that one sentence states; None where it states none."""
    body = _body(sentence)
    if body is None or sentence.endswith("?") or ABOUT_IT.search(sentence) or TASK.match(body):
        return None
    told = _found(body, reads)
    sides = list(COMPUTED.finditer(body))
    if not sides or (told and "=" in told):
        return told
    side = sides[-1].end()
    equated = _told(CONDITIONAL.split(body[side:])[0], reads)
    place = body.find(told) if told else 0
    other = STATES.search(body, side, place) or BREAK.search(body, side, place)
    joined = told and place > side and re.search(r"\band\b", body[side:place])
    if told and (other or joined or BREAK.search(body, place + len(told), side)):
        return told
    return equated or told


def _found(body: str, reads: Reads) -> str | None:
    """What the main clause of a sentence states."""
    if reads(bare(body)) and not GIVING.search(body):
        return bare(body)
    if (labelled := LABELLED.fullmatch(body)) and reads(bare(labelled[1])):
        return bare(labelled[1])
    if (apposed := APPOSED.search(body)) is not None:
        return _told(body[apposed.end() :], reads)
    if (changed := CHANGED.search(body)) is not None:
        return _told(body[changed.end() :], reads)
    if bold := [match[1] for match in BOLD.finditer(body) if match[1][-1] != ":"]:
        inner = bare(bold[-1])
        if reads(inner) or not maths(inner):
            return inner
        return _found(inner, reads) or _told(inner, reads)
    if len(letters := [match[1] or match[2] for match in OPTION.finditer(body)]) == 1:
        return letters[0]
    last = AFTERTHOUGHT.split(body)[-1]
    verb = COPULA.search(last) if last != body else None
    if START.match(body) and last != body and not (verb and START.search(last[verb.end() :])):
        return _told(body, reads)
    for verb in reversed(list(VERB.finditer(body))):
        predicate = body[verb.end() :]
        if body[: verb.start()].lower().endswith("to ") and not REACHED.fullmatch(verb[0]):
            continue
        start = START.search(predicate)
        if start and not PURPOSE.search(body[: verb.end() + start.start()]):
            return _told(predicate, reads)
    if maths(body):
        return _alone(body, reads)
    verbs = list(COPULA.finditer(body))
    return bare(body[verbs[-1].end() :]) or None if verbs else None


def sole(sentence: str, reads: Reads, question: str) -> str | None:
    """The only value of a sentence that its question does not give, in words that conclude."""
    body = _body(sentence)
    if body is None or sentence.endswith("?"):
        return None
    given = set(map(folded, VALUE.finditer(question)))
    new = [match for match in VALUE.finditer(body) if folded(match) not in given]
    if len(new) != 1 or BOUND.search(body[: new[0].start()]):
        return None
    share = new[0][0].endswith(("%", "percent")) and "percent" in question.lower()
    if not (share or CUE.search(sentence) or asked.counts(body[new[0].end() :], question)):
        return None
    if LIMITED.match(body, new[0].end()) or FAULTED.match(body, new[0].end()):
        return None
    return _told(body[new[0].start() :], reads)


def folded(value: re.Match[str]) -> str:
    """A value as it is compared with those that a question gives."""
    return value[0].strip("$ ").lower()


def _body(sentence: str) -> str | None:
    """The main clause of a sentence; None where all it does is to deny something."""
    sentence = TENDING.sub("", ASIDE_IN_BRACKETS.sub("", sentence))
    body = RATHER.sub("", RETRACTED.sub("", sentence))
    for part in reversed(CONSEQUENCE.split(body)):
        if MATHS.search(part) or START.search(part):
            body = part
            break
    body = PARTITIVE.sub("", LEADING.sub("", body.lstrip(" ,")))
    body = IMPLIES.split(body)[-1]
    _, colon, tail = body.rpartition(": ")
    body = tail if colon and (COMPUTED.search(tail) or EQUATED.match(tail)) else body
    match = REASON.search(body)
    first, why = (body[: match.start()], match[0]) if match else ("", "")
    late = LATE.match(why) and not maths(first)
    worked = not CAUSE.match(why) and COMPUTED.search(why) and not COMPUTED.search(first)
    cut = match and not late and not worked
    if match and cut and match.start() > 3:
        body = body[: match.start()]
    match = NEGATION.search(body)
    if match:
        body = body[: match.start()]
        refused = match[0].lower().lstrip(" ,").startswith("cannot") and not VERB.search(body)
        if not MATHS.search(body) or refused:
            return None
    return body


def maths(text: str) -> bool:
    """Whether a text holds a number or a formula."""
    return bool(MATHS.search(text) or SPOKEN.search(text))


def _told(predicate: str, reads: Reads) -> str | None:
    """What stands behind a verb: its longest part that reads as mathematics."""
    match = START.search(predicate)
    if match is None or BOUND.search(predicate[: match.start()]):
        return None
    rest = bare(predicate[match.start() :])
    if (number := NUMBER.match(rest)) is not None and FAULTED.match(rest, number.end()):
        return None
    if ENDING.search(rest):
        return None
    first = AFTERTHOUGHT.split(rest, maxsplit=1)
    if len(first) == 2 and LATER.search(first[1]) and reads(first[0]):
        return first[0]
    counted = rest.split(": ", 1)
    if (
        len(counted) == 2
        and counted[0][-1:] != " "
        and NUMBER.match(counted[0])
        and reads(counted[0])
    ):
        return counted[0]
    if reads(rest):
        return rest
    if (both := TWICE.fullmatch(rest)) is not None and reads(both[1]) and reads(both[2]):
        return both[1] if ROUGHLY.match(both[2]) else f"{both[2]} = {both[1]}"
    if HEDGE.search(rest) or HEDGE.search(predicate[: match.start()]):
        return None
    if len(first) == 2 and reads(first[0]):
        return first[0] if not START.match(first[1]) else None
    if RANGE.match(rest) or (len(first) == 2 and re.match(r"[$\d]", first[1])):
        return None
    pieces = re.split(r"(\s+)", rest)
    for count in range(min(len(pieces), 2 * WORDS), 0, -1):
        head = bare("".join(pieces[:count]))
        if head and not re.search(r"(?:\band|[a-z] in|,)$", head) and reads(head):
            return head
    return None


def _alone(body: str, reads: Reads) -> str | None:
    """The formula that ends a sentence, or its only number where the sentence is about that."""
    match = START.search(body)
    if match and "=" in body and not HEDGE.search(body):
        tail = bare(body[match.start() :])
        if reads(tail):
            return tail
        start = body.rindex("=") + 1
        if START.search(body[start:]):
            return _told(body[start:], reads) if "=" not in body[start:] else None
    numbers = list(NUMBER.finditer(body))
    if len(numbers) != 1 or HEDGE.search(body):
        return None
    number = numbers[0]
    before, after = body[: number.start()], body[number.end() :]
    if BOUND.search(before) or LIMITED.match(after) or FAULTED.match(after):
        return None
    stated = FRONT.fullmatch(before) or COPULA.match(after.lstrip()) or ANNOUNCING.search(before)
    return number[0].strip() if stated else None
