"""What a generation is at: on a terminal in place, elsewhere in plain lines, once a second."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from generators.budget import Bill, Budget
from generators.prices import FREE
from generators.target import Target
from pipelines.progress import Progress
from pipelines.stages import Job
from verifiers.records import Group

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY = 1.0
WINDOW = 30
"""Seconds that speeds are the mean of."""


class Moment(NamedTuple):
    """What was done when."""

    at: float
    rows: int
    accepted: int
    bill: Bill


class View:
    """Counts what is drawn, and says where it stands.

    Args:
        questions: how many there are to ask.
        budget: what is paid and under way.
        sampler: who is asked, whose `endpoints` are looked at.
        target: where so many accepted samples end it.
        free: nobody sends a bill.
    """

    def __init__(
        self, questions: int, budget: Budget, sampler: Any, target: Target | None, free: bool
    ):
        self.questions, self.budget, self.sampler, self.target = questions, budget, sampler, target
        self.free = free
        self.rows = self.chains = self.accepted = 0
        self.judged: Counter[tuple[str, bool]] = Counter()
        self._seen: deque[Moment] = deque(maxlen=WINDOW + 1)
        self._first = self.budget.answers
        self.tick()

    @classmethod
    def of(cls, job: Job, sampler: Any, questions: int, target: Target | None = None) -> View:
        """The view of a stage that asks `sampler`."""
        free = all(teacher.backend in FREE for teacher in job.recipe.teachers)
        return cls(questions, job.folder.budget, sampler, target, free)

    def add(self, group: Group) -> None:
        """A question is finished."""
        self.rows += 1
        self.chains += len(group.samples)
        for completion, verdict in group.samples:
            self.judged[verdict.verifier, verdict.correct] += 1
            self.accepted += verdict.correct and completion.sampled

    def tick(self) -> None:
        """A second has passed."""
        self._seen.append(Moment(time.monotonic(), self.rows, self.accepted, self.budget.bill))

    def facts(self) -> dict[str, str]:
        """Where it stands, in the order in which it is shown."""
        first, last = self._seen[0], self._seen[-1]
        seconds = max(last.at - first.at, 1e-9)
        paid = last.bill - first.bill
        found = {
            "rows": self._done(),
            "in flight": f"{max(0, self.budget.open):,}",
            "tokens/s": f"{paid.prompt_tokens / seconds:,.0f} in, "
            f"{paid.completion_tokens / seconds:,.0f} out",
            "cost": self._cost(),
            "accepted": self._acceptance(),
        }
        if slowest := self._slowest():
            found["slowest"] = slowest
        if trouble := self._trouble():
            found["trouble"] = trouble
        rows, accepted = last.rows - first.rows, last.accepted - first.accepted
        return found | {"time left": self._left(rows / seconds, accepted / seconds)}

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.target is not None:
            return min(1.0, self.accepted / self.target.wanted)
        return self.rows / max(1, self.questions)

    def _done(self) -> str:
        told = f"{self.rows:,} of {self.questions:,} questions, {self.chains:,} chains"
        if self.target is not None:
            told += f", {self.accepted:,} of {self.target.wanted:,} accepted"
        return told

    def _cost(self) -> str:
        """Spent since the start, and what all of this run will have cost at that rate."""
        answers = self.budget.answers - self._first
        usd, share, budget = self.budget.bill.usd, self.share, self.budget
        if self.free:
            told = "none"
        elif budget.unpriced:
            told = f"no price known for {budget.unpriced:,} answers"
        elif not answers or not share:
            told = f"{usd:.2f} USD so far"
        else:
            ahead = usd / answers * self.chains / share * (1 - share)
            told = f"{usd:.2f} USD so far, about {usd + ahead:.2f} in all"
        spent = f", {budget.spent / budget.limit:.0%} of the budget of {budget.text}"
        return told + (spent if budget.text else "")

    def _acceptance(self) -> str:
        names = dict.fromkeys(name for name, _ in self.judged)
        told = []
        for name in names:
            right, wrong = self.judged[name, True], self.judged[name, False]
            told.append(f"{name} {right / (right + wrong):.0%} of {right + wrong:,}")
        return ", ".join(told) or "nothing judged yet"

    def _slowest(self) -> str:
        known = [end for end in self.sampler.endpoints if end.pace.typical]
        if not known:
            return ""
        end = max(known, key=lambda one: one.pace.typical)
        throttle = end.throttle
        return (
            f"{urlsplit(end.root).netloc}, {end.pace.typical:.2g} s an answer, "
            f"{throttle.in_flight:,} of at most {int(throttle.limit):,} at a time"
        )

    def _trouble(self) -> str:
        known = Counter(getattr(self.sampler, "trouble", {}))
        return ", ".join(f"{reason} {count:,}" for reason, count in known.most_common(4))

    def _left(self, rows: float, accepted: float) -> str:
        if self.target is not None:
            missing, speed = self.target.wanted - self.accepted, accepted
        else:
            missing, speed = self.questions - self.rows, rows
        if missing <= 0:
            return clock(0)
        return clock(missing / speed) if speed > 0 else "not known yet"


def clock(seconds: float) -> str:
    """Seconds as `4 s`, `12 min`, `3 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min"


def line(view: View) -> str:
    """Where it stands, for a log."""
    facts = view.facts()
    return f"{facts.pop('rows')}; " + "; ".join(f"{name} {told}" for name, told in facts.items())


def table(view: View) -> RenderableType:
    """Where it stands, for a terminal."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True, min_width=9)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for name, told in view.facts().items():
        grid.add_row(name, told)
    grid.add_row(f"{view.share:.0%}", ProgressBar(total=1.0, completed=view.share, width=40))
    return grid


@contextmanager
def shown(progress: Progress, view: View) -> Iterator[Callable[[], None]]:
    """What shows `view` as it is now: in place on a terminal, else a plain line now and then."""
    if not progress.live:
        yield lambda: progress.update(line(view)) if progress.due() else None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(
        console=Console(file=progress.stream), get_renderable=lambda: table(view),
        auto_refresh=False, transient=True, redirect_stdout=False,
    ) as live:  # fmt: skip
        yield live.refresh


@asynccontextmanager
async def watching(progress: Progress, view: View) -> AsyncIterator[None]:
    """Show `view` once a second while it lasts."""
    with shown(progress, view) as show:

        async def watch() -> None:
            while True:
                await asyncio.sleep(EVERY)
                view.tick()
                show()

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
