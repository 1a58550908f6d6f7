"""What an answer says of its own, apart from openers and from words that are meant for its judge.

Empty openers ("Solution", "Thought process:", ":") and claims of being right make language models
credit answers that say nothing (arXiv 2507.08794); orders to the judge make them credit wrong ones.
"""

from __future__ import annotations

import re
import unicodedata

LEFT_OUT = "[words to the judge, left out]"
_OPENERS = """
    answer answers solution solutions solve solved solving thought thoughts thinking think process
    step steps reasoning reason explanation explain analysis analyze analyse response result results
    conclusion conclude problem question begin start proceed work working derivation proof approach
    summary output introduction overview breakdown walkthrough final
    respuesta solución solucion paso proceso problema pregunta réponse reponse étape etape problème
    lösung loesung antwort schritt denkprozess aufgabe risposta soluzione passo resposta solução
    ответ решение шаг
    풀이 답 정답 해설
"""
_EASTERN = """
    让我们 让我 来 看一看 看看 看 该 一步一步 一步步 逐步 步骤 步 地 首先 接下来 然后 最后
    思考 過程 过程 分析 理解 认为 相信 解决方案 解决 解答 解析 解説 解释 解 回答 答案 答え 答
    问题 問題 题目 题 如下 需要 必须 正确 正確 正しい 错误 最终 结论 总结 下面 以上 上面 请 一下
    好的 当然 かいせつ こたえ では まず 一緒に ステップ 考えましょう 考えてみましょう
"""
_EASTERN_FILLER = """
    我们 我 这个 这 就 是 为 的 了 吗 吧 呢 可以 个
    です ます これ それ は を の が に と
"""
_ORDERS = """
    administrator root inst assistant moderator teacher professor instructor
    ignore disregard forget override bypass instruction instructions rubric rubrics criteria prompt
    grader graders judge judges evaluator evaluators evaluation grading grade graded grades mark
    marks marked marking score scores scored scoring verdict verdicts rating rate award credit
    reviewer examiner system assistant developer admin override
"""
_FILLER = """
    a an the this that these those it its is are was were be been being am i we you he me us my
    our your let lets here heres there of to in on at by for with from as and or
    but so then than now first firstly second next last finally after before above below
    following follows follow previous prior earlier all any every each other one own same very
    just only simply please thank thanks dear hello hi hey okay ok sure certainly course great
    good fine well yes indeed absolutely can could will would shall should must may might need
    needs have has had do does did done give given gives giving get gets take takes make makes
    made go going come find finding found determine consider considered look see say says said
    saying write print return reply respond responded report state declare accept accepted treat
    treated label labelled choose select pass passed passes passing full points point maximum
    max perfect complete completely completed correct correctly correctness right true valid
    accurate accurately verified verify validated approved matches match matching reference
    expected equal equals exactly exact carefully careful systematically logically detail
    detailed together through out down up about into break understand required requested
    provided regardless always never not no without content contents text message user human ai
    model language expert line json format words word therefore thus hence because how what
    which why who when where if new high highest best um uma le la les une un el los der die das
    ist il lo par pas nous allons vamos wir lassen uns statement examine examining analyzing
    analysing understanding task topic information data details key concept concepts method
    methods strategy plan logical clear clearly structured thorough thoroughly comprehensive
    student students answered submission reviewed experts confirmed confirm confirming examined
    checked check checking boxed objective goal tackle solver attempt attempted works fully
    definitely obviously undoubtedly surely simple basic provide provides providing
    shown show shows demonstrated derived stated mentioned described presented explained written
    confident confidence certain believe trust assure guarantee guaranteed promise agree agreed
    asks asked ask follows directly carefully again
    ergebnis richtig korrekt lautet folgt voici voilà est sont correcte exacte
    risposta giusta corretta correcta es
    using use used part parts way lead leads arrive arrived reach reached obtain obtained
"""
OPENERS = frozenset(_OPENERS.split())
ORDERS = frozenset(_ORDERS.split())
PLAIN = frozenset(_FILLER.split()) - OPENERS - ORDERS
FILLER = OPENERS | ORDERS | PLAIN


def _pieces(words: str) -> re.Pattern[str]:
    return re.compile("|".join(sorted(words.split(), key=len, reverse=True)))


