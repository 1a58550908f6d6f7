"""The first program of a box: builds the walls that its one argument describes.

Run by path, with nothing but the standard library: the box's own modules are found beside this
file, under a name that no submission asks for.
"""

from __future__ import annotations

import json
import os
import sys
import types
from typing import Any

NAME = "_distill_box"


def main() -> None:
    """Build and serve; what fails is said on stderr and ends the process."""
    package = types.ModuleType(NAME)
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules[NAME] = package
    plan: dict[str, Any] = json.loads(sys.argv[1])
    sys.path += plan["packages"]
    rung = plan["rung"]
    if not plan["inside"]:
        with open("/proc/self/oom_score_adj", "w") as score:
            score.write("1000")
    from _distill_box import walls
    from _distill_box.zygote import Zygote

    if rung != "namespaces" and not plan["inside"] and os.geteuid() == 0:
        walls.reach(plan["reach"])
        walls.drop(walls.stranger(os.getpid()))
    if rung == "bubblewrap" and not plan["inside"]:
        os.execv(plan["argv"][0], plan["argv"])
    if rung == "namespaces":
        walls.enter(plan["read"], plan["links"], plan["ways"], plan["size"])
    if rung in ("landlock", "unsafe"):
        os.mkdir(plan["scratch"][0], 0o700)
    grants, signals = None, False
    if rung == "landlock":
        from _distill_box import landlock

        version = landlock.version()
        if version < landlock.NEEDED:
            raise OSError(f"Landlock is at version {version}, {landlock.NEEDED} is needed")
        grants, signals = plan["grants"], version < 6
    Zygote(rung, plan["scratch"], grants, signals).serve(plan["preload"])


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
