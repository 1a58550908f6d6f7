"""Make the mutated rows of NAME_pairs.jsonl anew from a seed; rows written by hand are kept.

    python tests/data/make_verifier_pairs.py

A row holds prompt and answer of a problem, a text, the status it must get, a category, and where
options are set the recipe's `verifiers` section. The expected status of a mutated row follows from
how it was made, never from the verifier. `consensus` rows hold `texts` and a status for each.
"""

import json
import random
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
Row = dict[str, Any]
WORDS = [
    "copper",
    "quartz",
    "basalt",
    "granite",
    "marble",
    "cobalt",
    "nickel",
    "sulphur",
    "neon",
    "argon",
    "helium",
    "radon",
    "zircon",
    "topaz",
]
SAYS = (
    "{L}", "({L})", "{L}.", "**{L}**", "{L}) {T}", "The answer is {L}.", "The answer is ({L}) {T}.",
    "Answer: {L}", r"\boxed{{{L}}}", r"So it is \boxed{{\text{{{L}}}}}.", "<answer>{L}</answer>",
    "#### {L}", "I would choose {L} because it fits.", "Therefore, option {L} is correct.",
    "The correct answer is **{L}. {T}**", "{T}", "The answer is {T}.", "<think>{M}?</think>{L}",
    "It is not {M}, it is {L}.", "The answer is {M}. Wait, no, the answer is {L}.",
    "{M} is wrong, so the answer is {L}.", "By elimination, {L} remains. Final answer: {L}",
)  # fmt: skip
HEDGES = (
    "{L} or {M}", "The answer is {L} or {M}.", "Either {L} or {M}.", r"\boxed{{{L}, {M}}}",
    "Both {L} and {M} are correct.", "It might be {L}.", "Is it {L}?", "The answer is not {L}.",
    "{L} is wrong.", "It can't be {L}.", "{L} is tempting, but no.", "I would rule out {L}.",
    "The answer is {L}. Actually, the answer is {M}.", "{M} is correct, {L} is not.",
    "(A) {A} (B) {B} (C) {C} (D) {D}", "Everything but {L}.", "The answer is {M}, not {L}.",
)  # fmt: skip


def row(answer: Any, text: str, expected: str, category: str, **more: Any) -> Row:
    return {
        "prompt": more.pop("prompt", "?"), "answer": answer, "text": text,
        "expected": expected, "category": category, **more,
    }  # fmt: skip


def choice(rng: random.Random) -> Iterator[Row]:
    """Every way of saying a letter, with the right one and another; and every way of not saying."""
    for frames, category in ((SAYS, "said"), (HEDGES, "hedged or denied")):
        for frame in frames * 22:
            texts = dict(zip("ABCD", rng.sample(WORDS, 4), strict=True))
            gold, other, third = rng.sample("ABCD", 3)
            answer = {"options": texts, "correct": gold}
            said = frame.format(L=gold, M=other, T=texts[gold], **texts)
            right = "correct" if category == "said" else "wrong"
            yield row(answer, said, right, category)
            if category == "said":
                wrong = frame.format(L=other, M=third, T=texts[other], **texts)
                yield row(answer, wrong, "wrong", category)


def exact(rng: random.Random) -> Iterator[Row]:
    """A text with other blanks, in another normal form, in another case, and with a slip."""
    for _ in range(16):
        words = rng.sample([*WORDS, "naïve", "Zoë", "crème"], 3)
        gold = " ".join(words).capitalize()
        blank = rng.choice(("  ", "\n", "\t ", "\u00a0"))
        place = rng.randrange(len(gold))
        slip = (
            gold[:place]
            + rng.choice(string.ascii_letters.replace(gold[place], ""))
            + gold[place + 1 :]
        )
        yield row(gold, f" {blank}{gold.replace(' ', blank)}\n", "correct", "blanks")
        yield row(gold, unicodedata.normalize("NFD", gold), "correct", "normal forms")
        yield row(gold, f"<think>{slip}</think>\n{gold}", "correct", "thought")
        yield row(gold, gold.upper(), "wrong", "case")
        yield row(gold, gold.upper(), "correct", "case", section={"exact": {"case": False}})
        yield row(gold, slip, "wrong", "slip")
        yield row(gold, f"{gold} {words[0]}", "wrong", "more words")
        yield row(gold, f"The answer is {gold}", "wrong", "more words")


