"""The recorded teacher, on small files and on real models' chains where they are at hand."""

import asyncio
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from generators.store import Store
from generators.stored import Stored
from generators.teachers.errors import TeacherError
from generators.teachers.recorded import RecordedSampler
from generators.teachers.warm import Warm
from verifiers.records import canonical_json
from verifiers.sampler import Request, Sampler

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("DISTILL_DATA", ROOT / "../shared/data"))
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def write(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ask(sampler, question, *indexes, system=None):
    front = [{"role": "system", "content": system}] if system else []
    chat = [*front, {"role": "user", "content": question}]
    requests = [Request(problem_id="p", messages=chat, index=n) for n in indexes]

    async def go():
        return [completion async for completion in sampler.sample(requests)]

    return asyncio.run(go())


@pytest.mark.parametrize("name", ["chains.jsonl", "chains.parquet"])
def test_rows_of_one_prompt_are_its_samples(tmp_path, name):
    rows = [{"prompt": "2+2?", "completion": "<think>hm</think>4"},
            {"prompt": "other", "completion": "x"},
            {"prompt": "2+2?", "completion": "5"}]  # fmt: skip
    sampler = RecordedSampler(write(tmp_path / name, rows))
    assert isinstance(sampler, Sampler)
    found = ask(sampler, "2+2?", 0, 1, 2, system="be brief")
    assert [(c.index, c.reasoning, c.text) for c in found] == [(0, "hm", "4"), (1, "", "5")]
    assert sampler.missing == 1
    assert ask(sampler, "never asked", 0) == []
    assert sampler.missing == 2
    assert found[0].teacher["column"] == "completion"
    assert found[0].usage.cost == 0.0
    request = Request(
        problem_id="p",
        messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": "2+2?"}],
    )
    assert found[0].request_key == request.key(sampler.identity)


@pytest.mark.parametrize("name", ["chains.jsonl", "chains.parquet"])
def test_columns_of_one_row_are_samples_with_stable_indexes(tmp_path, name):
    rows = [{"q": "a", "one": {"text": "1"}, "two": {"text": None}, "three.text": "3"},
            {"q": "a", "one": {"text": "4"}, "two": {"text": "5"}, "three.text": "6"}]  # fmt: skip
    columns = ["one.text", "two.text", "three.text"]
    sampler = RecordedSampler(write(tmp_path / name, rows), prompt="q", columns=columns)
    found = ask(sampler, "a", *range(7))
    assert {c.index: c.text for c in found} == {0: "1", 2: "3", 3: "4", 4: "5", 5: "6"}
    assert [c.teacher["column"] for c in found][:2] == ["one.text", "three.text"]
    assert sampler.missing == 2


@pytest.mark.parametrize("as_text", [False, True])
def test_chats_are_read_to_their_last_turn(tmp_path, as_text):
    user, answer = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
    whole, parts = [user, answer], {"prompt": [user], "completion": [answer]}
    for n, row in enumerate(({"messages": whole}, parts)):
        row = {name: canonical_json(chat) for name, chat in row.items()} if as_text else row
        path = write(tmp_path / f"{n}.jsonl", [row])
        assert [c.text for c in ask(RecordedSampler(path), "2+2?", 0)] == ["4"]


def test_a_recorded_truncation_stays_one(tmp_path):
    row = {"prompt": "q", "completion": "a", "reasoning": "because", "finish_reason": "length"}
    found = ask(RecordedSampler(write(tmp_path / "a.jsonl", [row])), "q", 0)[0]
    assert (found.finish_reason, found.reasoning) == ("length", "because")


def test_identity_follows_content_and_columns_but_not_the_path(tmp_path):
    rows = [{"prompt": "q", "completion": "a", "other": "b"}]
    first = RecordedSampler(write(tmp_path / "1.jsonl", rows)).identity
    assert first.startswith("recorded:")
    assert first == RecordedSampler(write(tmp_path / "2.jsonl", rows)).identity
    assert first != RecordedSampler(tmp_path / "1.jsonl", columns=["other"]).identity
    assert first != RecordedSampler(write(tmp_path / "3.jsonl", rows * 2)).identity


@pytest.mark.parametrize(
    ("options", "words"),
    [({"prompt": "question"}, "column 'question'; its columns are prompt, a.b, c"),
     ({"columns": ["a.x"]}, "column 'a.x'; its columns are prompt, a.b, c"),
     ({}, "column 'completion'")],
)  # fmt: skip
def test_an_absent_column_is_named_with_those_that_exist(tmp_path, options, words):
    path = write(tmp_path / "a.jsonl", [{"prompt": "q", "a": {"b": "x"}, "c": "y"}])
    with pytest.raises(TeacherError, match=words):
        RecordedSampler(path, **options)


def test_bad_files_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(TeacherError, match="there is no file"):
        RecordedSampler(tmp_path / "absent.jsonl")
    path = tmp_path / "a.jsonl"
    for content, words in (
        ('{"prompt": "q"}\n{', "line 2 is no JSON"), ("[1]\n", "line 1 is no JSON object"),
        ("", "the file is empty"),
    ):  # fmt: skip
        path.write_text(content)
        with pytest.raises(TeacherError, match=words):
            RecordedSampler(path)
    (tmp_path / "a.parquet").write_text("no")
    with pytest.raises(TeacherError, match="is no Parquet file"):
        RecordedSampler(tmp_path / "a.parquet")


LAYOUTS = {
    "openthoughts": [{
        "system": "Think first.",
        "conversations": [
            {"from": "user", "value": "2+2?"},
            {"from": "assistant", "value": "<|begin_of_thought|>\n\ntwo and two\n\n<|end_of_thought|>"
             "\n\n<|begin_of_solution|>\n\nIt is 4.\n\n<|end_of_solution|>"},
        ],
    }],
    "sharegpt": [{
        "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "2+2?"},
                          {"from": "gpt", "value": "<think>two and two</think>It is 4."}],
    }],
    "openr1": [{
        "problem": "2+2?", "solution": "4", "answer": "4", "uuid": "u",
        "generations": ["<think>two and two</think>It is 4.", "<think>two", "It is 5."],
        "is_reasoning_complete": [True, False, True], "finish_reasons": None,
        "correctness_math_verify": [True, None, False], "correctness_llama": None,
        "messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "x"}],
    }],
    "numinamath": [{
        "source": "s", "problem": "2+2?", "solution": "two and two: It is 4.",
        "messages": [{"role": "user", "content": "2+2?"},
                     {"role": "assistant", "content": "<think>two and two</think>It is 4."}],
    }],
    "numinamath15": [{"problem": "2+2?", "solution": "It is 4.", "answer": "4"}],
    "gsm8k": [{"question": "2+2?", "answer": "It is 4."}],
    "samples": [{"prompt": "2+2?", "completions": ["It is 4.", "It is 5."]}],
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_published_layouts_are_known(tmp_path, layout, suffix):
    sampler = RecordedSampler(write(tmp_path / f"a.{suffix}", LAYOUTS[layout]))
    first, *more = ask(sampler, "2+2?", 0, 1, 2)
    assert (first.text, first.finish_reason) == ("It is 4.", "stop")
    thoughtless = ("numinamath15", "gsm8k", "samples")
    assert first.reasoning == ("" if layout in thoughtless else "two and two")
    if layout == "openr1":
        assert [(c.reasoning, c.text, c.finish_reason) for c in more] == [
            ("two", "", "length"), ("", "It is 5.", "stop"),
        ]  # fmt: skip
        assert [c.teacher.get("claimed") for c in (first, *more)] == ["correct", None, "wrong"]
        assert more[1].teacher["column"] == "generations.2"
    else:
        assert [c.text for c in more] == (["It is 5."] if layout == "samples" else [])


def test_a_list_of_generations_has_holes_where_one_is_missing(tmp_path):
    rows = [{"problem": "q", "generations": ["a", None, "c"], "finish_reasons": ["stop", "x"]}]
    found = ask(RecordedSampler(write(tmp_path / "a.jsonl", rows)), "q", *range(4))
    assert [(c.index, c.text) for c in found] == [(0, "a"), (2, "c")]


def test_a_warm_start_asks_only_for_the_rest(tmp_path):
    rows = [{"prompt": f"q{n}", "completion": f"a{n}"} for n in (1, 3)]
    recorded = RecordedSampler(write(tmp_path / "a.jsonl", rows))
    other = [{"prompt": f"q{n}", "completions": [f"b{n}", f"c{n}"]} for n in range(4)]
    live = RecordedSampler(write(tmp_path / "b.jsonl", other))
    requests = [
        Request(problem_id=f"p{n}", messages=[{"role": "user", "content": f"q{n}"}], index=k)
        for n in range(4) for k in range(2)
    ]  # fmt: skip

    async def go(store):
        sampler = Warm(recorded, Stored(live, store))
        return [c async for c in sampler.sample(requests)], sampler.asked

    for wanted in (6, 0):
        with Store(tmp_path / "store.sqlite") as store:
            found, asked = asyncio.run(go(store))
            assert asked == wanted
            assert sorted(c.text for c in found) == ["a1", "a3", "b0", "b2", "c0", "c1", "c2", "c3"]
            names = {c.text[0]: c.teacher["identity"] for c in found}
            assert names == {"a": recorded.identity, "b": live.identity, "c": live.identity}
            assert all(store.find(c.id) == c for c in found)


def test_real_chains_of_four_models():
    path = DATA / "gsm8k_model_solutions.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    columns = [f"{model}.solution" for model in MODELS]
    sampler = RecordedSampler(path, prompt="question", columns=columns)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[:50]:
        found = ask(sampler, row["question"], 0, 1, 2, 3)
        assert [c.text for c in found] == [row[model]["solution"] for model in MODELS]
        assert [c.teacher["column"] for c in found] == columns
    assert sampler.missing == 0
