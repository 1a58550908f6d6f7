"""Small functions that draw one inline SVG each; colours are classes of the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from markupsafe import Markup

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Stop:
    """One measurement of the student on its way: shares of 1."""

    label: str
    value: float
    low: float
    high: float
    greedy: float | None = None


def bar(
    value: float, low: float | None, high: float | None, mark: float | None, kind: str
) -> Markup:
    """A horizontal bar for a share of 1, with a whisker for its interval and a mark (teacher)."""
    parts = [_tag("rect", _class="track", x="0", y="4", width="100%", height="12", rx="3")]
    parts.append(_tag("rect", _class=f"fill {kind}", y="4", width=_pc(value), height="12", rx="3"))
    if low is not None and high is not None:
        parts.append(_tag("line", _class="whisker", x1=_pc(low), x2=_pc(high), y1="10", y2="10"))
        for end in (low, high):
            parts.append(_tag("line", _class="whisker", x1=_pc(end), x2=_pc(end), y1="6", y2="14"))
    if mark is not None:
        parts.append(_tag("line", _class="mark", x1=_pc(mark), x2=_pc(mark), y1="0", y2="20"))
    return _svg(parts, _class="bar", height="20")


def length(value: float, of: float, kind: str) -> Markup:
    """A plain horizontal bar: `value` as a share of the longest one."""
    share = max(0.004, value / of) if value and of else 0.0
    rect = _tag("rect", _class=f"fill {kind}", width=_pc(share), height="14", rx="3")
    return _svg([rect], _class="bar", height="14")


def stack(parts: Sequence[tuple[str, float]]) -> Markup:
    """One bar split into its parts; (class, amount)."""
    total, start, drawn = sum(amount for _, amount in parts), 0.0, []
    for kind, amount in parts:
        share = amount / total if total else 0.0
        drawn.append(
            _tag("rect", _class=f"fill {kind}", x=_pc(start), width=_pc(share), height="18")
        )
        start += share
    return _svg(drawn, _class="bar stack", height="18")


def journey(stops: Sequence[Stop], teacher: float | None) -> Markup:
    """pass@1 after every stage with its interval, greedy as a ring, the teacher as a line."""
    width, height, left, right, top, bottom = 440, 250, 40, 14, 22, 34
    values = [v for s in stops for v in (s.low, s.high, s.greedy) if v is not None]
    values += [] if teacher is None else [teacher]
    ticks = _ticks(max(0.0, min(values) - 0.03), min(1.0, max(values) + 0.03))
    floor, ceiling = ticks[0], ticks[-1]

    def at(n: int) -> float:
        return left + (width - left - right) * (n + 0.5) / len(stops)

    def up(value: float) -> float:
        return height - bottom - (height - top - bottom) * (value - floor) / (ceiling - floor)

    parts = []
    for tick in ticks:
        parts.append(_line("grid", left, width - right, up(tick), up(tick)))
        parts.append(_text(f"{100 * tick:.0f}%", left - 6, up(tick) + 4, "end"))
    if teacher is not None:
        parts.append(_line("teacher", left, width - right, up(teacher), up(teacher)))
        label = f"teacher {100 * teacher:.1f}%"
        parts.append(_text(label, left + 4, up(teacher) - 6, "start", "teacher"))
    parts.append(_path("way", [(at(n), up(s.value)) for n, s in enumerate(stops)]))
    every = math.ceil(len(stops) / 6)
    for n, s in enumerate(stops):
        parts.append(_line("error", at(n), at(n), up(s.low), up(s.high)))
        if s.greedy is not None:
            parts.append(_circle("greedy", at(n), up(s.greedy), 4))
        parts.append(_circle("dot", at(n), up(s.value), 6))
        if n % every == 0 or n == len(stops) - 1:
            parts.append(_text(s.label, at(n), height - 12, "middle"))
        if len(stops) <= 6:
            share = f"{100 * s.value:.1f}"
            below = 16 if up(s.value) < height - bottom - 18 else 0
            parts.append(_text(share, at(n) + 10, up(s.value) + below, "start", "value"))
    told = ", ".join(f"{s.label} {100 * s.value:.1f} %" for s in stops)
    said = f"pass@1 after every stage: {told}"
    said += "" if teacher is None else f"; the teacher {100 * teacher:.1f} %"
    return _svg(parts, _class="journey", viewBox=f"0 0 {width} {height}", label=said)


def curve(points: Points, name: str) -> Markup:
    """A metric over the steps: the values faint, their moving average on top."""
    width, height, left, right, top, bottom = 340, 170, 46, 10, 10, 24
    wide, tall = width - left - right, height - top - bottom
    first, points = points[0][0], _thin(points, 400)
    values = [y for _, y in points]
    ticks = _ticks(min(values), max(values))
    floor, ceiling = ticks[0], ticks[-1]
    last = points[-1][0]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / ((last - first) or 1)
        rise = (y - floor) / (ceiling - floor)
        return left + wide * across, height - bottom - tall * rise

    parts = []
    for tick in ticks:
        y = place(first, tick)[1]
        parts.append(_line("grid", left, width - right, y, y))
        parts.append(_text(f"{tick:.4g}", left - 6, y + 4, "end"))
    parts.append(_text(f"{first:,.0f}", left, height - 6, "start"))
    parts.append(_text(f"step {last:,.0f}", width - right, height - 6, "end"))
    parts.append(_path("raw", [place(*point) for point in points]))
    parts.append(_path("smooth", [place(*point) for point in _smooth(points)]))
    said = f"{name} from {values[0]:.4g} at step {first:.0f} to {values[-1]:.4g} at step {last:.0f}"
    return _svg(parts, _class="curve", viewBox=f"0 0 {width} {height}", label=said)


def _thin(points: Points, most: int) -> Points:
    """At most `most` points, each the mean of its neighbours."""
    size = math.ceil(len(points) / most)
    groups = [points[n : n + size] for n in range(0, len(points), size)]
    return [(group[-1][0], fmean(y for _, y in group)) for group in groups] if size > 1 else points


def _smooth(points: Points) -> list[tuple[float, float]]:
    half = len(points) // 30
    return [
        (x, fmean(y for _, y in points[max(0, n - half) : n + half + 1]))
        for n, (x, _) in enumerate(points)
    ]


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers that enclose low and high, but for a millionth of a step."""
    span = (high - low) or abs(high) or 1.0
    unit = 10.0 ** math.floor(math.log10(span / 3))
    step = next(unit * m for m in (1, 2, 5, 10) if span / (unit * m) <= 4)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [round(n * step, 12) for n in range(first, max(last, first + 1) + 1)]


def _pc(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    ends = {"x1": x1, "x2": x2, "y1": y1, "y2": y2}
    return _tag("line", _class=kind, **{name: f"{value:.1f}" for name, value in ends.items()})


def _circle(kind: str, x: float, y: float, radius: float) -> Markup:
    return _tag("circle", _class=kind, cx=f"{x:.1f}", cy=f"{y:.1f}", r=str(radius))


def _path(kind: str, points: Points) -> Markup:
    return _tag("polyline", _class=kind, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _text(text: str, x: float, y: float, anchor: str, kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def _tag(name: str, **attributes: str) -> Markup:
    return Markup("<{} {}/>").format(Markup(name), _attributes(attributes))


def _svg(parts: Sequence[Markup], label: str = "", **attributes: str) -> Markup:
    """With a label it is a picture; without one it repeats what the text beside it says."""
    role = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    inner = Markup("").join(parts)
    return Markup("<svg {}>{}</svg>").format(_attributes(role | attributes), inner)


def _attributes(values: dict[str, str]) -> Markup:
    return Markup(" ").join(
        Markup('{}="{}"').format(Markup(name.lstrip("_")), value) for name, value in values.items()
    )
