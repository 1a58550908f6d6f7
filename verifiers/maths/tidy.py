"""One spelling for everything that can be spelled in several ways."""

from __future__ import annotations

import re

from verifiers.maths.units import TABLE

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿˣʸᵏᵐᵗⁱ", "0123456789+-()nxykmti")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5",
    "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip
CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "‐": "-", "‑": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*",
        "∗": "*", "÷": "/", "⁄": "/", "∕": "/", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=",
        "≠": "!=", "≈": r"\approx ", "≡": r"\equiv ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
        "∅": r"\emptyset ", "∖": r"\setminus ", "ℝ": r"\R ", "ℤ": r"\Z ", "ℕ": r"\N ",
        "ℚ": r"\Q ", "ℂ": r"\C ", "±": r"\pm ", "∓": r"\mp ", "∞": r"\infty ", "√": r"\sqrt ",
        "∛": r"\sqrt[3]", "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
        "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ", "μ": r"\mu ", "φ": r"\phi ",
        "ω": r"\omega ", "σ": r"\sigma ", "∫": r"\int ", "∑": r"\sum ", "∏": r"\prod ",
        "→": r"\to ",
        "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ",
        "⟩": r"\rangle ", "º": "°", "˚": "°", "′": "'", "’": "'", "“": '"', "”": '"',
        "，": ",", "．": ".", "：": ":", "（": "(", "）": ")", "％": "%", "＝": "=", "＋": "+",
        "－": "-", "￥": "¥", "＄": "¤", "∣": "|", "Ω": "ohm ",
        "…": r"\ldots ", "∨": r"\lor ", "∧": r"\land ",
        "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u2003": " ", "\u2002": " ", "\u200a": " ",
        "\u200b": "", "\ufeff": "", "\u2060": "", "\u2061": "",
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **{sign: f" {value} " for sign, value in VULGAR.items()},
    }
)  # fmt: skip

WRAPPERS = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|it|sf|tt|cal|normal)|mbox|hbox|fbox"
    r"|operatorname\*?|bm|boldsymbol|emph|underline|ensuremath|boxed|textcolor\s*\{\w+\}"
    r"|colorbox\s*\{\w+\})\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
