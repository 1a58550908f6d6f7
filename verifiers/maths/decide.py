"""Whether a found answer is the ground truth, in the light of the question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations

from verifiers import asked, sought
from verifiers.choices.options import printed
from verifiers.clauses import result, trimmed
from verifiers.extract import Found
from verifiers.maths import rational
from verifiers.maths.ground import Gold, ground, meaning, reads
from verifiers.maths.labelled import TEXT, terms
from verifiers.maths.node import Node, TooHard, walk
from verifiers.maths.phrases import SPARED
from verifiers.maths.vocabulary import VALUES, WORDY
from verifiers.records import Problem

PERCENT = re.compile(
    r"\b(?:what|which|how many|as an?|in|find the|calculate the|by what)\s+(?:\w+\s+){0,2}percent",
    re.I,
)
PREDICATE = re.compile(
    r"^.*\b(?:(?:is|are) called|is|are|was|will be|(?:it|that)['’]s|equals|on|lies in|comes)"
    r"\s+(?:always |\w+ly |an? )?(?!not\b)"
    r"|^.*\bhas\s+(?=no\b)|^(?:the|this|it) (?:\w+ ){0,3}(?=(?:con|di)verges)",
    re.I,
)
LETTER = re.compile(r"[\s$*(]*([A-J])[\s$*).:]*")
CONDITION = re.compile(
    r"(?<==)([^=<>≤≥]*?),?\s*(?:\\q?quad\s*|\\text\s*\{[^{}]*\}|\bfor\b|\bwhere\b|\bwith\b|\()*\s*"
    r"\$?[a-z]\s*(?:\\neq?|≠|!=|[<>≤≥]|\\[lg]eq?)[^=]*$"
)
BASE = re.compile(r"\b(?:binary|octal|hexadecimal|base)\b", re.I)
SUBSCRIPT = re.compile(r"[\s$]*(\w+?)(?:_\{?\d+\}?|[₀-₉]+)")
ORDER = re.compile(
    r"\b(?:least|smallest|greatest|largest|ascending|descending|increasing|decreasing)\b", re.I
)
ABOVE = re.compile(r"[<>]|\\[lg]t(?![a-z])")
ORDINAL = re.compile(r"(?:the )?(\d+)(?:st|nd|rd|th)(?: [a-z]+)?\.?", re.I)
COUNT = re.compile(r"(\$?\d[\d,.]*(?<=\d)) ((?!or\b)[A-Za-z][A-Za-z -]*)")
PART = re.compile(r"(?:^|(?<=[\s,;]))\((?:[a-e]|[1-5](?=\)\s))\)\s*")
LABEL = re.compile(r"[A-Za-z][a-z ]*:\s*")
SPACES = re.compile(r"\s*([-=+*/^(){},_|:]|\\c[au]p(?![a-z]))\s*|(\\[A-Za-z]+)\s+(?=\\)")
YES = re.compile(r"(yes|no|true|false)[,;.:] ", re.I)
CONSTANT = re.compile(r"(?<![A-Za-z\\])(?:[cC]_\{?\d\}?|[A-DK])(?=e\s*\^|\\|[^A-Za-z]|$)")
OPEN = re.compile(r"\\(?:i*o?int|sum|lim|prod)(?![A-Za-z])|∫|∑")
POWER = re.compile(r"(\\?[A-Za-z]+)\^[2-9]")
FORMULA = re.compile(r"\$([^$]+)\$")
APPROX = re.compile(r"\\approx(?![a-z])")
WORKED = frozenset(("call", "root", "pow", "fact", "big", "add", "ratio"))
BRACED = re.compile(r"\{(\w)\}")
LONGEST = 200
PROMPT = 2_000


def decide(gold: Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, also as a printed option or as the value of an open sum."""
    if named := _named(found, problem):
        same, engine = decide(gold, named, problem)
        if same:
            return same, engine
    if len(PART.split(gold.text)) > 2 and all(_parts(gold.text)):
        return _piecewise(gold, found, problem), "symbolic"
    try:
        same, engine = _compare(gold, found, problem)
        if not same and (option := _option(gold, found, problem)):
            return _compare(option[0], found._replace(text=option[1]), problem)
        if same:
            return not _restated(gold, found, problem), engine
        same = _piecewise(gold, found, problem) or _renamed(gold, found, problem)
        return same, engine
    except (TooHard, RecursionError):
        sign, _, last = found.text.rstrip("$ .").rpartition("=")
        if not OPEN.search(sign) or not _compare(gold, found._replace(text=last), problem)[0]:
            raise
        return True, "symbolic"


