"""A trial as a person reads it: the rows end to end, then what the whole run would take."""

from __future__ import annotations

from collections import Counter

from pipelines.projection import Trial
from verifiers.records import Completion, Group, Verdict

PROMPT, TEXT = 300, 240


def text(trial: Trial) -> str:
    """Questions with their chains and verdicts, and the projection with its basis."""
    blocks = [_block(number, group) for number, group in enumerate(trial.groups, 1)]
    return "\n\n".join([*blocks, _drawn(trial), _whole(trial)])


def _block(number: int, group: Group) -> str:
    problem = group.problem
    answer = problem.answer if isinstance(problem.answer, str) else "structured"
    lines = [
        f"question {number}: {_short(problem.text, PROMPT)}",
        f"  {problem.verifier}, ground truth: {_short(answer, 80)}",
    ]
    return "\n".join(lines + [_chain(*pair) for pair in group.samples])


def _chain(completion: Completion, verdict: Verdict) -> str:
    said = verdict.status + (f" ({verdict.reason})" if verdict.reason else "")
    whole = f"{completion.reasoning} {completion.text}".strip()
    head = f"  {said:22} {completion.usage.completion_tokens:,} tokens"
    own = "" if completion.sampled else ", written beside the question"
    return f"{head}{own}\n    {_short(whole, TEXT) or '(nothing)'}"


def _drawn(trial: Trial) -> str:
    verdicts = [v for group in trial.groups for c, v in group.samples if c.sampled]
    statuses = Counter(verdict.status for verdict in verdicts)
    told = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    lines = [
        f"{len(trial.groups):,} of {trial.questions:,} questions, {len(verdicts):,} chains: "
        f"{told}; {trial.asked:,} requests, {trial.seconds:.1f} s. They stay in the store."
    ]
    if trial.failed:
        lines.append(
            f"{trial.failed:,} of {len(verdicts):,} requests failed{trial.reasons}; the next run "
            "asks them again"
        )
    return "\n".join(lines)


def _whole(trial: Trial) -> str:
    whole = trial.whole
    lines = [f"the whole run, by the mean of these {whole['basis']:,} questions:"]
    if not whole["target_in_reach"]:
        lines.append("  accepted    out of reach: all questions together would not give so many")
    lines.append(f"  questions   {whole['questions']:,}")
    for name, key in (("requests", "requests"), ("tokens in", "prompt_tokens"),
                      ("tokens out", "completion_tokens")):  # fmt: skip
        lines.append(f"  {name:11} {_about(whole[key])}")
    usd = whole["usd"]
    lines.append(f"  US dollars  {_about(usd) if usd else 'not told'} ({whole['price']})")
    if beside := _beside(whole["beside"]):
        lines.append(f"  beside      {beside} (judges, questions that the teacher writes, useless "
                     "answers)")  # fmt: skip
    pace = whole["seconds_at_this_pace"]
    lines.append(
        "  time        " + ("not told: answers came from the store" if pace is None else
        f"about {_time(pace)} at the pace of these rows; many at a time are faster with a server")
    )  # fmt: skip
    if whole["requests"]["low"] is None:
        lines.append("too few questions for an interval: take --limit 5 or more")
    return "\n".join(lines)


def _beside(bill: dict[str, float] | None) -> str:
    """What is paid beside the chains; empty where nothing is, or where it is not known."""
    tokens = bill["prompt_tokens"] + bill["completion_tokens"] if bill else 0
    if bill is None or tokens < 1:
        return ""
    dollars = f", {_number(bill['usd'])} US dollars" if bill["usd"] > 0 else ""
    return f"about {_number(tokens)} tokens{dollars}"


def _about(figure: dict[str, float | None]) -> str:
    about, low, high = figure["about"], figure["low"], figure["high"]
    assert about is not None
    if low is None or high is None:
        return f"about {_number(about)}"
    if _number(low) == _number(high):
        return _number(about)
    return f"about {_number(about)} (95 %: {_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    """Two digits that mean something, or three of a large number."""
    if value >= 1e6:
        return f"{value / 1e6:,.3g} million"
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2g}"


def _time(seconds: float) -> str:
    for unit, length in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{max(1.0, seconds):.0f} s"


def _short(text: str, most: int) -> str:
    """`text` in one line, its middle left out where it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= most:
        return line
    return f"{line[: most * 2 // 3]} … {line[-most // 3 :]}"
