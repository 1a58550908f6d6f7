"""Whether a sentence without a marker states the quantity that the question asks for.

A sentence that only repeats what is given, is about something else, counts other things or
measures in another dimension is a step on the way, not the answer.
"""

from __future__ import annotations

import re

from verifiers.cues import COPULA, CUE, NUMBER, SENTENCE, VALUE, VERB
from verifiers.maths.spelling import spelled
from verifiers.sought import COUNTED, dimensions, measures, other_unit, wanted

ASKS = re.compile(
    r"\b(?:how \w+|what|which|find|calculate|compute"
    r"|determine|solve|convert|simplify|express|evaluate)\b",
    re.I,
)
NAMED = re.compile(
    r"\b(?:what(?:'s| is| was| are| will be)|find|calculate|compute|determine)"
    r" (?:the|her|his|its|their) ((?:(?!(?:of|when|if|in|for|that|after|to|at|by|enclosed|bounded"
    r"|between|under|from|with|on|is|are|such|given|where)\b)[a-z\d-]+ ?)+)",
    re.I,
)
VARIABLE = re.compile(
    r"\b(?:find|solve\b.*\bfor|value of|what is|determine|compute|calculate)"
    r" \$?([a-z])\$?\s*[.?]?\s*$",
    re.I,
)
FORMULA = re.compile(r"\$[^$]*\$|\\[a-zA-Z]+|\b[a-z]{1,2}\b")
REWRITES = re.compile(r"\b(?:convert|rewrite|express)\b", re.I)
ASSIGNED = re.compile(r"(?<![A-Za-z\\])([a-z])\$? *=")
GENERIC = r"answer|result|value|total|solution|number|amount|quantity|expression|output|figure"
ARITHMETIC = rf"{GENERIC}|sum|difference|product|quotient|remainder|rest"
MEANT = {
    "how fast": " speed", "how high": " height", "how tall": " height", "how far": " distance",
    "how old": " age", "how much": " amount", "how long": " time length", "how heavy": " weight",
    "\\int": " integral", "\\lim": " limit tends approaches goes",
}  # fmt: skip
GRADED = re.compile(r"\b(?:[a-z]{3,}(?:er|est)|first|second|middle|last)\b", re.I)
ALIKE = (
    "cost price bill fee charge payment", "speed rate velocity", "chance probability odds",
    "mean average", "distance length side", "remainder rest", "lcm multiple",
    "gcd gcf hcf divisor factor",
)  # fmt: skip
PRONOUN = re.compile(r"[a-z]+ing|only|(?:s?he|it|they|we|i|you|there|this|that)(?:['’]s|['’]m)?")
POINTER = re.compile(r"these|those|all|each|both|only|what|which")
APART = re.compile(
    r"[,;:]\s|\band\b(?! \d)|\b(?:because|since|so|thus|hence|therefore)\b"
    r"|\b(?:means?|finds?|sees?|gets?|knows?|shows?|follows|tells? us|concludes?|implies) that\b",
    re.I,
)
PREPOSITION = re.compile(
    r"\b(?:of|in|for|at|with|on|from|who|by|to|between|over|after|before|during|per|than)\b", re.I
)
COUNT = re.compile(r"\W*[\d.,/]+\W+(?:of (?:the )?\d+ )?([a-z]{3,})", re.I)
WORDS = re.compile(r"\b(?!(?:the|an?|his|her|its|their|our|my|one)\b)[a-z]+(?:['’]s)?", re.I)
RATE = re.compile(
    r"\b(?:each|every|per) (\w+)|\b(?:an?|one) (day|week|month|year|hour|minute|second)\b", re.I
)
OPTIONS = re.compile(r"(?:^|\s)\(?A[).]\s")
HOLDS = re.compile(rf"{COPULA.pattern}|ha(?:s|ve|d)|ist|est|es", re.I)
ANY = re.compile(r"\b(?:each|every|an?|one|per)\b", re.I)
EACH = re.compile(r"\W*(?:(each|every|one)|an?)\b(?! total)", re.I)
PLAIN = re.compile(rf"{NUMBER.pattern}(?![a-z](?![a-z])|[\^(\\])")
PARTIAL = re.compile(
    r"\s*is (?!the|our|my|what|it|indeed|exactly|correct|right)[a-z]",
    re.I,
)
LETTERED = re.compile(r"\b([a-z]{4,}) \$?([A-Z]{1,3})\b")
QUANTITY = re.compile(
    r"gcd|lcm|upper|lower|sum|difference|product|quotient|remainder|perimeter|area|volume|radius"
    r"|diameter|length|width"
    r"|height|distance|speed|time|discount|tax|tip|profit|loss|mean|average|median|mode|range",
    re.I,
)
MUCH = re.compile(rf"\bhow much ({QUANTITY.pattern}|interest)\b", re.I)


def question_of(prompt: str) -> str:
    """The last sentence of a prompt that asks for something; empty where none does."""
    return next((part for part in reversed(SENTENCE.split(prompt + " ")) if ASKS.search(part)), "")


