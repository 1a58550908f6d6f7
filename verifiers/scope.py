"""Whether a text asserts an answer that it states, or denies, doubts, supposes or reports it.

One rule for boxes, tags, "the answer is" and sentences without a marker. A text asserts an answer
where the words of its own clause that govern it, the rest of its sentence and the sentence behind
leave it to the writer, to this world and to be so.
"""

from __future__ import annotations

import re

OTHERS = (
    r"(?:students?|pupils?|classmates?|friends?|teacher|professor|tutor|users?|authors?|textbook"
    r"|book|manual|(?:answer )?key|website|internet|forum|paper|rumou?r|solution|chat\w*|gpt\S*"
    r"|chatbot|model|ai|solver"
    r"|grader|checker|colleague|(?:some|any|every)(?:one|body)|(?:some|many|most|other)(?: people)?"
    r"|others|people|readers?|beginners?|hint|question|problem|intuition|machine|program)"
)
"""Who may solve a problem beside the writer."""
THEORY = re.compile(
    r"\b(?:formulas?|theorem|rule|lemma|law|identity|principle|inequality|definition|equation|table"
    r"|vieta|fermat|euler|gauss|pythagoras|heron|newton|bayes|wilson|cauchy|descartes)\b",
    re.I,
)
THINK = (
    r"(?:say|expect|claim|conclude|think|believe|assert|infer|deduce|guess|argue|assume|suppose)"
)
WRITE = r"(?:state|answer|write|put|accept|report|imply|prove|show|follow|know)"
SAYS = (
    r"(?:says?|said|claim(?:s|ed)?(?!\s*:)|thinks?|thought|believe[sd]?|insist(?:s|ed)?|argue[sd]?)"
)
TELLS = (
    r"(?:assert(?:s|ed)?|guess(?:es|ed)|allege[sd]?|suggest(?:s|ed)|swears?|swore|told"
    r"|tells?(?! us)"
    r"|answered|wrote|writes|states|stated|reports|reported|assumes|announce[sd]|posted|declared?s?"
    r"|propose[sd])"
)
GETS = (
    r"(?:obtain|conclude[sd]?|gets?|got|gives?|gave|obtain(?:s|ed)|finds?|found|ends?|ended|comes?"
    r"|came|arrive[sd]|has"
    r"|had|lists?|computed|calculated|reach(?:es|ed)|counted|wrote|writes|puts?|answers?|circled"
    r"|marked|submitted|posted|picked|chose|expects?|intends?|means|assumes|wants?|says?|said"
    r"|might|may|could|would|will)"
)
NOT = r"(?:\bnot|n't|n’t|\bnever|\bcannot|\bhardly)"
MAYBE = (
    r"(?:(?<!\bwe )\bcould|\b(?:might|may|(?<!\bi )would|often|sometimes|usually)|(?<!\bi)[’']d\b)"
)
SLIP = (
    r"(?:forg[eo]t\w*|overlook\w*|misread\w*|mis-?count\w*|confus\w+|mix(?:es|ed|ing)? up"
    r"|overcount\w*"
    r"|undercount\w*|double[- ]count\w*|omit\w*|neglect\w*|ignor\w+|dropp?(?:s|ed|ing)? (?:a|the"
    r"|its)"
    r"|(?:lost|loses?|losing|miss(?:es|ed|ing)) (?:a|the|its|one|some)|slipp?(?:s|ed)?\b)"
)
FAULT = (
    r"(?:mistakes?|mistaken|errors?|wrong|incorrect|false|untrue|fallacy|misconception|myth"
    r"|temptation|tempting|tempted|misleading|doubt(?:s|ed|ful)?|den(?:y|ies|ied)|refuse[sd]?"
    r"|hesitate|unlikely|impossible|absurd|nonsense|trap|pitfall|premature|disagree|pretend"
    r"|no (?:proof|evidence|reason|way|guarantee|basis|grounds)|reject(?:s|ed)?|unclear|unproven"
    r"|not (?:true|clear|certain|sure|convinced|persuaded|the case|enough|correct|right))"
)
FLAWED = (
    r"(?:naive|careless|buggy|(?:earlier|previous|other) (?:version|exercise|problem|question)"
    r"|misconception|fallacy|distractor|pitfall|(?:the|a) trap|nobody|no one|none of"
    r"|too (?:early|late|soon|often|quickly)|initially|at first"
    r"|(?:wrong|incorrect|false|flawed|faulty) (?:approach|method|reasoning|argument|formula"
    r"|assumption)|forgetting|forgot|overlook\w*|miscount\w*|(?:take back|withdraw|retract)\b"
    r"|(?:previous|earlier|attempted|proposed|suggested|claimed|alleged|supposed|initial|original|first|old)"
    r" (?:answer|guess|attempt|conclusion|claim))"
)
"""What spoils all that follows in its clause."""
SUBJECT = (
    r"(?:(?:(?:the|our|its|his|her|their|an?|some)\b\s*)(?:final |correct |right )*"
    r"(?:(?:answer|result|value|solution|total|sum)\b)?|(?:it|this|that|there)\b(?:['’]s\b)?"
    r"|\$?[a-z]\$?(?=\s))\s*"
    r"(?:(?:is|was|are|were|to be|be|as|equals?|would be|had been|has to be|=)(?=\W))?"
)
EDGE = r"[\s$*(\\\[{]*$"
THAT = rf"\b\s*[\"“]?(?:that\b\s*(?:{SUBJECT})?|{SUBJECT}){EDGE}"
ONLY = rf"\b\s*:?\s*[\"“]?(?:that\b)?\s*(?:{SUBJECT})?{EDGE}"
"""What may stand between a word and the answer it governs: nothing, or "that the answer is"."""
TURN = re.compile(
    r"(?<!\\);\s|\b(?:so|thus|therefore|hence|consequently|instead(?! of)|whereas|however|then"
    r"|(?<!anything )but)\b"
    r"(?! that\b)|\b(?:in (?:fact|truth|reality)|correctly|we (?:then )?(?:find|get|obtain|see)"
    r" that)\b|,\s*(?:and|while|giving|making|yielding)\b",
    re.I,
)
DENIED = re.compile(
    r"\b(?:problem|page|step|question|exercise|line|figure|table)[\s$*(]*$|"
    rf"{NOT}\s+(?:\w+ly\s+)?(?:be )?(?:{THINK}\b{ONLY}|{WRITE}\b{THAT}"
    rf"|(?:{THINK}|{WRITE})\s+that\b[^,]*$)"
    rf"|(?:{NOT}|\bneither|\bnor)(?! only| hard| difficult)(?: (?!(?:is|are|was"
    rf"|were)\b)\w+){{0,2}}?"
    r"(?: (?:be|equal(?: to)?|have|give|get|yield|makes?) (?:\$?[a-z] ?=)?)?[\s$*(\\\[{]*$"
    r"|\b(?:anything but|far from|near|close to|instead of|rather than|used to|(?:rul(?:e[sd]?"
    r"|ing) out|eliminat|exclud|discard|reject)\w*"
    r"|(?:less|greater|smaller|larger|more|fewer) than(?: or equal to)?|no (?:more|less"
    r"|fewer) than)"
    r"(?: be(?:ing)?)?[\s$*(\\\[{]*$"
    rf"|(?<!no )(?<!without )\b(?:doubt|deny|dispute|reject|refuse){ONLY}",
    re.I,
)
FAULTY = re.compile(
    r"^\W*(?:wrong|incorrect|false)\s*[:,].*$|\b(?:error|mistake)s?\s*:[\s$*(\\\[{]*$|^\W*(?:replac|chang)ing\b.*$|"
    rf"(?<!\bno )(?<!without )(?<!little )\b{FAULT}\s+"
    r"(?:(?:here|is|was|would be|in|about|for \w+)\s+)*(?:to|that|thinking|saying"
    r"|claiming|writing|answering|concluding|assuming)\b[^,]*$"
    r"|\b(?:wrong|incorrect|false|erroneous)\s*:?\s*(?:(?:answer|result|value|solution|count)\b)?"
    r"\s*(?:here )?(?:is|was|would be)?[\s$*(\\\[{]*$"
    r"|\b(?:error|mistake|slip)s? (?:\w+ ){0,2}(?:yield|give|lead|result|produce)s?\b[^,]*$"
    rf"|\b{FLAWED}\b[^,]*$|\b(?:flawed|faulty|false) (?:\w+ )?(?:assumption|argument"
    rf"|reasoning)\b.*$",
    re.I,
)
DOUBT = re.compile(
    rf"\b(?:(?:could|might|may)(?: \w+)? be(?={EDGE})|likely|probably|perhaps|plausible|maybe"
    rf"|possibly"
    rf"|not sure|unsure|not certain|presumably|guess(?:ing)?(?! and)"
    r"|(?<!only )(?<!est )(?<!least )(?<!imum )(?<!imal )possible (?:answer|value|solution|result)"
    r"|\b(?:candidates|options|choices|possibilities) (?:\w+ ){0,2}(?:are|were)"
    r"|one of (?:the|several|many) possible|one of (?:these|them|those) (?:can|could|must|may|will)"
    r"|a (?:lower|upper) bound|estimate|used to be|should have been|(?:could|might|may) have \w+"
    r"|(?:an|one) example|as an ai)\b",
    re.I,
)
REPORTED = re.compile(
    rf"{MAYBE} (?:\w+ly )?"
    rf"(?:{THINK}\b{ONLY}|{WRITE}\b{THAT}|(?:{THINK}|{WRITE}) that\b[^,]*$)"
    rf"|(?<!\bwe )(?<!\bi )(?<!\bcan )(?<!\bi['’]d )(?<!\bi would )\b"
    rf"(?:{SAYS}\b(?! of\b)[^,]*$|(?:{SAYS}|concludes|{TELLS}(?: me| us| you)?){ONLY})"
    r"|\b(?:one|you|some(?:one)?|people|students) (?:might|may|could|would)\b[^,]*$"
    rf"|\b{TELLS} (?:\w+ ){{0,3}}that\b[^,]*$"
    rf"|\baccording to (?:(?:my|the|his|her|your|an?) )?(?:\w+ )?{OTHERS}\b.*"
    r"|\b(?:must|to|should|need to) (?:show|prove)\b[^,]*$"
    rf"|\b(?:if|who|had) (?:\w+ )?(?:{THINK}|{SAYS}){ONLY}"
    rf"|^\W*(?:in |by |from )?(?:(?:an?|the|my|your|his|her|our|one|another|this|that|careless"
    rf"|wrong|original|previous) )*{OTHERS}"
    rf"(?: \w+){{0,3}}? {GETS}\b[^,]*$"
    rf"|(?:\b{OTHERS}|\b(?!(?:Here|There|That|This|It|What"
    rf"|Let)\b)(?-i:[A-Z])[a-z]+)['’]s? (?:\w+ ){{0,2}}"
    r"(?:answer|guess|attempt|response|conclusion|claim|solution|reasoning)\b[^,]*$",
    re.I,
)
SUPPOSED = re.compile(
    rf"^\W*no (?:\w+ ){{1,4}}would\b|\b(?:in the form(?:at)?|format:){EDGE}"
    r"|(?:\b(?:if|assum(?:e|es|ed|ing)|suppos(?:e|es|ed|ing)|imagin(?:e|ing)|unless|whether)"
    rf"|^\W*(?:had|were))(?: for a moment)?{ONLY}"
    r"|^\W*(?:had|were) (?:the|we|i|you|he|she|they|it|one|there|this|that)\b"
    r"|\bif\b(?! i (?:had|have) to| forced| asked).*(?:\bwould\b|[’']d\b)"
    r"|\b(?:without|ignoring|neglecting|instead of|but for)\b.*\bwould\b"
    r"|\b(?:if|when|had|by|after|having)\b[^,]{0,40}\b(?:forg[eo]t|overlook|misread|miscount|confus)"
    r"|(?<!only )\bif\b(?:(?!\b(?:get|find|obtain|have|is|are|equals?|gives?)\b)[^,])*$"
    r"|\bwhether\b[^,]*$|\bfor contradiction\b",
    re.I,
)
GOVERNS = (DENIED, FAULTY, REPORTED, SUPPOSED)
CONTRADICTION = (
    r"(?:we|you|one) (?:get|have|reach|arrive at|would get|would have|run into|find) an? "
    r"(?:contradiction|absurdity)\b"
)
REFUSES = re.compile(
    r"[\s$*)\]}]{0,9}(?:[❌✗✘]|\((?:wrong|incorrect|false|not correct)\b|,? (?:isn['’]t it|right)\?"
    r"|(?:appears|occurs|is mentioned) in the)|"
    r"[\s$*)\]}.]{0,9},?(?:\s*(?:which|but (?:this|that|it)|this|that|it))?\s*"
    r"(?:(?:is|was|are|(?:would|can|must) be|has been|seems|turn(?:s|ed) out to be) "
    r"(?:\w+ly |also )?"
    r"(?:ruled out|excluded|eliminated|rejected|discarded|wrong|incorrect|impossible|false|invalid"
    r"|absurd|extraneous|spurious|to be (?:discarded|rejected)|a (?:contradiction|common mistake"
    r"|mistake|trap)|the (?:trap|mistake|wrong answer)"
    r"|(?:my|the|his|her|their|an) (?:first|initial|earlier|original|old)"
    r"|not (?:right|correct|possible|valid|the answer|allowed|a solution))\b|contradicts\b"
    rf"|violates\b|fails?\b|{SLIP}|(?:cannot|can't|can not) be (?:right|correct|true|the|it)\b"
    r"|(?:must|has to|have to) be (?:rejected|discarded)|does(?: not|n't) (?:satisfy|fit|work"
    r"|hold))"
    rf"|[\s$*)\]}}]{{0,9}}(?:\?\s*(?:no|not|nope|wrong)\b|,? or (?:possibly|perhaps|maybe)\b)"
    rf"|[^.!?\n\d]{{0,40}}?,\s*(?:but|although|though|after|because|having|since"
    rf"|when|which)\b[^.!?\n\d]{{0,40}}?\b{SLIP}"
    r"|[\s$*)\]}]{0,9},? (?:but (?:\w+ ){1,4}?(?:says?|gives?|get|got|find|found|think|believe"
    r"|obtain)|(?:would|could) (?:be|have been)|had (?:the|we"
    r"|it|he|she|they|there|i|you)|if\b[^.\n]*\b(?:had|were))\b"
    r"|[\s$*)\]}]{0,9}(?:the other way (?:a)?round|otherwise)\b"
    r"|[^.!?\n]{0,20}?,\s*(?:which is )?(?:an? )?(?:contradiction|absurd|impossible)"
    rf"|[^.!?\n]{{0,20}}?\b(?i:according to) (?:[A-Z][a-z]+(?!['’\w])"
    rf"|(?:the|his|her|my|a|some) {OTHERS})"
)
OBJECTS = re.compile(
    r"[\s$*)\]}.!]*(?:but|however|yet|still|unfortunately|and)?,?\s*"
    r"(?:(?:this|that|it|which)\s+(?:\w+ ){0,2}?"
    r"(?:contradicts|violates|conflicts with|is (?:a contradiction|absurd|impossible|ruled out)"
    r"|(?:leads|led) to an? (?:contradiction|absurdity)|cannot be|can't be"
    rf"|(?:is|was) not (?:\w+ )?(?:right|correct|true)|(?:has|contains"
    rf"|makes) an? (?:\w+ )?(?:error|mistake|flaw)|{SLIP}"
    rf"|does(?: not|n't) (?:satisfy|fit|work))|{CONTRADICTION}"
    r"|is (?:he|she|this|that|it) (?:really )?(?:right|correct|true)\?)",
    re.I,
)
TAKES_BACK = (
    r"wait|actually|oops|hold on|scratch that|correction|corrected|mistaken?|incorrect|wrong"
    r"|i mean|(?:not|isn't|isn’t) (?:right|correct)"
)
"""Words by which a text takes back what it said."""
FAILED = (
    r"scratch that|strike that|something(?:['’]s| is) (?:off|wrong)|off by"
    r"|i (?:dropped|forgot|missed|misread|overlooked|miscounted|misapplied|take)"
    r"|(?:question|problem) (?:asks|wants)"
)
RETRACTION = re.compile(
    rf"\b(?:(?:wait|actually|oops|correction|corrected|sorry|hold on|hmm+|{FAILED}"
    r"|(?<!common )(?<!typical )(?<!frequent )mistake"
    r"|incorrect|(?:that|this|it|which)(?: is| was|'s) (?:wrong|not right|not correct)"
    r"|let me (?:re-?\w+|correct|fix)|i mean|or rather|(?:edit|update)(?=\s*:)"
    r"|should (?:be|have been|read)|(?:true|correct|right) value|second thoughts?)\b"
    r"|no[,.:](?=\s))",
    re.I,
)
DENIAL = re.compile(
    rf"\b(?:wrong|incorrect|mistake|not right|not correct|{FAILED}|should have been)\b", re.I
)
SENTENCE_END = re.compile(r"[.!?](?=\s)|\n\s*\n|[.!?:]\*{0,2}\s*\n|\n(?=[A-Z][\w ]{0,20}:)")
ASKING = re.compile(
    r"\W*(?:so,? )?(?:is|are|was|were|could|can|would|does|do|should|might|may)\b", re.I
)
QUOTED = re.compile(r"^\s*>|\w[^\n\"“]*[\"“][^\"“”\n]{0,60}$")
COUNTS = re.compile(
    r"[\s$*)\]}]{0,9}\s(?!(?:but|and|or|which|that|for|because|as|in|at|by|when|while|instead"
    r"|rather"
    r"|from|after|before|here|on|without|with|since|although|though|however|is|was|to|if|the|this"
    r"|where|so|then|who|has|have|had|will|would|can)\b)[a-z]{3,}"
)
CLUELESS = re.compile(r"\bI (?:really )?(?:don['’]t|do not) know\b|\bno idea\b", re.I)
ENDORSED = re.compile(r"[\s$*)\]}]{0,9}(?:is|was) (?:\w+ )?(?:correct|right|true)(?=[.!,]|$)", re.I)
UNREAL = re.compile(r"\b(?:if|would|suppose)\b", re.I)
SAFE = re.compile(
    r"(?:[^\w\"“>?]|\b(?:so|thus|therefore|hence|the|final|correct|answer|is|it|we|get|have|are"
    r"|result"
    r"|total|value|and|of|equals|text|mathbf)\b|\d)*",
    re.I,
)
SAYING = re.compile(r"[A-Za-z❌✗✘?\"”]")
MEANT = re.compile(r"[\"“>]|\b(?:know|idea)\b", re.I)
CLAUSAL = re.compile(rf"\b(?:{SAYS}|that|there)\b", re.I)
BLANK = re.compile(r"\s+")
BEFORE = 240
AFTER = 160


