"""`format`: the text has the shape that was asked for, such as tags for thought and answer.

It says nothing about the answer, so it is of use as a part of `weighted`, or as a reward.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence

from verifiers.marks import BOX, closing
from verifiers.records import Problem, Verdict

TAGS = re.compile(r"<(/?)(think|answer)>")
STOP = re.compile(r"(?:\s*(?:<\|[a-z_]{1,20}\|>|</s>)){1,8}\s*\Z")
TAIL = 200
AFTER_BOX = re.compile(r"[\s.$*)\]\\!]{0,20}\Z")


class Format:
    """Correct where the text has every shape that is asked for; the ground truth is not looked at.

    shape: one of these, or a list of them, all of which must hold:
        `think_answer`: `<think>thought</think><answer>answer</answer>` and nothing around it;
        `think`: `<think>thought</think>` at the start, once, and something behind it;
        `answer`: `<answer>answer</answer>` at the end, once;
        `boxed`: a closed `\\boxed{answer}` at the end.
    opened: True where the prompt already ends with `<think>`, so that the text need not open it.
    """

    version = "1"
    trust = "pure"
    gold_type = "label"
    examples = (
        ({"prompt": "2 + 2?"}, "<think>Two twos.</think>\n<answer>4</answer>", "correct"),
        ({"prompt": "2 + 2?"}, "<think>Two twos.</think><answer></answer>", "wrong"),
        ({"prompt": "2 + 2?"}, "<think>Two twos.<answer>4</answer>", "wrong"),
        ({"prompt": "2 + 2?"}, "<answer>4</answer>", "wrong"),
    )

    def __init__(self, shape: str | Sequence[str] = "think_answer", opened: bool = False):
        self.shapes = [shape] if isinstance(shape, str) else list(shape)
        unknown = [name for name in self.shapes if name not in SHAPES]
        if unknown or not self.shapes:
            raise ValueError(f"shape must be of {', '.join(SHAPES)}, not {unknown or shape!r}")
        self.name = " and ".join(self.shapes)
        self.opened = opened

    def verify(self, problem: Problem, text: str) -> Verdict:
        """Look for every shape."""
        body = text[:-TAIL] + STOP.sub("", text[-TAIL:])
        if self.opened and not body.lstrip().startswith("<think>"):
            body = "<think>" + body
        tags = [(m[0], m.start(), m.end()) for m in TAGS.finditer(body)]
        lacking = [fault for name in self.shapes if (fault := SHAPES[name](body, tags))]
        empty = not text.strip()
        return Verdict(
            status="wrong" if lacking else "correct",
            reason=("no_answer" if empty else "different") if lacking else "",
            method=self.name,
            why=f"{lacking[0] if lacking else 'it has the shape ' + self.name}",
        )  # fmt: skip


Tags = list[tuple[str, int, int]]


def _order(body: str, tags: Tags, wanted: Sequence[str]) -> str | None:
    """Why the tags are not exactly `wanted`, each once and each pair with something in it."""
    if [tag for tag, _, _ in tags] != list(wanted):
        return f"the tags are not {' '.join(wanted)}, each once and in this order"
    for opening, close in zip(tags[::2], tags[1::2], strict=True):
        if not body[opening[2] : close[1]].strip():
            return f"there is nothing in {opening[0]}"
    return None


def _think_answer(body: str, tags: Tags) -> str | None:
    fault = _order(body, tags, ("<think>", "</think>", "<answer>", "</answer>"))
    if fault:
        return fault
    around = body[: tags[0][1]] + body[tags[1][2] : tags[2][1]] + body[tags[3][2] :]
    return "there is text outside of the tags" if around.strip() else None


def _think(body: str, tags: Tags) -> str | None:
    mine = [tag for tag in tags if "think" in tag[0]]
    fault = _order(body, mine, ("<think>", "</think>"))
    if fault:
        return fault
    if body[: mine[0][1]].strip():
        return "there is text before <think>"
    return None if body[mine[1][2] :].strip() else "there is nothing behind </think>"


def _answer(body: str, tags: Tags) -> str | None:
    mine = [tag for tag in tags if "answer" in tag[0]]
    fault = _order(body, mine, ("<answer>", "</answer>"))
    if fault:
        return fault
    return "there is text behind </answer>" if body[mine[1][2] :].strip() else None


def _boxed(body: str, tags: Tags) -> str | None:
    boxes = deque(BOX.finditer(body), maxlen=1)
    start = boxes[0].end() if boxes else len(body)
    if body[start : start + 1] != "{":
        return "there is no box"
    end = closing(body, start)
    if end is None:
        return "the last box is not closed"
    if not body[start + 1 : end].strip():
        return "the last box is empty"
    rest = body[end + 1 :].rstrip().removesuffix("</answer>")
    ends = len(rest) < TAIL and AFTER_BOX.match(rest)
    return None if ends else "there is text behind the last box"


SHAPES: dict[str, Callable[[str, Tags], str | None]] = {
    "think_answer": _think_answer,
    "think": _think,
    "answer": _answer,
    "boxed": _boxed,
}