def names(subject: str, question: str) -> bool:
    """Whether a subject, such as "the sum", is just what a question asks for."""
    head, nouns = _head(question_of(question)), _nouns(subject)
    return bool(head) and any(_single(noun) == head for noun in nouns[:1] + nouns[-1:])


def mentions(question: str, name: str) -> bool:
    """Whether a question asks for what has this name, such as "Finn" or "total cost"."""
    asked, words = question_of(question), re.findall(r"\w+", spelled(name))
    return bool(words) and all(_named(word, asked) for word in words)


def counts(behind: str, question: str) -> bool:
    """Whether the words behind a number are what the question counts or measures in."""
    asked = question_of(question)
    counted, words = COUNTED.search(asked), WORDS.findall(behind)[:3]
    if counted and any(_named(word, counted[1]) for word in words):
        return True
    return bool(words) and wanted(asked) is not None and dimensions(words[0]) == wanted(asked)


def relevant(sentence: str, told: str, question: str) -> bool:
    """False where the sentence that states `told` speaks of something else than was asked."""
    asked = question_of(question)
    variable = VARIABLE.search(asked)
    assigned = set(ASSIGNED.findall(told)) or set(ASSIGNED.findall(sentence)[-1:])
    if (variable and assigned - {variable[1]}) or _checks(sentence, told, question):
        return False
    number = PLAIN.match(told)
    given = {spelled(value[0]).strip("$ ") for value in VALUE.finditer(OPTIONS.split(question)[0])}
    place = max(sentence.rfind(told), 0)
    before = sentence[:place]
    behind = sentence[place + len(number[0]) :] if number else ""
    repeats = number is not None and number[0].strip("$ ") in given
    if repeats and number and counts(behind, question):
        repeats = not _other_count(number[0], behind, question)
    if not asked or told == sentence:
        return not (asked and repeats and "=" not in told and len(WORDS.findall(told)) > 2)
    if variable and re.search(rf"\d\s*{variable[1]}\b\W*(?:is|equals)?\W*$", before):
        return False
    part = APART.split(before)[-1]
    verbs = [verb[0] for verb in VERB.finditer(part)]
    subject = part.partition(verbs[0])[0] if verbs else ""
    if not before.strip() and (counted := COUNT.match(sentence)) and not VERB.match(counted[1]):
        subject = counted[1]
    if _other_letter(part, asked):
        return False
    cued = bool(CUE.search(sentence))
    concludes = cued or "=" in sentence
    if _other_rate(behind, asked, question, cued) or (PARTIAL.match(behind) and not cued):
        return False
    if not concludes and _other_case(subject, asked, given):
        return False
    head, nouns = _head(asked), _nouns(subject)
    specific = bool(head) and not re.fullmatch(GENERIC, head)
    rival = head and any(
        (noun == "There" and specific) or (QUANTITY.fullmatch(noun) and not _named(noun, asked))
        for noun in nouns
    )
    near = specific and _named(head, sentence)
    known = not nouns or any(_named(noun, question) for noun in nouns)
    link = part.rpartition(verbs[-1])[2] if verbs else ""
    about = _about(subject, verbs, asked, question) or any(
        len(noun) > 3 and _named(noun, asked) for noun in WORDS.findall(link)
    )
    about = about or (
        not rival and (near or (number is not None and known and counts(behind, question)))
    )
    if not about and (not concludes or rival):
        return False
    if number is not None and _other_kind(behind, asked, question):
        return False
    if _beside(sentence, told, question):
        return False
    if concludes:
        side = place + told.rfind("=") + 1
        return number is None or not other_unit(sentence, side, asked)
    generic = any(re.fullmatch(GENERIC, _single(noun)) for noun in nouns)
    if repeats and not generic and not names(subject, question):
        return False
    return number is None or measures(sentence, place, asked, question)


def _other_count(number: str, behind: str, question: str) -> bool:
    """Whether a question gives a number only as a count of other things."""
    named = re.findall(rf"(?<![\d.,]){re.escape(number.strip('$ '))} ([a-z]+)", question)
    return bool(named) and not any(re.match(rf"\s*{noun}", behind) for noun in named)


def _checks(sentence: str, told: str, question: str) -> bool:
    """Whether an equation only comes back to a side of one that the question gives."""
    _, sign, side = told.strip("$ .").rpartition("=")
    given = rf"=\s*{re.escape(side.strip(' $'))}(?![\w.^(])"
    return bool(sign and not CUE.search(sentence) and re.search(given, question))


def _other_case(subject: str, asked: str, given: set[str]) -> bool:
    """Whether a subject is any one of its kind, or a count that the question does not give."""
    if (value := VALUE.match(subject.strip())) is not None:
        known = {part for one in given for part in (one, *one.split("/"))}
        return bool(given) and spelled(value[0]).strip("$ ") not in known
    one = EACH.match(subject)
    return bool(one and (one[1] or _head(asked)) and not ANY.search(asked))


