"""reports/gate.html: the comparison that an approval is about, for a person and without a network."""

import html

from pipelines.verdict import Comparison, Verdict, figures

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.3rem .9rem .3rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".worse{color:#b00020;font-weight:600}.better{color:#1a7f37;font-weight:600}.note{color:#666}"
)
_EXPLAINED = (
    "Both were judged on the challenger's test sessions. Improvement is relative, above zero is better; in brackets "
    "its 95 % interval over resamples of visitors, paired except for the metrics of the encoder. A metric is worse "
    "when its whole interval lies below zero, or when it loses more than <code>gate.max_loss</code> of params.yaml."
)


def page(verdict: Verdict) -> str:
    """Returns the whole page."""
    rows = "\n".join(_row(one) for one in verdict.comparisons)
    versions = " &middot; ".join(html.escape(version) for version in verdict.versions.values())
    lines = "\n".join(f"<li>{html.escape(line)}</li>" for line in verdict.taxonomy.lines) or "<li>no change</li>"
    outcome = "passed" if verdict.passed else "refused"
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Gate: {outcome}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>Gate: {outcome}</h1>\n<p><b>{html.escape(verdict.sentence)}</b></p>\n"
        f"<p>Challenger: {versions}<br>Champion: {html.escape(verdict.champion or 'none')}</p>\n"
        f'<p class="note">{html.escape(verdict.data)}</p>\n'
        "<table>\n<tr><th>Metric</th><th>Champion</th><th>Challenger</th><th>Improvement</th><th></th></tr>\n"
        f'{rows}\n</table>\n<p class="note">{_EXPLAINED}</p>\n<h2>Taxonomy</h2>\n<ul>\n{lines}\n</ul>\n</html>\n'
    )


def _row(one: Comparison) -> str:
    cells = "".join(f'<td class="n">{figure}</td>' for figure in figures(one))
    style = one.outcome if one.outcome in ("worse", "better") else "note"
    why = f"<br><span class=note>{html.escape(one.why)}</span>" if one.why else ""
    return f'<tr><td>{one.metric}</td>{cells}<td class="{style}">{one.outcome}{why}</td></tr>'
