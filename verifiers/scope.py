"""Whether the words around a stated answer assert it, or deny, suppose or report it.

One rule for boxes, tags, "the answer is" and sentences without a marker: the words of its own
clause that govern the answer, and what its sentence or the next one says of it.
"""

from __future__ import annotations

import re

THINK = r"(?:say|claim|conclude|think|believe|assert|infer|deduce|guess|argue|assume|suppose)"
WRITE = r"(?:state|answer|write|put|expect|accept|report|imply|prove|show|follow|know)"
SAYS = r"(?:says?|said|claim(?:s|ed)?|thinks?|thought|believe[sd]?|insist(?:s|ed)?|argue[sd]?)"
TELLS = (
    r"(?:assert(?:s|ed)?|guess(?:es|ed)?|allege[sd]?|suggest(?:s|ed)|swears?|swore|told|tells?"
    r"|answered|wrote|writes|states|stated|reports|reported|assumes)"
)
NOT = r"(?:\bnot|n't|n’t|\bnever|\bcannot|\bhardly)"
MAYBE = r"(?:(?<!\bwe )\bcould|\b(?:might|may|would|often|sometimes|usually))"
FAULT = (
    r"(?:mistakes?|mistaken|errors?|wrong|incorrect|false|untrue|fallacy|misconception|myth"
    r"|temptation|tempting|tempted|misleading|doubt(?:s|ed|ful)?|den(?:y|ies|ied)|refuse[sd]?"
    r"|hesitate|unlikely|impossible|absurd|nonsense|trap|pitfall|premature|disagree|pretend"
    r"|no (?:proof|evidence|reason|way|guarantee|basis|grounds)|reject(?:s|ed)?|unclear|unproven"
    r"|not (?:true|clear|certain|sure|convinced|persuaded|the case|enough|correct|right))"
)
SUBJECT = (
    r"(?:(?:(?:the|our|its|his|her|their|an?|some)\b\s*)(?:final |correct |right )*"
    r"(?:(?:answer|result|value|solution|total|sum)\b)?|(?:it|this|that)\b|\$?[a-z]\$?(?=\s))\s*"
    r"(?:(?:is|was|were|to be|be|as|equals?|would be|had been|has to be|=)(?=\W))?"
)
EDGE = r"[\s$*(\\\[{]*$"
THAT = rf"\b\s*[\"“]?(?:that\b\s*(?:{SUBJECT})?|{SUBJECT}){EDGE}"
ONLY = rf"\b\s*:?\s*[\"“]?(?:that\b)?\s*(?:{SUBJECT})?{EDGE}"
"""What may stand between a word and the answer it governs: nothing, or "that the answer is"."""
TURN = re.compile(
    r"(?<!\\);\s|\b(?:so|thus|therefore|hence|consequently|instead|whereas|however|then"
    r"|(?<!anything )but)\b"
    r"(?! that\b)|\b(?:in (?:fact|truth|reality)|correctly|we (?:then )?(?:find|get|obtain|see)"
    r" that)\b|,\s*(?:and|while|giving|making|yielding)\b",
    re.I,
)
GOVERNS = re.compile(
    rf"(?<!\bno )(?<!without )(?<!little )\b{FAULT}\s+"
    r"(?:(?:here|is|was|would be|in|about|for \w+)\s+)*(?:to|that|thinking|saying"
    r"|claiming|writing|answering|concluding|assuming)\b[^,]*$"
    rf"|(?<!no )(?<!without )\b(?:doubt|deny|dispute|reject|refuse){ONLY}"
    r"|\b(?:wrong|incorrect|false) (?:answer|result|value) (?:here )?(?:is|was|would be)\W*$"
    r"|\b(?:wrong|incorrect|false|erroneous)\s+"
    r"(?:(?:answer|result|value) (?:here )?(?:is|was|would be)[\s$*(\\\[{]*)?$"
    r"|\b(?:naive(?:ly)?|careless(?:ly)?|wrongly|mistakenly|incorrectly|falsely|erroneously"
    r"|hastily|misguided|misconception|fallacy|distractor|pitfall|(?:the|a) trap"
    r"|(?:wrong|incorrect|false|flawed|faulty)"
    r" (?:approach|method|reasoning|argument|logic|formula|assumption))"
    r"\b[^,]*$"
    rf"|{NOT}\s+(?:\w+ly\s+)?(?:be )?(?:{THINK}\b{ONLY}|{WRITE}\b{THAT}"
    rf"|(?:{THINK}|{WRITE})\s+that\b[^,]*$)"
    r"|\b(?:is|was|are|were|do|does|did|can|could|would|should|will|must|may|might)"
    r"\s?(?:not|n't|n’t|never)(?: be| equal(?: to)?| simply| really| actually)?[\s$*(\\\[{]*$"
    r"|(?:^|,\s*)(?:cannot|can't|not|never|neither|nor)[\s$*(\\\[{]*$"
    r"|(?:^|,)\W*(?:please )?(?:do not|don't|never) \w+[\s$*(\\\[{]*$"
    r"|\b(?:nobody|no one) \w+ \w+[\s$*(\\\[{]*$"
    r"|\b(?:anything but|far from|instead of|rather than|used to)(?: be(?:ing)?)?"
    r"[\s$*(\\\[{]*$"
    r"|\b(?:cannot|can't|can not) (?:be|equal)[\s$*(\\\[{]*$"
    rf"|{MAYBE} (?:\w+ly )?"
    rf"(?:{THINK}\b{ONLY}|{WRITE}\b{THAT}|(?:{THINK}|{WRITE}) that\b[^,]*$)"
    rf"|(?<!\bwe )(?<!\bi )(?<!\bcan )\b"
    rf"(?:(?:{SAYS}|concludes){ONLY}|{TELLS}(?: me| us| you)?{THAT})"
    rf"|\b(?:if|who|had) (?:\w+ )?(?:{THINK}|{SAYS}){ONLY}"
    rf"|(?:\b(?:if|assum(?:e|es|ed|ing)|suppos(?:e|es|ed|ing)|imagin(?:e|ing)|unless|whether)"
    rf"|^\W*(?:had|were))(?: for a moment| instead| now)?{ONLY}",
    re.I,
)
CONTRADICTION = (
    r"(?:we|you|one) (?:get|have|reach|arrive at|would get|would have|run into|find) an? "
    r"(?:contradiction|absurdity)\b"
)
REFUSES = re.compile(
    r"[\s$*)\]}.]{0,9}(?:,?\s*(?:which|but (?:this|that|it)|this|that|it))?\s*"
    r"(?:(?:is|was|are|(?:would|can|must) be|has been|seems|turn(?:s|ed) out to be) "
    r"(?:clearly |also |obviously |therefore )?"
    r"(?:ruled out|excluded|eliminated|rejected|discarded|wrong|incorrect|impossible|false|invalid"
    r"|absurd|a (?:contradiction|common mistake|mistake|trap)|the (?:trap|mistake|wrong answer)"
    r"|not (?:right|correct|possible|valid|the answer|allowed))\b|contradicts\b|violates\b|fails\b"
    r"|(?:cannot|can't|can not) be (?:right|correct|true|the|it)\b)"
    rf"|[^.!?\n]{{0,20}}?\s*(?:,|\band)?\s*{CONTRADICTION}"
    r"|[^.!?\n]{0,20}?\b(?i:according to) (?:[A-Z][a-z]+(?!['’\w])|(?:the|his|her|my|a|some) "
    r"(?:book|key|student|author|friend|teacher|brother|sister|class\w*|textbook|calculator))"
)
OBJECTS = re.compile(
    r"[\s$*)\]}.!]*(?:but|however|yet|still|unfortunately|and)?,?\s*"
    r"(?:(?:this|that|it|which)\s+(?:directly |clearly |immediately )?"
    r"(?:contradicts|violates|conflicts with|is (?:a contradiction|absurd|impossible|ruled out)"
    r"|(?:leads|led) to an? (?:contradiction|absurdity)|cannot be|can't be"
    rf"|does(?: not|n't) (?:satisfy|fit|work))|{CONTRADICTION})",
    re.I,
)
SENTENCE_END = re.compile(r"[.!?](?=\s)|\n\s*\n|[.!?:]\*{0,2}\s*\n")
BLANK = re.compile(r"\s+")
BEFORE = 240
AFTER = 160


def asserted(text: str, start: int, end: int) -> bool:
    """Whether the sentence around `text[start:end]`, an answer, says that it is the answer."""
    before = text[max(0, start - BEFORE) : start]
    ends = list(SENTENCE_END.finditer(before))
    before = BLANK.sub(" ", before[ends[-1].end() :] if ends else before)
    turns = list(TURN.finditer(before))
    before = before[turns[-1].end() :] if turns else before
    return GOVERNS.search(before) is None and not refused(text, end)


def refused(text: str, end: int) -> bool:
    """Whether the text goes on, behind an answer that ends there, to say that it is none."""
    return REFUSES.match(BLANK.sub(" ", text[end : end + AFTER])) is not None


def retracted(tail: str) -> bool:
    """Whether what follows an answer objects to it."""
    return OBJECTS.match(BLANK.sub(" ", tail[:AFTER])) is not None
