"""Every verifier is a reward function for other trainers; the real TRL calls one."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from verifiers.base import UnknownVerifier
from verifiers.reward_function import RewardFunction

ROOT = Path(__file__).parents[2]
PEER = ROOT / ".peers" / "trl"


@pytest.fixture(scope="module")
def maths():
    with RewardFunction("math", workers=1) as function:
        yield function


def test_right_wrong_and_undecided(maths):
    texts = ["It is 4.", "It is 5.", "It is 4."]
    assert maths(["2 + 2?"] * 3, texts, answer=["4", "4", ""]) == [1.0, 0.0, None]
    assert maths(prompts=["2 + 2?"], completions=["4"], answer=["4"], step=3, ids=[[1]]) == [1.0]
    assert maths(["p"], ["4"]) == [None]
    assert maths([], [], answer=[]) == []


def test_chats_count_by_the_last_message_of_the_assistant(maths):
    prompt = [{"role": "system", "content": "9"}, {"role": "user", "content": "2 + 2?"}]
    said = [
        [{"role": "assistant", "content": "It is 4."}],
        [{"role": "assistant", "content": "5"}, {"role": "tool", "content": "4"}],
        [{"role": "assistant", "content": [{"type": "text", "text": "It is 4."}]}],
        [{"role": "assistant", "content": None}],
        [],
    ]
    assert maths([prompt] * 5, said, answer=["4"] * 5) == [1.0, 0.0, 1.0, 0.0, 0.0]


def test_a_row_may_name_its_verifier(maths):
    names = ["exact", None, "math"]
    assert maths(["p"] * 3, ["0.5"] * 3, answer=["1/2"] * 3, verifier=names) == [0.0, 1.0, 1.0]


def test_columns_of_another_length_and_unknown_verifiers_are_refused(maths):
    with pytest.raises(ValueError, match="must hold 2 values"):
        maths(["p"] * 2, ["4"] * 2, answer=["4"])
    with pytest.raises(ValueError, match="must hold 1 values"):
        maths(["p"], ["4"], answer="4")
    with pytest.raises(UnknownVerifier):
        RewardFunction("maths")
    with pytest.raises(UnknownVerifier):
        maths(["p"], ["4"], answer=["4"], verifier=["maths"])


def test_a_bad_row_is_nobodys_fault_and_other_trainers_columns_are_read(maths):
    bad = [float("nan"), {1, 2}, "4"]
    assert maths(["p"] * 3, ["4"] * 3, answer=bad) == [None, None, 1.0]
    assert maths(["p"] * 2, ["4"] * 2, answer=np.array([4, 5])) == [1.0, 0.0]
    assert maths(["p"], ["4\ud800"], answer=["\ud8004"]) in ([1.0], [0.0], [None])


def test_it_works_in_threads_and_inside_a_running_loop(maths):
    found = {}

    def work(number):
        texts = [f"It is {number}.", "It is none."]
        found[number] = maths(["p"] * 2, texts, answer=[str(number)] * 2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [1.0, 0.0] for number in range(8)}

    async def inside():
        return maths(["p"], ["It is 4."], answer=["4"])

    assert asyncio.run(inside()) == [1.0]


def test_answers_to_one_problem_are_judged_together():
    with RewardFunction("consensus", workers=1) as function:
        texts = ["It is 4.", "It is 7.", "It is 4.", "It is 7.", "It is 5.", "It is 7."]
        assert function(["a", "b"] * 3, texts) == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
        assert function.__name__ == "consensus"


def test_it_can_be_closed_and_used_again():
    function = RewardFunction("exact", workers=1)
    function.close()
    for _ in range(2):
        assert function(["p"], ["a"], answer=["a"]) == [1.0]
        function.close()


def peer():
    """The Python of an environment of its own that holds the real TRL, built where it is absent."""
    python = PEER / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import trl, orjson"]).returncode:
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "torch==2.13.0"], check=True)
        wanted = ["trl==1.16.*", "transformers>=5,<6", "torch==2.13.0"]
        wanted += ["orjson", "pydantic", "pyyaml"]
        subprocess.run([*pip, *wanted], check=True)
    return python


@pytest.mark.slow
def test_the_real_trl_trains_a_step_with_it(tmp_path):
    command = [peer(), ROOT / "tests" / "verifiers" / "trl_step.py", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["trl"].startswith("1.16.")
    assert found["calls"] >= 1
    assert found["rewards"] == found["again"]
    assert {type(reward) for reward in found["rewards"]} == {float}
    assert "rewards/exact/mean" in found["logged"]
    assert found["logged"]["rewards/exact/mean"] == pytest.approx(sum(found["rewards"]) / 8)
