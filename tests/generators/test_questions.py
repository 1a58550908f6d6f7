"""Questions of files: an odd row is a BadRow with its reason; a prompt is never on both sides."""

import json
from datetime import date

import pytest
from pydantic import ValidationError

from generators.config import JsonlSource, Sampling
from generators.errors import SourceError
from generators.questions import BadRow, questions
from generators.questions.pile import Pile
from verifiers.records import Problem

GOOD = '{"prompt": "1+1=?", "answer": "2"}'


def ask(path, **options):
    return list(questions([JsonlSource(**{"from": "jsonl"}, path=str(path), **options)], seed=0))


def prompt(value):
    return json.dumps({"prompt": value, "answer": "2"})


USER = {"role": "user", "content": "1+1=?"}
ODD = [
    (prompt(["a", "b"]), "message 1 of the prompt is not an object"),
    (prompt([USER, {"role": "user", "content": None}]), "content of message 2"),
    (prompt([{"role": "user", "content": [{"type": "text", "text": "a"}]}]), "is not a text"),
    (prompt([{"role": "user", "content": 3}]), "content of message 1 of the prompt is not a text"),
    (prompt([{"role": "user"}]), "content of message 1 of the prompt is not a text"),
    (prompt([{**USER, "tool_calls": []}]), "tool_calls of message 1"),
    (prompt([]), "the prompt is an empty chat"),
    (prompt([{"role": "system", "content": "a"}]), "the prompt has no user turn"),
    (
        prompt([{"role": "robot", "content": "a"}]),
        "message 1 of the prompt has unknown role 'robot'",
    ),
    (prompt([USER, {"content": "a"}]), "message 2 of the prompt has no role"),
    (prompt({"text": "a"}), "prompt is neither a text nor a chat"),
    (prompt(True), "prompt is neither a text nor a chat"),
    (prompt(float("nan")), "prompt is neither a text nor a chat"),
    ('{"prompt": "a", "answer": NaN}', "answer holds NaN or Infinity"),
    ('{"prompt": "a", "answer": {"x": [-Infinity]}}', "answer holds NaN or Infinity"),
    ('{"prompt": "a", "answer": 1e999}', "answer holds NaN or Infinity"),
    (f'{{"prompt": "a", "answer": {"[" * 5000}{"]" * 5000}}}', "line 1 is nested too deeply"),
    (f'{{"prompt": "a", "answer": {"[" * 500}{"]" * 500}}}', "line 1 is nested too deeply"),
]


@pytest.mark.parametrize(("line", "reason"), ODD, ids=range(len(ODD)))
def test_an_odd_row_is_a_bad_row(tmp_path, line, reason):
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{line}\n{GOOD}\n")
    (bad,) = (item for item in ask(path) if isinstance(item, BadRow))
    (good,) = (item for item in ask(path) if isinstance(item, Problem))
    assert (bad.source, bad.row) == ("rows.jsonl", 1)
    assert reason in bad.reason
    assert good.prompt == "1+1=?"


@pytest.mark.parametrize("answer", [date(2020, 1, 1), b"bytes", float("inf")])
def test_a_value_that_json_cannot_hold_is_a_bad_row(tmp_path, answer):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": ["a"], "answer": [answer]}), path)
    bad = next(questions([JsonlSource(**{"from": "jsonl"}, path=str(path))], seed=0))
    assert isinstance(bad, BadRow)
    assert bad.reason.startswith(("answer is not JSON: ", "answer holds NaN"))


def test_numbers_chats_and_surrogates_are_fine(tmp_path):
    chat = [{"role": "system", "content": "s"}, USER]
    lines = [prompt(5), prompt(0.5), prompt(10**400), prompt(chat), prompt("\ud800")]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8-sig")
    found = [item.prompt for item in ask(tmp_path / "rows.jsonl")]
    assert found == ["5", "0.5", str(10**400), chat, "?"]


def test_a_bad_template_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text(GOOD)
    with pytest.raises(SourceError, match="template"):
        ask(tmp_path / "rows.jsonl", prompt="{prompt.__class__}")


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_of_the_recipe_are_finite(value):
    with pytest.raises(ValidationError, match="finite number"):
        Sampling(temperature=value)


def problem(text, answer, family="f"):
    return Problem(prompt=text, answer=answer, meta={"family": family})


def hold_out(problems, n, by, seed):
    """(asked, held out)"""
    with Pile() as pile:
        for one in problems:
            pile.add(one)
        pile.hold_out(n, by, seed)
        assert [*pile.to_ask()] == [*pile.asked()]
        return list(pile.asked()), list(pile.held())


@pytest.mark.parametrize("seed", range(5))
def test_unique_prompts_are_held_out_exactly(seed):
    problems = [problem(str(n), n) for n in range(50)]
    asked, held = hold_out(problems, 7, "id", seed)
    assert (len(asked), len(held)) == (43, 7)
    assert {p.id for p in hold_out(problems[::-1], 7, "id", seed)[1]} == {p.id for p in held}


@pytest.mark.parametrize("by", ["id", "family"])
@pytest.mark.parametrize("seed", range(5))
def test_problems_of_one_prompt_fall_on_one_side(by, seed):
    chat = [{"role": "user", "content": "c"}]
    problems = [problem(f"{n // 3}", n, f"family {n % 10}") for n in range(60)]
    problems += [problem(chat, "a"), problem(chat, "b")]
    asked, held = hold_out(problems, 10, by, seed)
    assert len(held) >= 10
    assert asked
    assert len(asked) + len(held) == len(problems)
    assert not {str(p.prompt) for p in asked} & {str(p.prompt) for p in held}


def test_something_must_be_left_to_ask():
    with pytest.raises(SourceError, match="prompts leaves nothing"):
        hold_out([problem("a", n) for n in range(5)], 1, "id", 0)
    with pytest.raises(SourceError, match="families leaves nothing"):
        hold_out([problem(str(n), n) for n in range(5)], 1, "family", 0)
    with pytest.raises(SourceError, match="cannot hold out 5 of 5"):
        hold_out([problem(str(n), n) for n in range(5)], 5, "id", 0)


def test_a_pile_finds_what_is_on_it_and_keeps_its_order():
    problems = [problem(str(n), n) for n in range(20)]
    with Pile() as pile:
        for one in problems:
            pile.add(one)
        pile.hold_out(5, "id", 1)
        held = {one.id for one in pile.held()}
        assert [one for one in problems if one.id not in held] == list(pile.asked())
        pile.add(problem("new", 1), written=True)
        assert [one.prompt for one in pile.to_ask()][-1] == "new"
        assert "new" not in [one.prompt for one in pile.asked()]
        assert [pile.knows(text) for text in ("new", "3", "99")] == [True, True, False]
        assert pile.find(problems[7].id) == (8, problems[7])
        with pytest.raises(KeyError):
            pile.find("0" * 24)


def test_problems_that_no_memory_holds_spill_to_the_disk_and_come_back(monkeypatch):
    monkeypatch.setattr("generators.shelf.CACHE", 16)
    with Pile() as pile:
        for n in range(2000):
            pile.add(problem(f"{n} " + "x" * 500, n))
        pile.hold_out(100, "id", 0)
        assert len(list(pile.held())) == 100
        assert [one.answer for one in pile.asked()] == sorted(one.answer for one in pile.asked())


def test_bad_rows_come_in_their_place(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\nno json\n" + GOOD.replace("1+1", "1+2") + "\n{}\n")
    found = [type(item).__name__ for item in ask(path)]
    assert found == ["Problem", "BadRow", "Problem", "BadRow"]
    assert len(ask(path, n=1)) == 1