def _compare(gold: Gold, found: Found, problem: Problem) -> tuple[bool, str]:
    """Whether the answer is right, and by what means that was decided."""
    plain = rational.read(found.text)
    if plain is not None and gold.plain is not None:
        same = plain[0] == gold.plain[0]
        if same or plain[1] == gold.plain[1] or not _asks_percent(problem):
            return same, "rational"
    from verifiers.maths.compare import equal
    from verifiers.maths.tidy import tidy

    node = meaning(found.text)
    if node.op == "false" and found.text.count("%") == 1 and _asks_percent(problem):
        node = meaning(found.text.replace("%", ""))
    if (
        (found.clause or found.how == "tagged")
        and node.op in WORDY
        and re.search(r"\d", found.text)
    ):
        told = result(found.text, reads)
        if told and told != found.text:
            return _compare(gold, found._replace(text=told, clause=False), problem)
    if node.op != "false" and tidy(found.text) == tidy(gold.text):
        return True, "text"
    if gold.hard:
        raise TooHard("the ground truth is too big")
    mine = meaning(gold.text)
    if mine.op == "raw":
        from verifiers.maths import fallback

        return fallback.equal(gold.text, found.text), "math-verify"
    if mine.op == "list" and ORDER.search(problem.text):
        mine, node = (
            side._replace(op="tuple") if side.op == "list" else side for side in (mine, node)
        )
    percent = _asks_percent(problem)
    engine = "text" if mine.op in ("words", "choice") else "symbolic"
    if equal(mine, node, percent):
        return _measured(gold, node, problem) is not False, engine
    counted = COUNT.fullmatch(found.text.rpartition("=")[2].strip())
    if counted and mine.op != "quantity" and asked.counts(counted[2], problem.text):
        same = equal(mine, meaning(counted[1]), percent)
        worked = "=" in found.text  # in another unit than was asked for: a step on the way
        return same or (not worked and _measured(gold, node, problem) is True), engine
    if _measured(gold, node, problem):
        return True, engine
    if (bare := CONDITION.sub(r"\1", found.text)) != found.text and not CONDITION.search(gold.text):
        return _compare(gold, found._replace(text=bare), problem)
    others = _readings(found.text, node, mine, problem.text)
    return any(equal(mine, other, percent) for other in others), engine


def _readings(text: str, node: Node, gold: Node, question: str) -> Iterator[Node]:
    """What else an answer, read as `node`, may mean beside a ground truth of the kind of `gold`."""
    if gold.op == "all" and SPARED.search(text):
        return
    if gold.op in ("words", "choice", "all"):
        yield meaning(trimmed(text))
        yield meaning(PREDICATE.sub("", trimmed(text)))
        yield meaning(_without_noun(TEXT.sub(r"\1", text), question))
        if (first := YES.match(text)) is not None:
            yield meaning(first[1])
        return
    ordinal = ORDINAL.fullmatch(text)
    if ordinal and gold.op == "num" and re.search(r"\bwhich\b", question, re.I):
        yield meaning(ordinal[1])
    last = text.rpartition("=")[2].rstrip(" $.")
    if "=" in text and (node.op in VALUES or gold.op == "clock"):
        yield meaning(last)
    if (digits := SUBSCRIPT.fullmatch(last)) and BASE.search(question):
        yield meaning(digits[1])
    if gold.op in VALUES and node.op == "list" and node.args[-1].op == "assign":
        yield from node.args[-1:] if {item.op for item in node.args[:-1]} == {"equation"} else ()
    if gold.op == "tuple" and ORDER.search(question):
        yield meaning(f"({ABOVE.sub(',', text.strip(' .'))})")
    if gold.op == "list" and "," in text:
        yield meaning(text, False)
    elif gold.op in VALUES and gold.op != "big":
        from verifiers.maths.respell import respellings
        from verifiers.maths.tidy import tidy

        yield from map(meaning, respellings(tidy(text)))


def _without_noun(text: str, question: str) -> str:
    """An answer of two words without the noun of the question: isosceles for isosceles triangle."""
    first, _, noun = text.strip(" .").partition(" ")
    return first if noun.isalpha() and re.search(rf"\b{noun}s?\b", question, re.I) else text


def _measured(gold: Gold, node: Node, problem: Problem) -> bool | None:
    """Whether a quantity is the ground truth in the unit that the question asks for.

    None where the question, or the answer, names none, or the ground truth has one of its own.
    """
    unit = sought.unit(asked.question_of(problem.text)) if gold.plain else ""
    if not unit or node.op != "quantity" or len(node.value.dimensions) != 1:
        return None
    from verifiers.maths.compare import equal

    if meaning(gold.text).op == "quantity":
        return None
    return equal(meaning(f"{gold.text} {unit}"), node, False)


def _asks_percent(problem: Problem) -> bool:
    """Whether the question is about a percentage, so that 50 means 50%."""
    return PERCENT.search(problem.text) is not None