def asserted(text: str, start: int, end: int, at: int | None = None, question: str = "") -> bool:
    """Whether the sentence around `text[start:end]` says that the answer in it is the answer.

    `at` is where the answer itself stands, if behind words such as "the answer is"; who solves
    problems in `question` is not another solver.
    """
    line, before = _clause(text, start, at)
    after = text[end : end + AFTER]
    near = text[max(0, start - BEFORE) : start]
    if SAFE.fullmatch(before) and not SAYING.search(after) and not MEANT.search(near):
        return True
    quoted = QUOTED.search(line) and re.match(r"[^\n\"“”]*[\"”]", text[end - 1 : end + AFTER])
    if quoted or line.lstrip().startswith(">"):
        return False
    if CLUELESS.search(text, max(0, start - BEFORE), start):
        return False
    if ENDORSED.match(after):
        return True
    stop = SENTENCE_END.search(after)
    rest = after[: stop.start()] if stop else after
    doubts = [doubt[0].lower() for part in (before, rest) for doubt in DOUBT.finditer(part)]
    asks = ASKING.match(before) and re.match(r"[^.!\n]{0,80}\?", after)
    if asks or refused(text, end) or any(doubt not in question.lower() for doubt in doubts):
        return False
    return _governing(before, after, question) is None


def _clause(text: str, start: int, at: int | None = None) -> tuple[str, str]:
    """What stands before an answer: of its sentence in one line, and of its clause."""
    before = text[max(0, start - BEFORE) : start]
    ends = list(SENTENCE_END.finditer(before))
    before = before[ends[-1].end() :] if ends else before
    line = before.rsplit("\n", 1)[-1]
    before = BLANK.sub(" ", before + text[start : start if at is None else at])
    turns = list(TURN.finditer(before))
    return line, before[turns[-1].end() :] if turns else before