UPRIGHT = re.compile(r"\\(?:text|math)(?:rm|normal)?\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
UNIT_FRACTION = re.compile(
    r"\\[dt]?frac\s*\{\s*\\(?:text|mathrm)\{([^{}]*)\}\s*\}"
    r"\s*\{\s*\\(?:text|mathrm)\{([^{}]*)\}(\^\{?\d\}?)?\s*\}"
)
LETTER_UNITS = {
    "m": "meters", "g": "grams", "s": "seconds", "h": "hours", "L": "liters", "l": "liters",
    "N": "newtons", "J": "joules", "W": "watts", "V": "volts", "K": "kelvin", "A": "amperes",
}  # fmt: skip
UNIT_WORDS = re.compile(
    r"(?:[\s\\,.·*/^{}()\-\d]"
    rf"|(?<![A-Za-z])(?:{'|'.join(map(re.escape, TABLE))}|per)(?![A-Za-z]))+"
)
CONDITION = re.compile(r"(?<![A-Za-z\\])(?:if|when|for|where)(?![A-Za-z])", re.I)
OTHERWISE = re.compile(r"(?<![A-Za-z\\])(?:otherwise|else)(?![A-Za-z])", re.I)
CHOOSE = re.compile(r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}")
BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
BASE_WORD = re.compile(
    rf"_\s*(?:\{{\s*(?:base\s*)?({'|'.join(BASES)}|\d+)\s*\}}|({'|'.join(BASES)})\b)", re.I
)
IN_BASE = re.compile(rf"(?<=\w)\s*[,(]?\s*(?:in )?base[ -]({'|'.join(BASES)}|\d+)\)?\s*\.?$", re.I)
SYNONYMS = (
    (re.compile(r"\\\$"), "¤"),
    (re.compile(r"\\[()\[\]](?![0-9.]*(?:pt|em|ex)\])"), " "),
    (re.compile(r"\\(?:[dtcs]|nice)frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right|[bB]igg?[lrm]?|middle)(?![A-Za-z])\s*\.?"), ""),
    (
        re.compile(
            r"\\(?:color\s*\{\w+\}"
            r"|(?:[Ll]arge|LARGE|[Hh]uge|small|normalsize|displaystyle|textstyle|limits|nolimits|rm|bf|it|hline|centering|protect)"
            r"(?![A-Za-z]))"
        ),
        " ",
    ),
    (re.compile(r"\\!\s*"), ""),
    (re.compile(r"\\(?:math(?:bf|rm|it|sf)|bm|vec|hat)\s+([A-Za-z])(?![A-Za-z])"), r"\1"),
    (re.compile(r"\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?"), r"\\overline{\1\2\3}"),
    (re.compile(r"(?<=[\d}k])([\s\\,]*)\\Omega(?![A-Za-z])"), r"\1ohm "),
    (re.compile(r'\\"'), " "),
    (re.compile(r"\s*\{\s*\\?,\s*\}\s*"), ","),
    (re.compile(r"\\q?quad|\\(?:enspace|thinspace|space)(?![A-Za-z])|\\[,;: ]|~"), " "),
    (re.compile(r"\\[hv]space\*?\{[^{}]*\}"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\#"), "#"),
    (re.compile(r"\\_"), "_"),
    (re.compile(r"\\&"), " and "),
    (
        re.compile(
            r"\^\s*(?:\\circ(?![A-Za-z])|\{\s*\\circ\s*\})|\\degree(?![A-Za-z])|\^\s*\{?°\}?"
        ),
        "°",
    ),
    (re.compile(r"\\(?:cdot|times|ast)(?![A-Za-z])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (re.compile(r"\\(?:leq?|leqslant)(?![A-Za-z])"), "<="),
    (re.compile(r"\\(?:geq?|geqslant)(?![A-Za-z])"), ">="),
    (re.compile(r"\\(?:neq?|not\s*=)(?![A-Za-z])|\\not\s*="), "!="),
    (re.compile(r"\\lt(?![A-Za-z])"), "<"),
    (re.compile(r"\\gt(?![A-Za-z])"), ">"),
    (re.compile(r"\\(?:approx|simeq|doteq)(?![A-Za-z])"), r"\\approx "),
    (re.compile(r"\\(?:to|(?:long)?rightarrow)(?![A-Za-z])"), r"\\to "),
    (re.compile(r"\\(?:lvert|rvert|vert|mid)(?![A-Za-z])"), "|"),
    (re.compile(r"\\(?:lbrace)(?![A-Za-z])"), r"\\{"),
    (re.compile(r"\\(?:rbrace)(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\(?:lbrack)(?![A-Za-z])"), "["),
    (re.compile(r"\\(?:rbrack)(?![A-Za-z])"), "]"),
    (re.compile(r"\\(?:varnothing)(?![A-Za-z])"), r"\\emptyset "),
    (re.compile(r"\\mathbb\s*\{?\s*([RZNQC])\s*\}?"), r"\\\1 "),
    (re.compile(r"\\var(theta|phi|epsilon|rho)(?![A-Za-z])"), r"\\\1"),
    (re.compile(r"\\backslash(?![A-Za-z])"), r"\\setminus "),
    (re.compile(r"\\(?:l?dots|cdots)(?![A-Za-z])|\.\.\.+"), r"\\ldots "),
    (re.compile(r"\\euro?(?![A-Za-z])(?:\{\})?"), "€"),
    (re.compile(r"\\pounds?(?![A-Za-z])(?:\{\})?"), "£"),
)
ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{(?:aligned|align|equation|gather|split)\*?\}")
ALIGNED = re.compile(r"(?:⏎\s*)?&\s*=")
ESCAPED = re.compile(
    r"\\\\(?=(?:d?frac|sqrt|left|right|text|mathrm|pi|infty|boxed|cdot|times|leq?|geq?|pm|cup|in|circ"
    r"|theta|alpha|beta|ln|log|sin|cos|tan|begin|end)(?![a-z]))"
)
ROWS = re.compile(r"\\\\(?:\s*\[-?[\d.]+[a-z]*\])?")
TIMES = re.compile(r"(?<=[\d)])\s*[xX]\s*(?=[\d(¤$])")
WHOLE_OVER = re.compile(r"([^{}]*)\\over(?![A-Za-z])([^{}]*)")
OVER = re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}")
NOON = re.compile(r"(?<=\d)\s*([ap])\.?\s?m\b\.?", re.I)
TURNS = re.compile(r"(\d{1,9})\s*°\s*\*?\s*([klmn])(?![A-Za-z])")
OCLOCK = re.compile(r"(?<=\d)\s*o'?\s?clock\b")
EACH = re.compile(
    r"(?<=[\d}])(\s*(?:[A-Za-z]{2,}\s)?)\s*an?\s(?=\s*(?:second|minute|hour|day|week|month|year)\b)"
)
EARLY = re.compile(r"(?<=\d)\s*(?:o'clock )?in the morning\b")
LATE = re.compile(r"(?<=\d)\s*(?:o'clock )?(?:in the (?:afternoon|evening)|at night)\b")
REMARK = re.compile(
    r"(?<=[\d}\s])\s*\(\s*(?!unsure|not |maybe|guess|perhaps|probably|or )[A-Za-z][a-z ]{2,}\)\s*$"
)
SPACED_THOUSANDS = re.compile(
    r"(?<![\d.,/^_{] )(?<![\d.,/^_])\b\d{1,3}(?: \d{3})+(?![\d.]*[\d/])(?! ?/)"
)
SUPERSCRIPT = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿˣʸᵏᵐᵗⁱ]+")
SUBSCRIPT = re.compile(r"[₀₁₂₃₄₅₆₇₈₉]+")
BOLD = re.compile(r"\*\*(?!\s*-?\d)|(?<=\w)\*\*$|^\*\*|__|`")
DELIMITED = re.compile(r"\$\$?([^$]*)\$\$?")
UNPAIRED = re.compile(r"(?<=[^\s\d])\$(?!\s?[\d.-])|(?<=\d)\$(?=\s[A-Za-z])")


HALVES = re.compile(r"(\d)([½¼¾])")
TIMES_E = re.compile(r"(?<![A-Za-z\\])([A-DK])e(?=\s*\^)\s*\^")


def tidy(text: str) -> str:
    """`text` with LaTeX layout gone, Unicode signs as ASCII or LaTeX, and units as plain words."""
    text = TIMES_E.sub(r"\1*e^", text)
    text = text.replace("$$", "$")
    if text.count("$") % 2:
        text = UNPAIRED.sub(" ", text.rstrip("$ ") if "\\" in text else text)
    if not text.isascii():
        text = HALVES.sub(lambda m: m[1] + {"½": ".5", "¼": ".25", "¾": ".75"}[m[2]], text)
        text = SUPERSCRIPT.sub(lambda m: "^{" + m[0].translate(SUPERSCRIPTS) + "}", text)
        text = SUBSCRIPT.sub(lambda m: "_{" + m[0].translate(SUBSCRIPTS) + "}", text)
        text = text.translate(CHARACTERS)
    if "\\\\" in text:
        text = ROWS.sub(" ⏎ ", text if r"\begin" in text else ESCAPED.sub(r"\\", text))
    if "&" in text or r"\begin" in text:
        text = ALIGNED.sub(" = ", ENVIRONMENT.sub(" ", text))
    if "\\" in text or "~" in text or ".." in text or "°" in text or "{" in text:
        text = CHOOSE.sub(r"\\binom{\1}{\2}", OVER.sub(r"\\frac{\1}{\2}", text))
        text = _over(text)
        text = UPRIGHT.sub(_upright, UNIT_FRACTION.sub(r"\\text{\1/(\2\3)}", text))
        for pattern, replacement in SYNONYMS:
            text = pattern.sub(replacement, text)
        for _ in range(4):
            text, count = WRAPPERS.subn(r" \1 ", text)
            if not count:
                break
    if "$" in text:
        text = _dollars(text)
    text = TIMES.sub(" * ", text)
    if "°" in text:
        text = TURNS.sub(r"\1 \2°", text)
    if "m" in text:
        text = NOON.sub(r" \1m", text)
    if "clock" in text or "in the " in text or "at night" in text:
        text = OCLOCK.sub(":00", text)
        text = EARLY.sub(" am", LATE.sub(" pm", text))
    if " a" in text:
        text = EACH.sub(r"\1 per ", text)
    if text.rstrip().endswith(")"):
        text = REMARK.sub("", text)
    text = (
        text.replace("**", " ")
        if text.startswith("**") and text.rstrip(" .").endswith("**")
        else text
    )
    if "base" in text or "_" in text:
        text = IN_BASE.sub(_base, BASE_WORD.sub(_base, text))
    if r"\begin{cases}" in text:
        text = OTHERWISE.sub(r" & \\top ", CONDITION.sub(" & ", text))
    if " " in text:
        text = SPACED_THOUSANDS.sub(lambda m: m[0].replace(" ", ""), text)
    return strip(text)


def _upright(match: re.Match[str]) -> str:
    """Upright letters that are units by their full names, so that no variable is read in them."""
    inside = match[1]
    before = match.string[max(0, match.start() - 12) : match.start()].rstrip(" ~\\,;:!")
    measured = before[-1:] in set("0123456789})") or before.endswith("\\pi")
    if not measured or not UNIT_WORDS.fullmatch(inside):
        return match[0]
    return " " + re.sub(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", _unit_name, inside) + " "


def _unit_name(match: re.Match[str]) -> str:
    return LETTER_UNITS.get(match[0], match[0])


def _over(text: str) -> str:
    r"""A fraction written 1 \over 2 without braces around it."""
    match = WHOLE_OVER.fullmatch(text) if r"\over" in text else None
    return text if match is None else rf"\frac{{{match[1]}}}{{{match[2]}}}"


def _base(match: re.Match[str]) -> str:
    name = next(filter(None, match.groups())).lower()
    return f"_{{{BASES.get(name, name)}}}"


def _dollars(text: str) -> str:
    """Delimiters go, a sign before a number stays, as ¤."""
    if text.count("$") % 2 == 0 and not re.fullmatch(
        r"\s*\$[\d.,]+\s*(?:,|and|or)\s*\$[\d.,]+\s*", text
    ):
        text = DELIMITED.sub(r" \1 ", text)
    return text.replace("$", "¤")


def strip(text: str) -> str:
    """Without blanks and closing punctuation around."""
    text = text.strip().strip("`").lstrip("#→: ").strip()
    while text and text[-1] in ".;,:\\":
        text = text[:-1].rstrip()
    return text
