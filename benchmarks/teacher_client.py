"""The teacher's client against a server on loopback: speed, memory, kills, faults, and the bill.

    python benchmarks/teacher_client.py [--json] [--only throughput,kills] [--large 200000]

Everything runs as users run it, `distill generate` in a process of its own; the other side is
`tests/servers/teacher.py`. Client and workers share one core, the server has the other. The peer is
a bare aiohttp loop that stores nothing. Rates are those that the server saw, from the first request
to the last; ratios are of runs that follow one another, the median of three.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from generators.store import Store  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
REQUESTS, IN_FLIGHT, KILL_ROWS = 5000, 256, 600
FAULTS = ("--fault", "429=0.2", "--fault", "500=0.05", "--fault", "hang=0.01")
BARS: dict[str, tuple[str, float]] = {
    "rate_to_raw_aiohttp": (">=", 0.75),
    "command_seconds_beyond_1.5_serving": ("<=", 4.0),
    "client_cpu_ms_a_request": ("<=", 0.5),
    "peak_rss_mb_5000": ("<=", 120),
    "peak_rss_mb_large": ("<=", 150),
    "kills_same_final_set": (">=", 20),
    "kills_delivered_paid_again": ("<=", 0),
    "kills_first_request_s": ("<=", 1.0),
    "one_row_more_requests": ("==", 1),
    "other_system_prompt_requests": ("==", 100),
    "rerun_requests": ("==", 0),
    "other_port_requests": ("==", 0),
    "truncated_paid": ("==", 100),
    "truncated_stored": ("==", 100),
    "faults_rows_missing": ("==", 0),
    "faults_wall_to_fault_free": ("<=", 1.6),
    "faults_ledger_tokens_off": ("==", 0),
}
RAW = """
import asyncio, sys, aiohttp
async def main(url, count, limit):
    gate = asyncio.Semaphore(limit)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def one(n):
            async with gate:
                chat = [{"role": "user", "content": f"question {n}: what is the sum of both?"}]
                body = {"model": "m", "messages": chat, "temperature": 1.0, "max_tokens": 1024}
                async with session.post(url + "/chat/completions", json=body) as response:
                    return await response.json()
        await asyncio.gather(*(one(n) for n in range(count)))
asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""
DISTILL = """
import json, resource, sys
from pipelines.cli import main
try:
    main(sys.argv[2:])
finally:
    own = resource.getrusage(resource.RUSAGE_SELF)
    # not ru_maxrss, which a process begins with the peak of its parent
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    found = {"cpu": own.ru_utime + own.ru_stime, "rss_mb": int(peak.split()[1]) / 1024}
    open(sys.argv[1], "w").write(json.dumps(found))
"""


