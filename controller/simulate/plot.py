"""A simulation as one SVG picture: jobs, workers, queue and turnaround over time. Pure.

Four panels share one time axis. The SVG is written by hand: a few shapes need no library, and a
picture that loads nothing can be shown anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from xml.sax.saxutils import escape

from controller.simulate.report import STATES, Report, Sample, Turnarounds
from controller.simulate.run import Outcome
from controller.simulate.scenario import HOUR, TURNAROUND, WORKERS, Options
from models.job_types import FLAVORS

WIDTH, HEIGHT = 1090, 980
LEFT, RIGHT = 70, 950
TOP, PANEL, GAP = 128, 166, 50
INK, FAINT, GRID, PAPER = "#1f2933", "#6b7785", "#e4e8ec", "#ffffff"
LIMIT = "#c0392b"

STATE_COLOURS = dict(zip(STATES, ("#f2b84b", "#a9cbe8", "#2f6db5", "#c8443c"), strict=True))
FLAVOR_COLOURS = dict(
    zip((f.name for f in FLAVORS), "#2f6db5 #3aa6a0 #8e5ea8 #f2a541 #9aa5b1".split(), strict=True)
)
DRAWN_STATES = ("running", "dispatched", "waiting", "in error")
"""From the bottom up: what moves lies on the axis, what is wrong on top."""

TICKS = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336)
MOST_TICKS = 13
TOPS = (4.0, 8.0, 12.0, 20.0, 40.0, 60.0, 80.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One of the four pictures: where it is, and what its axes mean."""

    row: int
    title: str
    span: timedelta
    top: float

    @property
    def above(self) -> float:
        """The y of its upper edge."""
        return TOP + self.row * (PANEL + GAP)

    @property
    def below(self) -> float:
        """The y of its base line."""
        return self.above + PANEL

    def x(self, at: timedelta) -> float:
        """Where a moment is."""
        return LEFT + (RIGHT - LEFT) * (at / self.span)

    def y(self, value: float) -> float:
        """Where a value is."""
        return self.below - PANEL * (value / self.top)


def draw(options: Options, outcome: Outcome) -> str:
    """The picture, as the text of an SVG file."""
    samples = outcome.samples
    span = max((s.at for s in samples), default=timedelta()) or HOUR
    parts = [
        *_head(options, outcome.report),
        *_jobs(samples, span),
        *_workers(samples, span, options.workers or WORKERS),
        *_queue(samples, span),
        *_turnaround(outcome.turnarounds, span),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" '
        f'fill="{INK}">'
    )
    paper = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>'
    return "\n".join([head, paper, *parts, "</svg>", ""])


# ---- the four panels -----------------------------------------------------------------------------


def _jobs(samples: Sequence[Sample], span: timedelta) -> list[str]:
    colours = {state: STATE_COLOURS[state] for state in DRAWN_STATES}
    return _stacked((0, "Open jobs by state"), samples, span, (lambda s: s.jobs, colours, 0))


def _workers(samples: Sequence[Sample], span: timedelta, cap: int) -> list[str]:
    what: _Stack = (lambda s: s.workers, FLAVOR_COLOURS, 0)
    most = max((sum(s.workers.values()) for s in samples), default=0)
    if most * 2 < cap:
        return _stacked((1, f"Workers by flavor (at most {cap})"), samples, span, what)
    panel = _panel((1, "Workers by flavor"), span, max(most, cap))
    return [
        *_stacked((1, "Workers by flavor"), samples, span, (what[0], what[1], cap)),
        *_limit(panel, cap, f"at most {cap}"),
    ]


def _queue(samples: Sequence[Sample], span: timedelta) -> list[str]:
    title = "Jobs that wait for a worker, by flavor"
    return _stacked((2, title), samples, span, (lambda s: s.queue, FLAVOR_COLOURS, 0))


def _turnaround(points: Sequence[Turnarounds], span: timedelta) -> list[str]:
    """Median and 95th percentile by hour of arrival, and the 3 hours that are promised."""
    longest = max((point.p95 for point in points), default=HOUR)
    panel = _panel(
        (3, "Turnaround by hour of arrival (hours)"), span, max(longest, TURNAROUND) / HOUR
    )
    slow, usual = "#e8a0a0", "#2f6db5"
    parts = _frame(panel)
    for number, colour in ((1, slow), (0, usual)):
        for point in points:
            value = ((point.p50, point.p95)[number]) / HOUR
            left, right = (panel.x(point.at + shift * HOUR) for shift in (-0.42, 0.42))
            right = min(right, RIGHT)
            shape = f'width="{right - left:.1f}" height="{panel.below - panel.y(value):.1f}"'
            parts.append(
                f'<rect x="{left:.1f}" y="{panel.y(value):.1f}" {shape} rx="1" fill="{colour}"/>'
            )
    parts += _limit(panel, TURNAROUND / HOUR, "3 h")
    return [*parts, *_legend(panel, {"95 % within": slow, "half within": usual})]


# ---- shapes --------------------------------------------------------------------------------------

_Stack = tuple[Callable[[Sample], Mapping[str, int]], Mapping[str, str], float]
"""What is stacked: the counts of a sample, the colour of each name, and what must fit as well."""


def _panel(place: tuple[int, str], span: timedelta, most: float) -> Panel:
    return Panel(row=place[0], title=place[1], span=span, top=_round_top(most))


