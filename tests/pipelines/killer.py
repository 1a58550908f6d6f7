"""The command line, killed at a chosen point: STAGE MODULE:NAME NTH WHEN ARGUMENTS...

In stage STAGE the process sends itself SIGKILL at the NTHth call of a function of ours or of a
library's: `before` it, `after` it, or `half`, when half of the file that it wrote is on disk.
"""

import functools
import importlib
import os
import signal
import sys

from pipelines.cli import main
from pipelines.progress import Progress


def arm(stage, call, nth, when):
    module, _, name = call.partition(":")
    *path, last = name.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    real, start = getattr(owner, last), Progress.start
    at = {"stage": "", "calls": 0}

    @functools.wraps(real)
    def watched(*args, **kwargs):
        at["calls"] += at["stage"] == stage
        due = at["stage"] == stage and at["calls"] == nth
        if due and when == "before":
            die()
        result = real(*args, **kwargs)
        if due and when == "half":
            os.truncate(args[1], os.path.getsize(args[1]) // 2)
        if due:
            die()
        return result

    def started(self, node):
        at["stage"] = node
        start(self, node)

    setattr(owner, last, watched)
    Progress.start = started


def die():
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    main(sys.argv[5:])
