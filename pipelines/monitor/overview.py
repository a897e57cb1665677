"""The head of a drift report: what was found, how far each signal is from its limit, how it went, what moved.

Evidently's page shows a card for each number; who reviews a report asks first what drifted, since when, and by what.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from pipelines.drift.comparison import Finding
from pipelines.html_page import text
from pipelines.monitor.panels import LABELS, PANELS

DAYS_SHOWN: Final = 14
MOST: Final = 2.0
"""Times its limit: what lies farther is drawn there."""
_WIDTH, _HEIGHT = 150, 24
_STYLE: Final = """
.head{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#1c2330;background:#fff;max-width:80rem;
margin:0 auto;padding:1.6rem 1.5rem .6rem}.head h1{font-size:1.6rem;margin:0 0 .6rem}
.head h2{font-size:1.15rem;margin:1.6rem 0 .2rem}.head p{margin:.4rem 0}.head .soft{color:#5b6575;font-size:.88rem}
.head .call{border-left:6px solid #1d7a4f;background:#eef7f2;padding:.7rem 1rem;font-size:1.05rem}
.head .call.drift{border-color:#e0a020;background:#fff6e0}.head .call.alarm{border-color:#b3363b;background:#fdeeee}
.head table{border-collapse:collapse;width:100%;margin:.4rem 0}
.head th{text-align:left;font-weight:600;color:#5b6575;font-size:.84rem}
.head td,.head th{padding:.3rem 1rem .3rem 0;vertical-align:middle;border-bottom:1px solid #dfe3ea}
.head th.part{padding-top:1.1rem;color:#1c2330;font-size:1rem;border-bottom:2px solid #dfe3ea}
.head tr.over td{background:#fdeeee}.head td.n{text-align:right;font-variant-numeric:tabular-nums;width:4rem}
.head td.label{width:15rem}.head td.drawn{width:10.5rem}.head svg{display:block}
.head .chip b{font-weight:600;white-space:nowrap}
.head .chip{display:inline-block;background:#f5f7fa;border:1px solid #dfe3ea;border-radius:1rem;padding:0 .6rem;
margin:.1rem .3rem .1rem 0;font-size:.86rem}
"""


def overview(
    found: Mapping[str, Any], findings: Sequence[Finding], before: Mapping[date, Mapping[str, float]], day: date
) -> str:
    """Returns HTML that stands above Evidently's; no script, and nothing loaded.

    Args:
        found: the report's JSON: sentence, drifted, alarm, versions.
        findings: of each signal that has a limit.
        before: by day and signal, how many times its limit it was in former reports about this champion.
        day: the report's.
    """
    by_name = {one.signal: one for one in findings}
    went = {name: _course(before, day, one.reach, name) for name, one in by_name.items()}
    parts = []
    for title, names in PANELS.items():
        rows = [_row(by_name[name], went[name], day) for name in names if name in by_name]
        if rows:
            parts.append(f'<tr><th class="part" colspan="5">{text(title)}</th></tr>{"".join(rows)}')
    n_drifted = sum(one.drifted for one in findings)
    call = "alarm" if found["alarm"] else "drift" if found["drifted"] else "calm"
    versions = ", ".join(f"{name.removesuffix('_version')} {value}" for name, value in found["versions"].items())
    return (
        f'<style>{_STYLE}</style><section class="head"><h1>Drift report, {text(day)}</h1>'
        f'<p class="call {call}">{text(found["sentence"])}</p>'
        f"<p>{n_drifted} of {len(findings)} signals beyond their limits "
        f'<span class="soft">(champion: {text(versions)}; its own sessions on the same weekdays)</span></p>'
        "<table><tr><th>Signal</th><th>Times its limit</th><th></th>"
        f"<th>The last {DAYS_SHOWN} days</th><th>What moved most: before, and now</th></tr>{''.join(parts)}</table>"
        '<p class="soft">A signal drifts beyond 1, the line in each drawing. Limits are calibrated on the champion\'s '
        "own sessions, for all signals together; in a distance each visitor counts once. What moved most "
        "is shown of calm signals, too, as shares of sessions.</p>"
        "<h2>By Evidently: the signals as tests, and how sessions are spread</h2></section>"
    )


def title(day: date) -> str:
    """Returns what the browser calls the page."""
    return f"Drift report, {day}"


def _course(before: Mapping[date, Mapping[str, float]], day: date, reach: float, name: str) -> dict[int, float]:
    """How many times its limit the signal was on each of the last days, by its place among DAYS_SHOWN."""
    first = day - timedelta(days=DAYS_SHOWN - 1)
    known = {(one - first).days: of[name] for one, of in before.items() if first <= one < day and name in of}
    return known | {DAYS_SHOWN - 1: reach}


def _row(finding: Finding, course: Mapping[int, float], day: date) -> str:
    chips = "".join(
        f'<span class="chip">{text(moved.category)} <b>{text(moved.shares)}</b></span>' for moved in finding.moved
    )
    return (
        f'<tr{" class=over" if finding.drifted else ""}><td class="label">{text(LABELS[finding.signal])}</td>'
        f'<td class="drawn">{_bar(finding)}</td><td class="n">{finding.reach:.2f}</td>'
        f'<td class="drawn">{_line(course, day)}</td><td>{chips}</td></tr>'
    )


def _bar(finding: Finding) -> str:
    width = round(_WIDTH * min(finding.reach, MOST) / MOST, 1)
    middle = _WIDTH / MOST
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{finding.reach:.2f} times the limit">'
        f'<rect x="0" y="7" width="{_WIDTH}" height="10" rx="2" fill="#eef1f5"/>'
        f'<rect x="0" y="7" width="{width}" height="10" rx="2" fill="{_colour(finding.reach)}"/>'
        f'<line x1="{middle}" x2="{middle}" y1="3" y2="21" stroke="#1c2330"/></svg>'
    )


def _line(course: Mapping[int, float], day: date) -> str:
    step = (_WIDTH - 8) / (DAYS_SHOWN - 1)
    points = [
        (round(4 + place * step, 1), round(_HEIGHT - 3 - (_HEIGHT - 6) * min(reach, MOST) / MOST, 1), place, reach)
        for place, reach in sorted(course.items())
    ]
    joined = " ".join(f"{x},{y}" for x, y, *_ in points)
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2.6" fill="{_colour(reach)}">'
        f"<title>{day - timedelta(days=DAYS_SHOWN - 1 - place)}: {reach:.2f}</title></circle>"
        for x, y, place, reach in points
    )
    middle = _HEIGHT / 2
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="the last days">'
        f'<line x1="0" x2="{_WIDTH}" y1="{middle}" y2="{middle}" stroke="#9aa3b0" stroke-dasharray="3 3"/>'
        f'<polyline points="{joined}" fill="none" stroke="#9fb9d8"/>{dots}</svg>'
    )


def _colour(reach: float) -> str:
    return "#b3363b" if reach > 1 else "#2f6db5"
