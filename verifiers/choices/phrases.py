"""The words by which a text answers, hedges, denies and takes back; text is cleaned before."""

from __future__ import annotations

import re

ANSWER = re.compile(
    r"(?:\b(?:answer|ans|solution|response|pick|guess|verdict|selection|vote)\b(?!\s+(?:choices"
    r"|options))"
    r"|\b(?:correct|right|best|final|chosen|my|true|closest|selected|(?:only|most)\s+(?:sensible"
    r"|plausible|valid|possible|logical|likely|reasonable|appropriate))\s+(?:answer\s+)?"
    r"(?:option|choice|letter|one|alternative|statement|match|fit)\b|^\W*(?:correct|final|choice"
    r"|option|result|selected|pick)(?=\s*:)"
    r"|\brespuesta(?:\s+corr\w+|\s+est)?|\bantwort|\bréponse(?:\s+correcte)?"
    r"|\brisposta(?:\s+corr\w+|\s+est)?|\bresposta(?:\s+corr\w+|\s+est)?"
    r"|\bответ|答案|正解|答え|정답)"
    r"(?:\s*,\s*(?:then|therefore|thus|hence|of course|i think|i believe)\s*,)?"
    r"(?:\s+(?:to|for|of|in|here|choice|option|therefore|then|letter)\b[^.:\n]{0,60}?)?[\s\"']*"
    r"(?:\b(?:is|was|would be|will be|should be|must be|has to be|can only be|ist|lautet|est|es"
    r"|é)\b"
    r"|'s\b|è|是|为|為|选|は|은|[:=→⇒]|[-–—=]+>|(?<=\s)[-–—](?=\s)|(?=\s*\())"
    r"\s*[:=]?\s*",
    re.I,
)
FILL = re.compile(
    r"(?:(?:therefore|thus|indeed|clearly|definitely|certainly|obviously|surely|probably"
    r"|most likely"
    r"|likely|simply|actually|in fact|hence|then|that|best described (?:as|by)|given by|as follows"
    r"|(?:the\s+)?(?:letter|option|choice|answer|alternative|opción|la opción|option)(?=\W))\b"
    r"|[\s:\"',=>-])+",
    re.I,
)
NEGATED = re.compile(
    r"\W*(?:not\b|never\b|n't|neither\b|nor\b|none\b(?! of the)|anything but|nicht\b|pas\b"
    r"|no es\b|不|не\b)",
    re.I,
)
OPEN = re.compile(
    r"\W*(?:either|between|unclear|unknown|undetermined|uncertain|one of|maybe|perhaps|possibly"
    r"|might|could|may\b|unsure|any of|among|hard to|debatable|ambiguous|up to)\b",
    re.I,
)
TAIL_DENIES = re.compile(
    r"[\s)\].\"']{0,3}(?:"
    r"(?:[:–—-]\s*|,?\s*which is\s+)?"
    r"(?:is|was|are|seems?|looks?|can|could|does|would|has been|can be|must be)?\s*"
    r"(?:clearly|definitely|also|therefore|thus|obviously|simply|just|all|only)?\s*"
    r"(?:wrong|incorrect|false|n't\b|cannot\b|can't\b|never\b|ruled out|eliminated|excluded"
    r"|impossible|invalid|tempting|out\b|a (?:\w+ )?(?:trap|distractor|lure|decoy|misconception)"
    r"|implausible|unlikely|too\b|isn't|wasn't|doesn't|fails?\b|half\b|partly|partially|almost"
    r"|nearly"
    r"|不对|错|[✗✘❌]|では(?:な|あ)|じゃな)"
    r"|(?:(?:is|was|are|can|could|does|would)\s+|[:–—-]\s*)(?:\w+ly\s+|also\s+)?not\b|^\s*not\b"
    r"|\s*[:–—→-]\s*no\b)",
    re.I,
)
TAIL_ASSERTS = re.compile(
    r"\W{0,3}(?:(?:is|was|are|must be|has to be|would be|'s|being|as)\s+|[:–—-]\s*)"
    r"(?:(?:the|our|my|clearly|definitely|indeed|therefore|thus|obviously|certainly|hence|most"
    r"|final|only"
    r"|one|single|both|all|actually|in fact|really)\s+){0,4}"
    r"(?:correct|right|best|true|answer|accurate|appropriate|solution|valid|winner|choice"
    r"|it\b(?=\W*$))"
    r"|\W{0,3}(?:it is\b|(?:fits|matches|works|makes? (?:the )?(?:most )?sense|holds|remains"
    r"|stands|satisfies|suffices)\b)"
    r"|\s*[✓✔✅☑]|\s*(?:[:–—→-]\s*)yes\b",
    re.I,
)
DENIED_BEFORE = re.compile(
    r"(?:\bnot|n't(?: be)?|\bcannot be|\beliminat\w+|\brul(?:e[sd]?|ing) out|\bexclud\w+"
    r"|\breject\w*"
    r"|\bdiscard\w*|\bexcept(?: for)?|\bother than|\brather than|\binstead of|\bneither|\bnor"
    r"|\bdismiss\w*|\bwithout|\bunlike|\bversus|\b(?:all|everything|anything|nothing|none"
    r"|any) but|\bcross(?:ed|ing)? out|\bcross off|[✗✘❌]|不[选是]?)"
    r"\s*(?:the\s+)?(?:option|choice|answer|letter)?s?[\s(\[\"']*$",
    re.I,
)
CONCLUDES = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|leav(?:es|ing)(?: us| me)?(?: with)?|left with|remain(?:s"
    r"|ing)"
    r"|choos\w+|chose|pick\w*|select\w*|go(?:ing)? (?:with|for)|went with|settl\w+ (?:on|for)"
    r"|opt\w* for|conclude\w*|it'?s|it is|that'?s|that is|this is|must be|has to be|would be"
    r"|(?:i'd|i would|i'll|i will|i) (?:say|guess|answer|mark|submit)|i(?:'m| am) \w+ (?:with|on)"
    r"|i (?:think|believe)|means|indicates|namely|points to|corresponds to|made it|i mean"
    r"|i meant|i (?:will |would )?answer|we get|gives(?: us)?|correction|rather|(?:correct"
    r"|right|best|proper)\s[\w\s]{1,40}\s(?:is|was)|chang\w+ (?:\w+ ){0,5}to"
    r"|switch\w* (?:\w+ ){0,5}to|revis\w+ (?:\w+ ){0,5}to"
    r"|lock(?:ing)? in|final|conclusion|elijo|wähle|choisis|correct)\b|[→⇒✓✔✅☑选]|[-=]>)"
    r"[\s:,]*(?:(?:us|with|only|it'?s|it is|it must be|that|the|just|clearly|definitely"
    r"|definitively"
    r"|indeed|therefore|actually|probably|likely|be|down|option|choice|answer|letter|alternative)"
    r"[\s:,]+)*[(\[\"']?\s*$",
    re.I,
)
CONDITION = re.compile(
    r"\b(?:(?:argues|claims|says|contends|alleges|insists|thinks|believes)\b"
    r"|some(?: \w+)? (?:say|said|think|claim|argue|believe)|others? (?:say|think|claim|argue)"
    r"|according to|second[- ](?:best|choice)|(?:previous|other|last) (?:question|problem|one)"
    r"|(?:friend|student|user|teacher|colleague|classmate|neighbou?r|book|bob|alice|his|her|their"
    r"|your)(?:'s)? (?:answer|choice|guess|pick)|if(?! i (?:had|have|must)| forced| asked)"
    r"|please|unless|whether|suppose|supposing"
    r"|assum\w+|pretend|imagine|had (?:it|the|we|they)"
    r"|why|would have|could have|might have|you (?:may|might)|some (?:may|might|would|people"
    r"|students)"
    r"|many (?:people|students|would)|people (?:may|might|often)|students (?:may|might|often)"
    r"|someone|at first|initially|first (?:thought|guess|instinct)|originally|when the"
    r"|as though)\b",
    re.I,
)
DOUBT = re.compile(
    r"(?<!no )(?<!without )(?<!without a )\b(?:doubt\w*|not sure|unsure|not certain|maybe"
    r"|perhaps|possibly|might|may|could"
    r"|seems?"
    r"|seemed|looks?|looked|appears?|appeared|tempt\w+|almost|consider\w*|try|test|check\w*"
    r"|examin\w+|thought|let'?s (?:try|test|check|look|see|consider|assume|examine|say)|compare"
    r"|versus|vs|either|between|similar to|resembles?)\b",
    re.I,
)
NEGATIVE = re.compile(
    r"\b(?:not|never|neither|nor|cannot|hardly|wrong|incorrect|false|unlikely|no (?:way|chance"
    r"|reason|longer)"
    r"|nicht|almost|opposite)\b|n't\b",
    re.I,
)
BOUNDARY = re.compile(
    r"[;,:–—]|\s-\s|\b(?:but|because|since|although|though|whereas|while|however|yet|so"
    r"|therefore|hence"
    r"|thus|which means|and(?= (?:so|the (?:answer|correct)|therefore|thus|it|that|i|we)\b))\b",
    re.I,
)
JOIN = re.compile(
    r"\W{0,2}?\s*(,?\s*(?:and/or|and|or|und|oder|et|ou|y|o|e)\b(?:\s+(?:maybe|perhaps|possibly"
    r"|also))?"
    r"|[,/&+、]|or)\s*(?:option|choice|answer)?\s*",
    re.I,
)
ALSO = re.compile(
    r"\b(?:or|also|maybe|possibly|perhaps|equally|as well|alternatively|both)\b", re.I
)
BECAUSE = re.compile(
    r"\b(?:because|since|as|which|where|while|whereas|rather than|not|unlike)\b", re.I
)
SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?!\))|\n+")
RESTED = re.compile(
    r"\s*$|\s*(?:because|since|as|for|and|or|is|by|due|given"
    r"|[-,–—:;(/&+\n\u3040-\u30ff\u4e00-\u9fff])",
    re.I,
)
JOIN_BEFORE = re.compile(
    r"(?:,\s*)?(?:\band\b|\bor\b|&|/|,)\s*(?:option|choice|answer)?\s*[(\[]?$", re.I
)
CONTRAST = re.compile(r"\b(?:but|however|yet|instead)\b|;", re.I)
RATHER = re.compile(r"\bbut\s+(?:rather\s+|instead\s+)?", re.I)
STATES = re.compile(
    r"(?:\b(?:is|are|was|were|be|called|named|equals|gives|becomes|'s)\b|[=:→])\s*(?:\w+ly\s+"
    r"|an?\s+|the\s+)?(?:(?:option|choice|letter)\s+)?[\"'(]?$",
    re.I,
)
COMMON = frozenset(("yes", "no", "true", "false", "none", "all", "both", "neither", "one", "zero"))
"""Options that are also words of any sentence: they count where they are the answer itself."""
TAKEN = re.compile(
    r"\s*(?:$|[.,;:!)\]\n(–—/&+、。\"'}]|-\s|(?:because|since|as|for|due|given|by|which|that|where"
    r"|and"
    r"|but|or"
    r"|i\.?e\b|namely|over|rather|instead|not|is|was|here|with|from|[^\x00-\x7f]))",
    re.I,
)
"""What may follow an option that is taken; anything else makes it unclear what is meant."""
PROVIDED = re.compile(
    r"\b(?:if|unless|otherwise|provided|assuming|or (?:none|neither|nothing|all))\b", re.I
)
SURE = re.compile(
    r"(?:(?:surely|undoubtedly|without (?:a )?doubt|no doubt|of course|in conclusion|finally"
    r"|overall|to sum up|definitely|clearly|certainly|obviously|probably|so"
    r"|hence)\b[\s,:]*)?",
    re.I,
)
NAMED = re.compile(
    r"\b(?:team|plan|section|class|point|vitamin|figure|fig\.|group|part|case|step|type|grade"
    r"|room|line"
    r"|set|table|appendix|chapter|the letter|block|gate|person|player|city|school)\s+$",
    re.I,
)
"""What makes a letter the name of something else."""
VOID = re.compile(
    r"\A[\s.,;:!?)}$\"']*(?:no\b(?! (?:other|doubt|need|one))|nope\b|not\b(?=\W*$)"
    r"|(?:is|was|would be)\s+(?:\w+ly\s+)?(?:wrong|incorrect|false|not\b)|isn't\b)"
    r"|\b(?:that|this)(?:'s| is| was) (?:\w+ )?(?:wrong|incorrect|false|a mistake|not (?:right"
    r"|correct))"
    r"|(?<=[.!?] )it(?:'s| is) (?:wrong|incorrect|not (?:right|correct))",
    re.I,
)
"""What takes back the answer that it follows."""
BOUND = re.compile(
    r"\b(?:(?:less|more|fewer|greater|smaller|larger|bigger|higher|lower|other) than|at (?:most"
    r"|least)"
    r"|over|under|above|below|about|around|close to|near(?:ly)?|up to|between|minus|plus|times"
    r"|before"
    r"|after|beside|without)\b|[+*×<>]",
    re.I,
)
"""What makes another answer of the option's text that follows."""
BULLET = re.compile(r"^[\s•>#\"'→]*(?:[-–—]\s+)?[\s\"']*")
WORD = re.compile(r"\w+")
LISTING = frozenset(
    [
        "and",
        "or",
        "und",
        "et",
        "y",
        "e",
        "o",
        "both",
        "also",
        "option",
        "options",
        "choice",
        "choices",
        "answer",
    ]
)