EASTERN = _pieces(_EASTERN + _EASTERN_FILLER)
"""Openers and filler of scripts that do not part words: what a token of them consists of."""
EASTERN_FILLER = _pieces(_EASTERN_FILLER)
SHORTENED = re.compile(r"['’](?:s|m|ve|re|ll|d)$")
TOKEN = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
FORGED = re.compile(
    r"\{[^{}]{0,400}?[\"']?(?:verdict|score|grade|mark|correct|is_correct|rating|judg[e]?ment|label"
    r"|result|passed)[\"']?\s{0,4}:[^{}]{0,400}\}"
    r"|<\|[a-z_]{1,20}\|>|\[/?INST\]|</?(?:answer|question|submission|verdict|system)\b[^<>]{0,80}>"
    r"|\[\[[^\[\]]{1,20}\]\]"
    r"|\b(?:verdict|grade|score|rating|judg[e]?ment|marks?)\W{1,4}(?:is |as )?[\"'*(]{0,3}"
    r"(?:correct|right|true|yes|pass(?:ed)?|[a-f]\b"
    r"|\d{1,3}(?:\.\d{1,4})?(?:\s?(?:/|out of)\s?\d{1,3}|%)?)",
    re.I,
)
AWARD = (
    r"(?:correct\b|full (?:marks|score|credit|points)|verdict|10 ?/ ?10|100 ?%|pass(?:ed|ing)?\b"
    r"|(?:maximum|perfect|highest|top) (?:score|marks?|grade|rating))"
)
ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|discard)\b.{0,80}?\b(?:instructions?|rubric|prompt"
    r"|criteria|rules|guidelines?|grading|reference|question|answer|said|above|previous|prior)\b"
    r"|\b(?:you|grader|judge|evaluator|reviewer|examiner|please)\b.{0,80}?\b(?:mark|grade|score|rate"
    r"|evaluate|accept|output|print|return|say|respond|reply|declare|label|credit|award|give|treat"
    rf"|answer|conclude)\b.{{0,80}}?{AWARD}"
    r"|^\W*(?:mark|grade|score|rate|accept|output|print|return|say|respond|reply|declare|label"
    rf"|award|give|treat)\b.{{0,80}}?{AWARD}"
    r"|\b(?:this|the|my) (?:answer|response|solution|submission)\b.{0,60}?\b(?:has been|was|must be"
    r"|should be|is to be|shall be|will be|is hereby)\b.{0,40}?\b(?:verified|marked|graded|accepted"
    r"|scored|judged|treated|confirmed|validated|approved|considered|rated|evaluated|deemed)\b",
    re.I,
)
NUMBERING = re.compile(
    r"(?mi)^\W*(?:step\s*)?\d{1,2}[.):]|\bstep\s+\d{1,2}\b"
    r"|\b(?:two|three|four|five|several|many) (?:experts|reviewers|graders|judges)\b"
)
SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|\n+")
PIECE = 1_000


def own(text: str, reference: str) -> str:
    """`text` with `LEFT_OUT` for each sentence that orders its judge and each forged verdict.

    What holds the reference answer is an answer and stays.
    """
    kept, end = [], 0
    wanted = _words(reference)

    def forged(match: re.Match[str]) -> str:
        return match[0] if _holds(match[0], wanted) else LEFT_OUT

    for match in [*SENTENCE.finditer(text), None]:
        sentence = text[end : match.start() if match else len(text)]
        ordered = _orders(sentence) and not _holds(sentence, wanted)
        kept.append(LEFT_OUT if ordered else FORGED.sub(forged, sentence))
        if match:
            kept.append(match[0])
            end = match.end()
    return "".join(kept)


def says_something(text: str, question: str, reference: str) -> bool:
    """Whether `text` (from `own`) holds any word that could answer `question`.

    One word of its own is enough, and so are all words of the reference. Without a reference, a
    text of common words only is refused where one of them is an opener or speaks to a judge.
    """
    text = text.replace(LEFT_OUT, " ")
    wanted = _words(reference)
    if _holds(text, wanted):
        return True
    echoed = " ".join(_words(question))
    said = " ".join(_words(NUMBERING.sub(" ", text)))
    words = f" {said} ".replace(f" {echoed} ", " ").split() if echoed else said.split()
    if not words:
        return False
    words = [SHORTENED.sub("", word) for word in words]
    if any(word not in FILLER and not _opens(word) for word in words):
        return True
    return not wanted and PLAIN.issuperset(words)


def _opens(word: str) -> bool:
    """Whether a token of a script that does not part words is an opener, with filler around it."""
    return not EASTERN.sub("", word) and EASTERN_FILLER.sub("", word) != ""


def _orders(sentence: str) -> bool:
    starts = range(0, len(sentence) or 1, PIECE // 2)
    return any(ORDER.search(sentence[start : start + PIECE]) for start in starts)


def _holds(text: str, wanted: list[str]) -> bool:
    return bool(wanted) and set(wanted) <= set(_words(text))


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).replace("’", "'").casefold()
    return TOKEN.findall(folded)
