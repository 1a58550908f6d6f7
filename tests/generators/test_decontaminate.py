import itertools
import json
import os
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from generators.curation.config import Against, DecontaminateConfig
from generators.curation.decontaminate import HeldOut, listed
from generators.curation.text import Prompt
from generators.errors import SourceError

DATA = Path(os.environ.get("DISTILL_DATA", "../shared/data"))
STORY = (
    "Janet's ducks lay {} eggs per day. She eats {} for breakfast every morning and bakes muffins "
    "for her friends with the rest of them. How many eggs does she use for muffins in a week?"
)
FRAME = "State the final answer to the following arithmetic problem: "


def law(held, text, **config):
    prompts = HeldOut(
        [(f"h{n}", prompt) for n, prompt in enumerate(held)], DecontaminateConfig(**config)
    )
    match = prompts.match(text)
    return match and match[0]


def questions(path):
    lines = path.read_text(encoding="utf-8").strip().split("\n")
    return [json.loads(line)["question"] for line in lines]


@pytest.mark.parametrize(
    ("held", "text", "expected"),
    [
        ("Calculate: 3 + 4 - 2 =", "calculate 3+4-2 = ?", "same_prompt"),
        ("Calculate: 3 + 4 - 2 =", "What is 3 + 4 - 2?", "same_expression"),
        ("Calculate: 3 × 4 =", FRAME + "3 * 4", "same_expression"),
        ("What is the capital of France?", "What is the capital of  FRANCE", "same_prompt"),
        (STORY.format(16, 3), STORY.format(20, 5), "template"),
        (STORY.format(16, "three"), STORY.format(20, "two"), "template"),
        (STORY.format(16, 3), STORY.format(9, 2).replace("Janet", "Omar"), "overlap"),
        (STORY.format("2/3 of 60", 3), STORY.format("5/2 of 40", 3), "template"),
        (STORY.format(16, 3), "Read this. " + STORY.format(16, 3) + " Explain.", "overlap"),
    ],
)
def test_copies_are_found(held, text, expected):
    assert law([held], text) == expected


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ("Calculate: 3 + 4 - 2 =", "Calculate: 3 + 4 - 5 ="),
        ("Calculate: 3 + 4 - 2 =", "Calculate: 3 - 4 - 2 ="),
        (FRAME + "3 + 4 - 2 =", FRAME + "3 + 4 - 5 ="),
        (FRAME + "6 / 3 =", FRAME + "8 / 4 ="),
        (FRAME + "6 ÷ 3", FRAME + "8 ÷ 4"),
        (FRAME + "8-3", FRAME + "9-2"),
        (FRAME + "5 plus 3", FRAME + "5 plus 4"),
        (FRAME + "Solve for x: 2x = 8", FRAME + "Solve for x: 3x = 8"),
        ("Differentiate x^2 + 3*x", "Integrate x^2 + 3*x"),
        (
            "Sort these numbers in increasing order and give them as a list: 4, 8, 1, 9",
            "Sort these numbers in increasing order and give them as a list: 7, 2, 1, 6",
        ),
        ("What is the capital of France?", "What is the capital of Spain?"),
        (
            "Where can I find a shop in town that is open 24/7 and sells fresh bread at night too?",
            "Why would anyone want to keep a server up 24/7 when hardly a soul is using it at all?",
        ),
        ("What is the square of 60?", "What is the cube of 60?"),
        (STORY.format(16, 3), "Tom runs 16 miles a day and rests on 3 days. How far does he run?"),
        ("?!", "..."),
    ],
)
def test_what_only_resembles_stays(held, text):
    assert law([held], text) is None


@given(st.data())
def test_other_numbers_or_operators_never_make_an_arithmetic_copy(data):
    numbers = st.integers(0, 9)
    terms = data.draw(st.lists(st.tuples(st.sampled_from("+-*/"), numbers), min_size=1, max_size=7))
    others = data.draw(
        st.lists(st.tuples(st.sampled_from("+-*/"), numbers), min_size=1, max_size=7).filter(
            lambda drawn: drawn != terms
        )
    )
    frame = data.draw(st.sampled_from(["Calculate: {} =", "{}=?", FRAME + "{} ="]))
    blank = data.draw(st.sampled_from(["", " "]))
    one, other = (
        frame.format("1" + "".join(f"{blank}{sign}{blank}{n}" for sign, n in drawn))
        for drawn in (terms, others)
    )
    assert law([one], other) is None
    assert law([one], one) == "same_prompt"


