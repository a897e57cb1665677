"""A small bar chart of shares by week, as SVG within a page."""

from collections.abc import Sequence

import numpy as np

from pipelines.html_page import percent, text

WIDTH, HEIGHT, BELOW, ABOVE = 340, 76, 16, 14


def week_chart(weeks: Sequence[str], shares: np.ndarray) -> str:
    """Returns the chart; ``weeks`` are the days on which they begin; a bar says its week and share when pointed at."""
    top = max(float(shares.max(initial=0.0)), 1e-9)
    step = WIDTH / max(len(weeks), 1)
    titles = [
        f"<title>week of {text(week)}: {percent(float(share), 2)}</title>"
        for week, share in zip(weeks, shares, strict=True)
    ]
    bars = "".join(
        f'<rect x="{place * step + 1:.1f}" y="{ABOVE + HEIGHT * (1 - share / top):.1f}" width="{max(step - 2, 1):.1f}" '
        f'height="{HEIGHT * share / top:.1f}" fill="#2f6db5">{title}</rect>'
        for place, (title, share) in enumerate(zip(titles, shares, strict=True))
    )
    ends = f'<text x="0" y="{ABOVE + HEIGHT + BELOW - 3}">{text(weeks[0])}</text>' if weeks else ""
    if len(weeks) > 1:
        ends += f'<text x="{WIDTH}" y="{ABOVE + HEIGHT + BELOW - 3}" text-anchor="end">{text(weeks[-1])}</text>'
    return (
        f'<svg viewBox="0 0 {WIDTH} {ABOVE + HEIGHT + BELOW}" width="{WIDTH}" role="img" '
        f'aria-label="share by week, at most {percent(top, 2)}">'
        f'<text x="0" y="10">{percent(top, 2)}</text>{bars}{ends}</svg>'
    )