def _named(found: Found, problem: Problem) -> Found | None:
    """What an answer says of an expression that the question names, such as `|3+4i| = 5`, or of
    the power of a letter of its own: a variance is `σ² = 4`."""
    left, sign, right = found.text.partition("=")
    if not sign or len(left) > LONGEST or not problem.text:
        return None
    name = _spelled(left)
    own = (power := POWER.fullmatch(name)) and not re.search(
        rf"(?<![A-Za-z\\]){re.escape(power[1])}(?![A-Za-z])", _spelled(problem.text[-PROMPT:])
    )
    if len(name) < 2 or name.isdigit() or not (own or _alone(name, problem)):
        formulas = FORMULA.findall(asked.question_of(problem.text)[-LONGEST:])
        if not formulas or meaning(left) not in map(meaning, formulas):
            return None
    return found._replace(text=right.strip(" $"))


def _restated(gold: Gold, found: Found, problem: Problem) -> bool:
    """Whether an answer only repeats a formula that the question wants computed, also with a
    rounded value: `cos 36° ≈ 0.809` is no exact value of cos 36°."""
    if not problem.text or gold.hard or rational.read(found.text) is not None:
        return False
    formula, sign, rounded = APPROX.sub("≈", found.text).partition("≈")
    if "=" in formula or len(formula) > LONGEST:
        return False
    from verifiers.maths.resolve import ratio

    mine, node = ratio(meaning(gold.text)), meaning(formula)
    node = ratio(node) if mine.op == "ratio" else node
    if node == mine or not any(part.op in WORKED for part in walk(node)):
        return False
    if not _alone(_spelled(formula), problem):
        return False
    return not (sign and _compare(gold, found._replace(text=rounded), problem)[0])


def _alone(name: str, problem: Problem) -> bool:
    """Whether a formula stands in the question, not as a part of another one."""
    around = r"[\w+\-*/^"
    alone = rf"(?<!{around}]){re.escape(name)}(?!{around}=<>({{])"
    return re.search(alone, _spelled(problem.text[-PROMPT:])) is not None


@lru_cache(maxsize=1024)
def _spelled(text: str) -> str:
    """A formula, or a text with formulas, in one spelling without blanks around signs."""
    from verifiers.maths.tidy import tidy

    return SPACES.sub(r"\1\2", BRACED.sub(r"\1", tidy(text.replace("$", " ; ").strip(" ;"))))


def _piecewise(gold: Gold, found: Found, problem: Problem) -> bool:
    """Whether an answer in parts, or in words around several values, is right in each of them."""
    parts, others = _parts(gold.text), _parts(found.text)
    if len(parts) > 1:
        return len(parts) == len(others) and all(
            _compare(ground(one), found._replace(text=other), problem)[0]
            for one, other in zip(parts, others, strict=True)
        )
    sides = [meaning(text) for text in (gold.text, found.text)]
    if all(side.op == "quantity" and side.value.dimensions for side in sides):
        return False  # mW is not MW
    mine = terms(gold.text)
    values = sum(not term.isalpha() for term in mine)
    return 0 < values < len(mine) and mine == terms(found.text)


def _renamed(gold: Gold, found: Found, problem: Problem) -> bool:
    """Whether an answer is right but for the names of its arbitrary constants."""
    mine, yours = (sorted(set(CONSTANT.findall(text))) for text in (gold.text, found.text))
    general = len(mine) > 1 or "general" in problem.text.lower()
    if not 0 < len(mine) == len(yours) < 4 or not general:
        return False
    for order in permutations(mine):
        pieces = CONSTANT.split(found.text)
        names = [order[yours.index(name)] for name in CONSTANT.findall(found.text)]
        text = "".join(part for pair in zip(pieces, [*names, ""], strict=True) for part in pair)
        if text != found.text and _compare(gold, found._replace(text=text), problem)[0]:
            return True
    return False


def _option(gold: Gold, found: Found, problem: Problem) -> tuple[Gold, str] | None:
    """Ground truth and answer as values, where one is the letter of a choice that was printed."""
    options = printed(problem.text) if problem.text else {}
    if not options:
        return None
    mine = LETTER.fullmatch(TEXT.sub(r"\1", gold.text))
    yours = LETTER.fullmatch(TEXT.sub(r"\1", found.text))
    if bool(mine) == bool(yours) or (yours and found.how == "prose"):
        return None
    letter = (mine or yours)[1]  # type: ignore[index]
    if letter not in options:
        return None
    value = options[letter].strip("$")
    return (ground(value), found.text) if mine else (gold, value)


def _parts(text: str) -> list[str]:
    """The parts of an answer such as "(a) 2; (b) 3", "2 s; 3 m" or "roots: 1, 2; minimum: 3"."""
    pieces = PART.split(text)[1:] or TEXT.sub(r"\1", text).split(";")
    return [LABEL.sub("", re.sub(r"\\q?quad", " ", piece).strip(" ,;.")) for piece in pieces]