def test_shared_wording_of_a_family_is_no_evidence():
    words = ["".join(letters) for letters in itertools.permutations("abcde", 4)][:40]
    training = [STORY.format(n, 3).replace("Janet", word) for n, word in enumerate(words)]
    held = [(word, STORY.format(n, 7).replace("Janet", word)) for n, word in enumerate("xy")]
    few, many = (HeldOut(held, DecontaminateConfig(), training[:n]) for n in (27, 28))
    assert few.match(training[0])[0] == "overlap"
    assert many.match(training[0]) is None
    assert many.match(held[1][1].upper())[0] == "same_prompt"


def test_overlap_null_compares_whole_prompts_only():
    assert law([STORY.format(16, 3)], STORY.format(17, 3), overlap=None) is None
    assert law([STORY.format(16, 3)], STORY.format(16, 3).lower(), overlap=None) == "same_prompt"


def test_a_prompt_of_fewer_words_matches_as_a_whole_only():
    held = "Name every prime below {} and say why each one is prime"
    assert law([held.format(30)], held.format(40)) == "template"
    assert law([held.format(30)], held.format(40), n=12) is None


@pytest.mark.skipif(not DATA.is_dir(), reason=f"GSM8K is not at {DATA}; set DISTILL_DATA")
def test_copies_among_real_word_problems():
    held, train = (questions(DATA / f"gsm8k_{part}.jsonl") for part in ("test", "train"))
    prompts = HeldOut(((str(n), text) for n, text in enumerate(held)), DecontaminateConfig())
    rng = random.Random(0)
    vocabulary = [word for text in train[:500] for word in text.split()]

    def found(change):
        return sum(prompts.match(change(text)) is not None for text in held) / len(held)

    def seventh(text):
        words = text.split()
        words[3::7] = rng.choices(vocabulary, k=len(words[3::7]))
        return " ".join(words)

    assert found(str.upper) == 1
    assert found(seventh) >= 0.95
    assert found(lambda text: re.sub(r"\d+", lambda m: str(int(m[0]) + 1), text)) >= 0.9
    assert sum(prompts.match(text) is not None for text in train) / len(train) <= 0.001


def test_word_problems_are_prose_and_sums_are_not():
    assert not Prompt(STORY.format(16, "2/3 of them")).symbolic
    assert Prompt("8-3+9=?").arithmetic
    assert Prompt("Solve x + 3 = 7").symbolic
    assert not Prompt("Solve x + 3 = 7").arithmetic


def test_lists_are_read_from_jsonl_and_parquet(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "How?"}) + "\n")
    pq.write_table(pa.table({"turns": [chat]}), tmp_path / "b.parquet")
    monkeypatch.setenv("LISTS", str(tmp_path))
    against = [
        Against(path="$LISTS/a.jsonl"), Against(path=f"{tmp_path}/b.parquet", column="turns"),
    ]  # fmt: skip
    assert list(listed(against)) == [("a.jsonl:1", "How?"), ("b.parquet:1", "Why?")]


@pytest.mark.parametrize(
    ("lines", "says"),
    [("", "has no rows"), ('{"other": 1}\n', "no text in column prompt or"), ("{\n", "not JSON")],
)
def test_an_unreadable_list_is_refused(tmp_path, lines, says):
    (tmp_path / "a.jsonl").write_text(lines)
    with pytest.raises(SourceError, match=says):
        list(listed([Against(path=str(tmp_path / "a.jsonl"))]))


def test_a_missing_list_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        list(listed([Against(path=str(tmp_path / "a.jsonl"))]))


def test_a_benchmark_by_name_is_refused():
    with pytest.raises(ValidationError, match="benchmark 'aime24' is not available by name"):
        DecontaminateConfig(against=["aime24"])
    assert DecontaminateConfig(against=["a.jsonl"]).against == [Against(path="a.jsonl")]
