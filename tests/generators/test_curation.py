import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.curation import CurateConfig, curate
from generators.curation.config import DecontaminateConfig, DedupConfig
from verifiers import Completion, Group, Problem, Verdict
from verifiers.records import content_id

RIGHT, WRONG, CUT = ("correct", ""), ("wrong", "different"), ("undecided", "truncated")


def group(prompt, *samples, answer="4", **problem):
    problem = Problem(prompt=prompt, answer=answer, **problem)
    return Group(
        problem=problem,
        samples=[
            (
                Completion(problem_id=problem.id, text=text, request_key=f"{text}/{n}"),
                Verdict(status=status, reason=reason),
            )
            for n, (text, (status, reason)) in enumerate(samples)
        ],
    )


def sums(*pairs):
    return [group(f"{a} + {b} =", (f"it is {a + b}", RIGHT), answer=str(a + b)) for a, b in pairs]


def run(groups, heldout=(), seed=0, system=None, **config):
    return curate(groups, heldout, CurateConfig(**config), seed, system)


def reasons(curated):
    return [(row["filter"], row["reason"], row["completion_id"] is None) for row in curated.rejects]


def test_rows_of_every_set():
    one = group("2 + 2 =", ("so 4", RIGHT), ("so 5", WRONG), ("so", CUT))
    good, bad = one.samples[0][0], one.samples[1][0]
    pid = one.problem.id
    assert run([one], sets=["cpt", "sft", "dpo", "rl"]).sets == {
        "cpt": [
            {
                "text": "2 + 2 =\nso 4", "sample_id": content_id(["cpt", good.id]),
                "problem_id": pid, "completion_id": good.id,
            }
        ],
        "sft": [
            {
                "prompt": "2 + 2 =", "completion": "so 4", "cut": False,
                "sample_id": content_id(["sft", good.id]),
                "problem_id": pid, "completion_id": good.id,
            }
        ],
        "dpo": [
            {
                "prompt": "2 + 2 =", "chosen": "so 4", "rejected": "so 5",
                    "chosen_cut": False, "rejected_cut": False,
                "sample_id": content_id(["dpo", good.id, bad.id]),
                "problem_id": pid, "chosen_id": good.id, "rejected_id": bad.id,
            }
        ],
        "rl": [
            {
                "prompt": "2 + 2 =", "answer": "4", "verifier": "math", "difficulty": 0.5,
                "sample_id": content_id(["rl", pid]), "problem_id": pid,
            }
        ],
    }  # fmt: skip


def test_a_system_prompt_or_a_chat_makes_rows_of_messages():
    plain = group("2 + 2 =", ("4", RIGHT), ("5", WRONG))
    chat = group([{"role": "user", "content": "3 + 1 ="}], ("four", RIGHT))
    answer = {"role": "assistant", "content": "4"}
    asked = [{"role": "system", "content": "Sum."}, {"role": "user", "content": "2 + 2 ="}]
    sets = run([plain], system="Sum.", sets=["sft", "dpo", "rl"]).sets
    assert sets["sft"][0]["messages"] == [*asked, answer]
    assert sets["dpo"][0]["prompt"] == sets["rl"][0]["prompt"] == asked
    assert sets["dpo"][0]["chosen"] == [answer]
    both = run([plain, chat]).sets["sft"]
    assert [row["messages"][0] for row in both] == [
        {"role": "user", "content": "2 + 2 ="}, {"role": "user", "content": "3 + 1 ="},
    ]  # fmt: skip


def test_reasoning_stands_in_think_tags():
    one = group("2 + 2 =", ("4", RIGHT))
    one.samples[0][0].reasoning = "two and two"
    row = run([one]).sets["sft"][0]
    assert row["completion"] == "<think>\ntwo and two\n</think>\n4"