def _beside(sentence: str, told: str, question: str) -> bool:
    """Whether another number of the sentence counts what is asked for, and this one does not."""
    value = VALUE.match(told)
    if value is None or "=" in sentence or not COUNTED.search(question_of(question)):
        return False
    behind, noun = told[value.end() :], WORDS.match(told[value.end() :].strip())
    others = [v for v in VALUE.finditer(sentence) if counts(sentence[v.end() :][:40], question)]
    return bool(others and noun and noun[0] != "in") and not counts(behind, question)


def _other_letter(subject: str, asked: str) -> bool:
    """Whether a subject is another one by its letter than what is asked for: angle B for C."""
    mine, wanted = (
        [(noun, "".join(sorted(letters))) for noun, letters in LETTERED.findall(text)]
        for text in (subject, asked)
    )
    nouns = {noun for noun, _ in mine} & {noun for noun, _ in wanted}
    return bool(nouns) and not any(pair in wanted for pair in mine if pair[0] in nouns)


def _other_kind(behind: str, asked: str, question: str) -> bool:
    """Whether a number counts one kind only of what is asked for: red pens, not pens."""
    words, counted = WORDS.findall(behind)[:2], COUNTED.search(asked)
    if (
        len(words) < 2
        or words[0] in ("more", "fewer", "less")
        or counted is None
        or not _named(words[1], counted[1])
    ):
        return False
    return _named(words[0], question) and not _named(words[0], asked)


def _other_rate(behind: str, asked: str, question: str, cued: bool) -> bool:
    """Whether a number counts for each of something that the question does not speak of, or
    speaks of as many: per angle, where the angles' sum is asked for."""
    rate = RATE.search(behind)
    if rate is None or RATE.search(asked) or re.search(r"\b(?:fast|speed|velocity|rate)\b", asked):
        return False
    each = rate[1] or rate[2]
    many = re.search(rf"\b(?:sum|total|all)\b.*\b{each}s\b", asked, re.I) is not None
    return many if cued else re.search(rf"\b{each}\b", question, re.I) is None


def _about(subject: str, verbs: list[str], asked: str, question: str) -> bool:
    """Whether a subject and its verbs are what the question is about."""
    nouns = _nouns(subject)
    if nouns[:1] == ["There"] and _head(asked) and not re.fullmatch(GENERIC, _head(asked)):
        return False
    if not nouns or VALUE.match(subject.strip()) or nouns[-1] == "there":
        return True
    if PRONOUN.fullmatch(nouns[0].lower()):
        return True
    if len(nouns) == 1 and POINTER.fullmatch(nouns[0].lower()):
        return True
    head = _head(asked)
    last = _single(nouns[-1])
    asked += "".join(meaning for words, meaning in MEANT.items() if words in asked.lower())
    person = any(noun[0].isupper() and _named(noun, question, 0) for noun in nouns)
    if head and not person:
        other = [
            noun for noun in nouns if GRADED.fullmatch(noun) and noun.lower() not in asked.lower()
        ]
        if other and GRADED.search(asked):
            return False
        if any(GRADED.fullmatch(noun) and noun.lower() in asked.lower() for noun in nouns):
            return True
        alike = any({head, last} <= set(words.split()) for words in ALIKE)
        generic = any(re.fullmatch(GENERIC, _single(noun)) for noun in nouns)
        if re.fullmatch(GENERIC, head) and any(_named(noun, asked) for noun in nouns):
            return True
        return alike or generic or any(_single(noun) == head for noun in nouns)
    if not head and (
        REWRITES.search(asked) or not WORDS.search(FORMULA.sub(" ", ASKS.sub(" ", asked)))
    ):
        steps = (noun for noun in nouns if not re.fullmatch(ARITHMETIC, noun))
        return not any(QUANTITY.fullmatch(noun) for noun in steps)
    if any(re.fullmatch(ARITHMETIC, _single(noun)) or _named(noun, asked) for noun in nouns):
        return True
    meant = re.search(r"\b(?:it|s?he|they|her|his)\b" if person else r"\bit\b", asked)
    if meant and any(_named(noun, question) for noun in nouns):
        return True
    return any(_named(verb, asked) for verb in verbs if not HOLDS.fullmatch(verb))


def _nouns(subject: str) -> list[str]:
    """The words of the first part of a noun phrase that is not just "the value of"."""
    chunks = [WORDS.findall(chunk) for chunk in PREPOSITION.split(subject)]
    chunks = [words for words in chunks if words]
    while len(chunks) > 1 and re.fullmatch(GENERIC, _single(chunks[0][-1])):
        del chunks[0]
    return chunks[0] if chunks else []


def _named(word: str, text: str, flags: int = re.I) -> bool:
    """Whether a text has a word of the same stem."""
    stem = re.sub(r"(?:['’]s|ing|ed|es|s|e)$", "", word) or word
    return bool(re.search(rf"\b{re.escape(stem[:5])}", text, flags))


def _head(asked: str) -> str:
    """The noun of the quantity that a question names."""
    match = NAMED.search(asked) or MUCH.search(asked)
    return _single(match[1].split()[-1]) if match and match[1].split() else ""


def _single(noun: str) -> str:
    return noun.lower().removesuffix("'s").removesuffix("s")
