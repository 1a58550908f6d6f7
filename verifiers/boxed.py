"""What verifiers that run things have in common: limits from the recipe, boxes, and blame."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from verifiers.box.box import Box, isolation
from verifiers.box.order import Limits, Outcome
from verifiers.records import Verdict

STOPPED = {
    "test time": ("timeout", "a test took longer than {test:g} s"),
    "time": ("timeout", "it took longer than {submission:g} s in all"),
    "memory": ("memory", "it took more than {memory} MB of memory, or too many files"),
    "output": ("output", "it put out more than {output} KiB"),
}


REASONS = {"MemoryError": "memory", "TooLarge": "output"}


class Boxed:
    """Base of boxed verifiers.

    Args:
        test_seconds: wall time of one test.
        seconds: wall time of a submission, all tests together.
        memory_mb: memory of a submission, all its processes together.
        output_kb: what it may print or return.
        processes: processes and threads.

    Raises NoBox where there is no isolation, ValueError where a limit is no positive number.
    """

    trust = "boxed"
    preload: tuple[str, ...] = ()

    def __init__(
        self,
        test_seconds: float = 5.0,
        seconds: float = 10.0,
        memory_mb: int = 512,
        output_kb: int = 1024,
        processes: int = 64,
    ):
        given = (test_seconds, seconds, memory_mb, output_kb, processes)
        if not all(type(value) in (int, float) and value > 0 for value in given):
            raise ValueError("limits must be positive numbers")
        self.limits = Limits(
            float(test_seconds), float(seconds), int(memory_mb) << 20, int(output_kb) << 10,
            int(processes),
        )  # fmt: skip
        self.isolation = isolation()
        self._boxes: dict[tuple[str, ...], Box] = {}

    @property
    def limit(self) -> float:
        """Seconds of wall time within which a verdict comes, whatever happens."""
        return 2 * self.limits.submission + 30.0

    def box(self, source: str = "") -> Box:
        """The warm box for `source`: one that has imported numpy where it is mentioned."""
        wants = (
            (*self.preload, "numpy") if "numpy" in source and find_spec("numpy") else self.preload
        )
        if wants not in self._boxes:
            self._boxes[wants] = Box(wants)
        return self._boxes[wants]

    def close(self) -> None:
        """End the boxes."""
        for box in self._boxes.values():
            box.close()

    def verdict(self, status: str, reason: str = "", why: str = "", **fields: Any) -> Verdict:
        """A verdict with the box's level."""
        return Verdict(status=status, reason=reason, why=why, isolation=self.isolation, **fields)

    def stopped(self, outcome: Outcome) -> tuple[str, str]:
        """Reason and sentence for an order that was stopped, or whose last child failed."""
        if outcome.why:
            reason, said = STOPPED[outcome.why]
            return reason, said.format(
                test=self.limits.test, submission=self.limits.submission,
                memory=self.limits.memory >> 20, output=self.limits.output >> 10,
            )  # fmt: skip
        code = outcome.exits[-1] if outcome.exits else None
        return "crash", f"it was killed by signal {-code}" if code and code < 0 else (
            f"it ended with exit status {code}"
        )


def fault(message: Any) -> tuple[str, str]:
    """Reason and sentence for an exception that came out of a submission."""
    names = message.get("error") if isinstance(message, dict) else None
    name = str(names[0]) if isinstance(names, list) and names else "an unreadable message"
    said = str(message.get("said", ""))[:200] if isinstance(message, dict) else ""
    return REASONS.get(name, "crash"), f"{name}: {said}".rstrip(": ")
