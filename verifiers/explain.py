"""A verdict in words: what was read, from where, how it was compared, and why it came out so."""

from __future__ import annotations

from verifiers.records import Verdict

AROUND = 60
SHORT = 80
REASONS = {
    "": "the verifier says so, and gives no reason",
    "different": "it is not the ground truth",
    "no_answer": "no answer was found in it",
    "crash": "the submission crashed",
    "timeout": "the submission took too long",
    "memory": "the submission took too much memory",
    "output": "the submission wrote too much",
    "truncated": "it was cut off, so what it would have said is not known",
    "bad_gold": "the ground truth cannot be used",
    "infra": "the verifier failed; nothing is said of the submission",
    "bad_row": "the row cannot be judged",
}
OWN_TIMEOUT = "the verifier could not decide in time; nothing is said of the submission"


def short(text: str, most: int = SHORT) -> str:
    """`text` in one line of at most `most` characters."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1]}…"


def why(verdict: Verdict) -> str:
    """Why a verdict came out: its own words, or what its status and reason mean."""
    if verdict.why:
        return verdict.why
    undecided = verdict.status == "undecided"
    said = (
        OWN_TIMEOUT
        if undecided and verdict.reason == "timeout"
        else REASONS.get(verdict.reason, "")
    )
    said = said or f"the verifier says {verdict.reason}"
    return f"{said}: {verdict.detail}" if verdict.detail else said


def excerpt(text: str, span: tuple[int, int] | None, around: int = AROUND) -> str:
    """One line of `text` with the span between >>> and <<<; empty where there is no span."""
    if span is None or not 0 <= span[0] <= span[1] <= len(text):
        return ""
    start, end = span
    before, after = text[max(0, start - around) : start], text[end : end + around]
    left = "…" if start > around else ""
    right = "…" if end + around < len(text) else ""
    inner = text[start:end]
    if len(inner) > 4 * around:
        inner = f"{inner[: 2 * around]} … {inner[-2 * around :]}"
    return " ".join(f"{left}{before}>>>{inner}<<<{after}{right}".split())


def block(name: str, verdict: Verdict, text: str) -> str:
    """The lines that explain one verdict on `text`; control characters are escaped."""
    by = f"{verdict.verifier} {verdict.version}".strip()
    reason = f": {verdict.reason}" if verdict.reason else ""
    found = None if verdict.extracted is None else short(verdict.extracted)
    rows = (
        ("found", found),
        ("where", excerpt(text, verdict.span)),
        ("method", verdict.method),
        ("why", why(verdict)),
    )
    lines = [f"{name}  {verdict.status}{reason}  (score {verdict.score:g}, {by})"]
    lines += [f"    {label:8}{said}" for label, said in rows if said]
    return "\n".join(plain(line) for line in lines)


def plain(line: str) -> str:
    """`line` without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