def test_only_confirmed_chains_stay_and_each_drop_has_its_reason():
    one = group("2 + 2 =", ("4", RIGHT), ("5", WRONG), ("so", CUT))
    lost = group("2 + 3 =", ("6", WRONG), answer="5")
    curated = run([one, lost])
    assert [row["completion"] for row in curated.sets["sft"]] == ["4"]
    assert reasons(curated) == [
        ("verify", "wrong:different", False),
        ("verify", "truncated", False),
        ("verify", "wrong:different", False),
        ("verify", "no_chain_left", True),
    ]
    assert curated.rejects[0] == {
        "problem_id": one.problem.id, "completion_id": one.samples[1][0].id, "filter": "verify",
        "reason": "wrong:different", "detail": "", "prompt": "2 + 2 =", "text": "5",
    }  # fmt: skip
    assert curated.funnel[:2] == [("chains", 4), ("verify", 1)]
    assert curated.problems[:2] == [("problems", 2), ("verify", 1)]


def test_the_unfiltered_arm_keeps_wrong_and_undecided_chains_in_sft_only():
    one = group("2 + 2 =", ("4", RIGHT), ("5", WRONG), ("so", CUT), ("", CUT))
    curated = run([one], verify=False, sets=["sft", "cpt", "dpo"])
    assert [row["completion"] for row in curated.sets["sft"]] == ["4", "5", "so"]
    assert [row["text"] for row in curated.sets["cpt"]] == ["2 + 2 =\n4"]
    assert [(row["chosen"], row["rejected"]) for row in curated.sets["dpo"]] == [("4", "5")]
    assert reasons(curated) == [("verify", "empty", False)]


def test_pairs_use_no_chain_twice_and_nothing_undecided():
    one = group(
        "2 + 2 =", ("4", RIGHT), ("four", RIGHT), ("iv", RIGHT), ("5", WRONG), ("5", WRONG),
        ("6", WRONG), ("7", CUT),
    )  # fmt: skip
    rows = run([one], sets=["dpo"]).sets["dpo"]
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("4", "5"), ("four", "6")]


def test_rl_keeps_unsolved_problems_but_none_that_cannot_be_judged():
    unsolved = group("2 + 2 =", ("5", WRONG))
    unasked = group("2 + 7 =", difficulty=0.25)
    bad = group("2 + 3 =", ("5", ("undecided", "bad_gold")))
    rows = run([unsolved, unasked, bad], sets=["rl"])
    assert [row["difficulty"] for row in rows.sets["rl"]] == [0.0, 0.25]
    assert reasons(rows)[-1] == ("verify", "bad_gold", True)
    arm = run([bad], sets=["sft", "rl"], verify=False)
    assert (len(arm.sets["sft"]), arm.sets["rl"]) == (1, [])
    assert reasons(arm) == [("verify", "bad_gold", True)]


def test_groups_of_one_problem_are_joined():
    first, second = group("2 + 2 =", ("4", RIGHT)), group("2 + 2 =", ("four", RIGHT))
    curated = run([first, second, first])
    assert [row["completion"] for row in curated.sets["sft"]] == ["4", "four"]
    assert curated.rejects == []


def test_repeated_prompts_and_chains_are_dropped():
    one = group("2 + 2 =", ("it is 4", RIGHT), ("it is 4", RIGHT), ("It  is 4.", RIGHT))
    same = group("2 + 2 =", ("4", RIGHT), verifier="exact")
    near = group("2+2 = ?", ("4", RIGHT))
    curated = run([one, same, near])
    assert [row["completion"] for row in curated.sets["sft"]] == ["it is 4"]
    assert reasons(curated) == [
        ("dedup", "same_prompt", False),
        ("dedup", "same_prompt", True),
        ("dedup", "near_prompt", False),
        ("dedup", "near_prompt", True),
        ("dedup", "same_chain", False),
        ("dedup", "near_chain", False),
    ]
    assert len(run([one, same, near], dedup=False).sets["sft"]) == 5
    exact = run([one, same, near], dedup={"threshold": None})
    assert [row["completion"] for row in exact.sets["sft"]] == ["it is 4", "It  is 4.", "4"]


def test_a_problem_with_chains_stays_before_its_copy_without():
    barren, fruitful = group("2 + 2 =", ("5", WRONG)), group("2+2=", ("4", RIGHT))
    curated = run([barren, fruitful], sets=["sft", "rl"])
    assert len(curated.sets["sft"]) == len(curated.sets["rl"]) == 1
    assert curated.sets["rl"][0]["problem_id"] == fruitful.problem.id


