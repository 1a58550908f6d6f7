"""The words by which a sentence states a result, explains, hedges, denies or takes it back."""

from __future__ import annotations

import re

ANNOTATION = re.compile(r"<<[^<>]*>>")
CONTINUED = re.compile(r"(?:\\\\)?[ \t]{0,9}\n[ \t]{0,9}&?[ \t]{0,9}=|[ \t]?&[ \t]{0,9}=")
ALIGNED = re.compile(
    r"\\(?:begin|end)\{(?:align|aligned|gather|equation|split|multline)\*?\}\n?"
    r"|\\\\(?=[ \t]{0,9}\n)"
)
BOLD_LABEL = re.compile(r"\*\*([^*\n:]{1,60}:)\*\* *(?=\S)")
WHERE = re.compile(r"(?<=[^.!?:\n])\n+(?=(?:where|with|for (?:all|any|every|some))\b)")
QED = re.compile(r"\$?\\(?:blacksquare|square|Box|qed)\$?|[∎□■]|\bQ\.?E\.?D\.?")
CHECK = re.compile(
    r"(?:^|(?<=[.!?]\s)|(?<=\n))\W{0,4}(?:(?:as|an?|to|let|me|us|let['’]s|we|you|one|can|may|also"
    r"|easily|quick(?:ly)?|sanity|now|i['’]ll|this|it|is|be|by|\w+ing) ){0,5}"
    r"(?:(?:double[- ]?)?(?:check|verif)(?:ing|y|ied|ication)?|confirm(?:s|ed|ing)?|consistent with"
    r"|gives? back|(?:these|those|both|they)(?: \w+)? satisfy|back,? both sides)\b"
    r"(?! (?:whether|if|that each)\b)"
    r"[^\n]*(?:(?<=:)\n+[^\n]+)?",
    re.I,
)
CHECKED = re.compile(
    r"[✓✔✅][\s.*)]*$|, as (?:needed|required|expected|desired|it should(?: be)?|given"
    r"|stated)[.!]*$|\bchecks out\b"
    r"|\b(?:solutions?|answers?|values?|results?|this|it|both|they) (?:is|are) (?:indeed )?"
    r"(?:valid|correct|right|acceptable|reasonable|consistent)\b[^.,;]*[.!]*$"
)
SENTENCE = re.compile(r"(?<=[.!?])[\"')\]*_]*\s+(?=[^a-z\s=+*/×·<>≈)]|[a-z] = )|(?<=[.!?])\s+$|\n+")
COUNTED = (
    r"(?:(?:minus |negative )?(?:zero|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty"
    r"|sixty"
    r"|seventy|eighty|ninety)|(?:minus|negative) one)"
)
"""Numbers in words; a plain "one" is mostly no number."""
CONSEQUENCE = re.compile(
    r"(?:^|(?<=[\s,;:]))(?:so|therefore|hence|thus|then|that means"
    r"|which (?:means|shows|implies|tells us|gives us)(?: that\b)?"
    r"|which (?:happens|occurs|holds|is true) (?:at|when|if|for)|that is(?=,)"
    rf"|which is(?= (?:[-−$€£]?\d[\d.,/]*|{COUNTED})(?: ?(?:%|[A-Za-z]+)){{0,3}}\s*(?:[.;=]|$))"
    r"|which (?=(?:makes|gives|leaves|brings|adds? up to|sums? to)\b"
    r"|(?:is|was|are|were|totals|equals|comes to|adds up to)"
    r" [^,;]{0,40}\b(?:altogether|in all|in total|combined|together|overall)\b))\b"
    r"(?! (?:many|much|far|long|that(?!['’]s| (?:will|would|is|leaves|means|makes|gives)))\b)",
    re.I,
)
LEADING = re.compile(
    r"^\W*(?:[a-z]+ing|since|because|as|if|when|given|for|after|with|from|in|at|of|out of|among"
    r"|by)\b(?![^,]*\b(?:it|we|this) (?:follow|get|find|see|have|obtain|conclude)s?\b)"
    r"[^,]*(?:,(?=\d)[^,]*)*,\s+(?=.*\d)",
    re.I,
)
REASON = re.compile(
    r",?\s*\b(?:who|whose|whom|(?:twice|half|\w+ times) as|because|since|so(?! that['’]s"
    r"| that (?:will|would|is|leaves|means|makes|gives))|which"
    r"|where|when|while|after|but|then|therefore|hence|thus"
    r"|whereas|although|though|as (?:we|it|the|there|shown|required|desired|stated|expected)"
    r"|given that|rather than|instead of|(?:just|exactly) (?:as|like)|unlike|compared|even though"
    r"|out of)\b.*",
    re.S | re.I,
)
COMPUTED = re.compile(r"\d[^=,;]{0,60}?[-+*/×÷·−–x][^=;]{0,60}=(?=\s*[-−$€£]*\.?\d[^=]*$)")
EQUATED = re.compile(r"[-−$]?\d[^=]*=")
LATE = re.compile(r",?\s*(?:after|when|where|while|who)\b", re.I)
CAUSE = re.compile(r",?\s*(?:because|since|as)\b", re.I)
IMPLIES = re.compile(
    r"[⇒⟹]|\\(?:implies|Rightarrow)\b|(?<=\w\w) → (?=[-−\d])"
    r"|(?:→|\\to\b)(?=\s*[-−]?[\w\\]+\W*$)"
    r"|(?<=are \d\d% )confident that(?=.*\d ?[<≤\\])"
)
NEGATION = re.compile(r",?\s*(?:\(|\band |\bbut )?\s*(?:\b(?:can)?not\b|n't\b).*", re.S | re.I)
RETRACTED = re.compile(
    r"^.*\b(?:(?:initially|at first|originally)\b.*?\bbut\b|(?:no[,.]? )?wait\b(?:[,.]? no\b)?"
    r"|(?:actually|i mean|or rather|hold on|correction|sorry)\b|no,)[\s,.:;—-]*",
    re.S | re.I,
)
RATHER = re.compile(r"(?:\bnot\b|n't\b)[^.]*?(?:\bbut\b(?: rather)?|[,;]\s*(?:it's|it is)\b)", re.I)
ASIDES = re.compile(r",?\s*\b(?:i\.e|e\.g)\b.*", re.S | re.I)
ASIDE = re.compile(
    r"^\W*(?:(?:as an? )?(?:\w+ )?check|note|indeed|compare|for (?:comparison|example|instance)"
    r"|remember|recall|(?:i )?hope|(?:some|any)one who"
    r"|(?:some|many|most)(?: \w+)? (?:say|think|would|answer|forget)"
    r"|in other words|let me know|here,|proof|given:|(?:had|were|without|one more)\b.*\bwould"
    r"|[^=]*\bwould (?:\w+ )*(?:be enough|suffice))\b",
    re.I,
)
THAT = re.compile(
    r"^\W*(?:this is|that is|that's)\b(?! (?:a total|(?:the|our) (?:total|answer|result))\b)",
    re.I,
)
NOTE = re.compile(
    r"^\W*(?:key (?:idea|insight|point|concept|fact|takeaway|step)|formula|concept|method|idea"
    r"|reasoning|tip|hint|rule|principle|explanation|approach|strategy|theorem|property)s?"
    r"(?: used)?[*_]*\s*:",
    re.I,
)
PENDING = re.compile(
    r"^\W*(?:now|next|then|it remains|to (?:get|find|compute|calculate|obtain|determine|solve)"
    r"|(?:so )?(?:we|i|you) (?:now |still )?(?:need|must|have) to|let(?:'s| us)|multiply|divide|add"
    r"|subtract)\b|.*, (?:halve|double|divide|multiply) (?:it|this|that|by)\b",
    re.I,
)
TASK = re.compile(
    r"\W*(?:we|you|i) (?:now |still )?(?:must|need to|have to|should) (?:now )?(?:divide|multiply"
    r"|add"
    r"|subtract|find|compute|calculate|solve)\b[^=]*$",
    re.I,
)
APPOSED = re.compile(
    r",\s*(?:\w+ )?an? (?:\w+ )?(?:total|sum|difference|increase|decrease|profit|loss|saving)s? of"
    r" (?=[^,]*\d)"
    r"|(?:^|,)\s*(?:leaving|giving|yielding|resulting in|making|bringing)\b[^,\d]{0,40}?(?<![\w])"
    r"(?=\$?\d|\$[a-z] ?=)"
    r"|[,:]\s*(?:or |so )?(?=\$?\d[\d,.]*(?: \w+){0,2} (?:in all|in total|altogether)\b)",
    re.I,
)
PREMISE = re.compile(
    r"^\W*(?:(?:we|you|i) (?:are|were|am|was) (?:told|given|asked)|it is given"
    r"|(?:the|this) (?:question|problem)|let(?!'s (?:see|check)| me)|suppose|assume|consider|say"
    r"|prove|show"
    r"|imagine|(?:since|because|given|when|if)\b(?!.*\bthen\b)[^,=]*,?$|(?:we|i|you) (?:need|want"
    r"|have|must"
    r"|should|are trying|are asked) (?:to )?"
    r"(?:find|compute|calculate|determine|solve|know|evaluate|figure))\b",
    re.I,
)
FRONT = re.compile(
    r"[^\w<>≤≥≠~=−+-]*(?:only|exactly|just|in total|altogether|overall|there|in the end|finally)?"
    r"[\s,:]*",
    re.I,
)
PARTITIVE = re.compile(
    r"(?<=\d)\s+(?:out )?of (?:the|his|her|their|its|these|those|all)?\s*\d[\d,]*\b"
)
TENDING = re.compile(r"\s+as\s+\$?[a-z]\$?\s*(?:→|\\to|goes|tends|approach)[^,;]*?(?=[.]?$)")
PURPOSE = re.compile(r"\b(?:needed|required|enough|sufficient) for\s*$")
GIVING = re.compile(r"[A-Za-z]{3,}.*\b(?:gives?|yields?|implies)\b|, giving\b", re.I)
LABELLED = re.compile(
    r"[*_]*(?!step|note|case|given|part)[A-Z][a-z]+(?: [a-z]+){0,5}:[*_]* +(\S.*)",
    re.I,
)
ROUGHLY = re.compile(r"about|approximately|roughly|≈", re.I)
BRACKETED_NOT = re.compile(r"(?<=\w) \([^()\d]*\bnot\b[^()\d]*\)")
TWICE = re.compile(r"([^,]+?),? or ([^,]+?)(?:,.*|\s+(?:to|for|in|of)\b.*)?", re.S)
ASIDE_IN_BRACKETS = re.compile(
    r"\s\((?!mod\b|[^()]*\b(?:or|maybe|perhaps)\b)"
    r"(?=[^()$\\]*[A-Za-z]{2}|[\d.,]+ [a-z]\))[^()$\\]*\)",
    re.I,
)
CUE = re.compile(
    r"\b(?:so|thus|therefore|hence|donc|por lo tanto|quindi|daher|somit"
    r"|also (?=[a-zäöüß]+t (?:der|die|das|er|sie|es)\b)"
    r"|in total|altogether|overall|finally|in conclusion|conclude"
    r"|this (?:means|gives))\b",
    re.I,
)
NAME = re.compile(r"(?<=\s)[A-Z][a-z]+\b")
COPULA = re.compile(
    r"\b(?:is|are|was|were|be|equals?|becomes?|(?:it|that|there|he|she|which|what)'s)\b", re.I
)
EQUATES = re.compile(rf"{COPULA.pattern}|=", re.I)
CONDITIONAL = re.compile(r"\s+(?:if|unless)\b", re.I)
STATES = re.compile(
    rf"{COPULA.pattern}|(?<!to )\b(?:gives?|gave|yields?|makes?|leaves?|totals?|get)\b", re.I
)
BREAK = re.compile(r"[;,](?!\d)")
VERB = re.compile(
    r"(?<!\\)\b(?:is|are|was|were|be|equals?|becomes?"
    r"|(?:it|that|there|he|she|which|what)'s|has|have|had"
    r"|ist|beträgt|ergibt|est|es|è|vale|vaut|sono|fait"
    r"|makes?|made|gets?|got|earns?|earned|costs?|pays?|paid|needs?|needed|takes?|took|spends?"
    r"|spent|saves?|saved|gives?|gave|sells?|sold|eats?|ate|uses?|used|leaves?|left|receives?"
    r"|received|weighs?|measures?|lands?|runs?|ran|reads?|total(?:s|ed)?|contains?|owns?|bought"
    r"|buys?"
    r"|drives?|drove"
    r"|walks?|walked|travels?|travell?ed|lasts?|requires?|remains?|finds?|obtain|get|conclude"
    r"|drinks?|drank|cooks?|bakes?|plants?|picks?|adds?(?! up)|brings?|brought|holds?|held"
    r"|carr(?:y|ies)|wash(?:es)?|builds?|built|paints?|writes?|wrote|wins?|won|loses?|lost|fills?"
    r"|reach(?:es|ed)?"
    r"|covers?|produces?|raises?|charges?|works?|sleeps?|slept|watch(?:es)?|jumps?|swims?|climbs?"
    r"|rides?|rode|delivers?|serves?"
    r"|keeps?|kept|averages?|catch(?:es)?|caught|types?|prints?|donates?|gains?|adds? up to"
    r"|comes? (?:out )?to|arrives?|arrived|departs?|begins?|began|ended|ends (?:at|up|with|in)"
    r"|yields?|results? in"
    r"|(?:amounts?|simplif(?:y|ies)|reduces?|evaluates?|rearranges?|expands?|factors?) (?:to|as"
    r"|into)|(?:will|would|can|must|should|shall"
    r"|did) (?!be\b)\w+"
    r"|started?|finish(?:ed|es)?|needs|grows?|grew|collect(?:s|ed)?|scor(?:es|ed)|read"
    r"|(?:goes|tends|converges) to|approach(?:es)?|turns? (?:\w+ )?into|repeats?|counts?)\b",
    re.I,
)
BOUND = re.compile(
    r"\b(?:at (?:least|most)|(?:more|less|\w+er) than"
    r"|over|under|above|below|up to|between|not|never|within|twice|double|triple"
    r"|(?:some|part|most|half) of"
    r"|like|such as|close to|near(?:ly)?"
    r"|almost|one of|among|n't|nicht|from|if|whether)\b",
    re.I,
)
HEDGE = re.compile(
    r"\b(?:or|between (?=[\d$])|either|maybe|perhaps|possibly|versus|vs"
    r"|might|could|unsure|not sure|if|unless)\b",
    re.I,
)
REACHED = re.compile(r"get|give|obtain|find|be|make|get to", re.I)
CHANGED = re.compile(
    r"\b(?:fell|dropped|rose|went|changed|increased|decreased|grew|climbed|sank)\b"
    r"[^.]{0,40}?\bto (?=[-−$]?\d)",
    re.I,
)
ABOUT_IT = re.compile(r"\banswer (?:has|have|contains?|begins?|starts?|ends?|consists?)\b", re.I)
CASES = re.compile(r"\b(?:when|if)\b.*\band\b.*\b(?:when|if)\b", re.I)
CLAUSES = re.compile(r",?\s+(?:and|while|but)\s+|;\s+", re.I)
LIMITED = re.compile(
    r"\s*(?:[-−+*/^<>=≤≥]|!(?= [a-z])|at (?:most|least)|or (?:more|less|fewer|so)|\.\."
    r"|(?:squared|cubed|factorial|choose|mod|minus|plus)\b)",
    re.I,
)
RANGE = re.compile(
    r"\S+(?: \w+)?\s+(?:to|until|through)\s+[-−$]?\d"
    r"|\S+\s+(?:minus|plus|times(?= \d)|divided|squared|cubed|factorial|choose|mod)\b",
    re.I,
)
FAULTED = re.compile(
    r"\s*(?:is|was|are|were) (?:wrong|incorrect|not|too|impossible|false|invalid|out)\b", re.I
)
START = re.compile(
    r"(?<![A-Za-z])(?<![A-Za-z]-)[-+−±]?\s?[$€£¥(\[{]*[-+−±]?\s?\.?\d|\$|\\[a-zA-Z({\[]|[(\[]"
    r"|(?<![A-Za-z'])[a-z](?=[²³⁴^]| ?[-+−*/] ?[\da-z(])|\b(?:log|ln|sin|cos|tan)[ (₂_]"
    r"|(?<![A-Za-z'])[a-z]\([^()]*[-+*/^][^()]*\)|(?<![A-Za-z'])[A-Za-z](?:_\w+"
    r"|\([a-z]\))?\s*[=<>≤≥≠≡]"
    rf"|(?i:\b(?:{COUNTED}|(?:negative |minus )?infinity)\b|\bone(?=\W*$))|[π√∞∅ℝ±−½¼¾]"
)
NUMBER = re.compile(
    r"(?:[$€£¥]\s*)?(?<![\w.])-?\s?(?:[$€£¥]\s*)?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)"
    r"(?:\s*/\s*\d+(?!\d|\.\d))?(?:\s?%|\s?percent\b)?"
)
ANNOUNCING = re.compile(
    r"(?:\b(?:(?:total|answer|result|value|sum|probability|chance|speed|area|volume"
    r"|length|distance|price|cost|age|radius|determinant|rank|degree)(?: of)?"
    r"|(?:come|came|add|up)s?(?: up)? to)|[:→⇒])[\s$]*$",
    re.I,
)
OPTION = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice)\s*\(?([A-J])\)?(?![A-Za-z])"
    r"|^\W*([A-J])\)? is (?:the )?(?:correct|right|best|answer)"
)
LATER = re.compile(
    r"\b(?:late|early|(?:more|less|fewer) than|of (?:them|which|these|those))\b", re.I
)
ENDING = re.compile(r"\b(?:at (?:most|least)|or (?:so|more|less|fewer))\b", re.I)
AFTERTHOUGHT = re.compile(r"[,;] ")
BOLD = re.compile(r"\*\*(.+?)\*\*")
MATHS = re.compile(r"\d|\\[a-zA-Z]|\$")
SPOKEN = re.compile(
    rf"\b{COUNTED}\b|\b(?:is|are|equals) (?:(?:minus|negative) )?one\b(?=\W*$)", re.I
)
VALUE = re.compile(
    rf"\d+\s+\d+/\d+|\d+[½¼¾⅓⅔]|\d+,\d{{1,2}}(?![\d,])|{NUMBER.pattern}"
    rf"|\b{COUNTED}(?:[- ](?:{COUNTED}|one))?\b",
    re.I,
)
CUT_OFF = re.compile(r"(?:[=+×·÷<>≤≥≈(,]|\\(?:cdot|times|frac|approx)|\b(?:is|are|the|and|of))$")
WORD = re.compile(r"\b(?:[a-z]{3,}|[b-hj-z])\b")
LAST = 6000
WORDS = 14
