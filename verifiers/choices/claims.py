"""What a text claims of the options of a question, claim by claim.

A claim names options: it takes one (or several, which is another answer than one), or takes one
away. Claims have ranks: a box or a tag or "the answer is" over a conclusion, that over a judgement
such as "B is correct", that over an option that stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from verifiers.choices.names import Names
from verifiers.choices.phrases import (
    ALSO,
    ANSWER,
    APART,
    BECAUSE,
    BOUND,
    BOUNDARY,
    BULLET,
    COMMON,
    CONCLUDES,
    CONDITION,
    CONTRAST,
    DENIED_BEFORE,
    DOUBT,
    FILL,
    JOIN,
    JOIN_BEFORE,
    LEADS,
    NEGATED,
    NEGATIVE,
    OPEN,
    PROVIDED,
    RATHER,
    SENTENCE,
    STATES,
    SURE,
    TAIL_ASSERTS,
    TAIL_DENIES,
    TAKEN,
    WORD,
)

EXPLICIT, CONCLUDED, JUDGED, ALONE, TOLD = 4, 3, 2, 1, 0
LONGEST = 1_000
"""Characters of a sentence that are looked at, from its end."""


class Claim(NamedTuple):
    """Options that are taken at a place; None where several are held open. Or one taken away."""

    rank: int
    labels: frozenset[str] | None
    start: int
    end: int
    how: str
    denied: bool = False


class Reader(Names):
    """Reads claims about options in text that was cleaned."""

    def claims(self, text: str) -> Iterator[Claim]:
        """The claims of all sentences, in order."""
        start = 0
        for cut in [*SENTENCE.finditer(text), None]:
            end = cut.start() if cut else len(text)
            first = max(start, end - LONGEST)
            if text[first:end].strip():
                yield from self._sentence(text[first:end], first)
            start = cut.end() if cut else end

    def _sentence(self, said: str, at: int) -> Iterator[Claim]:
        if said.rstrip(" \"')").endswith("?"):
            return
        found = [*self._answers(said, at), *self._mentions(said, at)]
        alone = self._alone(said, at)
        if alone and not any(claim.rank > ALONE for claim in found):
            found.append(alone)
        yield from sorted(found, key=lambda claim: claim.end)

    def _answers(self, said: str, at: int) -> Iterator[Claim]:
        """What follows "the answer is"."""
        for match in ANSWER.finditer(said):
            before = said[: match.start()]
            near = BOUNDARY.split(before)[-1]
            if CONDITION.search(CONTRAST.split(before)[-1] + match[0]):
                continue
            claim = self.read(said[match.end() :], EXPLICIT, at + match.end(), "phrase")
            if claim is None:
                continue
            if NEGATIVE.search(near) or DOUBT.search(near):
                claim = claim._replace(labels=None)
            yield claim

    def read(self, payload: str, rank: int, at: int, how: str, whole: bool = True) -> Claim | None:
        """The claim that `payload`, an answer and what follows it, makes; None where it is none."""
        fill = FILL.match(payload)
        start = fill.end() if fill else 0
        rest = payload[start:]
        if NEGATED.match(rest):
            if (turn := RATHER.search(rest)) and not rest.lower().startswith("anything"):
                return self.read(rest[turn.end() :], rank, at + start + turn.end(), how, whole)
            gone = self._first(rest[NEGATED.match(rest).end() :])  # type: ignore[union-attr]
            return Claim(rank, gone, at + start, at + len(payload), how, True) if gone else None
        if OPEN.match(rest):
            return Claim(rank, None, at, at + len(payload), how)
        head = self._head(rest)
        if head is None:
            return self._worded(rest, rank, at + start, how) if whole else None
        label, end = head
        named = len(rest) - len(self._own_text(label, rest[end:])[0])
        state = self._after(label, rest[end:])
        labels = None if state is None else frozenset(state)
        denied = labels is not None and bool(TAIL_DENIES.match(rest[end:]))
        return Claim(rank, labels, at + start, at + start + named, how, denied)

    def _first(self, rest: str) -> frozenset[str]:
        head = self._head(FILL.sub("", rest, count=1) if FILL.match(rest) else rest)
        return frozenset({head[0]}) if head else frozenset()

    def _after(self, label: str, rest: str) -> set[str] | None:
        """All options that are named with `label`; None where they are held open or disagree."""
        taken = {label}
        behind, same = self._own_text(label, rest)
        clear = behind != rest or TAKEN.match(rest) or TAIL_ASSERTS.match(rest)
        if not same or not clear or PROVIDED.search(rest):
            return None
        rest = behind
        while joined := JOIN.match(rest):
            head = self._head(rest[joined.end() :])
            if head is None or TAIL_DENIES.match(rest[joined.end() + head[1] :]):
                break
            if not re.search(r"and\b|und|et|&|\+|,|、|\by\b", joined[1]) or "or" in joined[1]:
                return None
            taken.add(head[0])
            rest = self._own_text(head[0], rest[joined.end() + head[1] :])[0]
        rest = APART.split(rest, maxsplit=1)[0]
        more = ALSO.search(rest)
        if more and len(taken) == 1:
            others = self._labels(rest[more.start() : more.start() + 80])
            others |= self._labels(rest[max(0, more.start() - 40) : more.start()])
            if others - taken:
                return None
        return taken

    def others(self, text: str, labels: frozenset[str] | None) -> set[str]:
        """Options beside `labels` that a text names and does not take away."""
        denied = {label for c in self.claims(text) if c.denied for label in c.labels or ()}
        return self._labels(text) - denied - (labels or set())

    def _mentions(self, said: str, at: int) -> Iterator[Claim]:
        """What is said of options where they are named in a sentence."""
        for match in self.mention.finditer(said):
            if not self._certain(match, said):
                continue
            label = self.options.canonical(match[3])
            start = match.start(2) if match[1] else match.start()
            claim = self._stated(label, said, start, match.end(), at, bool(match[1] or match[2]))
            if claim:
                yield claim
        for pattern, label in self.options.spelled.items():
            if len(self.options.telling[label]) < 3 or self.options.telling[label] in COMMON:
                continue
            for match in pattern.finditer(said):
                if self.options.telling[label].isdigit() and not TAKEN.match(said, match.end()):
                    continue
                claim = self._stated(label, said, match.start(), match.end(), at)
                if claim:
                    yield claim

    def _stated(
        self, label: str, said: str, start: int, end: int, at: int, marked: bool = True
    ) -> Claim | None:
        before, after = said[:start], said[end:]
        near = BOUNDARY.split(before)[-1]
        rest = self._own_text(label, after)[0].lstrip(")].\"'")
        one = frozenset({label})
        place = (at + start, at + end)
        if DENIED_BEFORE.search(before) or TAIL_DENIES.match(rest) or re.match(r"\s*[❌✗✘]", rest):
            return Claim(JUDGED, one, *place, "prose", True)
        if (
            CONDITION.search(CONTRAST.split(before)[-1])
            or DOUBT.search(near)
            or NEGATIVE.search(near)
        ):
            return None
        run = JOIN_BEFORE.search(before)
        joined = self._labels(before[max(0, run.start() - 60) : run.start()]) if run else None
        listed = run and (run[0].strip() != "," or re.match(r"\s*are\b", rest))
        if run and joined and listed:
            if TAIL_ASSERTS.match(rest):
                several = None if "or" in run[0].lower() else one | joined
                return Claim(JUDGED, several, *place, "prose")
            return None
        if CONCLUDES.search(before):
            state = self._after(label, after)
            return Claim(
                CONCLUDED, None if state is None else frozenset(state), *place, "conclusion"
            )
        judged = TAIL_ASSERTS.match(rest) and LEADS.search(near)
        if judged or (marked and STATES.search(before)):
            state = self._after(label, after)
            return Claim(JUDGED, None if state is None else frozenset(state), *place, "prose")
        return None

    def _alone(self, said: str, at: int) -> Claim | None:
        """An option that is all of a sentence, or all behind its last comma."""
        clauses = [(0, said)]
        if (comma := said.rfind(",")) > 0:
            clauses.append((comma + 1, said[comma + 1 :]))
        for start, clause in clauses:
            lead = len(clause) - len(BULLET.sub("", clause, count=1))
            sure = SURE.match(clause, lead)
            lead = sure.end() if sure else lead
            body = clause[lead:]
            if self._qualified(said):
                return None
            head = self._head(body)
            if head is None:
                continue
            rest, same = self._own_text(head[0], body[head[1] :])
            state = self._after(head[0], body[head[1] :])
            reason = re.match(r"\s*[,.:;–—]?\s*(?:because|since|as)\b", rest, re.I)
            if state is not None and len(state) > 1:
                if any(
                    word.casefold() not in self.listing
                    for word in WORD.findall(self._without(body))
                ):
                    return None
                return Claim(ALONE, frozenset(state), at + start + lead, at + len(said), "alone")
            graded = rest[:1] and rest[:1] in "-+"
            if graded or (self._labels(rest) - {head[0]} and reason is None):
                return None
            if same and (not rest.strip(" .!\"')]:-") or reason):
                labels = None if state is None else frozenset(state)
                return Claim(ALONE, labels, at + start + lead, at + len(said), "alone")
        return None

    def _worded(self, payload: str, rank: int, at: int, how: str) -> Claim | None:
        """An answer that is an option's text, or holds the name of just one."""
        spelled = self.options.spelling(payload)
        labels = {spelled} if spelled else set()
        if not labels:
            told = BECAUSE.split(payload, maxsplit=1)[0]
            if NEGATIVE.search(told) or BOUND.search(self._without(told)):
                return Claim(rank, None, at, at + len(payload), how)
            bracketed = {
                self.options.canonical(match[3])
                for match in self.mention.finditer(told)
                if match[2] and match[4]
            }
            labels = bracketed or self.options.named(told)
        if not labels:
            return None
        several = None if len(labels) > 1 else frozenset(labels)
        return Claim(rank, several, at, at + len(payload.rstrip()), how)

    def _qualified(self, said: str) -> bool:
        """Whether a sentence denies, doubts or supposes, beside what the options say themselves."""
        other = self._without(said)
        return any(pattern.search(other) for pattern in (NEGATIVE, DOUBT, CONDITION))

    def told(self, said: str, at: int) -> Claim | None:
        """The only option whose text a sentence holds, where it ends by saying that it is so."""
        if self._qualified(said.replace("between", "")) or "?" in said:
            return None
        if re.search(r"\bor\b", self._without(said)):
            return None
        ends = [
            label
            for pattern, label in self.options.spelled.items()
            for match in pattern.finditer(said)
            if STATES.search(said[: match.start()]) and not said[match.end() :].strip(" .!\"')")
        ]
        labels = self._labels(said)
        tagged = any(self._certain(match, said) for match in self.mention.finditer(said))
        if ends and self.options.telling[ends[0]].isdigit() and not tagged:
            labels = {ends[0]}
        if len(labels) != 1 or not (ends or (tagged and self.options.named(said))):
            return None
        return Claim(TOLD, frozenset(labels), at, at + len(said), "told")