def regex(rng: random.Random) -> Iterator[Row]:
    """Texts made to match a pattern, and the same with a character too many or of another kind."""
    anywhere = {"regex": {"match": "search"}}
    final = {"regex": {"of": "answer"}}
    for _ in range(22):
        digits = "".join(rng.choices(string.digits, k=4))
        letters = "".join(rng.choices(string.ascii_uppercase, k=3))
        pattern, text = rng.choice(
            (
                (r"[A-Z]{3}-\d{4}", f"{letters}-{digits}"),
                (r"(\d\d)/(\d\d)", f"{digits[:2]}/{digits[2:]}"),
            )
        )
        yield row(pattern, f" {text}\n", "correct", "matching")
        yield row(pattern, text + "x", "wrong", "one too many")
        yield row(pattern, text[1:], "wrong", "one too few")
        yield row(pattern, text.replace(digits[-1], "z"), "wrong", "other kind")
        yield row(pattern, f"So {text} it is", "wrong", "in a sentence")
        yield row(pattern, f"So {text} it is", "correct", "in a sentence", section=anywhere)
        yield row(pattern, rf"So \boxed{{{text}}}", "correct", "final answer", section=final)
        yield row(pattern, rf"{text}, no: \boxed{{none}}", "wrong", "final answer", section=final)


def shape(rng: random.Random) -> Iterator[Row]:
    """The tags of thought and answer, whole, and with one lost, doubled, moved or left empty."""
    for _ in range(16):
        thought, answer = " ".join(rng.sample(WORDS, 3)), str(rng.randrange(100))
        parts = ["<think>", thought, "</think>", "<answer>", answer, "</answer>"]
        blank = rng.choice(("", "\n", "  "))
        yield row(None, blank.join(parts), "correct", "whole")
        lost = rng.choice((0, 2, 3, 5))
        yield row(None, "".join(parts[:lost] + parts[lost + 1 :]), "wrong", "lost")
        yield row(None, "".join(parts[: lost + 1] + parts[lost:]), "wrong", "doubled")
        yield row(None, "".join(parts[3:] + parts[:3]), "wrong", "moved")
        yield row(
            None, "".join(parts).replace(rng.choice((thought, answer)), " ", 1), "wrong", "empty"
        )
        yield row(None, "Sure. " + "".join(parts), "wrong", "around")
        boxed = {"format": {"shape": "boxed"}}
        yield row(None, rf"{thought} \boxed{{{answer}}}.", "correct", "box", section=boxed)
        yield row(None, rf"\boxed{{{answer}}} {thought}", "wrong", "box", section=boxed)


