"""The words and signs that the grammar knows."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    "sin cos tan cot sec csc arcsin arccos arctan arccot asin acos atan sinh cosh tanh arcsinh"
    " arccosh arctanh asinh acosh atanh ln log lg exp sqrt cbrt abs floor ceil gcd lcm max min"
    " factorial sgn gamma cis"
)
RENAMED = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "lg": "log",
}  # fmt: skip
INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot"}
CONSTANTS = {"pi": "pi", "Pi": "pi", "e": "e", "i": "i"} | dict.fromkeys(
    ("infty", "inf", "infinity", "Infinity", "oo"), "inf"
)
GREEK = _words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi"
    " chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell"
)
BIG = _words("int iint iiint oint sum prod lim bigcup bigcap")
CLOSING = {"(": ")", "[": "]", r"\{": r"\}", r"\langle": r"\rangle", "{": "}"}
JOINS = {r"\cup": "union", "U": "union", r"\cap": "intersection", r"\setminus": "minus"}
SETS = {r"\R": "R", r"\Z": "Z", r"\N": "N", r"\Q": "Q", r"\C": "C", r"\emptyset": "empty"}
ATOMS = (
    _words("frac binom dbinom tbinom lfloor lceil vec hat bar det { langle beginmatrix begincases")
    | BIG
    | FUNCTIONS
    | GREEK
    | CONSTANTS.keys()
    | {name[1:] for name in SETS}
)
SIGNS = {"-": "neg", r"\pm": "pm", r"\mp": "mp"}
PERCENT = _words("% percent pct percentage")
SHORT_WORDS = _words(
    "and or not the for is are was per all yes no if so of to in on at by as an it he we has had"
    " be do did get got its his her she you may can one two six ten who how why am pm mod"
)
RELATIONS = {
    "=": "=", "==": "=", ":=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=",
    r"\approx": "~", r"\sim": "~", r"\in": "in", r"\equiv": "mod",
    r"\to": "to",
}  # fmt: skip
SEPARATORS = _words(r", ; and or \lor \land \vee \wedge ⏎ &")
CUES = _words("at with by attained so if hence thus therefore then since because when and or")
MODULO = _words(r"\pmod \mod \bmod mod")
BLOCKING = _words(
    "most least squared cubed factorial choose is are was were wrong right cannot"
    " probably likely th st nd rd than not plus minus times divided if"
    " unless maybe perhaps possibly have has had"
)
FIGURES = _words(r"\angle \triangle \overline \measuredangle \widehat")

EXPRESSIONS = _words("num sym const add mul div neg pow root fact pct based call big")
VALUES = EXPRESSIONS | {"quantity"}
SIGNED = EXPRESSIONS | {"pm", "mp"}
REGIONS = _words("interval tuple set all union minus intersection")
STRUCTURES = _words("tuple interval set all matrix")
COMPOUND = _words("tuple interval set list matrix quantity union all words raw")
WORDY = _words("words raw")

FILLERS = _words(
    "of in on at every each left more total altogether remaining old from for to by that with"
    " after before during long tall wide high away all together extra additional full whole"
    " different possible such the a an worth now"
)
GENERIC = _words("unit item thing object piece")