@contextmanager
def teacher(*options: str) -> Iterator[str]:
    """A teacher on the first core; its base URL."""
    command = ["taskset", "-c", str(CORES[0]), sys.executable, "-m", "tests.servers.teacher"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def ledger(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/ledger") as answer:
        return json.load(answer)


class Place:
    """A folder with a recipe, its questions and its run."""

    def __init__(self, folder: Path, rows: int):
        self.folder, self.run = folder, folder / "run"
        self.usage = folder / "usage.json"
        self.write(rows)

    def write(self, rows: int) -> None:
        with (self.folder / "questions.jsonl").open("w") as stream:
            for n in range(rows):
                prompt = f"question {n}: what is the sum of both?"
                stream.write(json.dumps({"prompt": prompt, "answer": str(n % 100)}) + "\n")

    def start(self, url: str, in_flight: int | None, system: str = "") -> subprocess.Popen[bytes]:
        limit = f", max_in_flight: {in_flight}" if in_flight else ""
        chains = f', system: "{system}"' if system else ""
        recipe = self.folder / "recipe.yaml"
        recipe.write_text(
            f'name: bench\nteacher: {{backend: openai, base_url: "{url}", model: m{limit}}}\n'
            "questions: [{from: jsonl, path: questions.jsonl, verifier: exact}]\n"
            f"chains: {{samples: 1{chains}}}\n"
        )
        command = ["taskset", "-c", str(CORES[-1]), sys.executable, "-c", DISTILL, str(self.usage)]
        command += ["generate", str(recipe), "--run-dir", str(self.run)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip

    def generate(self, url: str, in_flight: int | None = IN_FLIGHT, system: str = "") -> float:
        """Run the command; the seconds it took."""
        start = time.monotonic()
        if status := self.start(url, in_flight, system).wait():
            raise SystemExit(f"distill generate ended with status {status} in {self.folder}")
        return time.monotonic() - start

    def rows(self) -> list[str]:
        """The final set: every chain's id, text and status, sorted."""
        import pyarrow.parquet as pq

        columns = ["id", "text", "finish_reason", "status"]
        table = pq.read_table(self.run / "data" / "chains", columns=columns)
        return sorted(map(repr, table.to_pylist()))

    def tokens(self) -> tuple[int, int]:
        with Store(self.run / "store.sqlite", readonly=True) as store:
            bill = store.ledger()
        return (sum(int(str(row["prompt_tokens"])) for row in bill),
                sum(int(str(row["completion_tokens"])) for row in bill))  # fmt: skip


def fresh(rows: int) -> Place:
    return Place(Path(tempfile.mkdtemp(dir=SCRATCH)), rows)


def throughput() -> dict[str, float]:
    ratios, beyond, cpu, rss, rates = [], [], [], [], []
    for _ in range(3):
        with teacher("--latency", "0.05", "--words", "300") as url:
            command = ["taskset", "-c", str(CORES[-1]), sys.executable, "-c", RAW, url]
            subprocess.run([*command, str(REQUESTS), str(IN_FLIGHT)], check=True)
            raw = REQUESTS / ledger(url)["seconds"]
        place = fresh(REQUESTS)
        with teacher("--latency", "0.05", "--words", "300") as url:
            wall = place.generate(url)
            seen = ledger(url)
        assert len(place.rows()) == REQUESTS
        used = json.loads(place.usage.read_text())
        ratios.append(seen["requests"] / seen["seconds"] / raw)
        rates.append(seen["requests"] / seen["seconds"])
        beyond.append(wall - 1.5 * seen["seconds"])
        cpu.append(1000 * used["cpu"] / REQUESTS)
        rss.append(used["rss_mb"])
    return {
        "rate_to_raw_aiohttp": statistics.median(ratios),
        "requests_per_s": statistics.median(rates),
        "command_seconds_beyond_1.5_serving": statistics.median(beyond),
        "client_cpu_ms_a_request": statistics.median(cpu),
        "peak_rss_mb_5000": statistics.median(rss),
    }


def memory(rows: int) -> dict[str, float]:
    place = fresh(rows)
    with teacher("--words", "300") as url:
        place.generate(url)
    used = json.loads(place.usage.read_text())
    return {"peak_rss_mb_large": used["rss_mb"], "large_requests": rows}


def kills() -> dict[str, float]:
    rng, same, again, firsts = random.Random(0), 0, 0, []
    whole = fresh(KILL_ROWS)
    with teacher("--latency", "0.02") as url:
        whole.generate(url, 8)
    for _ in range(20):
        place = fresh(KILL_ROWS)
        with teacher("--latency", "0.02") as url:
            process = place.start(url, 8)
            goal = rng.randrange(20, KILL_ROWS - 20)
            while ledger(url)["requests"] < goal:
                time.sleep(0.002)
            os.killpg(process.pid, signal.SIGKILL)
            killed = ledger(url)
            process.wait()
            start = time.monotonic()
            resumed = place.start(url, 8)
            while resumed.poll() is None and ledger(url)["requests"] == killed["requests"]:
                time.sleep(0.005)
            firsts.append(time.monotonic() - start)
            resumed.wait()
            again += sum(first < killed["now"] - 0.2 for first in ledger(url)["twice"])
        same += place.rows() == whole.rows()
    return {
        "kills_same_final_set": same,
        "kills_delivered_paid_again": again,
        "kills_first_request_s": statistics.median(firsts),
        "kills_slowest_first_request_s": max(firsts),
    }


def identity() -> dict[str, float]:
    place = fresh(100)
    found = {}
    with teacher() as url:

        def asked(base: str = "", system: str = "") -> int:
            before = ledger(base or url)["requests"]
            place.generate(base or url, None, system)
            return ledger(base or url)["requests"] - before

        asked()
        place.write(101)
        found["one_row_more_requests"] = asked()
        found["rerun_requests"] = asked()
        with teacher() as other:
            found["other_port_requests"] = asked(other)
        place.write(100)
        found["other_system_prompt_requests"] = asked(system="be brief")
    return found


def truncated() -> dict[str, float]:
    place = fresh(100)
    with teacher("--finish", "length") as url:
        place.generate(url)
        paid = ledger(url)["completions"]
    with Store(place.run / "store.sqlite", readonly=True) as store:
        stored = int(str(store.ledger()[0]["completions"]))
    return {"truncated_paid": paid, "truncated_stored": stored}


def faults() -> dict[str, float]:
    walls, off, missing = {}, 0, 0
    for name, options in (("free", ()), ("faulty", FAULTS)):
        place = fresh(REQUESTS)
        with teacher("--latency", "0.05", "--words", "300", *options) as url:
            place.generate(url)
            seen = ledger(url)
        walls[name] = seen["seconds"]
        tokens = place.tokens()
        off += abs(tokens[0] - seen["prompt_tokens"]) + abs(tokens[1] - seen["completion_tokens"])
        good = [row for row in place.rows() if "'finish_reason': 'stop'" in row]
        missing += REQUESTS - len(good)
    return {
        "faults_rows_missing": missing,
        "faults_wall_to_fault_free": walls["faulty"] / walls["free"],
        "faults_ledger_tokens_off": off,
    }


def holds(value: float, bar: tuple[str, float]) -> bool:
    sign, limit = bar
    return {"<=": value <= limit, ">=": value >= limit, "==": value == limit}[sign]


def main() -> None:
    global SCRATCH, REQUESTS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", default="throughput,memory,kills,identity,truncated,faults")
    parser.add_argument("--large", type=int, default=200_000, help="requests of the memory figure")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of the other figures")
    options = parser.parse_args()
    REQUESTS = options.requests
    parts = {"throughput": throughput, "memory": lambda: memory(options.large), "kills": kills,
             "identity": identity, "truncated": truncated, "faults": faults}  # fmt: skip
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as SCRATCH:
        for name in options.only.split(","):
            found = parts[name]()
            figures |= found
            for figure, value in found.items():
                said = ""
                if bar := BARS.get(figure):
                    good = "holds" if holds(value, bar) else "MISSED"
                    said = f"{bar[0]} {bar[1]:g}: {good}"
                print(f"{figure:38} {value:10.3f}  {said}", flush=True)
    bars = {name: f"{BARS[name][0]} {BARS[name][1]:g}" for name in figures if name in BARS}
    good = all(holds(figures[name], BARS[name]) for name in bars)
    if options.json:
        line = {"benchmark": "teacher_client", "figures": figures, "bars": bars, "holds": good}
        print(json.dumps(line))
    sys.exit(0 if good else 1)


SCRATCH = ""

if __name__ == "__main__":
    main()
