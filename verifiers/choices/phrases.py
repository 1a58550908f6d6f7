"""The words by which a text answers, hedges, denies and takes back; text is cleaned before."""

from __future__ import annotations

import re

ANSWER = re.compile(
    r"(?:\b(?:answers?|ans|(?:the|correct|right) letter|solution|response|pick|guess|verdict"
    r"|selection|vote)\b(?!\s+(?:choices|options))|\b(?:correct|right|best|final|chosen|my|true"
    r"|remaining|closest|selected|(?:only|most)\s+(?:sensible|plausible|valid|possible|logical"
    r"|likely|reasonable|appropriate))\s+(?:answer\s+)?(?:options?|choices?|letters?|ones?"
    r"|alternative|statement|match|fit)\b|^\W*(?:correct|final|choice|option|result|selected"
    r"|pick|key|letter)(?=\s*:)|\brespuesta(?:\s+corr\w+|\s+est)?|\bantwort"
    r"|\bréponse(?:\s+correcte)?|\brisposta(?:\s+corr\w+|\s+est)?|\bresposta(?:\s+corr\w+"
    r"|\s+est)?|\bответ|答案|正解|答え|정답)(?:\s*,\s*(?:then|therefore|thus|hence|of course"
    r"|i think"
    r"|i believe)\s*,)?(?:\s+(?:to|for|of|in|here|choice|option|therefore|then"
    r"|letter)\b[^.:\n]{0,60}?)?[\s\"']*(?:\b(?:is|are|was|would be|will be|should be|must be"
    r"|has to be|can only be|ist|lautet|est|es|é)\b|'s\b|è|是|为|為|选|は|은|[:=→⇒]|[-–—=]+>"
    r"|(?<=\s)[-–—](?=\s)|(?=\s*\())\s*[:=]?\s*",
    re.I,
)
FILL = re.compile(
    r"(?:(?:therefore|thus|indeed|clearly|definitely|certainly|obviously|surely|probably"
    r"|most likely|likely|simply|actually|in fact|hence|then|that|best described (?:as|by)"
    r"|given by|as follows|(?:the\s+)?(?:letter|option|choice|answer|alternative|opción"
    r"|la opción|option)(?=\W))\b|[\s:\"',=>-])+",
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
    r"[\s)\].\"']{0,3}(?:(?:[:–—-]\s*|,?\s*which is\s+)?(?:is|was|are|seems?|looks?|can|could"
    r"|does|would|has been|can be|must be)?\s*(?:clearly|definitely|also|therefore|thus"
    r"|obviously|simply|just|all|only)?\s*(?:wrong|incorrect|false|n't\b|cannot\b|can't\b"
    r"|never\b|ruled out|eliminated|excluded|impossible|invalid|tempting|out\b"
    r"|a (?:\w+ )?(?:trap|distractor|lure|decoy|misconception)|implausible|unlikely|too\b|isn't"
    r"|wasn't|doesn't|fails?\b|half\b|partly|partially|almost|nearly|不对|错|[✗✘❌❎]|では(?:な|あ)|じゃな)"
    r"|(?:(?:is|was|are|can|could|does|would)\s+|[:–—-]\s*)(?:\w+ly\s+|also\s+)?not\b|^\s*not\b"
    r"|\s*[:–—→(-]\s*no\b)",
    re.I,
)
TAIL_ASSERTS = re.compile(
    r"(?:\W{0,3}(?:(?:is|was|are|must be|has to be|would be|'s)\s+|[:–—-]\s*)(?:(?:the|our|my"
    r"|clearly|definitely|indeed|therefore|thus|obviously|certainly|hence|most|final|only|one"
    r"|single|both|all|actually|in fact|really)\s+){0,4}(?:(?:correct|right|best|true|accurate"
    r"|appropriate|valid)(?:\s+(?:answer|option|choice|one|solution|statement|match|fit|response"
    r"|letter|here)\b)?|answer|solution|winner|choice|it\b|one that (?:is (?:correct|right)|fits"
    r"|matches)|(?:correct|right)(?:\s+(?!in\b|at\b|if\b|only\b|when\b|but\b|unless\b|under\b"
    r"|to\b|wrong\b|or\b|for\b|and\b|than\b)\w+){1,3}(?=\s*[.!,;]|\s*$))|\W{0,3}(?:(?:fits"
    r"|matches|works|satisfies)\b(?:\s+(?:best|the \w+|all \w+|here)\b)?"
    r"|makes? (?:the )?(?:most )?sense|gets my vote|(?:it is|holds|remains|stands|suffices)\b)"
    r"|\s+is(?=\W*$))(?=\s*$|\s*[.,;:!?)\]–—]|\s+-|\s+(?:answer|because|since|as|for|given|due"
    r"|and|but|while|whereas|here|to|of|✓|✔|✅)\b)|\s*[✓✔✅☑]|\s*[:–—→(-]\s*yes\b",
    re.I,
)
LEADS = re.compile(
    r"^\W*(?:(?:so|therefore|thus|hence|clearly|only|just|option|options|choice|choices|answer"
    r"|statement|and|but|then|that|here|indeed|obviously|both|the|only|of (?:these|those|them)"
    r"|in (?:this|that) case|in the end|now|finally|overall|i|we|it|is|my|would|will|say|think"
    r"|believe|conclude|know|see|find|shows?|means?|follows|confirms?|indicates?|implies"
    r"|suggests|evident|clear|certain|sure|am|can|could only|no doubt|there is|be|to|this|which"
    r"|all|yes)\b\W*)*$|\b(?:shows?|see|find|conclude|means?|follows|know|clear|evident"
    r"|confirms?|indicates?|implies)(?: that)?\W*$",
    re.I,
)
"""What may stand before an option in a clause that says that it is right."""
DENIED_BEFORE = re.compile(
    r"(?:\bnot|n't(?: be)?|\bcannot be|\beliminat\w+|\brul(?:e[sd]?|ing) out|\bexclud\w+"
    r"|\breject\w*|\bdiscard\w*|\bexcept(?: for)?|\bother than|\brather than|\binstead of"
    r"|\bneither|\bnor|\bdismiss\w*|\bwithout|\bunlike|\bversus|\b(?:all|everything|anything"
    r"|nothing|none|any) but|\bcross(?:ed|ing)? out|\bcross off|[✗✘❌❎]"
    r"|不[选是]?)\s*(?:the\s+)?(?:option|choice|answer|letter)?s?[\s(\[\"']*$",
    re.I,
)
CONCLUDES = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|leav(?:es|ing)(?: us| me)?(?: with)?|left with|remain(?:s"
    r"|ing)|(?<!\w )(?:choos\w+|chose|pick\w*|select\w*|go(?:ing)? (?:with|for)|opt\w* for)"
    r"|(?:\b(?:i|we|i'd|i'll|i'm|let's|let us|would|will|should|must|to|can|so|thus|therefore"
    r"|hence|and|am|are|us|now|finally|have)\s+(?:\w+ly\s+|would\s+|will\s+|now\s+)?)(?:choos\w+"
    r"|chose|pick\w*|select\w*|go(?:ing)? (?:with|for)|went with|settl\w+ (?:on|for)|opt\w* for)"
    r"|conclude\w*|it'?s|it is|that'?s|that is|this is|(?:must|should|would|has to|'d"
    r"|can only) be|(?:i'd|i would|i'll|i will|i) (?:say|guess|answer|mark|submit)|i(?:'m"
    r"| am) \w+ (?:with|on)|i (?:think|believe)|means|indicates|namely|points to|what(?:'s"
    r"| is) left is|corresponds to|made it|i mean|i meant|i (?:will |would )?answer|we get"
    r"|gives(?: us)?|correction|rather|(?:correct|right|best|proper)\s[\w\s]{1,40}\s(?:is|was)"
    r"|(?:correct|right|best|proper)\s\w+\s*(?=:)|(?:fits|matches|suits|applies)(?: \w+)? is"
    r"|chang\w+ (?:\w+ ){0,5}to|switch\w* (?:\w+ ){0,5}to|revis\w+ (?:\w+ ){0,5}to"
    r"|lock(?:ing)? in|final|conclusion|elijo|wähle|choisis|correct)\b|[→⇒✓✔✅☑选]"
    r"|[-=]>)[\s:,]*(?:(?:us|with|only|it'?s|it is|it must be|that|the|just|clearly|definitely"
    r"|definitively|indeed|therefore|actually|probably|likely|be|down|option|choice|answer"
    r"|letter|alternative)[\s:,]+)*[(\[\"']?\s*$",
    re.I,
)
CONDITION = re.compile(
    r"\b(?:according to|second[- ](?:best|choice)|(?:previous|other|last) (?:question|problem|one)"
    r"|(?:friend|student|user|teacher|colleague|classmate|neighbou?r|book|bob|alice|his|her"
    r"|their|your)(?:'s)? (?:answer|choice|guess|pick)|if(?! i (?:had|have|must)| forced| asked)"
    r"|please|ignore|for question \d|answer (?:to|for) (?:question |number |#)?\d|probability"
    r"|chance|unless|why|when the|as though)\b",
    re.I,
)
DOUBT = re.compile(
    r"(?<!no )(?<!without )(?<!without a )\b(?:doubt\w*|not sure|unsure|not certain|maybe"
    r"|perhaps|possibly|might|may|could|seems?|seemed|looks?|looked|appears?|appeared|tempt\w+"
    r"|almost|consider\w*|try|test|check\w*|examin\w+|thought|let'?s (?:try|test|check|look|see"
    r"|consider|assume|examine|say)|compare|versus|vs|either|between|similar to|resembles?)\b",
    re.I,
)
NEGATIVE = re.compile(
    r"\b(?:not|never|neither|nor|cannot|hardly|wrong|incorrect|false|unlikely|no (?:way|chance"
    r"|reason|longer)|nicht|almost|opposite)\b|n't\b",
    re.I,
)
BOUNDARY = re.compile(
    r"[;,:–—]|\s-\s|\b(?:but|because|since|although|though|whereas|while|however|yet|so"
    r"|therefore|hence|thus|which means|and(?= (?:so|the (?:answer|correct)|therefore|thus|it"
    r"|that|i|we)\b))\b",
    re.I,
)
JOIN = re.compile(
    r"\W{0,2}?\s*(,?\s*(?:and/or|and|or|und|oder|et|ou|y|o|e)\b(?:\s+(?:maybe|perhaps|possibly"
    r"|also))?|[,/&+、]|or)\s*(?:option|choice|answer)?\s*",
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
    r"(?:\b(?:is|are|was|were|be|will|must|does|do|did|called|named|equals|gives|becomes|'s)\b"
    r"|[=:→])\s*(?:\w+ly\s+|an?\s+|the\s+)?(?:(?:option|choice|letter)\s+)?[\"'(]?$",
    re.I,
)
COMMON = frozenset(("yes", "no", "true", "false", "none", "all", "both", "neither", "one", "zero"))
"""Options that are also words of any sentence: they count where they are the answer itself."""
TAKEN = re.compile(
    r"\s*(?:$|[.,;:!)\]\n(–—/&+、。\"'}]|-\s|(?:because|since|as|for|due|given|by|which|that|where"
    r"|and|but|or|i\.?e\b|namely|over|rather|instead|not|is|was|here|with|from|[^\x00-\x7f]))",
    re.I,
)
"""What may follow an option that is taken; anything else makes it unclear what is meant."""
PROVIDED = re.compile(
    r"\b(?:if|unless|otherwise|provided|assuming|or (?:none|neither|nothing|all))\b", re.I
)
SURE = re.compile(
    r"(?:(?:surely|undoubtedly|without (?:a )?doubt|no doubt|of course|in conclusion|finally"
    r"|overall|to sum up|definitely|clearly|certainly|obviously|probably|so|hence)\b[\s,:]*)?",
    re.I,
)
NAMED = re.compile(
    r"\b(?:team|plan|section|class|point|vitamin|figure|fig\.|group|part|case|step|type|grade"
    r"|room|line|set|table|appendix|chapter|the letter|block|gate|person|player|city|school)\s+$",
    re.I,
)
"""What makes a letter the name of something else."""
VOID = re.compile(
    r"\A[\s.,;:!?)}$\"']*(?:no\b(?! (?:other|doubt|need|one))|nope\b|not\b(?=\W*$)|(?:is|was"
    r"|would be)\s+(?:\w+ly\s+)?(?:wrong|incorrect|false|not\b)|isn't\b)|\b(?:that|this)(?:'s"
    r"| is| was) (?:\w+ )?(?:wrong|incorrect|false|a mistake|not (?:right|correct))"
    r"|(?<=[.!?] )it(?:'s| is) (?:wrong|incorrect|not (?:right|correct))",
    re.I,
)
"""What takes back the answer that it follows."""
BOUND = re.compile(
    r"\b(?:(?:less|more|fewer|greater|smaller|larger|bigger|higher|lower|other) than|at (?:most"
    r"|least)|over|under|above|below|about|around|close to|near(?:ly)?|up to|between|minus|plus"
    r"|times|before|after|beside|without)\b|[+*×<>]",
    re.I,
)
"""What makes another answer of the option's text that follows."""
BULLET = re.compile(r"^(?:[^\w\s(\[{+=−–—✗✘❌❎-]|\s|[-–—](?=\s))+")
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
BESIDE = re.compile(r"\balternatively\b|(?<=[.!?] )or\b(?! not\b)|(?<=[.!?] )another\b", re.I)
"""What holds a second answer open beside the first."""
COUNTED = re.compile(r"(?<![=<>≤≥+*/×·-] )(?<!is )(?<!\d)(?:[2-9]|\d\d)[.)]\s*$")
"""A number of a list, before what stands there."""
APART = re.compile(r";(?!\s*(?:or|maybe|perhaps)\b)|\s[–—]\s|\b(?:because|since)\b", re.I)
"""Where an answer ends and its reasons begin."""