def governed(
    text: str, start: int, end: int, at: int | None = None, question: str = ""
) -> str | None:
    """The words before an answer that deny, fault, report or suppose it; None where none do."""
    return _governing(_clause(text, start, at)[1], text[end : end + AFTER], question)


def _governing(before: str, after: str, question: str) -> str | None:
    for pattern in GOVERNS:
        found = pattern.search(before)
        if found is None or (pattern is REPORTED and _own(found[0], before, after, question)):
            continue
        if pattern is SUPPOSED and "would" in found[0] and UNREAL.search(question):
            continue
        return found[0]
    return None


def _own(words: str, before: str, after: str, question: str) -> bool:
    """Whether what looks like a report is the writer's: of a law, a count, or the question's."""
    if THEORY.search(before) or (COUNTS.match(after) and not CLAUSAL.search(words)):
        return True
    other = re.search(rf"\b{OTHERS}\b", words, re.I)
    return other is not None and other[0].lower() in question.lower()


def refused(text: str, end: int) -> bool:
    """Whether the text goes on, behind an answer that ends there, to say that it is none."""
    return REFUSES.match(BLANK.sub(" ", text[end : end + AFTER])) is not None


def retracted(tail: str) -> bool:
    """Whether what follows an answer objects to it."""
    return OBJECTS.match(BLANK.sub(" ", tail[:AFTER])) is not None
