"""The life of a vLLM server of our own: a small server that takes vLLM's command line."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jinja2
import pytest

from generators.teachers import vllm_server
from generators.teachers.errors import TeacherError
from generators.teachers.servers import Servers
from generators.teachers.vllm_sampler import VllmSampler
from generators.teachers.vllm_server import arguments, check
from generators.vllm_config import VllmConfig
from tests.servers import vllm_standin
from verifiers.sampler import Request, Sampler

STANDIN = Path(vllm_standin.__path__[0])


def standin(folder, **plan):
    """(config of a server that is the stand-in and does as planned)."""
    options = {name: plan.pop(name) for name in list(plan) if name in ("ready_within", "python")}
    env = {"STANDIN": json.dumps({"folder": str(folder), **plan}), "PYTHONPATH": str(STANDIN)}
    return VllmConfig(env=env, **options)


def starts(folder):
    return [json.loads(file.read_text()) for file in sorted(folder.glob("start-*"))]


def gone(pid, within=5.0):
    deadline = time.monotonic() + within
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


def asks(count):
    for n in range(count):
        yield Request(problem_id=f"p{n}", messages=[{"role": "user", "content": f"q{n}"}], index=n)


@pytest.fixture
def servers(tmp_path):
    kept = Servers(tmp_path)
    yield kept
    kept.stop()


def run(config, servers, requests, **options):
    sampler = VllmSampler("m", config, servers, **options)

    async def go():
        return [completion async for completion in sampler.sample(requests)]

    return asyncio.run(go()), sampler


def test_it_starts_with_the_first_request_and_stops_with_all_its_processes(tmp_path, servers):
    config = standin(tmp_path)
    found, sampler = run(config, servers, asks(0))
    assert isinstance(sampler, Sampler)
    assert (found, starts(tmp_path)) == ([], [])
    found, sampler = run(config, servers, asks(20))
    again, _ = run(config, servers, asks(5))
    assert sorted(c.index for c in found) == list(range(20))
    assert len(again) == 5
    (start,) = starts(tmp_path)
    assert all(c.text.endswith(f":{start['port']}") for c in found)
    assert found[0].request_key == list(asks(20))[found[0].index].key("m")
    servers.stop()
    assert all(gone(pid, 0) for pid in start["pids"])
    run(config, servers, asks(1))
    assert len(starts(tmp_path)) == 2


def test_a_crash_loses_nothing(tmp_path, servers):
    config = standin(tmp_path, ends=[7, 5], latency=0.02)
    found, _ = run(config, servers, asks(40), max_in_flight=8)
    assert sorted(c.index for c in found) == list(range(40))
    assert {c.finish_reason for c in found} == {"stop"}
    assert len(starts(tmp_path)) == 3
    assert all(gone(pid, 0) for start in starts(tmp_path)[:2] for pid in start["pids"])


def test_a_server_that_says_it_is_sick_is_replaced(tmp_path, servers, monkeypatch):
    monkeypatch.setattr(vllm_server, "HEALTH_EVERY", 0.2)
    found, _ = run(standin(tmp_path, sick=3), servers, asks(10), max_in_flight=2)
    assert sorted(c.index for c in found) == list(range(10))
    assert len(starts(tmp_path)) == 2


def test_a_request_that_kills_the_server_is_given_up(tmp_path, servers):
    config = standin(tmp_path, poison="q4", latency=0.02)
    found, _ = run(config, servers, asks(30), max_in_flight=2)
    assert [c.index for c in found if c.finish_reason == "error"] == [4]
    assert sorted(c.index for c in found) == list(range(30))


def test_a_server_that_only_crashes_stops_the_run(tmp_path, servers):
    with pytest.raises(TeacherError, match=r"4 times in a row without an answer, .* asked p"):
        run(standin(tmp_path, ends=[0] * 9), servers, asks(2))
    assert len(starts(tmp_path)) == 4


def test_why_it_did_not_start_is_in_the_error(tmp_path, servers):
    with pytest.raises(TeacherError, match=r"(?s)did not start.*no room on the device") as caught:
        run(standin(tmp_path, fails=9), servers, asks(2))
    assert len(str(caught.value).splitlines()) < 12
    assert str(servers.log) in str(caught.value)
    with pytest.raises(TeacherError, match=r"was not ready within 0\.5 seconds"):
        run(standin(tmp_path, fails=0, slow=60, ready_within=0.5), servers, asks(2))
    assert all(gone(pid, 0) for start in starts(tmp_path) for pid in start["pids"])


@pytest.mark.slow
def test_a_taken_port_is_left_to_whoever_has_it(tmp_path, servers, monkeypatch):
    taken = socket.create_server(("127.0.0.1", 0))
    ports, free = [taken.getsockname()[1]], vllm_server._free_port
    monkeypatch.setattr(vllm_server, "_free_port", lambda: ports.pop() if ports else free())
    with taken:
        found, _ = run(standin(tmp_path), servers, asks(3))
    assert len(found) == 3
    assert len(starts(tmp_path)) == 2


OWNER = """
import asyncio, sys
from pathlib import Path
from generators.teachers.servers import Servers
from generators.vllm_config import VllmConfig
server = Servers(Path(sys.argv[1])).server("m", "m", VllmConfig.model_validate_json(sys.argv[2]))
asyncio.run(server.up())
print("up", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_nothing_is_left_when_we_end_in_any_way(tmp_path, how):
    config = standin(tmp_path).model_dump_json()
    command = [sys.executable, "-c", OWNER, str(tmp_path), config]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as owner:
        assert owner.stdout.readline() == b"up\n"
        (start,) = starts(tmp_path)
        owner.send_signal(how) if how else owner.stdin.close()
    assert all(gone(pid) for pid in start["pids"])


def test_keys_stay_out_of_the_server_and_options_reach_it(tmp_path, servers, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    config = standin(tmp_path).model_copy(update={"tensor_parallel": 2, "prefix_caching": False})
    found, _ = run(config, servers, asks(1))
    (start,) = starts(tmp_path)
    assert len(found) == 1
    assert start["secrets"] == []
    said = " ".join(start["argv"])
    assert "--tensor-parallel-size 2" in said
    assert "--no-enable-prefix-caching" in said
    assert '"temperature": null' in said


def test_options_as_words():
    options = VllmConfig(
        speculative={"method": "ngram"}, **{"max-model-len": 9, "lora_modules": ["a=b"], "x": True}
    ).options()
    assert arguments(options) == [
        "--speculative-config", '{"method": "ngram"}', "--max-model-len", "9",
        "--lora-modules", "a=b", "--x",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="port is set by distill itself"):
        VllmConfig(port=3)


def test_an_answer_goes_on_right_behind_what_it_has_so_far():
    template = jinja2.Template(vllm_server.PLAIN_TEMPLATE)
    asked = [{"role": "system", "content": "s"}, {"role": "user", "content": "2+3=?"}]
    begun = [*asked, {"role": "assistant", "content": "5"}]
    assert template.render(messages=asked) == "s\n2+3=?"
    assert template.render(messages=begun) == "s\n2+3=?5"


def test_identity_holds_content_and_what_shapes_answers(tmp_path, servers):
    def identity(content="", **options):
        config = VllmConfig(**{name: v for name, v in options.items() if name != "revision"})
        own = {name: v for name, v in options.items() if name == "revision"}
        return VllmSampler("org/m", config, servers, content=content, **own).identity

    assert identity() == identity(tensor_parallel=4, gpu_memory_utilization=0.5) == "org/m"
    assert identity(revision="r1") == "org/m#r1"
    assert identity("abc") == "org/m@abc"
    assert identity("abc", quantization="fp8").startswith("org/m@abc-")
    assert identity(quantization="fp8") != identity(quantization="awq") != identity()


def test_what_cannot_be_started_is_refused_before_anything_is(tmp_path):
    assert check(standin(tmp_path)) == str(STANDIN / "vllm")
    with pytest.raises(
        TeacherError, match="no option 'max_model_length'; did you mean 'max_model_"
    ):
        check(standin(tmp_path).model_copy(update={"max_model_length": 4}))
    with pytest.raises(TeacherError, match="is no Python that runs"):
        check(standin(tmp_path, python=str(tmp_path / "none")))
    with pytest.raises(TeacherError, match="there is no vLLM in the environment of"):
        check(VllmConfig(env={"PYTHONPATH": os.fspath(tmp_path)}))


def told(folder):
    return (folder / "told").read_text().splitlines()


def drawing(tmp_path, servers, **plan):
    """A sampler of token ids of a folder that is trained on."""
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"first")
    config = standin(tmp_path, **plan)
    config.env["VLLM_SERVER_DEV_MODE"] = "1"
    options = {"encode": lambda chat: [len(m["content"]) for m in chat], "n": 4}
    return VllmSampler(str(folder), config, servers, **options), folder


def group():
    chat = [{"role": "user", "content": "two"}]
    return [Request(problem_id="p", messages=chat, index=n, seed=1) for n in range(6)]


def answered(sampler, requests):
    async def go():
        return [completion async for completion in sampler.sample(requests)]

    return sorted(asyncio.run(go()), key=lambda done: done.index)


def test_tokens_go_and_come_as_ids(tmp_path, servers):
    sampler, _ = drawing(tmp_path, servers)
    found = answered(sampler, group())
    first = int(found[0].text)
    assert [int(c.text) for c in found[:4]] == [(first + n) % 10 for n in range(4)]
    for done in found:
        assert done.token_ids == [5 + int(done.text), 1]
        assert done.logprobs == [-1.0, -1.0]
        assert done.usage.completion_tokens == 2
    assert [c.usage.prompt_tokens for c in found] == [1, 0, 0, 0, 1, 0]
    assert not sampler._client("http://127.0.0.1/v1").continues


@pytest.mark.parametrize("sleeps", [False, True])
def test_new_weights_are_read_by_the_server_that_runs(tmp_path, servers, sleeps):
    sampler, folder = drawing(tmp_path, servers)
    if sleeps:
        sampler.config = sampler.config.model_copy(update={"enable_sleep_mode": True})
    asyncio.run(sampler.server.load())
    answered(sampler, group())
    asyncio.run(sampler.server.sleep())
    (folder / "model.safetensors").write_bytes(b"second")
    asyncio.run(sampler.server.load())
    read = f"reload_weights {hashlib.sha256(b'second').hexdigest()[:8]}"
    assert told(tmp_path) == (
        ["sleep?level=2", "wake_up?tags=weights", read, "wake_up?tags=kv_cache"]
        if sleeps
        else ["pause?mode=abort", read, "resume"]
    )
    assert len(answered(sampler, group())) == 6
    assert sampler.server.starts == 1


def test_weights_that_the_server_does_not_take_are_said(tmp_path, servers):
    sampler, _ = drawing(tmp_path, servers, refuses="collective_rpc")
    answered(sampler, group())
    with pytest.raises(TeacherError, match=r"refused /collective_rpc \(status 500\): .*not today"):
        asyncio.run(sampler.server.load())


def test_a_server_that_was_lost_in_between_is_started_on_the_new_weights(tmp_path, servers):
    sampler, _ = drawing(tmp_path, servers)
    answered(sampler, group())
    os.kill(starts(tmp_path)[0]["pids"][0], signal.SIGKILL)
    asyncio.run(sampler.server.load())
    assert len(answered(sampler, group())) == 6
    assert len(starts(tmp_path)) == 2