def test_near_prompts_with_another_truth_are_other_questions():
    text = "Is the word {} a palindrome? Answer with yes or no and write nothing else, please."
    groups = [
        group(text.format(word), (f"{word}: {answer}", RIGHT), answer=answer)
        for word, answer in (("level", "yes"), ("table", "no"), ("radar", "yes"))
    ]
    assert [row["completion"] for row in run(groups).sets["sft"]] == ["level: yes", "table: no"]
    loose = run(groups, dedup={"same_answer": False})
    assert [row["completion"] for row in loose.sets["sft"]] == ["level: yes"]


def test_where_many_prompts_share_their_wording_only_the_same_words_are_a_copy():
    text = "Is the word {} a palindrome? Answer with yes or no and write nothing else, please."
    words = ["".join(letters) for letters in zip("abcdefgh", "stuvwxyz", "klmnopqr", strict=True)]
    groups = [group(text.format(word), (word, RIGHT), answer="no") for word in [*words, "ASK"]]
    assert len(run(groups).sets["sft"]) == 1
    assert len(run(groups, dedup={"family": 9}).sets["sft"]) == 8


def test_held_out_problems_and_their_copies_are_dropped_with_their_chains():
    groups = sums((1, 2), (3, 4), (5, 6))
    asked = [groups[0].problem, Problem(prompt="3+4", answer="seven")]
    curated = run(groups, heldout=asked)
    assert [row["prompt"] for row in curated.sets["sft"]] == ["5 + 6 ="]
    assert reasons(curated) == [
        ("decontaminate", "same_id", False),
        ("decontaminate", "same_id", True),
        ("decontaminate", "same_expression", False),
        ("decontaminate", "same_expression", True),
    ]
    assert len(run(groups, heldout=asked, decontaminate=None).sets["sft"]) == 3


def test_more_lists_to_stay_away_from(tmp_path):
    (tmp_path / "bench.jsonl").write_text(json.dumps({"problem": "1 + 2 = ?"}) + "\n")
    config = {"against": [str(tmp_path / "bench.jsonl")]}
    curated = run(sums((1, 2), (3, 4)), decontaminate=config)
    assert [row["prompt"] for row in curated.sets["sft"]] == ["3 + 4 ="]
    assert curated.rejects[0]["detail"] == "held-out bench.jsonl:1"


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        ("solved", ["1 + 1 ="]),
        (["solved", "learnable"], ["1 + 1 =", "1 + 2 ="]),
        ([0.1, 0.9], ["1 + 2 ="]),
        ([0.5, 1], ["1 + 1 =", "1 + 2 ="]),
    ],
)
def test_difficulty_is_the_measured_pass_rate(keep, left):
    groups = [
        group("1 + 1 =", ("2", RIGHT), ("?", CUT)),
        group("1 + 2 =", ("3", RIGHT), ("4", WRONG)),
        group("1 + 3 =", ("5", WRONG)),
        group("1 + 4 =", ("?", CUT)),
    ]
    curated = run(groups, difficulty={"keep": keep}, sets=["rl"])
    assert [row["prompt"] for row in curated.sets["rl"]] == left
    taken = {row["reason"] for row in curated.rejects if row["filter"] == "difficulty"}
    assert {"unmeasured", "unsolved"} <= taken


def test_at_most_so_many_chains_a_problem_distinct_ones_first():
    one = group("2 + 2 =", ("4", RIGHT), ("4", RIGHT), ("four", RIGHT), ("iv", RIGHT))
    curated = run([one], max_per_problem=2, dedup=None)
    assert [row["completion"] for row in curated.sets["sft"]] == ["4", "four"]
    assert reasons(curated) == [("max_per_problem", "over_limit", False)] * 2


def test_at_most_so_many_rows_drawn_with_the_seed_in_input_order():
    groups = sums(*((a, b) for a in range(10) for b in range(10)))
    prompts = [one.problem.prompt for one in groups]
    drawn = [
        [row["prompt"] for row in run(groups, max_rows=20, seed=seed).sets["sft"]]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(rows) for rows in drawn] == [20, 20, 20]
    assert drawn[0] == [prompt for prompt in prompts if prompt in drawn[0]]
    both = run(groups, max_rows=20, sets=["sft", "rl"])
    assert {name: len(rows) for name, rows in both.sets.items()} == {"sft": 20, "rl": 20}
    assert reasons(both).count(("max_rows", "over_limit", True)) == 80