def _stacked(
    place: tuple[int, str], samples: Sequence[Sample], span: timedelta, what: _Stack
) -> list[str]:
    counts, colours, least = what
    names = [name for name in colours if any(counts(s).get(name) for s in samples)]
    most = max((sum(counts(s).values()) for s in samples), default=0)
    panel = _panel(place, span, max(most, least))
    floor = [0] * len(samples)
    areas: list[str] = []
    for name in names:
        roof = [low + counts(s).get(name, 0) for low, s in zip(floor, samples, strict=True)]
        areas.append(_area(panel, samples, (floor, roof), colours[name]))
        floor = roof
    shown = {name: colours[name] for name in reversed(names)}
    return [*_frame(panel), *areas, _baseline(panel), *_legend(panel, shown)]


def _area(
    panel: Panel,
    samples: Sequence[Sample],
    edges: tuple[Sequence[int], Sequence[int]],
    colour: str,
) -> str:
    xs = [panel.x(sample.at) for sample in samples]
    there = [f"{x:.1f},{panel.y(v):.1f}" for x, v in zip(xs, edges[1], strict=True)]
    back = [f"{x:.1f},{panel.y(v):.1f}" for x, v in zip(xs, edges[0], strict=True)]
    return f'<polygon points="{" ".join([*there, *reversed(back)])}" fill="{colour}"/>'


def _frame(panel: Panel) -> list[str]:
    """Title, grid and axes."""
    parts = [_text((LEFT, panel.above - 12), panel.title, 'font-weight="600" font-size="14"')]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = panel.y(panel.top * share)
        parts.append(_line((LEFT, y), (RIGHT, y), GRID))
        label = f"{panel.top * share:g}"
        parts.append(_text((LEFT - 8, y + 4), label, f'text-anchor="end" fill="{FAINT}"'))
    for hour in _tick_hours(panel.span):
        x = panel.x(hour * HOUR)
        parts.append(_line((x, panel.above), (x, panel.below), GRID))
        label = _clock(hour, panel.span)
        parts.append(
            _text((x, panel.below + 18), label, f'text-anchor="middle" fill="{FAINT}"'),
        )
    return [*parts, _baseline(panel)]


def _baseline(panel: Panel) -> str:
    return _line((LEFT, panel.below), (RIGHT, panel.below), FAINT)


def _limit(panel: Panel, value: float, label: str) -> list[str]:
    y = panel.y(value)
    return [
        _line((LEFT, y), (RIGHT, y), LIMIT, ' stroke-dasharray="6 4" stroke-width="1.5"'),
        _text((RIGHT + 8, y + 4), label, f'fill="{LIMIT}"'),
    ]


def _legend(panel: Panel, colours: Mapping[str, str]) -> list[str]:
    parts: list[str] = []
    for place, (name, colour) in enumerate(colours.items()):
        y = panel.below - (len(colours) - place) * 22 + 8
        parts.append(
            f'<rect x="{RIGHT + 14}" y="{y - 10:.0f}" width="12" height="12" rx="2" '
            f'fill="{colour}"/>'
        )
        parts.append(_text((RIGHT + 33, y), name))
    return parts


def _head(options: Options, report: Report) -> list[str]:
    days = "1 day" if options.days == 1 else f"{options.days:g} days"
    title = f"{report.jobs_created:,} jobs in {days}, {_faults(options)}, seed {report.seed}"
    broken = report.invariant_violations
    judged = "every invariant held" if not broken else f"{broken} invariants broken"
    busy = report.vm_hours_busy / report.vm_hours if report.vm_hours else 0
    facts = [
        f"{report.jobs_done:,} done, {report.quarantined:,} quarantined",
        f"half within {_span(report.turnaround_p50_s)}",
        f"95 % within {_span(report.turnaround_p95_s)}",
        f"{_percent(report.share_within_3h)} in 3 h",
        f"{report.vm_hours:,.0f} machine hours, {_percent(busy)} busy",
        f"{report.servers_created:,} servers created",
    ]
    return [
        _text((LEFT, 40), title, 'font-size="22" font-weight="700"'),
        _text((LEFT, 66), " · ".join(facts[:4]), f'fill="{FAINT}" font-size="14"'),
        _text(
            (LEFT, 88),
            " · ".join([*facts[4:], f"{report.passes:,} passes", judged]),
            f'fill="{LIMIT if broken else FAINT}" font-size="14"',
        ),
    ]


def _faults(options: Options) -> str:
    return {"none": "nothing goes wrong", "some": "some faults", "all": "faults of every kind"}[
        options.faults.value
    ]


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 120 else f"{whole // 60} h {whole % 60:02}"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share in {0, 1} else f"{100 * share:.1f} %"


def _line(a: tuple[float, float], b: tuple[float, float], colour: str, more: str = "") -> str:
    ends = f'x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"'
    return f'<line {ends} stroke="{colour}"{more}/>'


def _text(at: tuple[float, float], words: str, more: str = "") -> str:
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" {more}>{escape(words)}</text>'


def _tick_hours(span: timedelta) -> Iterable[int]:
    hours = span / HOUR
    step = next((tick for tick in TICKS if hours / tick <= MOST_TICKS), TICKS[-1])
    return range(0, int(hours) + 1, step)


def _clock(hour: int, span: timedelta) -> str:
    if span <= 36 * HOUR:
        return f"{hour % 24:02}:00"
    return f"day {hour // 24 + 1}" if hour % 24 == 0 else f"{hour % 24:02}:00"


def _round_top(most: float) -> float:
    """The end of an axis: the next number whose quarters are easy to read."""
    higher = (lead * 10.0**power for power in range(2, 7) for lead in (1, 2, 3, 4, 6, 8))
    return next((top for top in (*TOPS, *higher) if top >= most), most)