def json_schema(rng: random.Random) -> Iterator[Row]:
    """An object that keeps to its schema, and the same with one thing broken."""
    for _ in range(20):
        keys = rng.sample(WORDS, 3)
        low = rng.randrange(50)
        kinds: Row = {
            keys[0]: {"type": "integer", "minimum": low},
            keys[1]: {"type": "string", "maxLength": 8},
            keys[2]: {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
        }
        schema = {
            "type": "object",
            "properties": kinds,
            "required": keys,
            "additionalProperties": False,
        }
        value: Row = {
            keys[0]: low + rng.randrange(9),
            keys[1]: rng.choice(WORDS),
            keys[2]: [True, False],
        }
        whole = json.dumps(value, indent=rng.choice((None, 2)))
        frames = ("{}", "```json\n{}\n```", "Here it is:\n{}\nBye.", "<answer>{}</answer>")
        shuffled = json.dumps(dict(rng.sample(list(value.items()), 3)))
        for text in (whole, shuffled):
            yield row(schema, rng.choice(frames).replace("{}", text), "correct", "kept")
        breaks: list[Row] = [
            {keys[0]: low - 1}, {keys[0]: str(low)}, {keys[0]: low + 0.5}, {keys[1]: "x" * 9},
            {keys[1]: None}, {keys[2]: []}, {keys[2]: [1]}, {"more": 1},
        ]  # fmt: skip
        for change in breaks:
            text = json.dumps(value | change)
            yield row(schema, rng.choice(frames).replace("{}", text), "wrong", "broken")
        lost = json.dumps({key: value[key] for key in keys[1:]})
        twice = whole.rstrip("}\n") + f', "{keys[0]}": {low}' + "}"
        for text in (lost, twice, whole[:-1], whole + "]", whole.replace('"', "'"), whole + whole):
            yield row(schema, text, "wrong", "no such JSON")


def sql(rng: random.Random) -> Iterator[Row]:
    """Conditions said in another way, with another bound, and results with a row or column off."""
    for _ in range(22):
        rows = [(n, rng.choice(WORDS), rng.randrange(100)) for n in range(1, 13)]
        values = ", ".join(f"({n}, '{word}', {amount})" for n, word, amount in rows)
        db = f"CREATE TABLE item (id INTEGER PRIMARY KEY, kind TEXT, amount INTEGER); INSERT INTO item VALUES {values};"
        bound = sorted(amount for _, _, amount in rows)[5]
        lower = max(amount for _, _, amount in rows if amount < bound)
        gold = {
            "db": db,
            "query": f"SELECT id, kind FROM item WHERE amount > {lower}",
            "ordered": False,
        }
        ordered = {"db": db, "query": "SELECT id FROM item ORDER BY id", "ordered": True}
        most = rng.choice(rows)[1]
        for text in (
            f"SELECT id, kind FROM item WHERE amount >= {bound}",
            f"```sql\nSELECT i.id AS x, i.kind FROM item i\nWHERE NOT i.amount <= {lower};\n```",
            f"WITH some AS (SELECT * FROM item WHERE amount >= {bound}) SELECT id, kind FROM some ORDER BY kind DESC",
        ):
            yield row(gold, text, "correct", "said otherwise")
        for text in (
            f"SELECT id, kind FROM item WHERE amount >= {lower}",
            f"SELECT kind, id FROM item WHERE amount > {lower}",
            f"SELECT id FROM item WHERE amount > {lower}",
            f"SELECT id, upper(kind) FROM item WHERE amount > {lower}",
            f"SELECT id, kind FROM item WHERE amount > {lower} LIMIT 2",
            f"SELECT id, kind FROM item WHERE amount > {lower}; DELETE FROM item",
        ):
            yield row(gold, text, "wrong", "other rows")
        yield row(ordered, "SELECT id FROM item ORDER BY id ASC", "correct", "order")
        yield row(ordered, "SELECT id FROM item ORDER BY id DESC", "wrong", "order")
        count = sum(word == most for _, word, _ in rows)
        tally = {"db": db, "query": f"SELECT count(*) FROM item WHERE kind = '{most}'"}
        yield row(tally, f"SELECT sum(kind = '{most}') FROM item", "correct", "said otherwise")
        yield row(tally, f"SELECT {count}", "wrong", "constant")


def consensus(rng: random.Random) -> Iterator[Row]:
    """Groups of numbers in several spellings; who wins is counted here."""
    frames = ("It is {}.", r"\boxed{{{}}}", "The answer is {}", "{}.0", "<answer>{}</answer>")
    for _ in range(130):
        numbers = [rng.choice((3, 3, 3, 7, 8)) for _ in range(rng.randrange(1, 8))]
        texts = [rng.choice(frames).format(number) for number in numbers]
        [(winner, votes)] = Counter(numbers).most_common(1)
        decided = votes >= 2 and votes * 2 > len(numbers)
        statuses = ["correct" if number == winner else "wrong" for number in numbers]
        if rng.random() < 0.3:
            texts.append("I do not know.")
            statuses.append("wrong")
        expected = statuses if decided else ["undecided"] * len(texts)
        made = row(None, "", "", "vote") | {"texts": texts, "expected": expected}
        yield {key: value for key, value in made.items() if key != "text"}


def composite(kind: str, rng: random.Random) -> Iterator[Row]:
    """Right or wrong, in shape or not, or not to be decided, under the rule of the composite."""
    hard = r"9^{9^{9^9}}"
    for _ in range(24):
        gold = rng.randrange(10, 99)
        threshold = rng.choice((0.5, 0.9, 1.0))
        rule: Row = {"of": ["math", "format"]}
        if kind == "weighted":
            rule = {"of": {"math": 0.9, "format": 0.1}, "threshold": threshold}
        for said, right in ((gold, True), (gold + 1, False), (hard, None)):
            for shaped in (True, False):
                text = (
                    f"<think>so</think><answer>{said}</answer>"
                    if shaped
                    else f"The answer is {said}"
                )
                expected = _rule(kind, right, shaped, threshold)
                yield row(str(gold), text, expected, kind, section={kind: rule})


def _rule(kind: str, right: bool | None, shaped: bool, threshold: float) -> str:
    if kind == "weighted":
        if right is None:
            return "undecided"
        return "correct" if 0.9 * right + 0.1 * shaped >= threshold - 1e-9 else "wrong"
    parts = (right, shaped)
    decisive = kind == "any"
    if decisive in parts:
        return "correct" if decisive else "wrong"
    return "undecided" if None in parts else "wrong" if decisive else "correct"


MAKERS = {
    "all": lambda rng: composite("all", rng),
    "any": lambda rng: composite("any", rng),
    "choice": choice,
    "consensus": consensus,
    "exact": exact,
    "format": shape,
    "json_schema": json_schema,
    "regex": regex,
    "sql": sql,
    "weighted": lambda rng: composite("weighted", rng),
}


def main() -> None:
    for name, make in MAKERS.items():
        path = FOLDER / f"{name}_pairs.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        hand = [line for line in lines if json.loads(line)["by"] == "hand"]
        made = [
            json.dumps(r | {"by": "mutation"}, ensure_ascii=False) for r in make(random.Random(5))
        ]
        path.write_text("".join(line + "\n" for line in dict.fromkeys([*hand, *made])))


if __name__ == "__main__":
    main()