def test_every_filter_is_explained_in_one_sentence():
    groups = [group("2 + 2 =", ("4", RIGHT), ("5", WRONG), ("6", WRONG), ("so", CUT))]
    assert run(groups, heldout=[groups[0].problem], max_rows=5).explain() == [
        "verify took 3 of 4 chains (wrong:different 2, truncated 1)",
        "dedup took nothing",
        "decontaminate took 1 of 1 chains (same_id 1) and 1 of 1 problems (same_id 1)",
        "max_rows took nothing",
    ]


def test_a_family_on_both_sides_is_pointed_out():
    story = "Mara picks {} lemons and {} limes in the garden. How many does she pick in all?"
    groups = [group(story.format(n, n), (str(2 * n), RIGHT)) for n in range(3, 6)]
    curated = run(groups, heldout=[Problem(prompt=story.format(8, 9), answer="17")])
    assert curated.sets == {"sft": []}
    assert "hold out whole families" in curated.explain()[-1]


TEXTS = st.sampled_from(
    ["it is 4", "It is  4!", "so it is 4", "4", "four", "the sum of both is 4", "it is 5", "it is"]
)
SAMPLES = st.lists(st.tuples(TEXTS, st.sampled_from([RIGHT, WRONG, CUT])), max_size=5)
PROMPTS = st.builds(
    "{} {} {} {}".format,
    st.sampled_from(["Calculate", "calculate: ", "Please tell me what you get when you compute"]),
    st.integers(1, 3), st.sampled_from("+-"), st.integers(1, 3),
)  # fmt: skip
GROUPS = st.lists(st.builds(lambda p, s: group(p, *s), PROMPTS, SAMPLES), max_size=12)
CONFIGS = st.builds(
    CurateConfig,
    verify=st.booleans(),
    dedup=st.sampled_from([None, DedupConfig(), DedupConfig(threshold=None)]),
    decontaminate=st.sampled_from([None, DecontaminateConfig()]),
    max_per_problem=st.sampled_from([None, 1, 2]),
    max_rows=st.sampled_from([None, 3]),
    sets=st.sampled_from([["sft"], ["sft", "dpo", "cpt"]]),
)
HELD = [Problem(prompt="calculate 1+1", answer="2")]


@settings(deadline=None)
@given(GROUPS, CONFIGS)
def test_everything_is_kept_or_rejected_exactly_once(groups, config):
    curated = curate(groups, HELD, config, 0)
    problems = {one.problem.id for one in groups}
    chains = {sample.id for one in groups for sample, _ in one.samples}
    kept = [row["completion_id"] for row in curated.sets["sft"]]
    dropped = [row["completion_id"] for row in curated.rejects if row["completion_id"]]
    gone = [row["problem_id"] for row in curated.rejects if row["completion_id"] is None]
    assert sorted(kept + dropped) == sorted(chains)
    assert sorted({row["problem_id"] for row in curated.sets["sft"]} | set(gone)) == sorted(
        problems
    )
    assert len(gone) == len(set(gone)) == len(problems) - curated.problems[-1][1]
    assert curated.funnel[-1][1] == len(kept)


@settings(deadline=None)
@given(GROUPS, CONFIGS)
def test_curating_what_was_kept_drops_nothing_more(groups, config):
    once = curate(groups, HELD, config, 0)
    kept = {row["completion_id"] for row in once.sets["sft"]}
    problems = {row["problem_id"] for row in once.sets["sft"]}
    again = curate(
        [
            one.model_copy(update={"samples": [s for s in one.samples if s[0].id in kept]})
            for one in groups
            if one.problem.id in problems
        ],
        HELD, config, 0,
    )  # fmt: skip
    assert again.rejects == []
    assert again.sets["sft"] == once.sets["sft"]


@settings(deadline=None)
@given(GROUPS, CONFIGS)
def test_the_same_input_gives_the_same_bytes(groups, config):
    one, other = (curate(iter(groups), HELD, config, 3) for _ in range(2))
    assert json.dumps([one.sets, one.rejects]) == json.dumps([other.sets, other.rejects])
    rows = [row["sample_id"] for rows in one.sets.values() for row in rows]
    assert len(rows) == len(set(rows))
