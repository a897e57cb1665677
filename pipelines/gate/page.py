"""reports/gate.html: the comparison that an approval is about, for a person and without a network."""

import math
from collections.abc import Sequence
from typing import Final

from pipelines.html_page import page as whole
from pipelines.html_page import text
from pipelines.verdict import Comparison, Verdict, figures

_STYLE: Final = (
    "<style>.call{border-left:6px solid var(--green);background:#eef7f2;padding:.7rem 1rem;font-size:1.05rem}"
    ".call.refused{border-color:var(--red);background:#fdeeee}tr.worse td{background:#fdeeee}"
    "tr.better td{background:#eef7f2}td.drawn{width:15rem}svg{display:block}"
    "th.drawn{text-align:center;width:15rem;padding-right:27px}</style>"
)
_EXPLAINED: Final = (
    "Both were judged on the challenger's test sessions. Improvement is relative, above zero is better; in brackets, "
    "and as a line in the drawing, its 95 % interval over resamples of visitors, paired except for the metrics of the "
    "encoder; drawn by square roots, so that small differences show beside large ones. A metric is worse when its "
    "whole interval lies below zero, or when it loses more than <code>gate.max_loss</code> of params.yaml."
)
_COLOURS: Final = {"worse": "#b3363b", "better": "#1d7a4f"}
_WIDTH, _HEIGHT = 220, 22
_LEAST_REACH: Final = 0.01
"""Of the drawings to either side: what differs by less looks like nothing."""


def page(verdict: Verdict) -> str:
    """Returns the whole page."""
    outcome = "passed" if verdict.passed else "refused"
    versions = " &middot; ".join(text(version) for version in verdict.versions.values())
    lines = "".join(f"<li>{text(line)}</li>" for line in verdict.taxonomy.lines) or "<li>no change</li>"
    note = f'<p class="note">{text(verdict.data)}</p>' if verdict.data else ""
    return whole(
        f"Gate: {outcome}",
        f'{_STYLE}<h1>Gate: {outcome}</h1><p class="call {outcome}"><b>{text(verdict.sentence)}</b></p>{note}'
        f"<p>Challenger: {versions}<br>Champion: {text(verdict.champion or 'none')}</p>"
        f"{_table(verdict.comparisons)}<h2>Taxonomy</h2><ul>{lines}</ul>",
    )


def _table(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    ends = [abs(end) for one in comparisons for end in one.ci95 or ()]
    reach = max([_LEAST_REACH, *ends])
    rows = "".join(_row(one, reach) for one in comparisons)
    return (
        '<table><tr><th>Metric</th><th class="n">Champion</th><th class="n">Challenger</th>'
        f'<th class="n">Improvement</th><th class="drawn">worse | better</th><th>Outcome</th></tr>{rows}</table>'
        f'<p class="soft small">{_EXPLAINED}</p>'
    )


def _row(one: Comparison, reach: float) -> str:
    cells = "".join(f'<td class="n">{figure}</td>' for figure in figures(one))
    why = f'<br><span class="soft small">{text(one.why)}</span>' if one.why else ""
    return (
        f'<tr class="{one.outcome.replace(" ", "-")}"><td>{text(_words(one.metric))}<br>'
        f'<span class="soft small">{text(one.metric)}</span></td>{cells}<td class="drawn">{_drawn(one, reach)}</td>'
        f"<td>{one.outcome}{why}</td></tr>"
    )


def _words(metric: str) -> str:
    """As people say it: ``tile_ranking.embedding.log_loss`` is the log loss of tile ranking by the embedding."""
    *of, measure = metric.replace("_", " ").split(".")
    return ": ".join([" by ".join(of).capitalize(), measure]) if of else measure


def _drawn(one: Comparison, reach: float) -> str:
    if one.improvement is None or one.ci95 is None:
        return ""
    low, dot, high = (
        round(_WIDTH / 2 + (_WIDTH / 2 - 5) * math.copysign(math.sqrt(abs(value) / reach), value), 1)
        for value in (one.ci95[0], one.improvement, one.ci95[1])
    )
    colour, middle = _COLOURS.get(one.outcome, "#2f6db5"), _HEIGHT / 2
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{text(figures(one)[2])}">'
        f'<line x1="{_WIDTH / 2}" x2="{_WIDTH / 2}" y1="0" y2="{_HEIGHT}" stroke="#9aa3b0"/>'
        f'<line x1="{low}" x2="{high}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="3"/>'
        f'<circle cx="{dot}" cy="{middle}" r="4.5" fill="{colour}"/></svg>'
    )
