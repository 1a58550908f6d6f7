"""A verifier worker process: reads problems and texts on stdin, writes verdicts on stdout.

Started by `verifiers.pool`. It says that it is ready, then there is one JSON value a line in both
directions. What a verifier prints goes to stderr, so it cannot disturb the answers. The worker ends
with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

from verifiers import base, tasks
from verifiers.records import VERDICTS, Problem, Verdict

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until stdin ends."""
    sys.set_int_max_str_digits(20_000)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    config = json.loads(sys.stdin.buffer.readline())
    memory = config["memory"]
    # the hard limit stays: a box is a child of this process, with limits of its own
    resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    loaded: dict[str, base.Verifier] = {}
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        verdicts = answer(tasks.read(line), config["options"], loaded)
        answers.write(VERDICTS.dump_json(verdicts) + b"\n")
        answers.flush()


def answer(
    task: dict[str, Any], options: dict[str, Any], loaded: dict[str, base.Verifier]
) -> list[Verdict]:
    """The verdicts on the texts of one task; verifiers are loaded on first use."""
    name, texts = task["problem"]["verifier"], task["texts"]
    if name not in loaded:
        try:
            loaded[name] = base.load(name, options.get(name), options)
        except base.VerifierError as error:
            verdict = Verdict(status="undecided", reason="infra", detail=str(error), verifier=name)
            return [verdict] * len(texts)
    problem = Problem.model_validate(task["problem"])
    if task["together"]:
        return base.judge_group(name, loaded[name], problem, texts)
    return [base.judge(name, loaded[name], problem, text) for text in texts]


if __name__ == "__main__":
    main()
