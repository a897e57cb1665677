"""reports/index.html: one page that leads to the others."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from pipelines.html_page import drift_badge, page, text

_PAGES: Final = {
    "taxonomy.html": "the taxonomy, its intents and how well they are told",
    "taxonomy_diff.html": "what the taxonomy stage proposes beside what is approved",
    "embedding.html": "a map of the embedding",
    "gate.html": "the challenger beside the champion",
    "metrics.json": "every figure of evaluate, with intervals",
    "ingest.json": "what was read, left out and rejected, and why",
    "sessionize.json": "sessions and how they were linked and split",
    "encoder.json": "the audits of the encoder",
}
_PICTURES: Final = {
    "plots/lift.png": "lifts",
    "plots/reliability.png": "the student's calibration",
    "plots/coverage.png": "what the student answers, and how well",
}


def index(reports: Path, drift: Mapping[date, Mapping[str, Any]]) -> str:
    """Returns the page: every drift report, newest first, and the pages, figures and pictures that lie beside it.

    Args:
        reports: the folder of the page.
        drift: what each drift report found (its JSON), by its day.
    """
    rows = [
        f'<tr><td class="date"><a href="drift/{day}.html">{day}</a></td>'
        f"<td>{drift_badge(found)}{text(found['sentence'])}</td></tr>"
        for day, found in sorted(drift.items(), reverse=True)
    ]
    links = [
        f'<li><a href="{file}">{file}</a>: {text(what)}</li>'
        for file, what in _PAGES.items()
        if (reports / file).exists()
    ]
    pictures = [
        f'<details><summary>{text(what)}</summary><img src="{file}" alt="" style="max-width:100%"></details>'
        for file, what in _PICTURES.items()
        if (reports / file).exists()
    ]
    return page(
        "Clicks to Intent: reports",
        f"<h1>Clicks to Intent: reports</h1>\n<h2>Drift</h2>\n<table>\n{chr(10).join(rows)}\n</table>\n"
        f"<h2>Pages and figures</h2>\n<ul>\n{chr(10).join(links)}\n</ul>\n{chr(10).join(pictures)}",
    )
