"""What sentences assert, where no marker says so.

The last asserting sentence is looked at; what explains, denies or takes something back is cut
off; and the longest part behind its verb that reads as mathematics is its result. The caller says
what reads as mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Reads = Callable[[str], bool]

ANNOTATION = re.compile(r"<<[^<>]*>>")
SENTENCE = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+(?=[^a-z\s])|(?<=[.!?])\s+$|\n+")
CONSEQUENCE = re.compile(
    r"(?:^|(?<=[\s,;:]))(?:so|therefore|hence|thus|then|that means|which means"
    r"|which (?=(?:makes|gives|leaves|brings)\b))\b"
    r"(?! (?:much|many|that|far|long)\b)",
    re.I,
)
LEADING = re.compile(
    r"^\W*(?:since|because|as|if|when|given|for|after|with|from|in|at|of|out of|among|by)\b"
    r"[^,]*(?:,(?=\d)[^,]*)*,\s+(?=.*\d)",
    re.I,
)
REASON = re.compile(
    r",?\s*\b(?:who|whose|whom|(?:twice|half|\w+ times) as|because|since|so that|so|which"
    r"|where|when|while|after|but|then|therefore|hence|thus"
    r"|whereas|although|though|as (?:we|it|the|there|shown|required|desired|stated|expected)"
    r"|given that|rather than|instead of|compared|even though|out of)\b.*",
    re.S | re.I,
)
NEGATION = re.compile(r",?\s*(?:\(|\band |\bbut )?\s*(?:\b(?:can)?not\b|n't\b).*", re.S | re.I)
RETRACTED = re.compile(
    r"^.*(?:\bno[,.]? wait\b|\bwait[,.]? no\b|\bwait\b|\bactually\b|\bi mean\b|\bcorrection\b"
    r"|\bsorry\b|\bno,)[\s,.:;—-]*",
    re.S | re.I,
)
RATHER = re.compile(r"\bnot\b[^.;]*?\bbut\b(?: rather)?", re.I)
ASIDE = re.compile(
    r"^\W*(?:check|checking|verify|verification|verifying|to (?:check|verify)"
    r"|we can (?:check|verify)|note|indeed|compare|for comparison"
    r"|for (?:example|instance|reference)|remember|recall|i hope|hope"
    r"|let me know|here,|proof|given|step \d+:?$)\b",
    re.I,
)
THAT = re.compile(r"^\W*(?:this is|that is|that's)\b", re.I)
APPOSED = re.compile(
    r",\s*(?:for |making |giving |leaving )?an? (?:\w+ )?(?:total|increase|decrease|difference"
    r"|profit|loss|gain|sum|reduction|saving)s? of (?=[^,]*\d)",
    re.I,
)
DENIED = re.compile(r"\b(?:is|are|was|were|be|does|do|did|can|could|would|will|should)\s*$", re.I)
PREMISE = re.compile(
    r"^\W*(?:(?:we|you|i) (?:are|were|am|was) (?:told|given|asked)|it is given"
    r"|(?:the|this) (?:question|problem)|let(?!'s (?:see|check)| me)|suppose|assume|consider"
    r"|imagine|(?:we|i|you) (?:need|want|have|must|should|are trying|are asked) (?:to )?"
    r"(?:find|compute|calculate|determine|solve|know|evaluate|figure))\b",
    re.I,
)
FRONT = re.compile(
    r"\W*(?:(?:this|that|which|it) (?:means|implies|shows)(?: that)?"
    r"|(?:we )?(?:conclude|find|see|get) that|only|exactly|just|in total|altogether"
    r"|overall|there|in the end|finally)?[\s,:]*",
    re.I,
)
PARTITIVE = re.compile(
    r"(?<=\d)\s+(?:out )?of (?:the|his|her|their|its|these|those|all)?\s*\d[\d,]*\b"
)
TWICE = re.compile(r"([^,]+?),? or ([^,]+?)(?:,.*|\s+(?:to|for|in|of)\b.*)?", re.S)
ASIDE_IN_BRACKETS = re.compile(
    r"\s\((?![^()]*\b(?:or|maybe|perhaps)\b)(?=[^()$\\]*[A-Za-z]{2})[^()$\\]*\)", re.I
)
CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|in total|altogether|overall|finally|in conclusion|conclude"
    r"|this (?:means|gives))\b",
    re.I,
)
COPULA = re.compile(
    r"\b(?:is|are|was|were|be|equals?|becomes?|(?:it|that|there|he|she|which|what)'s)\b", re.I
)
NAMING = re.compile(
    rf"{COPULA.pattern}|\b(?:falls? on|lands? on|called|named|chooses?|wins?)\b", re.I
)
VERB = re.compile(
    r"\b(?:is|are|was|were|be|equals?|becomes?|(?:it|that|there|he|she|which|what)'s|has|have|had"
    r"|makes?|made|gets?|got|earns?|earned|costs?|pays?|paid|needs?|needed|takes?|took|spends?"
    r"|spent|saves?|saved|gives?|gave|sells?|sold|eats?|ate|uses?|used|leaves?|left|receives?"
    r"|received|weighs?|runs?|ran|reads?|total(?:s|ed)?|contains?|owns?|bought|buys?|drives?|drove"
    r"|walks?|walked|travels?|travell?ed|lasts?|requires?|remains?|find|obtain|get|conclude"
    r"|drinks?|drank|cooks?|bakes?|plants?|picks?|adds?|brings?|brought|holds?|held"
    r"|carr(?:y|ies)|wash(?:es)?|builds?|built|paints?|writes?|wrote|wins?|won|loses?|lost|fills?"
    r"|covers?|produces?|raises?|charges?|works?|sleeps?|slept|watch(?:es)?|jumps?|swims?|climbs?|rides?|rode|delivers?|serves?"
    r"|keeps?|kept|averages?|catch(?:es)?|caught|types?|prints?|donates?|gains?|adds? up to"
    r"|comes? to|arrives?|arrived|departs?|begins?|began|ended|ends at|closes?"
    r"|amounts? to|(?:will|would|can|must|should|shall|did) (?!be\b)\w+"
    r"|started?|finish(?:ed|es)?|needs|grows?|grew|collect(?:s|ed)?|scor(?:es|ed)|read)\b",
    re.I,
)
BOUND = re.compile(
    r"\b(?:at (?:least|most)|(?:more|less|greater|fewer|larger|smaller|bigger|higher|lower) than"
    r"|over|under|above|below|up to|between|not|never|within|like|such as|close to|near(?:ly)?"
    r"|almost|one of|among|n't|from|if|whether)\b",
    re.I,
)
HEDGE = re.compile(
    r"\b(?:or|between|either|maybe|perhaps|possibly|versus|vs"
    r"|might|could|unsure|not sure|if|unless)\b",
    re.I,
)
DOUBT = re.compile(
    r"\b(?:likely|probably|perhaps|maybe|possibly|not sure|unsure|not certain|guess(?:ing)?)\b",
    re.I,
)
REACHED = re.compile(r"get|give|obtain|find|be|make|get to", re.I)
CHANGED = re.compile(
    r"\b(?:fell|dropped|rose|went|changed|increased|decreased|grew|climbed|sank)\b[^.,]*?\bfrom\b[^.,]*?"
    r"\bto (?=[-−$]?\d)",
    re.I,
)
MODAL = re.compile(r"\b(?:could|might|may)\s+(?:\w+\s+)?$", re.I)
CLAUSES = re.compile(r",?\s+(?:and|while|but)\s+|;\s+", re.I)
COMPARED = re.compile(r"\b(?:more|less|fewer|than|each|per|of|late|early|later|earlier)\b", re.I)
START = re.compile(
    r"[-+−±]?\s?[$€£¥(\[{]*[-+−±]?\s?\.?\d|\$|\\[a-zA-Z({\[]|[(\[]"
    r"|(?<![A-Za-z'])[A-Za-z](?:_\w+|\([a-z]\))?\s*[=<>≤≥≠]"
    r"|(?i:\b(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen"
    r"|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety)\b)|[π√∞∅ℝ±−½¼¾]"
)
NUMBER = re.compile(
    r"(?:[$€£¥]\s*)?(?<![\w.])-?\s?(?:[$€£¥]\s*)?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)"
    r"(?:\s*/\s*\d+(?!\d|\.\d))?(?:\s?%|\s?percent\b)?"
)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)
ANNOUNCING = re.compile(r"(?:\b(?:by|to|at|of|only|exactly|with)|:)\s*$", re.I)
OPTION = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice)\s*\(?([A-J])\)?(?![A-Za-z])"
    r"|^\W*([A-J])\)? is (?:the )?(?:correct|right|best|answer)"
)
LATER = re.compile(r"\b(?:late|early|later|earlier|(?:more|less|fewer) than)\b", re.I)
AFTERTHOUGHT = re.compile(r"[,;] ")
BOLD = re.compile(r"\*\*(.+?)\*\*")
MATHS = re.compile(r"\d|\\[a-zA-Z]|\$")
WORD = re.compile(r"[a-z]{3,}")
LAST = 6000
WORDS = 14


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
    sentence = ANNOTATION.sub("", sentence).strip()
    sentence = RATHER.sub("", RETRACTED.sub("", sentence)).strip()
    for pattern in (REASON, NEGATION):
        match = pattern.search(sentence)
        if match and match.start() > 0:
            sentence = sentence[: match.start()]
    return bare(sentence)


def bare(text: str) -> str:
    """Without emphasis, quotes and closing punctuation; an exclamation is no factorial."""
    text = text.strip().strip("`").strip()
    text = re.sub(r"\*\*(.+?)\*\*|__(.+?)__", lambda m: m[1] or m[2], text)
    if text.endswith("!"):
        text = text[:-1]
    while text and (
        text[-1] in ".,;:\"'" or (text[-1] == "}" and text.count("}") > text.count("{"))
    ):
        text = text[:-1].rstrip()
    return text.strip('*_ "').strip()


def assertion(text: str, reads: Reads, question: str = "") -> tuple[str, str] | None:
    """The last asserting sentence of `text` and the result that it states; None without one.

    Where that sentence speaks of several things, the one that `question` asks for counts.
    """
    sentences = [s.strip() for s in SENTENCE.split(ANNOTATION.sub("", text[-LAST:]) + " ")]
    sentences = [s for s in sentences if s]
    maths = any(MATHS.search(s) for s in sentences)
    aside: str | None = None
    for sentence in reversed(sentences):
        if THAT.match(sentence) and aside is None:
            aside = sentence
            continue
        if ASIDE.match(sentence) or sentence.endswith("?") or sentence.startswith("("):
            continue
        if PREMISE.match(sentence) and not CUE.search(sentence):
            continue
        if maths and not MATHS.search(sentence) and not CUE.search(sentence):
            continue
        told = result(_asked(sentence, question), reads)
        return (sentence, told) if told else None
    told = result(aside, reads) if aside is not None else None
    return (aside, told) if aside is not None and told else None


def _asked(sentence: str, question: str) -> str:
    """The clause of a sentence that speaks of what the question asks for, where one does more."""
    clauses = CLAUSES.split(sentence)
    asked = [part for part in SENTENCE.split(question + " ") if part.strip().endswith("?")]
    if len(clauses) < 2 or not asked or CUE.search(sentence):
        return sentence
    subjects = []
    for clause in clauses:
        verb = COPULA.search(clause)
        if verb is None or not START.search(clause[verb.end() :]):
            return sentence
        subjects.append(set(WORD.findall(clause[: verb.start()].lower())))
    wanted = set(WORD.findall(asked[-1].lower()))
    scores = [len(subject & wanted) for subject in subjects]
    best = max(scores)
    return clauses[scores.index(best)] if scores.count(best) == 1 else sentence


def result(sentence: str, reads: Reads) -> str | None:
    """The result that one sentence states; None where it states none."""
    body = _body(sentence)
    if body is None or DOUBT.search(sentence):
        return None
    if reads(bare(body)):
        return bare(body)
    if (apposed := APPOSED.search(body)) is not None:
        return _told(body[apposed.end() :], reads)
    if (changed := CHANGED.search(body)) is not None:
        return _told(body[changed.end() :], reads)
    if bold := [match[1] for match in BOLD.finditer(body)]:
        return bare(bold[-1])
    if len(letters := [match[1] or match[2] for match in OPTION.finditer(body)]) == 1:
        return letters[0]
    if START.match(body) and AFTERTHOUGHT.search(body):
        return _told(body, reads)
    for verb in reversed(list(VERB.finditer(body))):
        predicate = body[verb.end() :]
        if body[: verb.start()].lower().endswith("to ") and not REACHED.fullmatch(verb[0]):
            continue
        if START.search(predicate):
            if verb[0].lower() == "be" and MODAL.search(body[: verb.start()]):
                return None
            return _told(predicate, reads)
    if MATHS.search(body):
        return _alone(body, reads)
    verbs = list(NAMING.finditer(body))
    return bare(body[verbs[-1].end() :]) or None if verbs else None


def _body(sentence: str) -> str | None:
    """The main clause of a sentence; None where all it does is to deny something."""
    sentence = ASIDE_IN_BRACKETS.sub("", sentence)
    body = RATHER.sub("", RETRACTED.sub("", sentence))
    for part in reversed(CONSEQUENCE.split(body)):
        if MATHS.search(part) or START.search(part):
            body = part
            break
    body = PARTITIVE.sub("", LEADING.sub("", body.lstrip(" ,")))
    match = REASON.search(body)
    if match and match.start() > 3:
        body = body[: match.start()]
    match = NEGATION.search(body)
    if match:
        body = body[: match.start()]
        if not MATHS.search(body) or DENIED.search(body):
            return None
    return body


def _told(predicate: str, reads: Reads) -> str | None:
    """What stands behind a verb: its longest part that reads as mathematics."""
    match = START.search(predicate)
    if match is None or BOUND.search(predicate[: match.start()]):
        return None
    rest = bare(predicate[match.start() :])
    first = AFTERTHOUGHT.split(rest, maxsplit=1)
    if len(first) == 2 and LATER.search(first[1]) and reads(first[0]):
        return first[0]
    if reads(rest):
        return rest
    if (both := TWICE.fullmatch(rest)) is not None and reads(both[1]) and reads(both[2]):
        return f"{both[2]} = {both[1]}"
    if HEDGE.search(rest) or HEDGE.search(predicate[: match.start()]):
        return None
    if len(first) == 2 and reads(first[0]):
        return first[0] if not START.match(first[1]) or COMPARED.search(first[1]) else None
    pieces = re.split(r"(\s+)", rest)
    for count in range(min(len(pieces), 2 * WORDS), 0, -1):
        head = bare("".join(pieces[:count]))
        if head and not re.search(r"(?:\band|,)$", head) and reads(head):
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
    formulas = [next(filter(None, m.groups())) for m in FORMULA.finditer(body)]
    if len(formulas) == 1 and not HEDGE.search(body):
        return formulas[0].strip()
    numbers = list(NUMBER.finditer(body))
    if formulas or len(numbers) != 1 or HEDGE.search(body):
        return None
    number = numbers[0]
    before, after = body[: number.start()], body[number.end() :]
    stated = FRONT.fullmatch(before) or COPULA.match(after.lstrip()) or ANNOUNCING.search(before)
    return number[0].strip() if stated else None
